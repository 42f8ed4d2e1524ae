// Reads a command line and the environment by a table of flags, and says in one sentence what is wrong with them. Pure.
// Used by each program's config.ts.
import { parseArgs } from 'node:util';
import { UsageError } from '../errors.ts';
import { ANSWERS, nameOf, oneOf, usagesOf } from './table.ts';
import type { Answer, Flag, Flags, Value, ValuesOf } from './table.ts';
import { didYouMean, quote } from './words.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Reading {
  /** Such as `process.env`. Without it neither variables nor npm count. */
  readonly env?: Environment;
  /** What hints call the program: `server`. */
  readonly program?: string;
  /** The part of the program that has these flags, as errors name it: `tickets`. */
  readonly part?: string;
  /** Whether words that no flag takes are handed back, and not refused. */
  readonly keepsWords?: boolean;
}

/** What a command line asks for. */
export type CommandLine<F extends Flags> =
  | { readonly kind: keyof F & Answer }
  | {
    readonly kind: 'run';
    readonly values: ValuesOf<F>;
    /** The names by which values were given: `--port`, `ECHOPOOL_PORT`, or of a word `PORT`. None for a default. */
    readonly givenBy: ReadonlyMap<string, string>;
    /** Those that no flag takes. */
    readonly words: readonly string[];
    /** What the user should be told although it is no error: one sentence each. */
    readonly notes: readonly string[];
  };

/** A value as it was given, and by which name. */
interface Given {
  readonly name: string;
  readonly text: string;
  readonly isVariable?: boolean;
}

type Option = Extract<ReturnType<typeof tokensOf>[number], { kind: 'option' }>;

/** What a switch may be in the environment. */
const YES_OR_NO = oneOf('yes', 'no');

/** What Kubernetes gives to every container as ECHOPOOL_PORT, for a Service of the name `echopool`. */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/**
 * Whoever asks for help or the version gets it, whatever else is wrong. A flag beats a word, which beats a variable; an
 * empty variable counts as not set; and of a flag that is given several times the last one counts, unless it is a list.
 * @param args Without node and the script.
 * @throws UsageError with one line that names the flag or the variable, the value and what is allowed.
 */
export function readCommandLine<F extends Flags>(
  args: readonly string[], flags: F, reading: Reading = {},
): CommandLine<F> {
  const tokens = tokensOf(args, flags);
  const asked = tokens.flatMap((token) => (token.kind === 'option' && token.value === undefined ? [token.name] : []));
  const kind = ANSWERS.find((answer) => asked.includes(answer) && Object.hasOwn(flags, answer));
  if (kind !== undefined) return { kind };

  const { env = {}, part, keepsWords } = reading;
  const keys = keysOf(flags);
  const given = new Map<string, readonly Given[]>();
  const takers = Object.entries(flags).flatMap(([key, { word }]) => (word === undefined ? [] : [{ key, word }]));
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option') {
      const key = keys.get(token.name);
      if (key === undefined) throw new UsageError(unknown(args[token.index]!, flags, part));
      const name = part === undefined ? token.rawName : `${token.rawName} of ${part}`;
      given.set(key, [...given.get(key) ?? [], { name, text: textOf(token, flags[key]!, name) }]);
    } else if (token.kind === 'positional' && words.push(token.value) > takers.length && keepsWords !== true) {
      const hints = npmHints(flags, [...given.keys(), ...takers.map(({ key }) => key)], reading);
      const why = unexpected(token.value, takers.map(({ word }) => word));
      throw new UsageError([why, ...hints.slice(0, 1)].join('; '));
    }
  }
  for (const { key, word } of takers) {
    const text = words.shift();
    if (text !== undefined && !given.has(key)) given.set(key, [{ name: word, text }]);
  }
  const notes = npmHints(flags, [...given.keys()], reading);
  const values: Record<string, unknown> = {};
  for (const [key, flag] of questionsOf(flags)) {
    const variable = given.has(key) ? undefined : inEnvironment(flag.variables ?? [], env, notes);
    if (variable !== undefined) given.set(key, [variable]);
    const all = given.get(key) ?? [];
    values[key] = flag.parse !== undefined ? valueOf(flag, all)
      : variable === undefined ? all.length > 0 : valueOf(YES_OR_NO, all) === 'yes';
  }
  const givenBy = new Map([...given].map(([key, all]) => [key, all.at(-1)!.name]));
  return { kind: 'run', values: values as ValuesOf<F>, givenBy, words, notes };
}

/** The words that are no flag's value: for a program whose flags depend on them. */
export function wordsOf(args: readonly string[], flags: Flags): string[] {
  return tokensOf(args, flags).flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
}

