// The client in a pipe: standard input to the server, its replies to standard output. Called by main.ts.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { codeOf, messageOf } from '../../shared/errors.ts';
import { counted } from '../../shared/log/log-format.ts';
import { afterRunning, type Stop } from '../../shared/running-time.ts';
import { addressOf, explain, openSocket, type Endpoint } from '../echo-client.ts';
import { LineTrimmer } from './lines.ts';
import { cannotWrite } from './output.ts';
import { PrintableLines } from './printable.ts';

const LF = 0x0a;
/** A server that has answered all ends its side too; for so long it is waited for, in milliseconds. */
const END_LIMIT_MS = 2000;

export interface RelayStreams {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
}

/**
 * Carries bytes both ways, with back-pressure: neither the number of lines nor their length is limited by memory. It is
 * over when the server ends, when it has sent more lines than it was asked for, or when it does not end after as many.
 * A terminal gets what it may show.
 * @param passesOverGreeting The server's first line is no reply.
 * @returns What went wrong, in a sentence.
 */
export async function relay(
  endpoint: Endpoint, { stdin, stdout }: RelayStreams, passesOverGreeting = false,
): Promise<string | undefined> {
  let socket: Socket;
  try {
    socket = await openSocket({ ...endpoint, allowHalfOpen: true });
  } catch (error) {
    return messageOf(error);
  }
  const trimmer = new LineTrimmer();
  const lines = stdout.isTTY ? new PrintableLines() : undefined;
  let replies = 0;
  let inputEnded = false;
  let outputError: Error | undefined;
  let endLimit: Stop | undefined;
  const over = new AbortController();

  /** What comes behind the last reply shows that a line before it was none: a greeting, for example. */
  function lookForTheEnd(): void {
    if (!inputEnded || replies < trimmer.messages) return;
    if (replies > trimmer.messages) over.abort();
    else endLimit ??= afterRunning(END_LIMIT_MS, () => over.abort());
  }

  over.signal.addEventListener('abort', () => {
    endLimit?.();
    socket.destroy();
    stdin.destroy();
  });
  stdout.on('error', (error) => {
    outputError ??= error;
    over.abort();
  });

  async function upward(): Promise<void> {
    for await (const chunk of stdin) {
      for (const piece of trimmer.push(chunk)) await put(socket, piece, over.signal);
    }
    for (const piece of trimmer.end()) await put(socket, piece, over.signal);
    inputEnded = true;
    socket.end();
    lookForTheEnd();
  }

  async function downward(): Promise<void> {
    let inGreeting = passesOverGreeting;
    try {
      for await (const read of socket as AsyncIterable<Buffer>) {
        const end = inGreeting ? read.indexOf(LF) : -1;
        if (inGreeting && end < 0) continue;
        inGreeting = false;
        const chunk = read.subarray(end + 1);
        for (let at = 0; at < chunk.length; at += 1) if (chunk[at] === LF) replies += 1;
        await put(stdout, lines?.push(chunk) ?? chunk, over.signal);
        lookForTheEnd();
      }
    } finally {
      if (lines) stdout.write(lines.end());
      over.abort();
    }
  }

  // Whichever fails first, the other must not wait for it. What went wrong is read from the streams afterwards.
  await Promise.all([upward(), downward()]).catch(() => over.abort());
  if (outputError) return cannotWrite(outputError);
  if (inputEnded && replies === trimmer.messages) return undefined;
  const unread = failureOf(stdin);
  if (unread) return `Cannot read standard input: ${messageOf(unread)}.`;
  if (replies > trimmer.messages) {
    return `${addressOf(endpoint)} sent ${counted(replies, 'line')} for ${counted(trimmer.messages, 'message')}.`;
  }
  const why = explain('talk', addressOf(endpoint), failureOf(socket));
  const rest = inputEnded ? '' : ' (and the input had not ended)';
  const missing = trimmer.messages === 0 ? 'No message was sent' : shortfall(trimmer.messages, replies);
  return `${why.message} ${missing}${rest}.`;
}

/** Writes, and waits while the stream's buffer is full. */
async function put(stream: Writable, bytes: Buffer | string, signal: AbortSignal): Promise<void> {
  if (!stream.write(bytes)) await once(stream, 'drain', { signal });
}

/** What went wrong with a stream itself: Node also destroys one with an AbortError when a loop over it is left. */
function failureOf(stream: Readable): Error | undefined {
  return stream.errored && codeOf(stream.errored) !== 'ABORT_ERR' ? stream.errored : undefined;
}

function shortfall(messages: number, replies: number): string {
  const missing = messages - replies;
  return `${missing} of ${messages} ${messages === 1 ? 'reply' : 'replies'} ${missing === 1 ? 'is' : 'are'} missing`;
}
