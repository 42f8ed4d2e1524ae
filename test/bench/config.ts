// What the benchmark is told to do. Pure; called by main.ts only.
import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../../shared/errors.ts';
import { SERVER_CASES } from './cases.ts';
import type { Planned } from './compare.ts';
import { FIGURE_CASES } from './figures/index.ts';
import { GOAL_CASES, planOfGoals } from './goals.ts';
import { PEER_NAMES } from './peers.ts';
import { TOOLKIT_CASES } from './toolkit.ts';

/** How often, and how long each time, in seconds. */
export interface Effort {
  readonly cases: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
}

export type BenchCommand =
  | {
    kind: 'servers' | 'goals'; effort: Effort; json: boolean; plan: readonly Planned[];
    workers: number; processes: number | undefined; connections: number;
  }
  | { kind: 'toolkit'; effort: Effort; json: boolean }
  | { kind: 'help' };

/** What can be measured of servers. */
const ALL_CASES: readonly string[] = [...Object.keys(SERVER_CASES), ...Object.keys(FIGURE_CASES)];
const MOST_CONNECTIONS = 10_000;
const MOST_PROCESSES = 8;

const OPTIONS = {
  cases: { type: 'string' },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string' },
  json: { type: 'boolean', default: false },
  servers: { type: 'string' },
  workers: { type: 'string' },
  processes: { type: 'string' },
  connections: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/** How long a line of a list may be in the help, in characters. */
const LIST_WIDTH = 52;

/** The text for `--help`. */
export function benchHelp(cpus: number): string {
  return `Usage: npm run bench -- [flags]             servers side by side
       npm run bench -- goals [flags]       the goals of docs/speed.md
       npm run bench -- toolkit [flags]     the toolkit beside Python's

Each round runs every server in turn: a machine whose mood changes does so for
all. The figures are medians; compare them within one run only.

  --cases LIST     ${wrapped(ALL_CASES)}
                   toolkit: ${wrapped(Object.keys(TOOLKIT_CASES))}
  --rounds N       how often each is measured (3)
  --seconds N      how long each time (2; toolkit: 0.5)
  --servers LIST   ${wrapped(PEER_NAMES)}
  --workers N      worker processes of each server that has some (${cpus})
  --processes N    Node processes make the load, so many (if there is a C
                   compiler, one program in C, else half as many as CPUs)
  --connections N  the most that memory and connections open (${MOST_CONNECTIONS})
  --json           print one JSON object and nothing else
`;
}

/**
 * Reads the benchmark's arguments (without node and the script).
 * @throws UsageError that names the value and what is allowed.
 */
export function parseBenchCommand(args: readonly string[], cpus: number): BenchCommand {
  const { values, positionals } = parsed(args);
  if (values.help) return { kind: 'help' };
  const [kind = 'servers', ...more] = positionals;
  if ((kind !== 'servers' && kind !== 'goals' && kind !== 'toolkit') || more.length > 0) {
    const typed = JSON.stringify(positionals.join(' '));
    throw new UsageError(`what to measure must be nothing (the servers), goals or toolkit, not ${typed}`);
  }
  const rounds = numberFrom('--rounds', values.rounds, 1, 100, true);
  const { json } = values;
  if (kind === 'toolkit') {
    for (const name of ['servers', 'workers', 'processes', 'connections'] as const) {
      if (values[name] !== undefined) throw new UsageError(`--${name} is for the servers, not for the toolkit`);
    }
    const seconds = numberFrom('--seconds', values.seconds ?? '0.5', 0.01, 60, false);
    const cases = chosen('--cases', values.cases, Object.keys(TOOLKIT_CASES));
    return { kind, json, effort: { cases, rounds, seconds } };
  }
  const seconds = numberFrom('--seconds', values.seconds ?? '2', 0.1, 600, false);
  const cases = chosen('--cases', values.cases, kind === 'goals' ? GOAL_CASES : ALL_CASES);
  if (kind === 'goals' && values.servers !== undefined) {
    throw new UsageError('--servers is not for goals: they tell which servers they need');
  }
  const connections = values.connections ?? String(MOST_CONNECTIONS);
  return {
    kind, json, effort: { cases, rounds, seconds },
    plan: kind === 'goals' ? planOfGoals(cases) : planOf(cases, chosen('--servers', values.servers, PEER_NAMES)),
    workers: numberFrom('--workers', values.workers ?? String(cpus), 1, cpus, true),
    processes: values.processes === undefined ? undefined : numberFrom('--processes', values.processes, 1, MOST_PROCESSES, true),
    connections: numberFrom('--connections', connections, 1, MOST_CONNECTIONS, true),
  };
}

/** Each case with those of the servers that it is for. */
function planOf(cases: readonly string[], servers: readonly string[]): readonly Planned[] {
  return cases.map((name) => {
    const able = FIGURE_CASES[name]?.servers ?? servers;
    const unable = SERVER_CASES[name]?.without ?? [];
    return { name, servers: servers.filter((server) => able.includes(server) && !unable.includes(server)) };
  });
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${messageOf(error).split('. ')[0]} (--help lists all)`);
  }
}

function chosen(flag: string, text: string | undefined, all: readonly string[]): readonly string[] {
  if (text === undefined) return all;
  const names = text.split(',');
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`${flag} must be a list of ${all.join(', ')}, not ${JSON.stringify(unknown)}`);
  }
  return all.filter((name) => names.includes(name));
}

function numberFrom(flag: string, text: string, least: number, most: number, whole: boolean): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  const allowed = `a ${whole ? 'whole ' : ''}number from ${least} to ${most}`;
  throw new UsageError(`${flag} must be ${allowed}, not ${JSON.stringify(text)}`);
}

/** A list that goes on below its beginning where it is too long for a line. */
function wrapped(names: readonly string[]): string {
  const lines = [''];
  for (const name of names) {
    if (lines.at(-1)!.length + name.length > LIST_WIDTH) lines.push('');
    lines[lines.length - 1] += `${name},`;
  }
  return lines.join(`\n${' '.repeat(19)}`).slice(0, -1);
}
