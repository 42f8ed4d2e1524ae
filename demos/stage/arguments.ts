// The demos' command line: arguments in, what to do out. Pure. Called by main.ts.
import { parseArgs } from 'node:util';
import { UsageError } from '../../shared/errors.ts';
import type { Demo, Options } from './demo.ts';
import { nearest } from './nearest.ts';

export type Invocation =
  | { readonly kind: 'list' }
  | { readonly kind: 'help'; readonly demo: Demo }
  | { readonly kind: 'run'; readonly demo: Demo; readonly options: Options };

interface Flag {
  readonly name: string;
  readonly hint: string;
  readonly takesValue: boolean;
}

/** More processes than this teach nothing more. */
const MOST_WORKERS = 64;
const LONGEST_ECHO = 40;

/**
 * @param argv The arguments after the program's name.
 * @param cpus How many CPUs there are.
 * @throws {UsageError} One line that names what is wrong and what is allowed.
 */
export function parseArguments(argv: string[], demos: readonly Demo[], cpus: number): Invocation {
  const options = { workers: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
  // Not strict: the tokens tell what was wrong more exactly than parseArgs' own errors.
  const { tokens } = parseArgs({ args: argv, options, strict: false, allowPositionals: true, tokens: true });
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token] : []));
  const wantsHelp = given.some(({ name, value }) => name === 'help' && value === undefined);
  const [name, second] = words;
  if (name === undefined) {
    if (given.length === 0 || wantsHelp) return { kind: 'list' };
    throw new UsageError(`${quote(argv[given[0]!.index]!)} needs a demo before it: ${names(demos)}`);
  }
  const demo = demos.find((candidate) => candidate.name === name);
  if (demo === undefined) throw new UsageError(unknownDemo(name, demos));
  if (wantsHelp) return { kind: 'help', demo };

  const flags = flagsOf(demo);
  for (const { name: typed, value, index } of given) {
    const flag = flags.find((candidate) => candidate.name === typed);
    if (flag === undefined) throw new UsageError(unknownFlag(demo, argv[index]!.split('=')[0]!));
    if (!flag.takesValue && value !== undefined) throw new UsageError(`--${typed} takes no value, not ${quote(value)}`);
  }
  if (second !== undefined) {
    throw new UsageError(`unexpected argument ${quote(second)}: after ${name} there are only flags (${hints(demo)})`);
  }
  const has = (flag: string): boolean => given.some((one) => one.name === flag);
  const alone = demo.steps.filter(({ flag }) => has(flag)).map(({ flag }) => flag);
  if (alone.length > 1) {
    const flags = alone.map((flag) => `--${flag}`).join(' and ');
    throw new UsageError(`${flags} exclude each other: leave ${alone.length > 2 ? 'all' : 'both'} out to run all there is`);
  }
  const workers = given.filter((flag) => flag.name === 'workers').at(-1);
  return {
    kind: 'run',
    demo,
    options: {
      workers: workers === undefined ? demo.usual(cpus) : readWorkers(workers.value, demo),
      steps: alone.length > 0 ? alone : demo.steps.map(({ flag }) => flag),
    },
  };
}

/** All flags of a demo: `--workers N, --help`. */
function hints(demo: Demo): string {
  return flagsOf(demo).map(({ hint }) => hint).join(', ');
}

function flagsOf(demo: Demo): Flag[] {
  return [
    { name: 'workers', hint: '--workers N', takesValue: true },
    ...demo.steps.map(({ flag }) => ({ name: flag, hint: `--${flag}`, takesValue: false })),
    { name: 'help', hint: '--help', takesValue: false },
  ];
}

function readWorkers(text: string | undefined, { name, fewest }: Demo): number {
  const value = /^\d+$/.test(text ?? '') ? Number(text) : NaN;
  if (value >= fewest && value <= MOST_WORKERS) return value;
  const not = text === undefined ? '' : `, not ${quote(text)}`;
  throw new UsageError(`--workers of ${name} must be a whole number from ${fewest} to ${MOST_WORKERS}${not}`);
}

function unknownDemo(typed: string, demos: readonly Demo[]): string {
  const near = nearest(typed, demos.map(({ name }) => name));
  return `there is no demo ${quote(typed)}${didYouMean(near)} (${names(demos)})`;
}

function unknownFlag(demo: Demo, typed: string): string {
  const near = nearest(typed.replace(/^-+/, ''), flagsOf(demo).map(({ name }) => name));
  return `${demo.name} has no flag ${quote(typed)}${didYouMean(near && `--${near}`)} (${hints(demo)})`;
}

function didYouMean(word: string | undefined): string {
  return word === undefined ? '' : `: did you mean ${word}?`;
}

function names(demos: readonly Demo[]): string {
  return demos.map(({ name }) => name).join(', ');
}

/** In quotes, short, and with nothing in it that a terminal would obey. */
function quote(text: string): string {
  const shown = text.length > LONGEST_ECHO ? `${text.slice(0, LONGEST_ECHO - 3)}...` : text;
  const escape = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`;
  return JSON.stringify(shown).replace(/[^\x20-\x7e]/gu, escape);
}
