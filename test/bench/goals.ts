// How fast and lean the project shall be, beside others in the same run, and whether it is. Data, and pure. Read by
// config.ts and main.ts (npm run bench -- goals).
import { SERVER_CASES } from './cases.ts';
import type { CaseResult, Planned } from './compare.ts';
import { FIGURE_CASES } from './figures/index.ts';
import type { FigureResult } from './figures/figure.ts';
import { median } from './median.ts';
import { EACH, TOOLKIT_CASES, type ToolkitResult } from './toolkit.ts';

export interface Goal {
  readonly work: string;
  readonly case: string;
  /**
   * The row of the case's result that is judged, and the one that it is divided by. The first word of each is the
   * server's name.
   */
  readonly row: string;
  readonly by: string | undefined;
  /** What is compared; `sound`: only that no round had a problem. */
  readonly measure: 'rate' | 'cpuUs' | 'value' | 'sound';
  readonly need: '>=' | '<=';
  readonly limit: number;
  /** What follows the limit. */
  readonly unit: string;
  /** Not the median is judged, but each round: it is to be met in so many of so many. */
  readonly times?: { readonly met: number; readonly of: number };
  /** The row of the smallest program that does the same, in the same rounds: what it does not reach, ours cannot. */
  readonly floor?: string | undefined;
}

export interface Judged {
  /** The median of the rounds, or how often it was met, or why there is no figure. */
  readonly shown: string;
  /** Null: one of those that are compared is not on this machine. */
  readonly isMet: boolean | null;
}

export type Result = CaseResult | FigureResult | ToolkitResult;

const PEERS: Readonly<Record<string, string>> = {
  'cluster': 'node:cluster', 'go': 'Go', 'c': 'the same shape in C', 'bun': 'Bun',
  'kept-copy': 'the smallest program', 'kept-copy-logging': 'the smallest program that logs',
};

/**
 * The smallest Node program that keeps what ours keeps (peers/kept-copy.mjs); but where the transform is the work it is
 * none, as it has that of node:cluster. There it is the program in C. Where the number of modules is what costs, it is
 * the one that loads ours as well.
 */
const FLOORS: Readonly<Record<string, string>> = {
  ping: 'kept-copy', pipe: 'kept-copy', churn: 'kept-copy', memory: 'kept-copy', idle: 'kept-copy-modules',
  start: 'kept-copy-modules', latency: 'kept-copy', bulk: 'c',
};

/** @param kind What follows the servers' names in the rows. */
function ratio(
  work: string, name: string, measure: Goal['measure'], need: Goal['need'], limit: number, by: string,
  { row = 'ours', kind = '' } = {},
): Goal {
  const one = name === 'churn' ? 'connection' : 'message';
  const unit = ` x ${measure === 'cpuUs' ? `CPU a ${one} of ` : ''}${PEERS[by]}`;
  const floor = FLOORS[name];
  return {
    work, case: name, row: row + kind, by: by + kind, measure, need, limit, unit,
    floor: floor === undefined ? undefined : row.replace('ours', floor) + kind,
  };
}

/** How much of the memory: beside node:cluster, and beside the smallest program. */
function memoryGoals(moment: string, kind: string): Goal[] {
  const work = `memory with 8,000 idle connections, ${moment}`;
  return [
    ratio(work, 'memory', 'value', '<=', 1.05, 'kept-copy', { kind }),
    ratio(work, 'memory', 'value', '<=', 1.25, 'cluster', { kind }),
  ];
}

/** Of a case of the toolkit, beside Python's. Its floor is a bare message each way. */
function toolkitGoal(name: string, work: string): Goal {
  const { goal, bare = {} } = TOOLKIT_CASES[name]!;
  if (goal === undefined || 'most' in goal) throw new Error(`${name} has no goal beside another`);
  return {
    work: `toolkit: ${work}`, case: name, row: 'ours', by: goal.to, measure: 'rate', need: '>=', limit: goal.least,
    unit: ` x ${goal.to}`, floor: EACH in bare ? EACH : undefined,
  };
}

