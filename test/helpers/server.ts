// Runs the real server as a process, on a free port, for the end-to-end tests.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeArgs, ROOT } from './paths.ts';

/** What of our environment would configure the server, or tell it that npm or the test runner has started it. */
const OWN_VARIABLES = /^(?:ECHOPOOL_.*|PORT|NO_COLOR|NODE_TEST_CONTEXT|npm_.*)$/;

/** How long anything awaited may take, in milliseconds: much more than it takes. */
export const DEADLINE_MS = 60_000;

export interface StartOptions {
  env?: Record<string, string>;
  /** What runs node: `['node']`, or with `prlimit` or `setsid` before it. */
  command?: string[];
  /** What node runs: the sources, unless it is a built main.js. */
  main?: string[];
  /** A descriptor to be the server's standard output. Without it the test reads that as `stdout`. */
  stdout?: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class TestServer implements AsyncDisposable {
  readonly process: ChildProcess;
  stdout = '';
  stderr = '';
  port = 0;
  /** Settles, without a deadline, when the server has ended and all that it wrote is read. */
  readonly exited: Promise<Exit>;
  readonly #watchers = new Set<() => void>();

  constructor(flags: string[], options: StartOptions = {}) {
    const { env = {}, command = [process.execPath], main = nodeArgs('server/main.ts'), stdout } = options;
    const [program, ...args] = [...command, ...main, ...flags];
    this.process = spawn(program!, args, {
      cwd: ROOT, env: { ...cleanEnvironment(), ...env }, stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
    });
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.exited = new Promise((resolve) => this.process.once('close', (code, signal) => {
      resolve({ code, signal });
      this.#look();
    }));
  }

  /** Settles when the output matches; rejects when the server ends or the deadline passes before. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.when(() => pattern.exec(this.stdout) ?? undefined, `${pattern} in the output`);
  }

  /** Settles with what `check` returns, as soon as that is not undefined; looks after each output and now and then. */
  async when<T>(check: () => T | undefined, what: string): Promise<T> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const gone = this.#isGone();
      const found = check();
      if (found !== undefined) return found;
      if (gone || performance.now() > deadline) {
        throw new Error(`${gone ? 'the server ended before' : 'no'} ${what}\n${this.stdout}\n${this.stderr}`);
      }
      await this.#nextLook();
    }
  }

  /** The lines printed so far. */
  lines(): string[] {
    return this.stdout.split('\n').slice(0, -1);
  }

  /** Where it says that it listens. */
  listening(): string[] {
    return this.lines().flatMap((line) => /listening on (\S+) with/.exec(line)?.[1] ?? []);
  }

  /** The process ids of the workers that live now. */
  workers(): number[] {
    return childrenOf(this.process.pid!);
  }

  /** The process id of the worker that the log calls `worker SLOT`. */
  pidOf(slot: number): number {
    const ready = [...this.stdout.matchAll(new RegExp(`worker ${slot} is ready \\(pid (\\d+)\\)`, 'g'))].at(-1);
    if (ready === undefined) throw new Error(`no worker ${slot} is ready:\n${this.stdout}`);
    return Number(ready[1]);
  }

  /** Settles with the number of the worker that serves this client, `127.0.0.1:PORT`. */
  async slotOf(peer: string): Promise<number> {
    return Number((await this.printed(new RegExp(`worker (\\d+) +${escape(peer)}  connected`)))[1]);
  }

  /** Sends a signal to the master only. */
  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** The same with a deadline. */
  async exit(): Promise<Exit> {
    const late = new AbortController();
    const exit = await Promise.race([
      this.exited, delay(DEADLINE_MS, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    if (exit === undefined) throw new Error(`the server has not ended\n${this.stdout}\n${this.stderr}`);
    return exit;
  }

  /** Stops the server as a user would. @returns Its exit code. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return (await this.exit()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const workers = this.#isGone() ? [] : this.workers();
    this.process.kill('SIGKILL');
    // A worker that a test has stopped does not see its master go.
    for (const pid of workers) signalIfAlive(pid, 'SIGKILL');
    await this.exit();
  }

  #isGone(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async #nextLook(): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(look, 10);
      this.#watchers.add(look);
    });
  }

  #look(): void {
    for (const look of [...this.#watchers]) look();
  }
}

/**
 * Starts the server on a free port, or where --bind says, and waits until it listens there; with `stdout`, that is left
 * to the caller.
 */
export async function startTestServer(flags: string[] = [], options: StartOptions = {}): Promise<TestServer> {
  const binds = flags.filter((flag) => /^--bind(?:-proxy)?$/.test(flag)).length;
  const server = new TestServer([...binds === 0 ? ['--port', '0'] : [], ...flags], options);
  if (options.stdout !== undefined) return server;
  try {
    await server.when(() => server.listening().length >= Math.max(1, binds) || undefined, 'listening on all addresses');
    server.port = portIn(server.stdout);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** The port in `listening on 127.0.0.1:8080`. */
export function portIn(output: string): number {
  return Number(/listening on \S+:(\d+)/.exec(output)?.[1]);
}

/** Runs the server with these flags to its end. */
export async function runServer(flags: string[], options: StartOptions = {}): Promise<TestServer & Exit> {
  await using server = new TestServer(flags, options);
  return Object.assign(server, await server.exit());
}

/** Ours without what would configure the server. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN_VARIABLES.test(name)));
}

/** How many processes this one has forked, of whatever kind. */
export function countChildren(pid: number): number {
  return allChildrenOf(pid).length;
}

function allChildrenOf(pid: number): number[] {
  return readIfThere(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** The ids of the living processes that this one has forked with Process; under tsx it has others too. */
export function childrenOf(pid: number): number[] {
  return allChildrenOf(pid).filter((child) => readIfThere(`/proc/${child}/cmdline`).includes('multiprocessing/child'));
}

/** A number of bytes in /proc/PID/status: `VmRSS`, the memory that it has now, `VmHWM`, the most that it has had. */
export function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(readIfThere(`/proc/${pid}/status`))?.[1]) * 1024;
}

export function signalIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function escape(text: string): string {
  return text.replace(/[.[\]]/g, '\\$&');
}
