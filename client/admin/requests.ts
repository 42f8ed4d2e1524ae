// Requests to a server's admin address. What comes back is bounded, and every way to fail is a sentence. Used by
// status.ts and top.ts.
import { request, type IncomingMessage } from 'node:http';
import { codeOf, messageOf } from '../../shared/errors.ts';
import { afterSilence } from '../../shared/running-time.ts';
import { fitText } from '../../shared/terminal/preview.ts';
import type { AdminAddress } from './address.ts';

/** The server cannot be reached, or is none. `message` is one sentence, with nothing in it that shapes a terminal. */
export class AdminError extends Error {
  override name = 'AdminError';
  readonly code = 'ERR_ECHOPOOL_ADMIN';
}

/** An answer, or an event, may be so long, in bytes: a status of 500 connections has less than a tenth of it. */
export const MOST_BYTES = 4 * 1024 * 1024;
/** How long the server may say nothing before it is given up, in milliseconds in which this process runs. */
const SILENCE_MS = 10_000;
/** How much of a server's sentence is repeated. */
const SENTENCE_COLUMNS = 160;

export interface Asking {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** @returns The answer once its head has come. @throws AdminError */
export async function open(address: AdminAddress, asking: Asking): Promise<IncomingMessage> {
  const { method, path, headers = {}, signal } = asking;
  const sent = request({ ...address.to, method, path, headers, agent: false, ...signal && { signal } });
  return await hearing(address, sent, SILENCE_MS, () => 0, () => new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject).end();
  }));
}

/** @returns The status and the whole body. @throws AdminError */
export async function ask(address: AdminAddress, asking: Asking): Promise<{ status: number; body: string }> {
  const answer = await open(address, asking);
  const parts: Buffer[] = [];
  let bytes = 0;
  await hearing(address, answer, SILENCE_MS, () => bytes, async () => {
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > MOST_BYTES) throw tooLong(address);
      parts.push(part);
    }
  });
  return { status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() };
}

/**
 * Waits for a server that is given up when it says nothing for so long.
 * @param heard A number that changes with what it says.
 * @throws AdminError for whatever goes wrong.
 */
export async function hearing<T>(
  address: AdminAddress, stream: { destroy(): unknown }, ms: number, heard: () => number, wait: () => Promise<T>,
): Promise<T> {
  let isSilent = false;
  const endWatch = afterSilence(ms, heard, () => {
    isSilent = true;
    stream.destroy();
  });
  try {
    return await wait();
  } catch (error) {
    if (error instanceof AdminError) throw error;
    throw isSilent ? noAnswer(address, ms) : unreachable(address, error);
  } finally {
    endWatch();
  }
}

/** What a server has answered that does not do what it was asked. */
export function refused({ shown }: AdminAddress, status: number, body = ''): AdminError {
  const why = sentenceOf(body);
  return new AdminError(`${shown} answered ${status}${why === '' ? '' : `: ${why}`}.`);
}

/** The first line of an answer, short and shown as it is, without the point at its end. */
export function sentenceOf(body: string): string {
  const [line = ''] = body.slice(0, SENTENCE_COLUMNS * 2).trim().split('\n');
  return fitText(line, SENTENCE_COLUMNS).replace(/\.$/, '');
}

export function noServer({ shown }: AdminAddress): AdminError {
  return new AdminError(`What answers at ${shown} is no echopool server's admin address.`);
}

export function tooLong({ shown }: AdminAddress): AdminError {
  return new AdminError(`${shown} sends more than ${MOST_BYTES / 2 ** 20} MiB at once, as no echopool server does.`);
}

function noAnswer({ shown }: AdminAddress, ms: number): AdminError {
  return new AdminError(`Nothing came from ${shown} for ${ms / 1000} s: its server may be stopped or stuck.`);
}

/** What an error of a request means, and what to do about it. */
function unreachable({ shown }: AdminAddress, error: unknown): AdminError {
  const code = codeOf(error) ?? '';
  switch (code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return new AdminError(`No server answers at ${shown}: start it with --admin ${shown}.`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new AdminError(`The host of ${shown} cannot be found: is it the server's --admin?`);
    case 'EACCES':
    case 'EPERM':
      return new AdminError(`${shown} cannot be used by this user: it is for the user who has started the server.`);
    case 'ECONNRESET':
      return new AdminError(`${shown} has closed the connection.`);
    default: {
      if (code.startsWith('HPE_')) {
        const hint = 'give the address of --admin, not the one of its clients';
        return new AdminError(`What answers at ${shown} speaks no HTTP: ${hint}.`);
      }
      return new AdminError(`Cannot reach ${shown}: ${fitText(messageOf(error), SENTENCE_COLUMNS)}.`);
    }
  }
}
