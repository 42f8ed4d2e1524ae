// What the load generator is told to do: flags and environment in, data out. Pure; called by client/load/main.ts only.
// One table, `settings`, drives the flags, their checks and the help text.

import { UsageError } from '../../shared/errors.ts';
import { flagLines } from '../../shared/flags/help.ts';
import { readCommandLine, type Environment } from '../../shared/flags/read.ts';
import { decimal, HELP, oneOf, wholeNumber, type Flags } from '../../shared/flags/table.ts';
import { endpointFlags } from '../endpoint.ts';
import { PROXY_VERSIONS, type ProxyVersion } from './proxy-sender.ts';
import type { Expected, TextKind } from './text.ts';

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
  /** It is over before, when so many messages have been answered. */
  readonly messages?: number | undefined;
  /** How many messages a second are due in all; without it the next is sent when a reply is whole. */
  readonly rate?: number | undefined;
  readonly text: TextKind;
  /** What the server makes of them: upper case, if it is not said. */
  readonly expect?: Expected | undefined;
  /** Each connection is for one message. */
  readonly churn: boolean;
  /** Each connection begins with a PROXY protocol header of this version, for its own two ends. */
  readonly proxy?: ProxyVersion | undefined;
  /** The server begins each connection with a line. */
  readonly greeting?: boolean | undefined;
  /** Over how many processes the connections are spread. */
  readonly processes: number;
}

export type LoadCommand =
  | { kind: 'run'; options: LoadOptions; json: boolean; notes: readonly string[] }
  | { kind: 'help' };

const LEAST_MS = 100;
const MOST_MS = 86_400_000;
/** What is in flight on one connection, in bytes: it is made in memory, and the server may have to hold it. */
const MOST_IN_FLIGHT = 64 * 1024 * 1024;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const settings = {
  host: endpointFlags.host,
  port: { ...endpointFlags.port, help: 'where the server listens' },
  connections: { ...wholeNumber(1, 100_000), short: 'c', fallback: '64', help: 'how many at a time' },
  durationMs: {
    flag: 'duration', short: 'd', also: 'seconds', hint: 'TIME', fallback: '5', help: 'how long: 5, 0.5, 500ms, 2m',
    allowed: 'a number of seconds from 0.1 to 86400, or a time like 500ms, 10s or 2m',
    parse(text) {
      const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?$/.exec(text) ?? [];
      const ms = Number(number) * UNITS_MS[unit]!;
      return ms >= LEAST_MS && ms <= MOST_MS ? ms : undefined;
    },
  },
  messages: {
    ...wholeNumber(1, 1_000_000_000), short: 'n', help: 'so many in all, and with -d not for longer than that',
  },
  rate: {
    ...decimal(0.1, 10_000_000, 'a number of messages a second'), help: 'so many messages a second in all, see below',
  },
  size: { ...wholeNumber(1, 16_777_216), fallback: '64', help: 'bytes a message' },
  depth: { ...wholeNumber(1, 10_000), fallback: '1', help: 'messages in flight on each connection' },
  text: { ...oneOf('ascii', 'utf8'), hint: 'KIND', fallback: 'ascii', help: 'ascii, or utf8: letters of many scripts' },
  expect: {
    ...oneOf('upper', 'same'), hint: 'WHAT', fallback: 'upper', help: 'replies: upper case, or the same as was sent',
  },
  processes: { ...wholeNumber(1, 64), fallback: '1', help: 'processes that make the load, when one is too slow' },
  proxy: { ...oneOf(...PROXY_VERSIONS), help: 'each connection begins with a PROXY protocol header' },
  greeting: { help: 'pass over the first line of each connection' },
  churn: { help: 'connect, one message, check its reply, reset; and again' },
  json: { help: 'print one JSON object and nothing else' },
  help: HELP,
} satisfies Flags;

/** The text for `--help`; 80 columns at most. @param call What stands before the flags: `echopool load`. */
export function loadHelp(call: string): string {
  return `Usage: ${call} [HOST [PORT]] [flags]

Loads an upper-casing echo server, checks every reply byte for byte, and tells
how many messages a second it answered and how long they took.

${flagLines(settings, 23)}

Without --rate a connection sends its next message when a reply is whole: a slow
server gets less to do, and one that stands still has as many slow replies as
there are messages in flight. With --rate each message is due at its time,
whatever the server does, and is timed from then; what the server holds up is
sent when it can be. Between messages that are due the generator keeps its CPU
busy, as a timer is a millisecond late.

-d and -n are as in wrk and hey, and --seconds is another name for --duration.
ECHOPOOL_HOST, ECHOPOOL_PORT or PORT may be set in the environment; flags win.
At the end replies are waited for, 5 s at most. A message that is not answered
counts as one that took as long as it was waited for.
One connection more comes first, without a message: it finds the address.
Ctrl-C ends it and prints what has been measured.

Exit codes: 0 every reply was right, 1 cannot connect, or a reply was wrong or
missing, or a connection was lost, 2 wrong use, 130 ended by Ctrl-C.
`;
}

/**
 * Reads the generator's arguments (without node and the script) and environment.
 * @throws UsageError naming the flag or variable, its value and what is allowed.
 */
export function parseLoadCommand(args: readonly string[], env: Environment): LoadCommand {
  const line = readCommandLine(args, settings, { env, program: 'load generator' });
  if (line.kind !== 'run') return line;
  const { values: { json, ...given }, givenBy, notes } = line;
  const isTimed = given.messages === undefined || givenBy.has('durationMs');
  const options: LoadOptions = isTimed ? given : { ...given, durationMs: MOST_MS };
  refuseContradictions(options);
  return { kind: 'run', options, json, notes };
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
