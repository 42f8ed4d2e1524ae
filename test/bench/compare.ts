// Runs servers side by side under the same load, in alternating rounds. Called by main.ts.
import { messageOf } from '../../shared/errors.ts';
import { cpuCount } from '../../shared/multiprocessing/index.ts';
import { SERVER_CASES, type ServerCase } from './cases.ts';
import type { Effort } from './config.ts';
import type { FigureCase, FigureResult, FigureRound } from './figures/figure.ts';
import { FIGURE_CASES } from './figures/index.ts';
import { summarizeFigures } from './figures/summary.ts';
import { droppedLines, LoadGenerator, type Round } from './load.ts';
import { median } from './median.ts';
import { LOGGING_PEER } from './peers.ts';
import { Servers, type Absent } from './servers.ts';

export { median, type Absent }; // For toolkit.ts.

export interface ServerResult {
  readonly name: string;
  /** Medians of the rounds; null when one of them had a problem. */
  readonly median: Omit<Round, 'problems' | 'messages'> | null;
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

export interface CompareEvents {
  absent(absent: Absent): void;
  /** What is measured now. */
  now(what: string): void;
  done(result: CaseResult | FigureResult): void;
  /** What makes the load. */
  loadBy(generator: string): void;
}

/** A case, and the servers that it is for. */
export interface Planned {
  readonly name: string;
  readonly servers: readonly string[];
}

export interface CompareOptions {
  readonly effort: Effort;
  readonly plan: readonly Planned[];
  readonly workers: number;
  /** Node processes that make the load; undefined: a program in C makes it, where that can be built. */
  readonly processes: number | undefined;
  /** The most that a case about many connections opens. */
  readonly connections: number;
  /** An empty one, for the servers' output and what is built. */
  readonly folder: string;
}

/** Half of the CPUs: the servers need the others. */
const HALF_OF_THE_CPUS = Math.max(1, Math.floor(cpuCount() / 2));

/** Measures every case, with servers that are started when a case first needs them, and ends them. */
export async function compare(options: CompareOptions, events: CompareEvents): Promise<void> {
  const { processes, folder, workers } = options;
  const servers = new Servers(workers, folder, events);
  try {
    const generator = processes === undefined
      ? await LoadGenerator.inC(folder, HALF_OF_THE_CPUS)
      : LoadGenerator.inNode(processes);
    events.loadBy(generator.name);
    for (const { name, servers: wanted } of options.plan) {
      const there: string[] = [];
      for (const server of wanted) if (await servers.has(server)) there.push(server);
      const figure = FIGURE_CASES[name];
      if (figure === undefined) {
        events.done(await measureCase(name, there, servers, generator, options, events));
      } else if (there.length > 0) {
        events.done(await measureFigure(name, figure, there, servers, generator, options, events));
      }
    }
  } finally {
    await servers.stop();
  }
}

async function measureCase(
  name: string, names: readonly string[], servers: Servers, generator: LoadGenerator, { effort }: CompareOptions,
  events: CompareEvents,
): Promise<CaseResult> {
  const { title, unit, load } = SERVER_CASES[name]!;
  const rounds = new Map<string, Round[]>(names.map((server) => [server, []]));
  for (const server of names) await servers.running(server);
  for (let round = 1; round <= effort.rounds; round++) {
    for (const server of inTurn(names, round)) {
      events.now(`${name}, round ${round} of ${effort.rounds}: ${server}`);
      const process = await servers.running(server);
      const measured = await generator.measure(process, load, effort.seconds);
      const dropped = server === LOGGING_PEER ? await droppedLines(process.output) : [];
      rounds.get(server)!.push({ ...measured, problems: [...measured.problems, ...dropped] });
    }
  }
  return { name, title, unit, servers: summarize(rounds) };
}

async function measureFigure(
  name: string, figure: FigureCase, names: readonly string[], servers: Servers,
  generator: LoadGenerator, { effort, connections }: CompareOptions, events: CompareEvents,
): Promise<FigureResult> {
  const { title, unit } = figure;
  const rounds: ReadonlyMap<string, FigureRound>[] = [];
  const notes = new Set<string>();
  const count = figure.rounds?.(effort.rounds) ?? effort.rounds;
  try {
    for (let round = 1; round <= count; round++) {
      rounds.push(await figure.measure(inTurn(names, round), {
        servers, generator, connections, seconds: effort.seconds,
        now: (what) => events.now(`${name}, round ${round} of ${count}: ${what}`),
        note: (text) => notes.add(text),
      }));
    }
  } catch (error) {
    // All of it is void; the other cases go on.
    const failed: FigureRound = { value: NaN, problems: [messageOf(error)] };
    rounds.splice(0, Infinity, new Map(names.map((server) => [server, failed])));
  }
  return { name, title, unit, notes: [...notes], servers: summarizeFigures(rounds) };
}

/** Forth and back: whoever is measured first finds the machine as the one before has left it. */
function inTurn(names: readonly string[], round: number): readonly string[] {
  return round % 2 === 1 ? names : names.toReversed();
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
