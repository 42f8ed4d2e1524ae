// Processes in tests: started, listened to, and ended for certain. Used by the tests of the toolkit.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Process } from '../../shared/multiprocessing/index.ts';
import type { Channel, ProcessOptions } from '../../shared/multiprocessing/index.ts';
import { nodeArgs } from './paths.ts';

/** Every test must have ended long before. */
export const DEADLINE = { timeout: 60_000 };

/** What the other end of a channel posts, one after the other. */
export class Mail {
  readonly #came: unknown[] = [];
  readonly #waiting: ((message: unknown) => void)[] = [];

  constructor(channel: Channel) {
    channel.listen((message) => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#came.push(message);
      else next(message);
    });
  }

  next(): Promise<unknown> {
    if (this.#came.length > 0) return Promise.resolve(this.#came.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** How many came that nobody has asked for. */
  get waiting(): number {
    return this.#came.length;
  }
}

/** A test's context, or whatever else does things at its end. */
export interface Cleaner {
  after(work: () => void | Promise<void>): void;
}

/** Starts a process that is gone when the test has ended, whatever happens. */
export function startProcess<Args extends unknown[]>(
  t: Cleaner, options: ProcessOptions<Args>,
): { process: Process<Args>; mail: Mail } {
  const started = new Process(options);
  started.start();
  t.after(async () => {
    started.kill();
    await started.join();
  });
  return { process: started, mail: new Mail(started.channel) };
}

export interface Program {
  readonly child: ChildProcess;
  /** The next line on its standard output; undefined at the end. */
  line(): Promise<string | undefined>;
  /** All that it wrote on its standard error. */
  errors(): string;
  /** How it ended: the exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Starts a program of test/fixtures, which is gone when the test has ended. @param shell A command to run it under. */
export function startProgram(t: Cleaner, fixture: string, args: string[], shell?: string): Program {
  const command = [process.execPath, ...nodeArgs(`test/fixtures/${fixture}`)];
  const child = shell === undefined
    ? spawn(command[0]!, [...command.slice(1), ...args])
    : spawn('sh', ['-c', `${shell}; exec "$@"`, 'sh', ...command, ...args]);
  t.after(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { errors += text; });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    line: async () => (await lines.next()).value as string | undefined,
    errors: () => errors,
    ended: once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals),
  };
}

/** How long a state may be waited for, in milliseconds, and what the error says besides. */
export interface UntilOptions {
  readonly limitMs?: number;
  readonly report?: () => string;
}

/** Waits for a state that no event announces. @throws Error when the limit is up. */
export async function until(
  state: () => boolean | Promise<boolean>, what: string, { limitMs = 60_000, report = () => '' }: UntilOptions = {},
): Promise<void> {
  const began = performance.now();
  while (!await state()) {
    const waited = performance.now() - began;
    if (waited > limitMs) throw new Error(`waited ${limitMs / 1000} s in vain: ${what}\n${report()}`);
    // Less often with time: the look itself takes time that is taken from what is waited for.
    await delay(Math.min(20, 2 + waited / 20));
  }
}

/** Whether a process runs. One that has ended and that nobody has asked about yet does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/stat`;
  try {
    return !existsSync(status) || !/\) [ZX] /.test(readFileSync(status, 'latin1'));
  } catch {
    return false;
  }
}

export function untilGone(...pids: number[]): Promise<void> {
  return until(() => !pids.some(isRunning), `processes ${pids.join(', ')} are gone`);
}
