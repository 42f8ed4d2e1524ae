// What the server is told to do: flags and environment variables in, one checked Config out. Called by server/main.ts.
// What can be told is the table in settings.ts.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { UsageError } from '../shared/errors.ts';
import { flags, settingOf, settings, switches } from './settings.ts';
import type { Setting, Values } from './settings.ts';

/** Everything the server can be told. Times are whole milliseconds. */
export interface Config {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Worker processes: at least one, at most one a CPU. */
  readonly workers: number;
  /** `undefined`: no limit. */
  readonly connectionsPerWorker: number | undefined;
  /** How many may wait when all workers are full. */
  readonly waiting: number;
  /** 0: never. */
  readonly idleTimeoutMs: number;
  readonly graceMs: number;
  /** 0: never. */
  readonly workerTimeoutMs: number;
  readonly onCrash: 'reset' | 'adopt';
  /** 0: no limit. */
  readonly connectionsPerAddress: number;
  /** After so many connections a worker is replaced by a new one. 0: never. */
  readonly maxConnectionsPerWorker: number;
  readonly log: 'messages' | 'connections' | 'none';
  readonly logFormat: 'pretty' | 'json';
  /** What the user should be told although it is no error: one sentence each. */
  readonly notes: readonly string[];
}

/** Where a value came from, as an error names it: `--host`, `ECHOPOOL_HOST`. A default counts as its flag. */
export type Origins = { readonly [K in 'host' | 'port' | 'workers']: string };

/** What a command line asks for. */
export type Invocation = { kind: 'run'; config: Config; origins: Origins } | { kind: 'help' } | { kind: 'version' };

type Environment = Readonly<Record<string, string | undefined>>;

/** A value as it was given, and where. */
interface Given {
  readonly origin: string;
  readonly text: string;
}

/** Longer values are cut in errors and notes. */
const LONGEST_ECHO = 60;
/** Platforms say by it where to listen. No other name without ECHOPOOL_ is read: HOST and LOG belong to everybody. */
const PLATFORM_PORT = 'PORT';
/** What Kubernetes gives to every container as ECHOPOOL_PORT, for a Service of the name `echopool`. */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries([
  ...[...settingOf.keys()].map((flag) => [flag, { type: 'string' }] as const),
  ...switches.map(({ flag, short }) => [flag, { type: 'boolean', short }] as const),
]);

/**
 * Reads the command line and the environment.
 * A flag beats its variable, the last of a repeated flag beats the others, and an empty variable counts as not set.
 * @param argv the arguments after the program's name
 * @param env such as `process.env`
 * @param cpus how many workers there may be: `cpuCount()`
 * @throws UsageError with one line that names the flag or the variable, the value and what is allowed
 */
export function parseConfig(argv: string[], env: Environment, cpus: number): Invocation {
  const asked = readArguments(argv, env);
  if (typeof asked === 'string') return { kind: asked };

  const notes = [...keptByNpm(env, asked)].map((flag) => hintAtNpm(env, flag));
  const given = new Map<string, Given>();
  for (const flag of settingOf.keys()) {
    const found = findGiven(flag, asked, env, notes);
    if (found !== undefined) given.set(flag, found);
  }
  const values: { -readonly [K in keyof Values]?: Values[K] } = {};
  const fill = <K extends keyof Values>(key: K): void => {
    const setting = settings[key];
    values[key] = readSetting<NonNullable<Values[K]>>(setting, given.get(setting.flag)) as Values[K];
  };
  for (const key of Object.keys(settings)) fill(key as keyof Values);
  // Every key of `settings`, and so every key of Values, has just been filled in.
  const { workers: wanted, ...others } = values as Values;

  const originOf = (flag: string): string => given.get(flag)?.origin ?? `--${flag}`;
  const origins = { host: originOf('host'), port: originOf('port'), workers: originOf('workers') };
  const usable = Math.max(1, cpus);
  const workers = wanted === 'auto' ? usable : Math.min(wanted, usable);
  if (wanted !== 'auto' && wanted > usable) {
    notes.push(`${origins.workers} ${wanted} is lowered to ${usable}, the number of usable CPUs`);
  }
  return { kind: 'run', config: { ...others, workers, notes }, origins };
}

/** The text for `--help`: every flag with its variable and default, the signals, and examples; 80 columns at most. */
export function helpText(): string {
  const lines = [...settingOf.values()].flatMap(({ flag, hint, help, fallback }) => [
    `  ${`--${flag} ${hint}`.padEnd(36)}${variableOf(flag)}`,
    `      ${help} (${fallback ?? 'no limit'})`,
  ]);
  const short = switches.map(({ flag, short, help }) => `  ${`-${short}, --${flag}`.padEnd(36)}${help}`);
  return `echopool-server: a TCP echo server of several processes; replies in upper case

Usage: echopool-server [flags]            from a checkout: npm start -- [flags]

Flags, each with its environment variable and, in brackets, its default. A flag
beats its variable; an empty variable counts as not set. PORT is read as well,
after ECHOPOOL_PORT; a value there like tcp://10.0.0.1:8080, which Kubernetes
sets, is passed over.
${lines.join('\n')}
${short.join('\n')}

Signals
  SIGINT, SIGTERM   stop: no new clients, --grace for the others
  one of them again stop at once
  SIGHUP            replace all workers, one after the other; clients stay
  SIGTTIN, SIGTTOU  one worker more, one worker less (SIGTTIN never exceeds the
                    number of usable CPUs)
It stops, too, when its terminal is closed (not under nohup) or its npm is gone.

Exit codes: 0 stopped as asked, 1 could not listen or go on, 2 wrong flags,
130 stopped at once

Examples
  npm start -- --port 9000 --workers 2
  printf 'hello' | nc -N 127.0.0.1 9000        prints HELLO
  nc 127.0.0.1 9000                            type lines, end with Ctrl-D
  ECHOPOOL_CONNECTIONS_PER_WORKER=1 npm start  a pool: one client a worker
`;
}

