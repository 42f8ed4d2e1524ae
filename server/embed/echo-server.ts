// A server that runs in processes of its own: the process that was forked for it, what it prints, and its end. Made by
// index.ts.
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { afterRunning } from '../../shared/running-time.ts';
import { eventOf, Lines } from './log-lines.ts';
import type { LogEvent } from './options.ts';
import { WhyEnded } from './why-ended.ts';

/**
 * Why there is no server, or no longer. `message` is one sentence, the server's own if it said one. `code` is
 * `ERR_ECHOPOOL_SERVER_START`: it could not be started; `ERR_ECHOPOOL_SERVER_DIED`: it ended without being asked to;
 * `ERR_ECHOPOOL_SERVER_STUCK`: it did not stop, and was killed.
 */
export class EchoServerError extends Error {
  override name = 'EchoServerError';
  readonly code: 'ERR_ECHOPOOL_SERVER_START' | 'ERR_ECHOPOOL_SERVER_DIED' | 'ERR_ECHOPOOL_SERVER_STUCK';

  constructor(code: EchoServerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a dead server has printed is read to its end, unless others hold its output open: so long, in milliseconds. */
const LAST_OUTPUT_MS = 1000;

export interface ProcessOptions {
  readonly child: ChildProcess;
  readonly log: ((event: LogEvent) => void) | undefined;
  /** How long a stop may take, in milliseconds; then it is killed. */
  readonly stopLimitMs: number;
}

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #log: ((event: LogEvent) => void) | undefined;
  readonly #stopLimitMs: number;
  #seen: ((event: LogEvent) => void) | undefined;
  #closing: Promise<void> | undefined;
  /** So many wait for what this process does, and keep the caller running; the first waits for its start. */
  #waiting = 1;
  /** Settles when it has ended, with why; undefined: with the exit code 0. Who waits for it only, calls `whenEnded`. */
  readonly ended: Promise<string | undefined>;

  /** @param seen Is told of each event too, until {@link rest}. */
  constructor({ child, log, stopLimitMs }: ProcessOptions, seen: (event: LogEvent) => void) {
    this.#child = child;
    this.#log = log;
    this.#stopLimitMs = stopLimitMs;
    this.#seen = seen;
    this.ended = this.#listen();
  }

  /** It has started, or not: nobody waits for that any more. */
  rest(): void {
    this.#seen = undefined;
    this.#wait(-1);
  }

  /** The same as `ended`, and keeps the caller running meanwhile. */
  async whenEnded(): Promise<string | undefined> {
    this.#wait(+1);
    const why = await this.ended;
    this.#wait(-1);
    return why;
  }

  /** Stops it in order. @throws EchoServerError (by rejecting) when it did not stop, and was killed. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    let isStuck = false;
    const endLimit = afterRunning(this.#stopLimitMs, () => {
      isStuck = true;
      this.#child.kill('SIGKILL');
    });
    this.#child.kill('SIGTERM');
    await this.whenEnded();
    endLimit();
    if (!isStuck) return;
    const limit = `${this.#stopLimitMs / 1000} s`;
    const why = `the echo server (pid ${this.#child.pid}) did not stop within ${limit}, and was killed`;
    throw new EchoServerError('ERR_ECHOPOOL_SERVER_STUCK', why);
  }

  async #listen(): Promise<string | undefined> {
    const child = this.#child;
    const output = new Lines((line) => this.#tell(eventOf(line)));
    const why = new WhyEnded();
    const errors = new Lines((line) => {
      why.hear(line);
      this.#tell({ time: new Date().toISOString(), level: 'warn', event: 'output', message: line });
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => output.push(text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
    const failed = await endOf(child);
    output.end();
    errors.end();
    return failed ?? why.tell(child.exitCode, child.signalCode);
  }

  #tell(event: LogEvent): void {
    this.#seen?.(event);
    const log = this.#log;
    // What the caller's function throws is the caller's own, and must not cost it the next event.
    if (log !== undefined) process.nextTick(log, event);
  }

  #wait(change: 1 | -1): void {
    this.#waiting += change;
    const { stdout, stderr, channel } = this.#child;
    const streams = [stdout, stderr].filter((stream) => stream instanceof Socket);
    for (const handle of [this.#child, channel, ...streams]) this.#waiting > 0 ? handle?.ref() : handle?.unref();
  }
}

/** Settles when it has ended and all that it printed is read; with a sentence if it never was there. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      // It also says that a signal could not be sent, which ends nothing.
      if (child.pid === undefined) resolve(`the echo server could not be started: ${error.message}`);
    });
    child.once('exit', () => void afterRunning(LAST_OUTPUT_MS, () => resolve(undefined)));
    child.once('close', () => resolve(undefined));
  });
}
