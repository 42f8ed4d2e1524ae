// What the load generator is told to do: flags and environment in, data out. Pure; called by client/load.ts only.
// One table, `settings`, drives the flags, their checks and the help text.

import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { UsageError } from '../../shared/errors.ts';
import type { TextKind } from './text.ts';

/** The load, as the user asked for it. */
export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Bytes a message. */
  readonly size: number;
  /** Messages in flight on each connection. */
  readonly depth: number;
  /** How long it is measured, in milliseconds. */
  readonly durationMs: number;
  readonly text: TextKind;
  /** Each connection is for one message. */
  readonly churn: boolean;
  /** Over how many processes the connections are spread. */
  readonly processes: number;
}

export type LoadCommand = { kind: 'run'; options: LoadOptions; json: boolean } | { kind: 'help' };

interface Setting {
  readonly hint: string;
  readonly fallback: string;
  readonly help: string;
  readonly allowed: string;
  isAllowed(text: string): boolean;
}

function wholeNumber(least: number, most: number): Pick<Setting, 'allowed' | 'isAllowed' | 'hint'> {
  return {
    hint: 'N',
    allowed: `a whole number from ${least} to ${most}`,
    isAllowed: (text) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most,
  };
}

const MOST_SECONDS = 86_400;
/** What is in flight on one connection, in bytes: it is made in memory, and the server may have to hold it. */
const MOST_IN_FLIGHT = 64 * 1024 * 1024;

const settings = {
  host: {
    hint: 'HOST', fallback: '127.0.0.1', help: 'a host name or an IP address', allowed: 'a host name or an IP address',
    // A colon is right in an IPv6 address only; elsewhere it is a port or a URL in the wrong place.
    isAllowed: (text) => isIP(text) !== 0 || /^[^\s\p{Cc}:/[\]-][^\s\p{Cc}:/[\]]*$/u.test(text),
  },
  port: { ...wholeNumber(1, 65_535), fallback: '8080', help: 'where the server listens' },
  connections: { ...wholeNumber(1, 100_000), fallback: '64', help: 'how many at a time' },
  size: { ...wholeNumber(1, 16_777_216), fallback: '64', help: 'bytes a message' },
  depth: { ...wholeNumber(1, 10_000), fallback: '1', help: 'messages in flight on each connection' },
  seconds: {
    hint: 'N', fallback: '5', help: 'how long, decimals allowed', allowed: `a number from 0.1 to ${MOST_SECONDS}`,
    isAllowed: (text) => /^\d{1,5}(?:\.\d+)?$/.test(text) && Number(text) >= 0.1 && Number(text) <= MOST_SECONDS,
  },
  text: {
    hint: 'KIND', fallback: 'ascii', help: 'ascii, or utf8: letters of many scripts', allowed: 'ascii or utf8',
    isAllowed: (text) => text === 'ascii' || text === 'utf8',
  },
  processes: { ...wholeNumber(1, 64), fallback: '1', help: 'processes that make the load, when one is too slow' },
} satisfies Record<string, Setting>;

const switches = {
  churn: 'connect, one message, check its reply, reset; and again',
  json: 'print one JSON object and nothing else',
  help: 'print this and leave',
};

type Name = keyof typeof settings;
/** These may be environment variables, as for the server and the client. */
const variables: Partial<Record<Name, string>> = { host: 'HOST', port: 'PORT' };

/** The text for `--help`; 80 columns at most. */
export function loadHelp(): string {
  const flags = (Object.keys(settings) as Name[]).map((name) => {
    const { hint, help, fallback } = settings[name];
    return `  ${`--${name} ${hint}`.padEnd(18)}${help} (${fallback})`;
  });
  const bare = Object.entries(switches).map(([name, help]) => `  ${`--${name}`.padEnd(18)}${help}`);
  return `Usage: npm run load -- [flags]

Loads an upper-casing echo server, checks every reply byte for byte, and tells
how many messages a second it answered and how long they took. A connection
sends its next message when a reply is whole: a slow server gets less to do.

${[...flags, ...bare].join('\n')}

HOST and PORT may be environment variables too; flags win.
Ctrl-C ends it and prints what has been measured.

Exit codes: 0 every reply was right, 1 cannot connect, or a reply was wrong or
missing, or a connection was lost, 2 wrong use, 130 ended by Ctrl-C.
`;
}

/**
 * Reads the generator's arguments (without node and the script) and environment.
 * @throws UsageError naming the flag or variable, its value and what is allowed.
 */
export function parseLoadCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): LoadCommand {
  const given = new Map<string, string>();
  const options = Object.fromEntries([
    ...Object.keys(settings).map((name) => [name, { type: 'string' }] as const),
    ...Object.keys(switches).map((name) => [name, { type: 'boolean' }] as const),
  ]);
  // Not strict, so that every complaint is our own sentence.
  for (const token of parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens) {
    if (token.kind === 'option-terminator') continue;
    const typed = JSON.stringify(args[token.index]);
    if (token.kind === 'positional') {
      throw new UsageError(`unexpected argument ${typed}: there are only flags (--help lists them)`);
    }
    const { name, value, inlineValue } = token;
    if (Object.hasOwn(settings, name)) {
      // `--size --churn`: what follows is the next flag. `--size -1` is a value, and a wrong one.
      if (value === undefined || (!inlineValue && /^--?[a-z]/i.test(value))) {
        throw new UsageError(`--${name} needs a value: ${settings[name as Name].allowed}`);
      }
      given.set(name, value);
    } else if (!Object.hasOwn(switches, name)) {
      throw new UsageError(`unknown flag ${typed} (--help lists all)`);
    } else if (value !== undefined) {
      throw new UsageError(`--${name} takes no value, not ${JSON.stringify(value)}`);
    } else given.set(name, '');
  }
  if (given.has('help')) return { kind: 'help' };
  const valueOf = (name: Name): string => checked(name, given, env);
  const run: LoadOptions = {
    host: valueOf('host'),
    port: Number(valueOf('port')),
    connections: Number(valueOf('connections')),
    size: Number(valueOf('size')),
    depth: Number(valueOf('depth')),
    durationMs: Number(valueOf('seconds')) * 1000,
    text: valueOf('text') as TextKind,
    churn: given.has('churn'),
    processes: Number(valueOf('processes')),
  };
  refuseContradictions(run);
  return { kind: 'run', options: run, json: given.has('json') };
}

function checked(
  name: Name, given: ReadonlyMap<string, string>, env: Readonly<Record<string, string | undefined>>,
): string {
  const { fallback, allowed, isAllowed } = settings[name];
  const variable = variables[name];
  const value = given.get(name) ?? ((variable !== undefined && env[variable]) || fallback);
  if (isAllowed(value)) return value;
  const source = given.has(name) ? `--${name}` : `environment variable ${variable}`;
  // JSON keeps the complaint on one line whatever was typed.
  throw new UsageError(`${source} must be ${allowed}, not ${JSON.stringify(value)}`);
}

function refuseContradictions({ churn, depth, size, processes, connections }: LoadOptions): void {
  if (churn && depth > 1) {
    throw new UsageError(`--depth must be 1 with --churn, not ${depth}: a connection is for one message`);
  }
  if (depth * size > MOST_IN_FLIGHT) {
    throw new UsageError(`--size times --depth must be at most ${MOST_IN_FLIGHT} bytes, not ${depth * size}`);
  }
  if (processes > connections) {
    throw new UsageError(`--processes must be at most the number of connections, ${connections}, not ${processes}`);
  }
}
