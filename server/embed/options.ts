// What startEchoServer() takes, and the command line that the server gets for it. Pure. Used by index.ts.
import { didYouMean, quote } from '../../shared/flags/words.ts';

/** A line of the server's log, as `--log-format json` prints it, with whatever else its event has. */
export interface LogEvent {
  /** As an ISO 8601 date. */
  readonly time: string;
  readonly level: 'info' | 'warn';
  /** What happened, in a word: `connected`, `message`, `closed`, `listening`, … `output`: it is no line of the log. */
  readonly event: string;
  /** In a sentence, where the event is not about a client. */
  readonly message?: string;
  /** The worker that tells it; without it, the master does. */
  readonly worker?: number;
  /** The client that it is about: `127.0.0.1:53122`. */
  readonly peer?: string;
  readonly [field: string]: unknown;
}

/** The flags of the server, by their names in camelCase. What is left out is as the server has it by default. */
export interface FlagOptions {
  /** Where to listen: a host's name or an IP address. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default: 0, any free one. */
  readonly port?: number | undefined;
  /** Where to listen, instead of host and port: `HOST:PORT`, `[IPv6]:PORT`, `unix:PATH`. */
  readonly bind?: string | readonly string[] | undefined;
  /** The same; clients there begin with a PROXY protocol header. */
  readonly bindProxy?: string | readonly string[] | undefined;
  /** Who may send that header. Default: this machine. */
  readonly proxyFrom?: string | readonly string[] | undefined;
  /** Time in which the header must come, in seconds; 0: any. Default: 3. */
  readonly proxyTimeout?: number | undefined;
  /** Time in which clients are still let in when it stops, in seconds. Default: 0. */
  readonly stopDelay?: number | undefined;
  /** Worker processes; `auto`: one for each usable CPU, and never more. Default: 1. */
  readonly workers?: number | 'auto' | undefined;
  /** Clients that a worker serves at a time; when all are full, others wait. Default: no limit. */
  readonly connectionsPerWorker?: number | undefined;
  /** How many clients may wait; the next is closed. Default: 1024. */
  readonly waiting?: number | undefined;
  /** Silence after which a client is closed, in seconds; 0: none. Default: 0. */
  readonly idleTimeout?: number | undefined;
  /** Time that clients have to finish when it stops, in seconds; then they are cut off. Default: 1. */
  readonly grace?: number | undefined;
  /** Silence after which a worker is replaced, in seconds; 0: never. Default: 10. */
  readonly workerTimeout?: number | undefined;
  /** What becomes of a crashed worker's clients. Default: `reset`. */
  readonly onCrash?: 'reset' | 'adopt' | undefined;
  /** Clients from one IP address at a time; 0: no limit. Default: 0. */
  readonly connectionsPerAddress?: number | undefined;
  /** Clients after which a worker is replaced; 0: never. Default: 0. */
  readonly maxConnectionsPerWorker?: number | undefined;
  /** With `no`, who leaves without a byte is counted, and not logged. Default: `yes`. */
  readonly logProbes?: 'yes' | 'no' | undefined;
  /** What each client is sent first; {worker}, {pid}, {client} and others are filled in. Default: nothing. */
  readonly greeting?: string | undefined;
  /** How long each reply waits, in seconds. Default: 0. */
  readonly delay?: number | undefined;
  /** After so many bytes of replies the server ends the connection, with a FIN. Default: never. */
  readonly closeAfter?: number | undefined;
  /** After so many bytes of replies it resets the connection. Default: never. */
  readonly resetAfter?: number | undefined;
  /** Where it serves health, metrics, status and a page to watch: `0`, `HOST:PORT`, `unix:PATH`. Default: nowhere. */
  readonly admin?: number | string | undefined;
  /** Whether those who come there may reload, resize, kill and freeze. Default: no. */
  readonly adminActions?: boolean | undefined;
}

export interface EchoServerOptions extends FlagOptions {
  /** Takes the log, event by event, in the order in which the server printed it. Without it nothing is logged. */
  readonly log?: ((event: LogEvent) => void) | undefined;
  /** What it is told of connections. Default: `messages`, all. */
  readonly logLevel?: 'messages' | 'connections' | 'none' | undefined;
  /** Calls the start off when it aborts; it has no effect on a server that has started. */
  readonly signal?: AbortSignal | undefined;
}

const FLAGS: Readonly<Record<keyof FlagOptions, true>> = {
  host: true, port: true, bind: true, bindProxy: true, proxyFrom: true, proxyTimeout: true, stopDelay: true,
  workers: true, connectionsPerWorker: true, waiting: true, idleTimeout: true, grace: true, workerTimeout: true,
  onCrash: true, connectionsPerAddress: true, maxConnectionsPerWorker: true, logProbes: true, greeting: true,
  delay: true, closeAfter: true, resetAfter: true, admin: true, adminActions: true,
};
const OTHERS: readonly string[] = ['log', 'logLevel', 'signal'] satisfies (keyof EchoServerOptions)[];
/** Where they are not the server's own: a test wants a quick start, any port, and a quick end. */
const DEFAULTS = { workers: 1, grace: 1 } as const;

/** Everything that belongs to a start, from what was asked for. */
export interface StartPlan {
  readonly args: readonly string[];
  /** In so many places it will listen. */
  readonly places: number;
  /** After so long without an end it is given up, in milliseconds of a stop. */
  readonly stopLimitMs: number;
}

/** What a server may take longer to stop than it was given, in milliseconds. */
const LONGER_MS = 5000;

/** @throws {TypeError} An option that there is not, or a value that no flag can have. The rest the server checks. */
export function planOf(options: EchoServerOptions): StartPlan {
  const { log, logLevel, signal: _signal, ...given } = options;
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(FLAGS, key));
  if (unknown !== undefined) throw new TypeError(`startEchoServer has no option ${quote(unknown)}${meant(unknown)}`);
  if (log !== undefined && typeof log !== 'function') {
    throw new TypeError(`the option log of startEchoServer must be a function, not ${typeof log}`);
  }
  const places = [given.bind, given.bindProxy].flatMap((place) => place ?? []).flatMap((text) => `${text}`.split(','));
  const flags: FlagOptions = { ...DEFAULTS, ...places.length === 0 ? { port: 0 } : {}, ...withoutUndefined(given) };
  const args = Object.entries(flags).flatMap(([key, value]) => flagsFor(key, value));
  const level = log === undefined ? 'none' : logLevel ?? 'messages';
  const { grace = DEFAULTS.grace, stopDelay = 0 } = flags;
  return {
    args: [...args, `--log=${level}`, '--log-format=json'],
    places: Math.max(1, places.length),
    stopLimitMs: 1000 * (Number(grace) + Number(stopDelay)) + LONGER_MS,
  };
}

function withoutUndefined(given: FlagOptions): FlagOptions {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function flagsFor(key: string, value: unknown): string[] {
  const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (Array.isArray(value)) return value.flatMap((one) => flagsFor(key, one));
  if (typeof value === 'boolean') return value ? [flag] : [];
  if (typeof value === 'number' || typeof value === 'string') return [`${flag}=${value}`];
  throw new TypeError(`the option ${key} of startEchoServer must be text, a number or a list, not ${typeof value}`);
}

/** The words of options are compared as those of flags, in small letters. */
function meant(typed: string): string {
  const names = new Map([...Object.keys(FLAGS), ...OTHERS].map((name) => [name.toLowerCase(), name]));
  return didYouMean(typed, [...names.keys()]).replace(/(?<=mean )\w+/, (word) => names.get(word) ?? word);
}
