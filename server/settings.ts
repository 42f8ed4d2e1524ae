// What the server can be told: one table, `settings`, of flags with their defaults and checks. Used by config.ts, which reads
// the command line and the environment by it, and writes the help text from it.
import type { Config } from './config.ts';

/** The settings as the user gave them: `auto` is not yet a number. */
export type Values = Omit<Config, 'workers' | 'notes'> & { readonly workers: number | 'auto' };

/** A kind of value: how it is read, how the help shows it, and how an error says what is allowed. */
interface Kind<T> {
  readonly hint: string;
  readonly allowed: string;
  /** The value, or `undefined` when `text` is none of this kind. */
  parse(text: string): T | undefined;
}

export interface Setting<T> extends Kind<T> {
  readonly flag: string;
  /** Read like a given value; without it the setting is `undefined` unless given. */
  readonly fallback?: string;
  readonly help: string;
}

/** Above any number of connections a machine can hold, and exact as a JavaScript number. */
const MOST = 1_000_000_000;
/** Below 2^31 ms, from which on Node's timers fire at once, with room for what is added to a grace. */
const MOST_SECONDS = 1_000_000;

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

export const settings: { readonly [K in keyof Values]: Setting<NonNullable<Values[K]>> } = {
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

export const switches = [
  { flag: 'help', short: 'h', help: 'print this text' },
  { flag: 'version', short: 'v', help: 'print the version' },
] as const;

export const settingOf = new Map<string, Setting<unknown>>(Object.values(settings).map((setting) => [setting.flag, setting]));
export const flags = [...settingOf.keys(), ...switches.map(({ flag }) => flag)];