const PING = 'ping: 64 connections, 64 bytes, 1 in flight';
const PIPE = 'pipe: 16 in flight';
const CHURN = 'churn: short connections';
const BULK = 'bulk: 8 connections, 64 KiB of ASCII';
const UTF8 = 'utf8: 64 KiB of many scripts';
const LOGGING = 'logging: ping, every message logged to a file';
const AT_REST = 'memory without a connection, two workers';
/** The time until a line is in the file, in milliseconds. */
const LINE_LIMIT_MS = 100;

export const GOALS: readonly Goal[] = [
  ratio(CHURN, 'churn', 'rate', '>=', 0.95, 'kept-copy'),
  ratio(CHURN, 'churn', 'rate', '>=', 0.75, 'cluster'),
  ratio(CHURN, 'churn', 'cpuUs', '<=', 1.05, 'kept-copy'), // 1 / 0.95
  ratio(CHURN, 'churn', 'cpuUs', '<=', 1.33, 'cluster'), // 1 / 0.75
  ...memoryGoals('after 5 s', ' 5 s'),
  ...memoryGoals('after 60 s', ' 60 s'),
  ...memoryGoals('at the peak', ' peak'),
  ratio(`${AT_REST}, after 5 s`, 'idle', 'value', '<=', 1.15, 'cluster', { kind: ' 5 s' }),
  ratio(`${AT_REST}, after 60 s`, 'idle', 'value', '<=', 1.15, 'cluster', { kind: ' 60 s' }),
  ratio('start: npm start to the first echo', 'start', 'value', '<=', 1.25, 'cluster', { kind: ' start' }),
  ratio('start: SIGHUP until a successor serves', 'start', 'value', '<=', 1.25, 'cluster', { kind: ' reload' }),
  ratio(PING, 'ping', 'rate', '>=', 1, 'cluster'),
  ratio(PING, 'ping', 'rate', '>=', 0.97, 'kept-copy'),
  ratio(PIPE, 'pipe', 'rate', '>=', 1, 'cluster'),
  ratio(PIPE, 'pipe', 'rate', '>=', 0.97, 'kept-copy'),
  {
    ...ratio('latency at half of full load, p99', 'latency', 'value', '<=', 1, 'cluster'), times: { met: 5, of: 7 },
  },
  ratio(LOGGING, 'ping', 'rate', '>=', 0.95, 'kept-copy-logging', { row: 'ours-logging' }),
  toolkitGoal('queue', 'an unbounded queue, one consumer'),
  toolkitGoal('children', 'an unbounded queue, from child to child'),
  toolkitGoal('getters', 'an unbounded queue, three consumers'),
  toolkitGoal('queue-10', 'a queue bounded at 10, one consumer'),
  toolkitGoal('children-10', 'a queue bounded at 10, from child to child'),
  toolkitGoal('getters-10', 'a queue bounded at 10, three consumers'),
  // What was wanted before, and is still worth a look.
  ratio(PING, 'ping', 'rate', '>=', 1, 'go'),
  ratio(PING, 'ping', 'rate', '>=', 0.85, 'c'),
  ratio(PING, 'ping', 'cpuUs', '<=', 1.4, 'c'),
  ratio(PIPE, 'pipe', 'rate', '>=', 1, 'go'),
  ratio(BULK, 'bulk', 'rate', '>=', 1.2, 'cluster'),
  ratio(BULK, 'bulk', 'rate', '>=', 1, 'c'),
  ratio(BULK, 'bulk', 'rate', '>=', 1.5, 'go'),
  ratio(UTF8, 'utf8', 'rate', '>=', 4, 'cluster'),
  ratio(UTF8, 'utf8', 'rate', '>=', 3, 'bun'),
  {
    work: LOGGING, case: 'log-delay', row: 'ours-logging', by: undefined, measure: 'sound', need: '>=', limit: 1,
    unit: 'every line whole, none lost',
  },
  {
    work: LOGGING, case: 'log-delay', row: 'ours-logging', by: undefined, measure: 'value', need: '<=',
    limit: LINE_LIMIT_MS, unit: ' ms until the line is in the file, p99',
  },
];

/** The cases that the goals need, and the servers that each of them needs; the first one is what the rest is beside. */
export function planOfGoals(cases: readonly string[]): readonly Planned[] {
  return cases.flatMap((name) => {
    if (name in TOOLKIT_CASES) return [];
    const rows = GOALS.filter((goal) => goal.case === name).flatMap(({ row, by, floor }) => [row, by, floor]);
    const needed = rows.flatMap((row) => (row === undefined ? [] : [row.split(' ')[0]!]));
    return [{ name, servers: [...new Set(needed)] }];
  });
}

