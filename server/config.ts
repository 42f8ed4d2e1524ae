// What the server is told to do: flags and environment variables in, one checked Config out. Called by server/main.ts.
// One table, `settings`, drives the flags, their variables, defaults and checks, and the help text.

import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { UsageError } from '../shared/errors.ts';

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

/** What a command line asks for. */
export type Invocation = { kind: 'run'; config: Config } | { kind: 'help' } | { kind: 'version' };

/** The settings as the user gave them: `auto` is not yet a number. */
type Values = Omit<Config, 'workers' | 'notes'> & { readonly workers: number | 'auto' };

/** A kind of value: how it is read, how the help shows it, and how an error says what is allowed. */
interface Kind<T> {
  readonly hint: string;
  readonly allowed: string;
  /** The value, or `undefined` when `text` is none of this kind. */
  parse(text: string): T | undefined;
}

interface Setting<T> extends Kind<T> {
  readonly flag: string;
  /** Read like a given value; without it the setting is `undefined` unless given. */
  readonly fallback?: string;
  readonly help: string;
}

/** Above any number of connections a machine can hold, and exact as a JavaScript number. */
const MOST = 1_000_000_000;
/** Below 2^31 ms, from which on Node's timers fire at once, with room for what is added to a grace. */
const MOST_SECONDS = 1_000_000;
const LONGEST_ECHO = 60;

