// How fast the server shall be, beside others in the same run, and whether it is. Data, and pure. Read by config.ts and
// main.ts (npm run bench -- goals).
import type { CaseResult, Planned } from './compare.ts';
import { FIGURE_CASES } from './figures/index.ts';
import type { FigureResult } from './figures/figure.ts';
import { SERVER_CASES } from './cases.ts';
import { median } from './median.ts';

export interface Goal {
  readonly work: string;
  readonly case: string;
  /** The row of the case's result that is judged, and the one that it is divided by. */
  readonly row: string;
  readonly by: string | undefined;
  /** What is compared; `sound`: only that no round had a problem. */
  readonly measure: 'rate' | 'cpuUs' | 'value' | 'sound';
  readonly need: '>=' | '<=';
  readonly limit: number;
  /** What follows the limit. */
  readonly unit: string;
  /** The smallest program that does the same, measured in the same rounds: what it does not reach, ours cannot. */
  readonly floor?: string | undefined;
}

export interface Judged {
  /** The median of the rounds; null: it could not be measured. */
  readonly figure: number | null;
  readonly isMet: boolean;
  readonly why: string;
}

type Result = CaseResult | FigureResult;

const PEERS: Readonly<Record<string, string>> = {
  'cluster': 'node:cluster', 'go': 'Go', 'c': 'the same shape in C', 'bun': 'Bun', 'ours': '`--log none`',
  'ours-few': 'the rate with a hundredth of them',
};

function ratio(
  work: string, name: string, measure: Goal['measure'], need: Goal['need'], limit: number, by: string, row = 'ours',
): Goal {
  const what = measure === 'cpuUs' ? 'CPU a message of ' : '';
  const floor = row.startsWith('ours') && by !== FLOORS[name] ? FLOORS[name] : undefined;
  return { work, case: name, row, by, measure, need, limit, unit: ` x ${what}${PEERS[by]}`, floor };
}

/**
 * The smallest Node program that keeps what ours keeps (peers/kept-copy.mjs); but where the transform is the work it is
 * none, as it has that of node:cluster. There it is the program in C.
 */
const FLOORS: Readonly<Record<string, string>> = {
  ping: 'kept-copy', pipe: 'kept-copy', churn: 'kept-copy', memory: 'kept-copy', connections: 'kept-copy', bulk: 'c',
};

/** The same goal of the smallest program, beside the same peers. */
function floorOf(goal: Goal, floor: string): Goal {
  return { ...goal, row: goal.row.replace(/^ours/, floor), by: goal.by?.replace(/^ours/, floor) };
}

const PING = 'ping: 64 connections, 64 bytes, 1 in flight';
const PIPE = 'pipe: 16 in flight';
const BULK = 'bulk: 8 connections, 64 KiB of ASCII';
const UTF8 = 'utf8: 64 KiB of many scripts';
const LOGGING = 'logging: ping, every message logged to a file';
/** The time until a line is in the file, in milliseconds. */
const LINE_LIMIT_MS = 100;

export const GOALS: readonly Goal[] = [
  ratio(PING, 'ping', 'rate', '>=', 1.1, 'cluster'),
  ratio(PING, 'ping', 'rate', '>=', 1, 'go'),
  ratio(PING, 'ping', 'rate', '>=', 0.85, 'c'),
  ratio(PING, 'ping', 'cpuUs', '<=', 1.4, 'c'),
  ratio(PIPE, 'pipe', 'rate', '>=', 1.1, 'cluster'),
  ratio(PIPE, 'pipe', 'rate', '>=', 1, 'go'),
  ratio(BULK, 'bulk', 'rate', '>=', 1.2, 'cluster'),
  ratio(BULK, 'bulk', 'rate', '>=', 1, 'c'),
  ratio(BULK, 'bulk', 'rate', '>=', 1.5, 'go'),
  ratio(UTF8, 'utf8', 'rate', '>=', 4, 'cluster'),
  ratio(UTF8, 'utf8', 'rate', '>=', 3, 'bun'),
  ratio('churn: short connections', 'churn', 'rate', '>=', 1, 'cluster'),
  ratio(LOGGING, 'ping', 'rate', '>=', 0.9, 'ours', 'ours-logging'),
  {
    work: LOGGING, case: 'log-delay', row: 'ours-logging', by: undefined, measure: 'sound', need: '>=', limit: 1,
    unit: 'every line whole, none lost',
  },
  {
    work: LOGGING, case: 'log-delay', row: 'ours-logging', by: undefined, measure: 'value', need: '<=',
    limit: LINE_LIMIT_MS, unit: ' ms until the line is in the file, p99',
  },
  ratio('latency at half of full load, p99', 'latency', 'value', '<=', 1, 'cluster'),
  ratio('memory with 8,000 idle connections', 'memory', 'value', '<=', 1.2, 'cluster'),
  ratio('64 in flight over 10,000 connections', 'connections', 'value', '>=', 0.8, 'ours-few'),
  ratio('start: to the first echo', 'start', 'value', '<=', 1.5, 'cluster'),
];