function tokensOf(args: readonly string[], flags: Flags) {
  const options = Object.fromEntries([...keysOf(flags)].map(([name, key]) => {
    const { parse, short, also } = flags[key]!;
    const letter = short === undefined || name === also ? {} : { short };
    return [name, { type: parse === undefined ? 'boolean' : 'string', ...letter } as const];
  }));
  // Not strict: the tokens tell what was wrong more exactly than parseArgs' own errors, and in one line.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

/** Every name of a flag, and its key in the table. */
function keysOf(flags: Flags): Map<string, string> {
  return new Map(Object.entries(flags).flatMap(([key, flag]): [string, string][] => (
    [[nameOf(key, flag), key], ...flag.also === undefined ? [] : [[flag.also, key] as [string, string]]])));
}

/** All flags but those that are answered at once. */
function questionsOf(flags: Flags): [key: string, flag: Flag][] {
  return Object.entries(flags).filter(([key]) => !ANSWERS.some((answer) => answer === key));
}

/** @param argument As it was typed, for the token of `-port` is only its first letter. */
function unknown(argument: string, flags: Flags, part: string | undefined): string {
  const typed = argument.split('=')[0]!;
  const meant = didYouMean(typed, [...keysOf(flags).keys()], '--');
  return part === undefined
    ? `unknown flag ${quote(typed)}${meant} (--help lists all)`
    : `${part} has no flag ${quote(typed)}${meant} (${usagesOf(flags)})`;
}

function unexpected(word: string, takers: readonly string[]): string {
  const rule = takers.length === 0
    ? 'there are only flags (--help lists them)'
    : `only ${takers.join(' and ')} ${takers.length === 1 ? 'needs' : 'need'} no flag (--help lists the flags)`;
  return `unexpected argument ${quote(word)}: ${rule}`;
}

/** @throws UsageError for a value that is missing, or that a switch does not take. */
function textOf({ rawName, value, inlineValue }: Option, flag: Flag, name: string): string {
  if (flag.parse === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, not ${quote(value)}`);
    return '';
  }
  // `--port --host x`: what follows is the next flag. `--port -1` is a value, and a wrong one.
  if (value !== undefined && (inlineValue || !/^--?[a-z]/i.test(value))) return value;
  throw new UsageError(`${name} needs a value: ${flag.allowed}`);
}

/** @throws UsageError for what is not allowed. */
function valueOf({ fallback, list, allowed, parse }: Value<unknown>, given: readonly Given[]): unknown {
  const parsed = ({ name, isVariable }: Given, text: string): unknown => {
    const value = parse(text);
    if (value !== undefined) return value;
    throw new UsageError(`${isVariable ? 'environment variable ' : ''}${name} must be ${allowed}, not ${quote(text)}`);
  };
  const all = given.length > 0 || fallback === undefined ? given : [{ name: 'the default', text: fallback }];
  if (list) return all.flatMap((one) => one.text.split(',').map((text) => parsed(one, text)));
  const last = all.at(-1);
  return last && parsed(last, last.text);
}

/** What is passed over in silence would puzzle: so it is noted. */
function inEnvironment(variables: readonly string[], env: Environment, notes: string[]): Given | undefined {
  for (const name of variables) {
    const text = env[name];
    if (text === undefined || text === '') continue;
    if (!name.endsWith('PORT') || !SERVICE_ADDRESS.test(text)) return { name, text, isVariable: true };
    notes.push(`environment variable ${name} ${quote(text)} is passed over: Kubernetes sets such values for a Service`);
  }
  return undefined;
}

/** Settings of npm's own, which an .npmrc may have, with a password in them. */
const SETTINGS_OF_NPM: ReadonlySet<string> = new Set(['depth', 'json', 'proxy']);

/** For each flag that npm has kept for itself: `npm start --port=9000` starts the server without it. */
function npmHints(flags: Flags, given: readonly string[], { env = {}, program = 'program' }: Reading): string[] {
  const script = env['npm_lifecycle_event'];
  if (script === undefined) return [];
  // `npx` is what npm says for `npm exec`, too.
  const command = script === 'start' ? 'npm start' : script === 'npx' ? 'npm exec echopool' : `npm run ${script}`;
  return questionsOf(flags).flatMap(([key, flag]) => {
    const name = nameOf(key, flag);
    const value = env[`npm_config_${name.replaceAll('-', '_')}`];
    if (!value || given.includes(key)) return [];
    const right = `what is the ${program}'s stands after two dashes, as in ${command} -- --${name} …`;
    if (SETTINGS_OF_NPM.has(name)) return [`npm has a setting ${name}, which it keeps for itself: ${right}`];
    // Without a `=` npm takes the flag for a switch, and passes on what follows.
    const kept = quote(value === 'true' ? `--${name}` : `--${name}=${value}`);
    return [`npm has kept ${kept} for itself: ${right}`];
  });
}
