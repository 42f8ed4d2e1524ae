// Runs the real server as a process, on a free port, for end-to-end tests.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../server/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** How long the server may take to start, or to print an awaited line, in milliseconds. */
const DEADLINE_MS = 15_000;

export class TestServer implements AsyncDisposable {
  readonly process: ChildProcess;
  stdout = '';
  stderr = '';
  port = 0;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #watchers = new Set<() => void>();

  constructor(flags: string[], env: Record<string, string>, command: string[]) {
    const [program, ...args] = [...command, '--import', 'tsx', MAIN, ...flags];
    this.process = spawn(program!, args, {
      cwd: ROOT, env: { ...cleanEnvironment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => { this.stderr += text; });
    this.exited = new Promise((resolve) => this.process.once('close', (code, signal) => {
      resolve({ code, signal });
      this.#look();
    }));
  }

  /** Settles when the output matches; rejects when the server ends or the deadline passes before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const match = await this.when(() => pattern.exec(this.stdout) ?? undefined, `${pattern} in the output`);
    return match;
  }

  /** Settles with what `check` returns, as soon as that is not undefined; looks after each output and now and then. */
  async when<T>(check: () => T | undefined, what: string): Promise<T> {
    let settle: (() => void) | undefined;
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const found = check();
      if (found !== undefined) return found;
      const gone = this.process.exitCode !== null || this.process.signalCode !== null;
      if (gone || Date.now() > deadline) {
        throw new Error(`${gone ? 'the server ended before' : 'no'} ${what}\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        settle = resolve;
        this.#watchers.add(resolve);
        setTimeout(resolve, 20);
      });
      this.#watchers.delete(settle!);
    }
  }

  /** The process ids of the workers that live now. */
  workers(): number[] {
    return childrenOf(this.process.pid!);
  }

  /** Sends a signal to the master only. */
  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Stops the server as a user would. @returns Its exit code. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return (await this.exited).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const workers = this.process.exitCode === null ? this.workers() : [];
    this.process.kill('SIGKILL');
    // A worker that a test has stopped does not see its master go.
    for (const pid of workers) signalIfAlive(pid, 'SIGKILL');
    await this.exited;
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/**
 * Starts the server on a free port and waits until it listens.
 * @param command What runs node: `['node']`, or with `prlimit` before it.
 */
export async function startTestServer(
  flags: string[] = [], { env = {}, command = [process.execPath] }: { env?: Record<string, string>; command?: string[] } = {},
): Promise<TestServer> {
  const server = new TestServer(['--port', '0', ...flags], env, command);
  try {
    server.port = Number((await server.printed(/listening on \S+:(\d+)/))[1]);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

/** Runs the server with these flags to its end. */
export async function runServer(flags: string[], env: Record<string, string> = {}): Promise<TestServer & { code: number | null }> {
  const server = new TestServer(flags, env, [process.execPath]);
  const { code } = await server.exited;
  return Object.assign(server, { code });
}

/** The environment without what would configure the server or the test runner's children. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { HOST: _host, PORT: _port, WORKERS: _workers, NODE_TEST_CONTEXT: _context, ...rest } = process.env;
  return rest;
}

/** The ids of the living processes that this one has forked with Process; tsx has children of its own. */
export function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return children.filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('multiprocessing/child'));
  } catch {
    return [];
  }
}

export function signalIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