/** The cases that the goals need, and the servers that each of them needs; the first one is what the rest is beside. */
export function planOfGoals(cases: readonly string[]): readonly Planned[] {
  return cases.flatMap((name) => {
    const goals = GOALS.filter((goal) => goal.case === name);
    const able = FIGURE_CASES[name]?.servers;
    const rows = goals.flatMap((goal) => (goal.floor === undefined ? [goal] : [goal, floorOf(goal, goal.floor)]));
    const needed = rows.flatMap(({ row, by }) => (by === undefined ? [row] : [row, by]))
      .filter((server) => able?.includes(server) ?? true);
    return goals.length > 0 ? [{ name, servers: [...new Set(needed)] }] : [];
  });
}

/** All cases that have goals. */
export const GOAL_CASES: readonly string[] = [...Object.keys(SERVER_CASES), ...Object.keys(FIGURE_CASES)]
  .filter((name) => GOALS.some((goal) => goal.case === name));

export function judge(goal: Goal, results: readonly Result[]): Judged {
  const missed = (why: string): Judged => ({ figure: null, isMet: false, why });
  const result = results.find(({ name }) => name === goal.case);
  if (result === undefined) return missed('not measured');
  const own = roundsOf(result, goal.row);
  const theirs = goal.by === undefined ? undefined : roundsOf(result, goal.by);
  if (own === undefined) return missed(`${goal.row} is not there`);
  if (goal.by !== undefined && theirs === undefined) return missed(`${goal.by} is not there`);
  const problem = [...own, ...theirs ?? []].flatMap(({ problems }) => problems)[0];
  if (problem !== undefined) return missed(problem);
  if (goal.measure === 'sound') return { figure: 1, isMet: true, why: '' };
  const { measure } = goal;
  const figure = median(own.map((round, i) => {
    return (round[measure] ?? NaN) / (theirs === undefined ? 1 : theirs[i]![measure] ?? NaN);
  }));
  if (!Number.isFinite(figure)) return missed('this system does not tell');
  // As it is printed: nobody should read 1.10 and "no".
  const shown = Number(figure.toFixed(2));
  return { figure: shown, isMet: goal.need === '>=' ? shown >= goal.limit : shown <= goal.limit, why: '' };
}

/** The table as docs/speed.md has it, and what is to be known about it. Only goals of the cases that were measured. */
export function goalsTable(results: readonly Result[]): string {
  const rows = GOALS.filter((goal) => results.some(({ name }) => name === goal.case)).map((goal) => {
    const { work, need, limit, unit, measure, by, floor } = goal;
    const { figure, isMet, why } = judge(goal, results);
    const wanted = measure === 'sound' ? unit : `${need === '>=' ? '≥' : '≤'} ${limit}${unit}`;
    const seen = figure === null ? `– (${why.replaceAll('|', '/')})`
      : measure === 'sound' ? 'so it is' : by === undefined ? `${Math.round(figure)} ms` : figure.toFixed(2);
    const least = floor === undefined ? '' : judge(floorOf(goal, floor), results).figure?.toFixed(2) ?? '–';
    return `| ${work} | ${wanted} | ${seen} | ${isMet ? 'yes' : '**no**'} | ${least} |`;
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

function roundsOf({ servers }: Result, name: string): readonly AnyRound[] | undefined {
  return servers.find((server) => server.name === name)?.rounds;
}
