// The server with a standard output that is stuck from the beginning, as the tests of its log want it. Needs python3.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listeningPort } from './faults-proc.ts';
import { nodeArgs, ROOT } from './paths.ts';
import { until } from './processes.ts';
import { childrenOf, cleanEnvironment } from './server.ts';

/** `full`: a full disk. `file`: nothing is wrong with it. */
export type OutputKind = 'pipe' | 'socket' | 'terminal' | 'full' | 'file';

export interface StuckEnd {
  readonly exitCode: number;
  /** What came out, and what was said on standard error. */
  readonly output: string;
  readonly errors: string;
}

export interface StuckServer extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  workers(): number[];
  /** From now on somebody reads, slowly; or nobody does any more; or the reader goes. */
  tell(word: 'read' | 'stop' | 'close'): void;
  readonly ended: Promise<StuckEnd>;
}

/** Asked once: a test file may ask for each of its tests. */
let missing: string | false | undefined;

/** Why there can be none here, or false. Fits a test's `skip` option. */
export function stuckMissing(): string | false {
  const needed = 'import os, termios; os.openpty()';
  return missing ??= spawnSync('python3', ['-c', needed]).status === 0 ? false : 'needs python3';
}

/** @param by A command that becomes the server, such as setpriv(1). */
export async function startStuckServer(
  kind: OutputKind, flags: readonly string[], by: readonly string[] = [],
): Promise<StuckServer> {
  const script = join(ROOT, 'test/helpers/stuck.py');
  const command = [...by, process.execPath, ...nodeArgs('server/main.ts'), '--port', '0', ...flags];
  const helper = spawn('python3', [script, kind, ...command], {
    env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'inherit'],
  });
  helper.stdin.on('error', () => {}); // It has ended.
  const lines = createInterface({ input: helper.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => JSON.parse((await lines.next()).value ?? 'null') as T;
  const { pid } = await next<{ pid: number }>();
  const ended = next<StuckEnd>();
  const gone = new Promise<void>((resolve) => helper.once('close', () => resolve()));
  let port: number | undefined;
  // It forks its workers when it listens: to look at the system's sockets again and again takes longer than its start.
  const isThere = (): boolean => childrenOf(pid).length > 0 && (port = listeningPort(pid)) !== undefined;
  await until(isThere, 'the server to listen');
  return {
    pid, port: port!, ended,
    workers: () => childrenOf(pid),
    tell: (word) => void helper.stdin.write(word),
    async [Symbol.asyncDispose]() {
      helper.stdin.end();
      await gone;
    },
  };
}
