// Whether what a server has sent is a status, or a change of one, and the status after a change. Pure. What is not
// known here is passed over, as later servers may say more. Used by program.ts and watch.ts.
import type { Change, Status } from '../../shared/status/status.ts';

type Check = (value: unknown) => boolean;

/** More than any server has. */
const MOST_WORKERS = 4096;
const MOST_LISTED = 1000;
const LONGEST_TEXT = 64 * 1024;
/** How many notices a status has. */
const NOTICES_KEPT = 50;

const number: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const whole: Check = (value) => number(value) && Number.isSafeInteger(value);
const slot: Check = (value) => whole(value) && value !== 0;
const text: Check = (value) => typeof value === 'string' && value.length <= LONGEST_TEXT;
const yesNo: Check = (value) => typeof value === 'boolean';

function orNull(check: Check): Check {
  return (value) => value === null || check(value);
}

function list(check: Check, most = MOST_LISTED): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shape(members: Readonly<Record<string, Check>>): Check {
  return (value) => isObject(value) && Object.entries(members).every(([key, check]) => (
    Object.hasOwn(value, key) && check(value[key])));
}

/** An object whose members are not told in advance. */
function record(check: Check): Check {
  return (value) => isObject(value) && Object.keys(value).length <= MOST_LISTED
    && Object.entries(value).every(([key, member]) => text(key) && check(member));
}

const rates = { messagesPerSecond: number, bytesInPerSecond: number, bytesOutPerSecond: number };
const notices = list(shape({ id: whole, time: number, level: text, event: text, text, worker: orNull(slot) }));
/** All that a change may bring as a whole. */
const MEMBERS = {
  version: text, pid: whole, phase: text, now: number, startedAt: number, uptimeMs: number,
  listening: list(text), ...rates,
  workers: list(shape({
    slot, pid: whole, state: text, startedAt: number, ageMs: number, heardAt: number, lastBeatMs: number,
    connections: whole, ...rates,
  }), MOST_WORKERS),
  pool: shape({ size: whole, most: whole }),
  line: shape({ waiting: whole, limit: whole }),
  terminal: shape({ holder: orNull(text), since: orNull(number), waiting: whole }),
  current: whole,
  totals: shape({
    connections: whole, served: whole, gone: whole, refused: record(whole), messages: whole, bytesIn: whole,
    bytesOut: whole, messagesBySlot: list(whole, MOST_WORKERS), moved: record(whole), adopted: whole, cutOff: whole,
    deaths: record(whole), reloads: whole, linesDropped: whole,
  }),
  config: record((value) => value === null || text(value) || yesNo(value) || typeof value === 'number'),
  actions: yesNo,
} satisfies Record<keyof Omit<Status, 'connections' | 'notices'>, Check>;
const isWhole = shape({ ...MEMBERS, notices });

/** Connections are not looked at. */
export function isStatus(value: unknown): value is Status {
  return isWhole(value);
}

/** Connections are not looked at. */
export function isChange(value: unknown): value is Change {
  return isObject(value) && Object.hasOwn(value, 'now')
    && (!Object.hasOwn(value, 'notices') || notices(value['notices']))
    && Object.entries(MEMBERS).every(([key, check]) => !Object.hasOwn(value, key) || check(value[key]));
}

/** Whether this is what a server answers when it does what it was told: in a sentence. */
export function isDone(value: unknown): value is { readonly done: string } {
  return isObject(value) && text(value['done']);
}

/** The status after a change, without its connections. */
export function changed(status: Status, change: Change): Status {
  const known = Object.fromEntries(Object.keys(MEMBERS).filter((key) => Object.hasOwn(change, key))
    .map((key) => [key, change[key as keyof Change]]));
  const { notices: fresh = [] } = change;
  return { ...status, ...known, connections: null, notices: [...status.notices, ...fresh].slice(-NOTICES_KEPT) };
}

/** A JSON text as the value that it is; undefined: it is none. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
