// What the server is told to do: flags and environment variables in, one checked Config out. Called by server/main.ts.
// What can be told is one table, `settings`, from which help.ts writes the help, too.
import { readCommandLine, type Environment } from '../shared/flags/read.ts';
import { decimal, oneOf, wholeNumber, withVariables, type Flags, type Kind } from '../shared/flags/table.ts';

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
export type Invocation = { kind: 'run'; config: Config; origins: Origins } | { kind: 'help' | 'version' };

/** Above any number of connections a machine can hold, and exact as a JavaScript number. */
const MOST = 1_000_000_000;
/** Below 2^31 ms, from which on Node's timers fire at once, with room for what is added to a grace. */
const MOST_SECONDS = 1_000_000;

/** Read as seconds, in milliseconds. */
const seconds: Kind<number> = {
  hint: 'SECONDS',
  allowed: `a number of seconds from 0 to ${MOST_SECONDS}, decimals allowed`,
  parse(text) {
    const value = decimal(0, MOST_SECONDS).parse(text);
    // 0 has a meaning of its own ("none"), so a very short time must not become it.
    return value && Math.max(1, Math.round(value * 1000));
  },
};

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

/** Platforms say by PORT where to listen. No other name without ECHOPOOL_ is read: HOST and LOG belong to everybody. */
export const settings = withVariables({
  host: { ...hostName, fallback: '127.0.0.1', help: 'where to listen' },
  port: { ...wholeNumber(0, 65_535), fallback: '8080', variables: ['PORT'], help: 'where to listen; 0: any free port' },
  workers: {
    ...workerCount, fallback: 'auto', help: 'worker processes; auto: one for each usable CPU, and never more',
  },
  connectionsPerWorker: {
    ...wholeNumber(1, MOST), flag: 'connections-per-worker',
    help: 'clients a worker serves at a time; all full: others wait (no limit)',
  },
  waiting: {
    ...wholeNumber(0, MOST), fallback: '1024', help: 'length of the line when all are full; the next is closed',
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
  log: { ...oneOf('messages', 'connections', 'none'), fallback: 'messages', help: 'what to log' },
  logFormat: { ...oneOf('pretty', 'json'), flag: 'log-format', fallback: 'pretty', help: 'how to log it' },
  help: { short: 'h', help: 'print this text' },
  version: { short: 'v', help: 'print the version' },
} satisfies Flags);

/**
 * Reads the command line and the environment.
 * @param argv the arguments after the program's name
 * @param env such as `process.env`
 * @param cpus how many workers there may be: `cpuCount()`
 * @throws UsageError with one line that names the flag or the variable, the value and what is allowed
 */
export function parseConfig(argv: string[], env: Environment, cpus: number): Invocation {
  const line = readCommandLine(argv, settings, { env, program: 'server' });
  if (line.kind !== 'run') return line;
  const { values: { workers: wanted, ...others }, givenBy, notes } = line;
  const originOf = (key: keyof Origins): string => givenBy.get(key) ?? `--${key}`;
  const origins = { host: originOf('host'), port: originOf('port'), workers: originOf('workers') };
  const usable = Math.max(1, cpus);
  const workers = wanted === 'auto' ? usable : Math.min(wanted, usable);
  const lowered = `${origins.workers} ${wanted} is lowered to ${usable}, the number of usable CPUs`;
  const config = { ...others, workers, notes: wanted === 'auto' || wanted <= usable ? notes : [...notes, lowered] };
  return { kind: 'run', config, origins };
}
