// The real server as a process of its own, on a free port, with its log as data. Used by clients.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A line of the server's log with --log-format json. */
export interface LogLine {
  readonly event: string;
  readonly message?: string;
  readonly worker?: number;
  readonly preview?: string;
  readonly served?: number;
  readonly refused?: number;
  readonly cutOff?: number;
}

export interface ServerProcess {
  readonly port: number;
  /** How many workers it has, which may be fewer than it was told. */
  readonly workers: number;
  /** All lines so far. */
  readonly log: readonly LogLine[];
  /** Stops it as Ctrl-C does. Settles with its exit code when it has ended and all its lines are in `log`. */
  stop(): Promise<number | null>;
}

const ENTRY = import.meta.url.endsWith('.ts') ? '../../server/main.ts' : '../../server/main.js';
const MAIN = fileURLToPath(new URL(ENTRY, import.meta.url));

/** Starts the server with these flags, and the ones that this needs. Settles when it listens. @throws It does not. */
export async function startServerProcess(flags: readonly string[]): Promise<ServerProcess> {
  const needed = ['--host', '127.0.0.1', '--port', '0', '--log', 'messages', '--log-format', 'json'];
  // Detached, so that a terminal's Ctrl-C reaches only the demo, and does not look like a server that broke down.
  const server = spawn(process.execPath, [...process.execArgv, MAIN, ...needed, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'], detached: true,
  });
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  const closed = once(server, 'close').then(([code]) => {
    process.removeListener('exit', kill);
    return code as number | null;
  });
  const log: LogLine[] = [];
  const listening = new Promise<RegExpExecArray>((resolve, reject) => {
    createInterface(server.stdout).on('line', (text) => {
      const line = JSON.parse(text) as LogLine;
      log.push(line);
      const match = /^listening on \S+:(\d+) with (\d+)/.exec(line.message ?? '');
      if (match !== null) resolve(match);
    });
    closed.then((code) => reject(new Error(`the server could not start: exit code ${code}`)), reject);
  });
  const [, port, workers] = await listening;
  return {
    port: Number(port),
    workers: Number(workers),
    log,
    stop() {
      server.kill('SIGTERM');
      return closed;
    },
  };
}
