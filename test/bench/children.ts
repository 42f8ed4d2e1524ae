// The processes that the benchmark starts: each in a group of its own, and all of them gone when it ends, however
// it does.
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How a program ended, and what it wrote. */
export interface Ended {
  /** Its exit code; null when a signal ended it, negative when it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();
const START_LIMIT_MS = 20_000;
const QUIT_LIMIT_MS = 10_000;
/** Often, because the time of a start is a figure (figures/start.ts). */
const LOOK_MS = 2;

process.once('exit', endAll);

/** Ends all that runs. */
export function endAll(): void {
  for (const child of running) end(child);
}

/** Ends a process and all that it has started: its group. */
function end(child: ChildProcess): void {
  if (child.pid === undefined || !running.delete(child)) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}

function start(command: readonly string[], stdout: number | 'pipe', stderr: number | 'pipe'): ChildProcess {
  const child = spawn(command[0]!, command.slice(1), { detached: true, stdio: ['ignore', stdout, stderr] });
  running.add(child);
  child.on('error', () => {}); // Then it has no pid, and 'close' follows.
  return child;
}

/**
 * Runs a program to its end.
 * @param limitMs After so long it is ended.
 */
export async function run(command: readonly string[], limitMs: number): Promise<Ended> {
  const child = start(command, 'pipe', 'pipe');
  const timer = setTimeout(() => end(child), limitMs);
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  // Not by once() of node:events: that rejects when the program is not there.
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  end(child); // Whatever of its group is left.
  return { code, stdout, stderr };
}

/** A server that runs, and says on its standard output where it listens. */
export class RunningServer {
  readonly port: number;
  readonly pid: number;
  /** The file with all that it has written. */
  readonly output: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, output: string) {
    this.#child = child;
    this.pid = child.pid!;
    this.port = port;
    this.output = output;
  }

  /**
   * Starts it with its output in a file, and waits until it says that it listens.
   * @throws Error with its last words when it does not.
   */
  static async start(name: string, command: readonly string[], folder: string): Promise<RunningServer> {
    const { child, output, errors } = launch(name, command, folder);
    const port = await until(child, () => /listening on \S+:(\d+)/.exec(readFileSync(output, 'utf8'))?.[1]);
    if (port === undefined) throw failed(name, 'does not listen', child, errors);
    return new RunningServer(child, Number(port), output);
  }

  /**
   * The same, but waits until a try to use it succeeds, whatever it says.
   * @param port Where it is going to listen. @param isUp One try; it may throw.
   * @throws Error with its last words when none succeeds.
   */
  static async startAndTry(
    name: string, command: readonly string[], folder: string, port: number, isUp: () => Promise<void>,
  ): Promise<RunningServer> {
    const { child, output, errors } = launch(name, command, folder);
    const up = await until(child, async () => await isUp().then(() => true, () => undefined));
    if (up === undefined) throw failed(name, 'does not answer', child, errors);
    return new RunningServer(child, port, output);
  }

  /** Asks it to end, as people do, and ends it if it does not. */
  async quit(): Promise<void> {
    const ended = this.#child.exitCode === null && this.#child.signalCode === null && once(this.#child, 'exit');
    if (ended !== false && this.#child.kill('SIGTERM')) {
      await Promise.race([ended, delay(QUIT_LIMIT_MS, undefined, { ref: false })]);
    }
    await this.stop();
  }

  /** Ends it. Settles when it has. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return end(this.#child);
    const ended = once(this.#child, 'exit');
    end(this.#child);
    await ended;
  }
}

interface Launched {
  readonly child: ChildProcess;
  /** The files with what it writes. */
  readonly output: string;
  readonly errors: string;
}

function launch(name: string, command: readonly string[], folder: string): Launched {
  const output = join(folder, `${name}.out`);
  const errors = join(folder, `${name}.err`);
  const files = [openSync(output, 'a'), openSync(errors, 'a')] as const;
  const child = start(command, ...files);
  for (const file of files) closeSync(file);
  return { child, output, errors };
}

/** What `look` finds, as soon as it does; undefined when the process ends before, or has not come so far in time. */
async function until<T>(
  child: ChildProcess, look: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  let hasEnded = false;
  child.once('exit', () => { hasEnded = true; });
  child.once('error', () => { hasEnded = true; });
  const deadline = performance.now() + START_LIMIT_MS;
  while (!hasEnded && performance.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(LOOK_MS);
  }
  return undefined;
}

/** Ends it. @returns An error that says what it does not do, with its last words. */
function failed(name: string, what: string, child: ChildProcess, errors: string): Error {
  end(child);
  const lastWords = readFileSync(errors, 'utf8').trim().split('\n').at(-1);
  return new Error(`${name} ${what} within ${START_LIMIT_MS / 1000} s${lastWords ? `: ${lastWords}` : ''}`);
}