/** All cases that have goals. */
export const GOAL_CASES: readonly string[] = [SERVER_CASES, FIGURE_CASES, TOOLKIT_CASES].flatMap(Object.keys)
  .filter((name) => GOALS.some((goal) => goal.case === name));

export function judge(goal: Goal, results: readonly Result[]): Judged {
  const missed = (why: string, isMet: false | null = false): Judged => {
    return { shown: `– (${why.replaceAll('|', '/')})`, isMet };
  };
  const result = results.find(({ name }) => name === goal.case);
  if (result === undefined) return missed('not measured');
  const own = roundsOf(result, goal.row);
  const theirs = goal.by === undefined ? undefined : roundsOf(result, goal.by);
  if (own === undefined) return missed(`${goal.row} is not there`, null);
  if (goal.by !== undefined && theirs === undefined) return missed(`${goal.by} is not there`, null);
  const problem = [...own, ...theirs ?? []].flatMap(({ problems }) => problems)[0];
  if (problem !== undefined) return missed(problem);
  const { measure, times } = goal;
  if (measure === 'sound') return { shown: 'so it is', isMet: true };
  const figures = own.map((round, i) => {
    return (round[measure] ?? NaN) / (theirs === undefined ? 1 : theirs[i]![measure] ?? NaN);
  });
  if (!figures.every(Number.isFinite)) return missed('this system does not tell');
  // As it is printed: nobody should read 1.10 and "no".
  const meets = (figure: number): boolean => {
    return goal.need === '>=' ? Number(figure.toFixed(2)) >= goal.limit : Number(figure.toFixed(2)) <= goal.limit;
  };
  if (times !== undefined) {
    const met = figures.filter(meets).length;
    return { shown: `${met} of ${figures.length}`, isMet: met * times.of >= times.met * figures.length };
  }
  const figure = median(figures);
  return { shown: goal.by === undefined ? `${Math.round(figure)} ms` : figure.toFixed(2), isMet: meets(figure) };
}

/** The table as docs/speed.md has it, and what is to be known about it. Only goals of the cases that were measured. */
export function goalsTable(results: readonly Result[]): string {
  const rows = GOALS.filter((goal) => results.some(({ name }) => name === goal.case)).map((goal) => {
    const { work, need, limit, unit, measure, times, floor } = goal;
    const { shown, isMet } = judge(goal, results);
    const often = times === undefined ? '' : ` in ${times.met} rounds of ${times.of}`;
    const wanted = measure === 'sound' ? unit : `${need === '>=' ? '≥' : '≤'} ${limit}${unit}${often}`;
    const verdict = isMet === null ? '–' : isMet ? 'yes' : '**no**';
    const least = floor === undefined ? null : judge({ ...goal, row: floor }, results);
    return `| ${work} | ${wanted} | ${shown} | ${verdict} | ${least?.shown.replace(/^–.*/, '–') ?? ''} |`;
  });
  const notes = results.flatMap((result) => {
    return 'notes' in result ? result.notes.map((note) => `${result.name}: ${note}`) : [];
  });
  const table = ['| work | goal | figure | met | floor |', '| --- | --- | --- | --- | --- |', ...rows];
  return [...table, ...notes.length > 0 ? ['', ...notes] : []].join('\n');
}

interface AnyRound {
  readonly rate?: number;
  readonly cpuUs?: number | null;
  readonly value?: number;
  readonly problems: readonly string[];
}

/** @param row When the whole case has failed, there is only one of the server's name, which says why. */
function roundsOf({ servers }: Result, row: string): readonly AnyRound[] | undefined {
  const found = servers.find(({ name }) => name === row) ?? servers.find(({ name }) => name === row.split(' ')[0]);
  return found?.rounds.map(roundOf);
}

/** The toolkit's rounds are rates, and who gives a wrong one ends the run. */
function roundOf(round: AnyRound | number): AnyRound {
  return typeof round === 'number' ? { rate: round, problems: [] } : round;
}
