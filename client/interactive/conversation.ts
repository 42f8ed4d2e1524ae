// The client on a terminal: a prompt, and the replies above it. Called by main.ts.

import { once } from 'node:events';
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import { messageOf } from '../../shared/errors.ts';
import { watchWait } from '../../shared/multiprocessing/base/time-limit.ts';
import { EchoClient, EchoClientError, addressOf, type Endpoint } from '../echo-client.ts';
import { HISTORY_LINES, type History } from './history.ts';
import { controlJob } from './job-control.ts';
import { trimLine } from './lines.ts';
import { printable } from './printable.ts';

const PATIENCE_MS = 3_000;
/** The longest reply that is shown whole, and how much is shown of a longer one, in bytes. */
const LONGEST_REPLY = 1024 * 1024;
const SHOWN_OF_LONGER = 2_000;

export interface ConversationStreams {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
}

/**
 * Prompts until Ctrl-D or Ctrl-C; a server that is away is tried again at each message.
 * @param history Nothing is remembered without it.
 * @returns Whether it has been connected, and the last message was answered.
 */
export async function converse(
  endpoint: Endpoint, { stdin, stdout }: ConversationStreams, history: History | undefined,
): Promise<boolean> {
  const address = addressOf(endpoint);
  const leaving = new AbortController();
  let memory = history;
  let forgotten: string | undefined;
  const earlier = withHistory((from) => from.read()) ?? [];
  const terminal = createInterface({ input: stdin, output: stdout, history: earlier, historySize: HISTORY_LINES });
  const closed = once(terminal, 'close');
  let client: EchoClient | undefined;
  /** Messages without a reply yet. While there are any the prompt is hidden, but typing goes on. */
  let unanswered = 0;
  let isLastAnswered = true;
  let told: unknown;
  /** So much at the beginning of what is typed does not count any more. */
  let cleared = 0;

  // The terminal is gone. Node aborts when it cannot restore one, so this ends as a hang-up does, by its signal.
  for (const stream of [stdin, stdout]) stream.on('error', () => process.kill(process.pid, 'SIGHUP'));
  terminal.once('close', () => {
    leaving.abort();
    const left = unanswered === 1 ? 'a reply' : `${unanswered} replies`;
    stdout.write(unanswered === 0 ? '\n' : `\nLeft without ${left}.\n`);
  });
  terminal.on('SIGINT', () => {
    if (terminal.line.length === cleared) return terminal.close();
    for (const name of ['e', 'u']) terminal.write(null, { ctrl: true, name }); // To the end; delete all before it.
    // Where TERM is `dumb` readline knows no such keys, and deletes nothing.
    cleared = terminal.line.length;
    if (cleared > 0) stdout.write('\n');
  });
  controlJob(terminal, stdin, () => {
    // prompt() goes up by as many rows as the line has above the cursor; here these are not ours.
    stdout.write(`\r${'\n'.repeat(terminal.getCursorPos().rows)}`);
    terminal.prompt(true);
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

  /** What cannot be read or written is told once, and nothing is remembered from then on. */
  function withHistory<T>(use: (memory: History) => T): T | undefined {
    try {
      return memory && use(memory);
    } catch (error) {
      memory = undefined;
      forgotten = `What is typed is not remembered for the next time: ${messageOf(error)}.`;
      return undefined;
    }
  }

  function tellForgotten(): void {
    if (forgotten !== undefined) say(forgotten);
    forgotten = undefined;
  }

  /** Says why there is no connection: once, though a message under way and the connection itself both report it. */
  function tell(why: unknown): void {
    if (why === told) return;
    told = why;
    const partial = why instanceof EchoClientError ? why.partial : undefined;
    if (partial) say(`${printable(partial.toString('utf8', 0, SHOWN_OF_LONGER))} ... (cut)`);
    say(`${messageOf(why)} The next message tries again.`);
  }

  function showPrompt(): void {
    if (leaving.signal.aborted) return;
    terminal.setPrompt(unanswered === 0 ? '> ' : '');
    terminal.prompt(true);
  }

  async function connected(): Promise<EchoClient> {
    if (client?.closed === false) return client;
    const again = client !== undefined;
    const fresh = await EchoClient.connect({
      ...endpoint, signal: leaving.signal, maxReplyBytes: LONGEST_REPLY,
      // A greeting, mostly. A reply that came before it, in one read, is shown first.
      onUnasked: (bytes) => setImmediate(() => {
        say(bytes.toString().replace(/\n$/, '').split('\n').map(printable).join('\n'));
      }),
    });
    client = fresh;
    say(`Connected to ${address}${again ? ' again' : ''}.`);
    void fresh.whenClosed().then(tell);
    return fresh;
  }

  /** @returns Whether it succeeded; what failed is told. */
  async function attempt(task: () => Promise<void>): Promise<boolean> {
    const beLate = (): void => say(`No reply yet from ${address}, still waiting. Ctrl-C leaves.`);
    const endWatch = watchWait({ timeoutMs: PATIENCE_MS }, beLate, () => {});
    try {
      await task();
      return true;
    } catch (error) {
      tell(error);
      return false;
    } finally {
      endWatch();
    }
  }

  async function answer(message: string): Promise<void> {
    isLastAnswered = await attempt(async () => say(printable(await (await connected()).send(message))));
    if (leaving.signal.aborted) return;
    unanswered -= 1;
    if (unanswered === 0) showPrompt();
  }

  terminal.setPrompt('');
  let work = attempt(async () => void (await connected())).then(showPrompt);
  tellForgotten();
  terminal.on('line', (typed) => {
    const line = typed.slice(cleared);
    cleared = 0;
    const message = trimLine(line);
    if (message !== '') {
      unanswered += 1;
      withHistory((memory) => memory.add(line));
      tellForgotten();
      work = work.then(() => answer(message));
    }
    showPrompt();
  });
  await closed;
  return client !== undefined && unanswered === 0 && isLastAnswered;
}
