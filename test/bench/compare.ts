// Runs servers side by side under the same load, in alternating rounds. Called by main.ts.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LoadReport } from '../../client/load/report.ts';
import { SERVER_CASES, type ServerCase } from './cases.ts';
import { run, RunningServer } from './children.ts';
import type { Effort } from './config.ts';
import { howToStart, LOGGING_PEER } from './peers.ts';
import { cpuOf, knowsCpu } from './process-tree.ts';

/** One run of the load on one server. */
export interface Round {
  /** Messages or connections a second. */
  readonly rate: number;
  readonly mbPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** What the server's process tree spent on each, in microseconds of CPU; null where the system does not tell. */
  readonly cpuUs: number | null;
  /** Why the figures do not count. */
  readonly problems: readonly string[];
}

export interface ServerResult {
  readonly name: string;
  /** Medians of the rounds; null when one of them had a problem. */
  readonly median: Omit<Round, 'problems'> | null;
  /** The first server's rate to this one's: the median over the rounds. */
  readonly ratio: number | null;
  readonly rounds: readonly Round[];
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly unit: ServerCase['unit'];
  readonly servers: readonly ServerResult[];
}

export interface Absent {
  readonly name: string;
  readonly why: string;
}

export interface CompareEvents {
  absent(absent: Absent): void;
  /** What is measured now. */
  now(what: string): void;
  done(result: CaseResult): void;
}

export interface CompareOptions {
  readonly effort: Effort;
  readonly servers: readonly string[];
  readonly workers: number;
  readonly processes: number;
  /** An empty one, for the servers' output and what is built. */
  readonly folder: string;
}

const LOAD = fileURLToPath(new URL('../../client/load.ts', import.meta.url));
/** How long the load generator may take besides the measurement, in milliseconds. */
const LOAD_LIMIT_MS = 30_000;

/** Starts all servers, measures, and ends them. */
export async function compare(options: CompareOptions, events: CompareEvents): Promise<void> {
  const { effort, folder } = options;
  const running = new Map<string, RunningServer>();
  try {
    for (const name of options.servers) {
      events.now(`starting ${name}`);
      const start = await howToStart(name, options.workers, folder);
      if ('absent' in start) events.absent({ name, why: start.absent });
      else running.set(name, await RunningServer.start(name, start.command, folder));
    }
    for (const name of effort.cases) {
      events.done(await measureCase(name, running, options, events));
    }
  } finally {
    await Promise.all([...running.values()].map((server) => server.stop()));
  }
}

async function measureCase(
  name: string, running: ReadonlyMap<string, RunningServer>, { effort, processes }: CompareOptions,
  events: CompareEvents,
): Promise<CaseResult> {
  const { title, unit, flags } = SERVER_CASES[name]!;
  const rounds = new Map<string, Round[]>([...running.keys()].map((server) => [server, []]));
  for (let round = 1; round <= effort.rounds; round++) {
    for (const [server, process] of running) {
      events.now(`${name}, round ${round} of ${effort.rounds}: ${server}`);
      const measured = await measure(process, [...flags, '--processes', String(processes)], effort.seconds);
      const dropped = server === LOGGING_PEER ? await droppedLines(process.output) : [];
      rounds.get(server)!.push({ ...measured, problems: [...measured.problems, ...dropped] });
    }
  }
  return { name, title, unit, servers: summarize(rounds) };
}

async function measure(server: RunningServer, flags: readonly string[], seconds: number): Promise<Round> {
  const before = cpuOf(server.pid);
  const command = [
    process.execPath, '--import', 'tsx', LOAD, '--json', '--host', '127.0.0.1', '--port', String(server.port),
    '--seconds', String(seconds), ...flags,
  ];
  const { stdout, stderr } = await run(command, seconds * 1000 + LOAD_LIMIT_MS);
  const spent = cpuOf(server.pid) - before;
  if (stdout === '') {
    const problems = [stderr.trim() || 'The load generator did not end.'];
    return { rate: 0, mbPerSecond: 0, p50Us: 0, p99Us: 0, cpuUs: null, problems };
  }
  const { rate, mbPerSecond, latencyUs, messages, problems } = JSON.parse(stdout) as LoadReport;
  const cpuUs = knowsCpu && messages > 0 ? spent / messages * 1e6 : null;
  return { rate, mbPerSecond, p50Us: latencyUs.p50, p99Us: latencyUs.p99, cpuUs, problems };
}

/** Medians and ratios. Pure. @param rounds Of each server; the ratios are to the first one. */
export function summarize(rounds: ReadonlyMap<string, readonly Round[]>): ServerResult[] {
  const [first = []] = rounds.values();
  return [...rounds].map(([name, own]) => {
    const isVoid = own.some(({ problems }) => problems.length > 0);
    const middle = (of: (round: Round) => number): number => median(own.map(of));
    const cpu = own.every(({ cpuUs }) => cpuUs !== null) ? middle(({ cpuUs }) => cpuUs!) : null;
    const ratios = own.map(({ rate }, i) => first[i]!.rate / rate);
    const hasRatio = !isVoid && first.every(({ problems }) => problems.length === 0);
    return {
      name, rounds: own, ratio: hasRatio ? median(ratios) : null,
      median: isVoid ? null : {
        rate: middle(({ rate }) => rate), mbPerSecond: middle(({ mbPerSecond }) => mbPerSecond),
        p50Us: middle(({ p50Us }) => p50Us), p99Us: middle(({ p99Us }) => p99Us), cpuUs: cpu,
      },
    };
  });
}

/** The middle one, or the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** Lines that the logging server had to drop, which make its figures void. */
async function droppedLines(path: string): Promise<string[]> {
  let dropped = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    dropped += Number(/ (\d+) lines dropped$/.exec(line)?.[1] ?? 0);
  }
  return dropped > 0 ? [`${dropped} lines of the log were dropped.`] : [];
}