/** The values given as flags, by flag; or which of the switches was given. */
function readArguments(argv: string[], env: Environment): Map<string, string> | 'help' | 'version' {
  // Not strict: the tokens tell what was wrong more exactly than parseArgs' own errors, and in one line.
  const { tokens } = parseArgs({ args: argv, options, strict: false, allowPositionals: true, tokens: true });
  // Whoever asks for help gets it, whatever else is wrong.
  const bare = tokens.flatMap((token) => (token.kind === 'option' && token.value === undefined ? [token.name] : []));
  for (const { flag } of switches) {
    if (bare.includes(flag)) return flag;
  }
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      const [kept] = keptByNpm(env, given);
      const hint = kept === undefined ? '' : `; ${hintAtNpm(env, kept)}`;
      throw new UsageError(`unexpected argument ${quote(token.value)}: there are only flags (--help lists them)${hint}`);
    }
    const { name, value, inlineValue, index } = token;
    const setting = settingOf.get(name);
    if (setting !== undefined) {
      // `--port --host x`: what follows is the next flag. `--port -1` is a value, and a wrong one.
      if (value === undefined || (!inlineValue && /^--?[a-z]/i.test(value))) {
        throw new UsageError(`--${name} needs a value: ${setting.allowed}`);
      }
      given.set(name, value);
    } else if (flags.includes(name)) {
      throw new UsageError(`--${name} takes no value, not ${quote(value ?? '')}`);
    } else {
      // From `argv`, for a token of `-port` is only its first letter.
      throw new UsageError(unknownFlag(argv[index]?.split('=')[0] ?? name));
    }
  }
  return given;
}

/** What was given for a flag, there or in the environment. What is passed over in silence would puzzle: so it is noted. */
function findGiven(flag: string, asked: ReadonlyMap<string, string>, env: Environment, notes: string[]): Given | undefined {
  const text = asked.get(flag);
  if (text !== undefined) return { origin: `--${flag}`, text };
  const isPort = flag === settings.port.flag;
  for (const name of isPort ? [variableOf(flag), PLATFORM_PORT] : [variableOf(flag)]) {
    const value = env[name];
    if (value === undefined || value === '') continue;
    if (!isPort || !SERVICE_ADDRESS.test(value)) return { origin: name, text: value };
    notes.push(`environment variable ${name} ${quote(value)} is passed over: Kubernetes sets such values for a Service`);
  }
  return undefined;
}

function readSetting<T>({ allowed, fallback, parse }: Setting<T>, given: Given | undefined): T | undefined {
  const text = given?.text ?? fallback;
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value !== undefined) return value;
  const origin = given?.origin ?? '';
  throw new UsageError(`${origin.startsWith('--') ? '' : 'environment variable '}${origin} must be ${allowed}, not ${quote(text)}`);
}

function variableOf(flag: string): string {
  return `ECHOPOOL_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/** Flags that npm has kept for itself: `npm start --port=9000` starts the server without them. */
function* keptByNpm(env: Environment, given: ReadonlyMap<string, string>): Generator<string> {
  if (env['npm_lifecycle_event'] === undefined) return;
  for (const flag of settingOf.keys()) if (!given.has(flag) && env[npmName(flag)]) yield flag;
}

function hintAtNpm(env: Environment, flag: string): string {
  const event = env['npm_lifecycle_event'];
  const value = env[npmName(flag)];
  // Without a `=` npm takes the flag for a switch, and passes on what follows.
  const kept = value === 'true' ? `--${flag}` : `--${flag}=${value}`;
  const command = event === 'start' ? 'npm start' : `npm run ${event}`;
  return `npm has kept ${quote(kept)} for itself: what is the server's stands after two dashes, as in ${command} -- --${flag} …`;
}

function npmName(flag: string): string {
  return `npm_config_${flag.replaceAll('-', '_')}`;
}

/** In quotes, short, and with nothing in it that a terminal would obey or that would begin a new line. */
function quote(text: string): string {
  const shown = text.length > LONGEST_ECHO ? `${text.slice(0, LONGEST_ECHO - 3)}...` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

function unknownFlag(typed: string): string {
  const name = typed.replace(/^-+/, '').toLowerCase().replaceAll('_', '-').slice(0, LONGEST_ECHO);
  const near = flags
    .map((flag) => ({ flag, distance: editDistance(name, flag) }))
    .filter(({ flag, distance }) => distance <= Math.min(3, flag.length / 2))
    .sort((a, b) => a.distance - b.distance)[0]?.flag;
  const meant = near ?? (name.length >= 3 ? flags.find((flag) => flag.startsWith(name)) : undefined);
  const hint = meant === undefined ? '' : `: did you mean --${meant}?`;
  return `unknown flag ${quote(typed)}${hint} (--help lists all)`;
}

/** How many letters to insert, delete or replace to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const letter of a) {
    const next = [row[0]! + 1];
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(row[j]! + (letter === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
