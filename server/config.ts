// What the server is told to do: flags and environment variables in, one checked Config out. Called by server/main.ts.
// What can be told is one table, `settings`, from which help.ts writes the help, too.
import { withPort } from '../shared/address.ts';
import { UsageError } from '../shared/errors.ts';
import { readCommandLine, type CommandLine, type Environment } from '../shared/flags/read.ts';
import { decimal, oneOf, wholeNumber, withVariables, type Flags, type Kind } from '../shared/flags/table.ts';
import { adminPlace, FIRST_FD, hostName, place } from './connections/bind-address.ts';
import type { BindAddress, Place } from './connections/bind-address.ts';
import { DEFAULT_PROXIES, proxyRange } from './connections/trusted-proxies.ts';
import type { ProxyRange } from './connections/trusted-proxies.ts';
import type { WorkerOptions } from './worker/worker.ts';

/** Everything the server can be told. Times are whole milliseconds. */
export interface Config {
  /** Where to listen: at least one place. */
  readonly addresses: readonly BindAddress[];
  /** Who may send a PROXY protocol header, where clients begin with one. */
  readonly proxyFrom: readonly ProxyRange[];
  /** How long it may take to come. 0: as long as it likes. */
  readonly proxyTimeoutMs: number;
  /** Worker processes: at least one, at most one a CPU. */
  readonly workers: number;
  /** `undefined`: no limit. */
  readonly connectionsPerWorker: number | undefined;
  /** How many may wait when all workers are full. */
  readonly waiting: number;
  /** 0: never. */
  readonly idleTimeoutMs: number;
  readonly graceMs: number;
  /** How long clients are let in after the wish to stop; the grace follows. */
  readonly stopDelayMs: number;
  /** 0: never. */
  readonly workerTimeoutMs: number;
  readonly onCrash: 'reset' | 'adopt';
  /** 0: no limit. */
  readonly connectionsPerAddress: number;
  /** After so many connections a worker is replaced by a new one. 0: never. */
  readonly maxConnectionsPerWorker: number;
  readonly log: 'messages' | 'connections' | 'none';
  readonly logFormat: 'pretty' | 'json';
  /** With `no` who leaves without a byte is counted and not logged. */
  readonly logProbes: 'yes' | 'no';
  /** What each client is sent first, as it was given: worker/greeting.ts fills it in. */
  readonly greeting: string | undefined;
  /** How long each reply waits; 0: not at all. */
  readonly delayMs: number;
  /** After so many bytes of replies comes a FIN, or a reset. */
  readonly closeAfter: number | undefined;
  readonly resetAfter: number | undefined;
  /** Where it answers those who watch and operate it; undefined: nowhere. */
  readonly admin: Exclude<Place, { kind: 'fd' }> | undefined;
  /** Whether they may change it. */
  readonly adminActions: boolean;
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

const workerCount: Kind<number | 'auto'> = {
  hint: 'auto|N',
  allowed: `auto or ${wholeNumber(1, MOST).allowed}`,
  parse: (text) => (text === 'auto' ? text : wholeNumber(1, MOST).parse(text)),
};

const GREETING_NAMES = ['worker', 'pid', 'hostname', 'client', 'server'];

const greetingText: Kind<string> = {
  hint: 'TEXT',
  allowed: `a text with no words in braces but ${GREETING_NAMES.map((name) => `{${name}}`).join(', ')} and {env:NAME}`,
  parse(text) {
    const names = [...text.matchAll(/\{(\w[^{}\s]*)\}/g)].map(([, name]) => name!);
    return names.every((name) => GREETING_NAMES.includes(name) || /^env:\w+$/.test(name)) ? text : undefined;
  },
};

/** Platforms say by PORT where to listen. No other name without ECHOPOOL_ is read: HOST and LOG belong to everybody. */
export const settings = withVariables({
  host: { ...hostName, fallback: '127.0.0.1', help: 'where to listen' },
  port: { ...wholeNumber(0, 65_535), fallback: '8080', variables: ['PORT'], help: 'where to listen; 0: any free port' },
  bind: {
    ...place, list: true, help: 'where to listen, instead of --host and --port; repeat it for more',
  },
  bindProxy: {
    ...place, flag: 'bind-proxy', list: true, help: 'the same; clients there begin with a PROXY header',
  },
  proxyFrom: {
    ...proxyRange, flag: 'proxy-from', list: true, fallback: DEFAULT_PROXIES, help: 'who may send it',
  },
  proxyTimeoutMs: { ...seconds, flag: 'proxy-timeout', fallback: '3', help: 'time in which it must come; 0: any' },
  stopDelayMs: {
    ...seconds, flag: 'stop-delay', fallback: '0', help: 'time in which clients are still let in after SIGTERM',
  },
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
  logProbes: {
    ...oneOf('yes', 'no'), flag: 'log-probes', fallback: 'yes',
    help: 'no: who leaves without a byte is counted, and not logged',
  },
  greeting: { ...greetingText, help: 'sent to each client first, see below (none)' },
  delayMs: { ...seconds, flag: 'delay', fallback: '0', help: 'how long each reply waits, in order' },
  closeAfter: {
    ...wholeNumber(1, MOST), flag: 'close-after', hint: 'BYTES', help: 'after so many bytes of replies a FIN (none)',
  },
  resetAfter: {
    ...wholeNumber(1, MOST), flag: 'reset-after', hint: 'BYTES', help: 'after so many bytes of replies a reset (none)',
  },
  admin: { ...adminPlace, help: 'where to serve health, metrics, status and a page to watch (none)' },
  adminActions: { flag: 'admin-actions', help: 'its page and POST may also reload, resize, kill and freeze' },
  help: { short: 'h', help: 'print this text' },
  version: { short: 'v', help: 'print the version' },
} satisfies Flags);

type Line = CommandLine<typeof settings>;

/** What --bind replaces, and what else may hold it: passed over then, as platforms set them for everybody. */
const REPLACED = ['host', 'port'] as const;
const REPLACED_VARIABLES = new Set(REPLACED.flatMap((key) => (settings as Flags)[key]?.variables ?? []));

/**
 * Reads the command line and the environment.
 * @param argv the arguments after the program's name
 * @param env such as `process.env`
 * @param cpus how many workers there may be: `cpuCount()`
 * @param inherited how many listening sockets a service manager has left to this process, from descriptor 3 on
 * @throws UsageError with one line that names the flag or the variable, the value and what is allowed
 */
export function parseConfig(argv: string[], env: Environment, cpus: number, inherited = 0): Invocation {
  const line = read(argv, env, inherited);
  if (line.kind !== 'run') return line;
  const { values: { workers: wanted, host, port, bind, bindProxy, ...others }, givenBy, notes } = line;
  const originOf = (key: keyof Origins): string => givenBy.get(key) ?? `--${key}`;
  const origins = { host: originOf('host'), port: originOf('port'), workers: originOf('workers') };
  const usable = Math.max(1, cpus);
  const workers = wanted === 'auto' ? usable : Math.min(wanted, usable);
  const lowered = `${origins.workers} ${wanted} is lowered to ${usable}, the number of usable CPUs`;
  const bound = boundBy(line, inherited);
  const addresses: BindAddress[] = bound.length > 0 ? bound : [{ kind: 'tcp', host, port, proxy: false }];
  if (others.adminActions && others.admin === undefined) {
    throw new UsageError(`${givenBy.get('adminActions')} has no effect without --admin ADDRESS, which says where`);
  }
  const unset = [...(others.greeting ?? '').matchAll(/\{env:(\w+)\}/g)].filter(([, name]) => env[name!] === undefined);
  const config = {
    ...others, addresses, workers, notes: [
      ...notes, ...adminNotes(others), ...wanted === 'auto' || wanted <= usable ? [] : [lowered],
      ...unset.map(([inBraces]) => `there is no ${inBraces} for --greeting: nothing stands in its place`),
    ],
  };
  return { kind: 'run', config, origins };
}

/** Who asks for it may have it, and is told. */
function adminNotes({ admin, adminActions }: Pick<Config, 'admin' | 'adminActions'>): string[] {
  if (admin?.kind !== 'tcp' || /^(?:127\.|::1$|localhost$)/.test(admin.host)) return [];
  const may = adminActions ? 'look, reload, resize and kill' : 'look';
  return [`--admin ${withPort(admin.host, admin.port)}: whoever can reach this address may ${may}`];
}

/** @throws UsageError */
function read(argv: string[], env: Environment, inherited: number): Line {
  const reading = { program: 'server' };
  const others = Object.fromEntries(Object.entries(env).filter(([name]) => !REPLACED_VARIABLES.has(name)));
  const line = readCommandLine(argv, settings, { ...reading, env: others });
  const bound = line.kind === 'run' ? boundBy(line, inherited)[0]?.givenBy : undefined;
  if (line.kind !== 'run' || bound === undefined) return readCommandLine(argv, settings, { ...reading, env });
  for (const flag of REPLACED.flatMap((key) => line.givenBy.get(key) ?? [])) {
    throw new UsageError(`${flag} cannot be given beside ${bound}, which says where to listen`);
  }
  return line;
}

/** All but what --host and --port say. */
function boundBy({ values, givenBy }: Extract<Line, { kind: 'run' }>, inherited: number): BindAddress[] {
  const listed = (['bind', 'bindProxy'] as const).flatMap((key) => values[key].map((where) => (
    { ...where, proxy: key === 'bindProxy', givenBy: givenBy.get(key)! })));
  const left = Array.from({ length: inherited }, (_, i) => (
    { kind: 'fd' as const, fd: FIRST_FD + i, proxy: false, givenBy: 'LISTEN_FDS' }));
  return [...listed, ...left];
}

/** What each worker is told of it. */
export function workerOptions(config: Config): Omit<WorkerOptions, 'slot' | 'color'> {
  const { idleTimeoutMs, log, logFormat, logProbes, greeting, delayMs, closeAfter, resetAfter } = config;
  const isPlain = greeting === undefined && delayMs === 0 && closeAfter === undefined && resetAfter === undefined;
  const proxyTimeoutMs = config.addresses.some(({ proxy }) => proxy) ? config.proxyTimeoutMs : null;
  const behavior = isPlain ? null : { greeting, delayMs, closeAfter, resetAfter };
  return { idleTimeoutMs, log, logFormat, logsProbes: logProbes === 'yes', proxyTimeoutMs, behavior };
}
