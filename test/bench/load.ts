// One run of the load generator (client/load.ts) on a server that runs. Called by compare.ts and figures/log-delay.ts.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LoadReport } from '../../client/load/report.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { run, type RunningServer } from './children.ts';
import { cpuOf, knowsCpu } from './process-tree.ts';

/** One run of the load on one server. */
export interface Round {
  /** Messages or connections a second. */
  readonly rate: number;
  readonly messages: number;
  readonly mbPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** What the server's process tree spent on each, in microseconds of CPU; null where the system does not tell. */
  readonly cpuUs: number | null;
  /** Why the figures do not count. */
  readonly problems: readonly string[];
}

/** How long the load generator may take besides the measurement, in milliseconds. */
const LOAD_LIMIT_MS = 30_000;

export async function measureLoad(server: RunningServer, flags: readonly string[], seconds: number): Promise<Round> {
  const before = cpuOf(server.pid);
  const command = [
    process.execPath, ...nodeArgs('client/load.ts'), '--json', '--host', '127.0.0.1', '--port', String(server.port),
    '--seconds', String(seconds), ...flags,
  ];
  const { stdout, stderr } = await run(command, seconds * 1000 + LOAD_LIMIT_MS);
  const spent = cpuOf(server.pid) - before;
  if (stdout === '') {
    const problems = [stderr.trim() || 'The load generator did not end.'];
    return { rate: 0, messages: 0, mbPerSecond: 0, p50Us: 0, p99Us: 0, cpuUs: null, problems };
  }
  const { rate, mbPerSecond, latencyUs, messages, problems } = JSON.parse(stdout) as LoadReport;
  const cpuUs = knowsCpu && messages > 0 ? spent / messages * 1e6 : null;
  return { rate, messages, mbPerSecond, p50Us: latencyUs.p50, p99Us: latencyUs.p99, cpuUs, problems };
}

/** Lines that the logging server had to drop, which make its figures void. @param path Its output. */
export async function droppedLines(path: string): Promise<string[]> {
  let dropped = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    dropped += Number(/ (\d+) lines dropped$/.exec(line)?.[1] ?? 0);
  }
  return dropped > 0 ? [`${dropped} lines of the log were dropped.`] : [];
}