function wholeNumber(least: number, most: number): Kind<number> {
  return {
    hint: 'N',
    allowed: `a whole number from ${least} to ${most}`,
    parse(text) {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

const seconds: Kind<number> = {
  hint: 'SECONDS',
  allowed: `a number of seconds from 0 to ${MOST_SECONDS}, decimals allowed`,
  parse(text) {
    const value = /^(?:\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
    if (!(value >= 0 && value <= MOST_SECONDS)) return undefined;
    // 0 has a meaning of its own ("none"), so a very short time must not become it.
    return value === 0 ? 0 : Math.max(1, Math.round(value * 1000));
  },
};

function oneOf<T extends string>(...words: T[]): Kind<T> {
  return {
    hint: words.join('|'),
    allowed: `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    parse: (text) => words.find((word) => word === text),
  };
}

const hostName: Kind<string> = {
  hint: 'HOST',
  allowed: 'a host name or an IP address, without a port',
  parse(text) {
    const host = /^\[([^[\]]*:[^[\]]*)\]$/.exec(text)?.[1] ?? text;
    // An IPv6 address has two colons or more: one colon means that somebody added a port.
    return /^[^\s\p{C}[\]-][^\s\p{C}[\]]*$/u.test(host) && host.split(':').length !== 2 ? host : undefined;
  },
};

const workerCount: Kind<number | 'auto'> = {
  hint: 'auto|N',
  allowed: `auto or ${wholeNumber(1, MOST).allowed}`,
  parse: (text) => (text === 'auto' ? text : wholeNumber(1, MOST).parse(text)),
};

const settings: { readonly [K in keyof Values]: Setting<NonNullable<Values[K]>> } = {
  host: { ...hostName, flag: 'host', fallback: '127.0.0.1', help: 'where to listen' },
  port: { ...wholeNumber(0, 65_535), flag: 'port', fallback: '8080', help: 'where to listen; 0: any free port' },
  workers: {
    ...workerCount, flag: 'workers', fallback: 'auto',
    help: 'worker processes; auto: one for each usable CPU, and never more',
  },
  connectionsPerWorker: {
    ...wholeNumber(1, MOST), flag: 'connections-per-worker',
    help: 'clients a worker serves at a time; all full: others wait',
  },
  waiting: {
    ...wholeNumber(0, MOST), flag: 'waiting', fallback: '1024',
    help: 'length of the line when all are full; the next is closed',
  },
  idleTimeoutMs: {
    ...seconds, flag: 'idle-timeout', fallback: '0', help: 'silence after which a client is closed; 0: none',
  },
  graceMs: { ...seconds, flag: 'grace', fallback: '5', help: 'time that clients have to finish when the server stops' },
  workerTimeoutMs: {
    ...seconds, flag: 'worker-timeout', fallback: '10', help: 'silence after which a worker is replaced; 0: never',
  },
  onCrash: {
    ...oneOf('reset', 'adopt'), flag: 'on-crash', fallback: 'reset',
    help: "a crashed worker's clients: cut off, or served by another worker",
  },
  connectionsPerAddress: {
    ...wholeNumber(0, MOST), flag: 'connections-per-address', fallback: '0',
    help: 'clients from one IP address at a time; 0: no limit',
  },
  maxConnectionsPerWorker: {
    ...wholeNumber(0, MOST), flag: 'max-connections-per-worker', fallback: '0',
    help: 'clients after which a worker is replaced; 0: never',
  },
  log: { ...oneOf('messages', 'connections', 'none'), flag: 'log', fallback: 'messages', help: 'what to log' },
  logFormat: { ...oneOf('pretty', 'json'), flag: 'log-format', fallback: 'pretty', help: 'how to log it' },
};

const switches = [
  { flag: 'help', short: 'h', help: 'print this text' },
  { flag: 'version', short: 'v', help: 'print the version' },
] as const;

const settingOf = new Map<string, Setting<unknown>>(Object.values(settings).map((setting) => [setting.flag, setting]));
const flags = [...settingOf.keys(), ...switches.map(({ flag }) => flag)];

const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries([
  ...[...settingOf.keys()].map((flag) => [flag, { type: 'string' }] as const),
  ...switches.map(({ flag, short }) => [flag, { type: 'boolean', short }] as const),
]);

/**
 * Reads the command line and the environment.
 * A flag beats its variable, the last of a repeated flag beats the others, and an empty variable counts as not set.
 * @param argv the arguments after the program's name
 * @param env such as `process.env`
 * @param cpus how many workers there may be: `os.availableParallelism()`
 * @throws UsageError with one line that names the flag or the variable, the value and what is allowed
 */
export function parseConfig(argv: string[], env: Record<string, string | undefined>, cpus: number): Invocation {
  const asked = readArguments(argv);
  if (typeof asked === 'string') return { kind: asked };

  const notes: string[] = [];
  const values: { -readonly [K in keyof Values]?: Values[K] } = {};
  const fill = <K extends keyof Values>(key: K): void => {
    values[key] = readSetting<NonNullable<Values[K]>>(settings[key], asked, env) as Values[K];
  };
  for (const key of Object.keys(settings)) fill(key as keyof Values);
  // Every key of `settings`, and so every key of Values, has just been filled in.
  const { workers: wanted, ...others } = values as Values;

  const usable = Math.max(1, cpus);
  const workers = wanted === 'auto' ? usable : Math.min(wanted, usable);
  if (wanted !== 'auto' && wanted > usable) {
    const name = asked.has(settings.workers.flag) ? '--workers' : variableOf(settings.workers.flag);
    notes.push(`${name} ${wanted} is lowered to ${usable}, the number of usable CPUs`);
  }
  return { kind: 'run', config: { ...others, workers, notes } };
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
beats its variable; an empty variable counts as not set.
${lines.join('\n')}
${short.join('\n')}

Signals
  SIGINT, SIGTERM   stop: no new clients, --grace for the others
  SIGINT again      stop at once
  SIGHUP            replace all workers, one after the other; clients stay
  SIGTTIN, SIGTTOU  one worker more, one worker less (SIGTTIN never exceeds the
                    number of usable CPUs)

Exit codes: 0 stopped as asked, 1 could not listen or go on, 2 wrong flags

Examples
  npm start -- --port 9000 --workers 2
  printf 'hello' | nc -N 127.0.0.1 9000        prints HELLO
  nc 127.0.0.1 9000                            type lines, end with Ctrl-D
  CONNECTIONS_PER_WORKER=1 npm start           a pool: one client a worker
`;
}

/** The values given as flags, by flag; or which of the switches was given. */
function readArguments(argv: string[]): Map<string, string> | 'help' | 'version' {
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
      throw new UsageError(`unexpected argument ${quote(token.value)}: there are only flags (--help lists them)`);
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

function readSetting<T>(
  setting: Setting<T>, given: Map<string, string>, env: Record<string, string | undefined>,
): T | undefined {
  const { flag, allowed, fallback } = setting;
  const variable = variableOf(flag);
  const fromFlag = given.get(flag);
  const text = fromFlag ?? (env[variable] || fallback);
  if (text === undefined) return undefined;
  const value = setting.parse(text);
  if (value !== undefined) return value;
  const name = fromFlag === undefined ? `environment variable ${variable}` : `--${flag}`;
  throw new UsageError(`${name} must be ${allowed}, not ${quote(text)}`);
}

function variableOf(flag: string): string {
  return flag.toUpperCase().replaceAll('-', '_');
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
