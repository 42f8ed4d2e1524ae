#!/usr/bin/env node
// The client program (npm run client): a prompt on a terminal, a filter in a pipe.

import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UsageError, codeOf, messageOf } from '../shared/errors.ts';
import { CLIENT_HELP, parseClientCommand, type ClientCommand } from './config.ts';
import { EchoClient, LineTrimmer, addressOf, explain, openSocket, trimLine, type Endpoint } from './echo-client.ts';

const { stdin, stdout, stderr } = process;
const PATIENCE_MS = 3_000;
const LF = 0x0a;

/** One line on standard error, and the code that the process will exit with. */
function complain(sentence: string, exitCode: 1 | 2): void {
  stderr.write(`echopool-client: ${sentence}\n`);
  process.exitCode = exitCode;
}

async function main(): Promise<void> {
  stderr.on('error', () => {}); // Nobody is left to be told.
  stdout.on('error', (error) => {
    // EPIPE: the reader has seen enough, as in `| head`.
    if (codeOf(error) !== 'EPIPE') complain(`Cannot write to standard output: ${messageOf(error)}.`, 1);
  });
  let command: ClientCommand;
  try {
    command = parseClientCommand(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return complain(error.message, 2);
  }
  if (command.kind === 'help') stdout.write(CLIENT_HELP);
  else if (command.kind === 'version') stdout.write(`${version()}\n`);
  // With a prompt in a file nobody would see it, so both ends have to be a terminal.
  else if (stdin.isTTY && stdout.isTTY) await converse(command.endpoint);
  else await relay(command.endpoint);
}

function version(): string {
  // By the package's own name, as this file lies one directory deeper once it is built.
  const own = createRequire(import.meta.url)('echopool/package.json') as { version: string };
  return own.version;
}

// ---- On a terminal

/** Prompts until Ctrl-D or Ctrl-C; a server that is away is tried again at each message. */
async function converse(endpoint: Endpoint): Promise<void> {
  const address = addressOf(endpoint);
  const leaving = new AbortController();
  const terminal = createInterface({ input: stdin, output: stdout, historySize: 1_000 });
  const closed = once(terminal, 'close');
  let client: EchoClient | undefined;
  /** Messages without a reply yet. While there are any the prompt is hidden, but typing goes on. */
  let unanswered = 0;
  let told: unknown;

  // The terminal is gone. Node aborts when it cannot restore one, so this ends as a hang-up does, by its signal.
  for (const stream of [stdin, stdout]) stream.on('error', () => process.kill(process.pid, 'SIGHUP'));
  terminal.once('close', () => {
    leaving.abort();
    const left = unanswered === 1 ? 'a reply' : `${unanswered} replies`;
    stdout.write(unanswered === 0 ? '\n' : `\nLeft without ${left}.\n`);
  });

  /** Prints lines of their own above the prompt and what is being typed there. */
  function say(text: string): void {
    if (leaving.signal.aborted) return;
    // A long typed line covers several rows. prompt() goes up by at most as many, so they are given back first: that
    // may leave an empty row, but never covers the text.
    const { rows } = terminal.getCursorPos();
    moveCursor(stdout, 0, -rows);
    cursorTo(stdout, 0);
    clearScreenDown(stdout);
    stdout.write(`${text}\n${'\n'.repeat(rows)}`);
    terminal.prompt(true);
  }

  /** Says why there is no connection: once, though a message under way and the connection itself both report it. */
  function tell(why: unknown): void {
    if (why !== told) say(`${messageOf(why)} The next message tries again.`);
    told = why;
  }

  function showPrompt(): void {
    if (leaving.signal.aborted) return;
    terminal.setPrompt(unanswered === 0 ? '> ' : '');
    terminal.prompt(true);
  }

  async function connected(): Promise<EchoClient> {
    if (client?.closed === false) return client;
    const again = client !== undefined;
    const fresh = await EchoClient.connect({ ...endpoint, signal: leaving.signal });
    client = fresh;
    say(`Connected to ${address}${again ? ' again' : ''}.`);
    void fresh.whenClosed().then(tell);
    return fresh;
  }

  async function attempt(task: () => Promise<void>): Promise<void> {
    const patience = setTimeout(() => say(`No reply yet from ${address}, still waiting. Ctrl-C leaves.`), PATIENCE_MS);
    try {
      await task();
    } catch (error) {
      tell(error);
    } finally {
      clearTimeout(patience);
    }
  }

  async function answer(message: string): Promise<void> {
    await attempt(async () => say(printable(await (await connected()).send(message))));
    if (leaving.signal.aborted) return;
    unanswered -= 1;
    if (unanswered === 0) showPrompt();
  }

  terminal.setPrompt('');
  let work = attempt(async () => void (await connected())).then(showPrompt);
  terminal.on('line', (line) => {
    const message = trimLine(line);
    if (message !== '') {
      unanswered += 1;
      work = work.then(() => answer(message));
    }
    showPrompt();
  });
  await closed;
}

/** The text with its control characters (C0, DEL, C1, but not the harmless tab) shown as \xNN. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t]/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

// ---- In a pipe

/**
 * Standard input to the server, its replies to standard output, both as streams of bytes with back-pressure: neither
 * the number of lines nor their length is limited by memory.
 */
async function relay(endpoint: Endpoint): Promise<void> {
  let socket: Socket;
  try {
    socket = await openSocket({ ...endpoint, allowHalfOpen: true });
  } catch (error) {
    return complain(messageOf(error), 1);
  }
  const trimmer = new LineTrimmer();
  let replies = 0;
  let inputEnded = false;
  let outputLost = false;
  const allAnswered = (): boolean => inputEnded && replies === trimmer.messages;

  const over = new AbortController();
  over.signal.addEventListener('abort', () => {
    socket.destroy();
    stdin.destroy();
  });
  stdout.on('error', () => {
    outputLost = true;
    over.abort();
  });

  async function upward(): Promise<void> {
    for await (const chunk of stdin) {
      for (const piece of trimmer.push(chunk)) await put(socket, piece, over.signal);
    }
    for (const piece of trimmer.end()) await put(socket, piece, over.signal);
    inputEnded = true;
    socket.end();
    if (allAnswered()) over.abort();
  }

  async function downward(): Promise<void> {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += 1) if (chunk[at] === LF) replies += 1;
      await put(stdout, chunk, over.signal);
      if (allAnswered()) break;
    }
    over.abort();
  }

  // Whichever fails first, the other must not wait for it. What went wrong is read from the streams afterwards.
  await Promise.all([upward(), downward()]).catch(() => over.abort());
  if (allAnswered() || outputLost) return;
  const unread = failureOf(stdin);
  if (unread) return complain(`Cannot read standard input: ${messageOf(unread)}.`, 1);
  const why = explain('talk', addressOf(endpoint), failureOf(socket));
  const rest = inputEnded ? '' : ' (and the input had not ended)';
  complain(`${why.message} ${shortfall(trimmer.messages, replies)}${rest}.`, 1);
}

/** Writes, and waits while the stream's buffer is full. */
async function put(stream: Writable, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (!stream.write(bytes)) await once(stream, 'drain', { signal });
}

/** What went wrong with a stream itself: Node also destroys one with an AbortError when a loop over it is left. */
function failureOf(stream: Readable): Error | undefined {
  return stream.errored && codeOf(stream.errored) !== 'ABORT_ERR' ? stream.errored : undefined;
}

function shortfall(messages: number, replies: number): string {
  if (replies > messages) return `It sent ${replies} lines for ${messages} messages`;
  const missing = messages - replies;
  return `${missing} of ${messages} ${messages === 1 ? 'reply' : 'replies'} ${missing === 1 ? 'is' : 'are'} missing`;
}

await main();
