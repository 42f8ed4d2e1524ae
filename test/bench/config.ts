// What the benchmark is told to do. Pure; called by main.ts only.
import { UsageError } from '../../shared/errors.ts';
import { flagLines } from '../../shared/flags/help.ts';
import { readCommandLine, wordsOf } from '../../shared/flags/read.ts';
import { decimal, HELP, wholeNumber, type Flags } from '../../shared/flags/table.ts';
import { quote } from '../../shared/flags/words.ts';
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
    /** What is measured of the toolkit besides. */
    toolkit: Effort;
  }
  | { kind: 'toolkit'; effort: Effort; json: boolean; toolkit: Effort }
  | { kind: 'help' };

/** What can be measured, by what it is of. */
const CASES = {
  servers: [...Object.keys(SERVER_CASES), ...Object.keys(FIGURE_CASES)],
  goals: GOAL_CASES,
  toolkit: Object.keys(TOOLKIT_CASES),
} satisfies Record<string, readonly string[]>;
type Kind = keyof typeof CASES;
/** How long each is measured, in seconds. The goals' memory is looked at when they say only with that much. */
const SECONDS: Readonly<Record<Kind, number>> = { servers: 2, goals: 3, toolkit: 0.5 };
const KINDS = Object.keys(CASES) as Kind[];
const MOST_CONNECTIONS = 10_000;
const MOST_PROCESSES = 8;

/** How long a line of a list may be in the help, in characters. */
const LIST_WIDTH = 52;

function flagsOf(kind: Kind, cpus: number) {
  const seconds = kind === 'toolkit' ? decimal(0.01, 60) : decimal(0.1, 600);
  return {
    cases: { ...listOf(CASES[kind]), help: `${wrapped(CASES.servers)}\ntoolkit: ${wrapped(CASES.toolkit)}` },
    rounds: { ...wholeNumber(1, 100), fallback: '3', help: 'how often each is measured' },
    seconds: { ...seconds, help: 'how long each time (2; goals: 3; toolkit: 0.5)' },
    servers: { ...listOf(PEER_NAMES), help: wrapped(PEER_NAMES) },
    workers: { ...wholeNumber(1, cpus), fallback: `${cpus}`, help: 'worker processes of each server that has some' },
    processes: {
      ...wholeNumber(1, MOST_PROCESSES),
      help: 'Node processes make the load, so many (if there is a C\n'
        + 'compiler, one program in C, else half as many as CPUs)',
    },
    connections: {
      ...wholeNumber(1, MOST_CONNECTIONS), fallback: `${MOST_CONNECTIONS}`,
      help: 'the most that memory and connections open',
    },
    json: { help: 'print one JSON object and nothing else' },
    help: { short: HELP.short },
  } satisfies Flags;
}

/** Some of `all`, in any order. */
function listOf(all: readonly string[]) {
  return {
    hint: 'LIST', list: true, allowed: `a list of ${all.join(', ')}`,
    parse: (name: string) => all.find((one) => one === name),
  } as const;
}

/** The text for `--help`. */
export function benchHelp(cpus: number): string {
  return `Usage: npm run bench -- [flags]             servers side by side
       npm run bench -- goals [flags]       the goals of docs/speed.md
       npm run bench -- toolkit [flags]     the toolkit beside Python's

Each round runs every server in turn: a machine whose mood changes does so for
all. The figures are medians; compare them within one run only.

${flagLines(flagsOf('servers', cpus), 19)}
`;
}

/**
 * Reads the benchmark's arguments (without node and the script).
 * @throws UsageError that names the value and what is allowed.
 */
export function parseBenchCommand(args: readonly string[], cpus: number): BenchCommand {
  const words = wordsOf(args, flagsOf('servers', cpus));
  const [typed = 'servers', ...more] = words;
  const kind = KINDS.find((one) => one === typed);
  const line = readCommandLine(args, flagsOf(kind ?? 'servers', cpus), { keepsWords: true });
  if (line.kind !== 'run') return line;
  if (kind === undefined || more.length > 0) {
    const not = quote(words.join(' '));
    throw new UsageError(`what to measure must be nothing (the servers), goals or toolkit, not ${not}`);
  }
  const { values: { json, rounds, seconds = SECONDS[kind], ...values }, givenBy } = line;
  const cases = chosen(values.cases, CASES[kind]);
  const effort = { cases, rounds, seconds };
  if (kind === 'toolkit') {
    for (const name of ['servers', 'workers', 'processes', 'connections'] as const) {
      if (givenBy.has(name)) throw new UsageError(`--${name} is for the servers, not for the toolkit`);
    }
    return { kind, json, effort, toolkit: effort };
  }
  if (kind === 'goals' && givenBy.has('servers')) {
    throw new UsageError('--servers is not for goals: they tell which servers they need');
  }
  const { workers, processes, connections } = values;
  const plan = kind === 'goals' ? planOfGoals(cases) : planOf(cases, chosen(values.servers, PEER_NAMES));
  const toolkit = {
    cases: kind === 'goals' ? cases.filter((name) => name in TOOLKIT_CASES) : [], rounds,
    seconds: Math.min(seconds, SECONDS.toolkit),
  };
  return { kind, json, effort, plan, workers, processes, connections, toolkit };
}

/** Each case with those of the servers that it is for. */
function planOf(cases: readonly string[], servers: readonly string[]): readonly Planned[] {
  return cases.map((name) => {
    const able = FIGURE_CASES[name]?.servers ?? servers;
    const unable = SERVER_CASES[name]?.without ?? [];
    return { name, servers: servers.filter((server) => able.includes(server) && !unable.includes(server)) };
  });
}

/** The named ones in the order of all; all if none is named. */
function chosen(names: readonly string[], all: readonly string[]): readonly string[] {
  return names.length === 0 ? all : all.filter((name) => names.includes(name));
}

/** A list that goes on below its beginning where it is too long for a line. */
function wrapped(names: readonly string[]): string {
  const lines = [''];
  for (const name of names) {
    if (lines.at(-1)!.length + name.length > LIST_WIDTH) lines.push('');
    lines[lines.length - 1] += `${name},`;
  }
  return lines.join('\n').slice(0, -1);
}
