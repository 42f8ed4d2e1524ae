// The processes that the benchmark starts: each in a group of its own, and all of them gone when it ends, however
// it does.
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How a program ended, and what it wrote. */
export interface Ended {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();
const START_LIMIT_MS = 20_000;
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
   * Starts it with its output in a file, and waits until it listens.
   * @throws Error with its last words when it does not.
   */
  static async start(name: string, command: readonly string[], folder: string): Promise<RunningServer> {
    const output = join(folder, `${name}.out`);
    const errors = join(folder, `${name}.err`);
    const files = [openSync(output, 'a'), openSync(errors, 'a')] as const;
    const child = start(command, ...files);
    for (const file of files) closeSync(file);
    let hasEnded = false;
    child.once('exit', () => { hasEnded = true; });
    child.once('error', () => { hasEnded = true; });
    const deadline = performance.now() + START_LIMIT_MS;
    while (!hasEnded && performance.now() < deadline) {
      const port = /listening on \S+:(\d+)/.exec(readFileSync(output, 'utf8'))?.[1];
      if (port !== undefined) return new RunningServer(child, Number(port), output);
      await delay(LOOK_MS);
    }
    end(child);
    const lastWords = readFileSync(errors, 'utf8').trim().split('\n').at(-1);
    throw new Error(`${name} does not listen within ${START_LIMIT_MS / 1000} s${lastWords ? `: ${lastWords}` : ''}`);
  }

  /** Ends it. Settles when it has. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return end(this.#child);
    const ended = once(this.#child, 'exit');
    end(this.#child);
    await ended;
  }
}
