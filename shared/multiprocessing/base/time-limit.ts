// How long a call waits, and what calls it off: what every join, acquire, get, put, recv and poll of the toolkit takes.
import { inspect } from 'node:util';
import { WrongUse } from './errors.ts';
import { keepNoLonger, keepWhileAwaiting } from './keep-alive.ts';

/** The limits of one wait. Without any it lasts until what is awaited comes, or can come no more. */
export interface WaitOptions {
  /** How long to wait, in milliseconds. 0 or less: not at all, it is asked once. */
  readonly timeoutMs?: number | undefined;
  /**
   * Calls the wait off: it then rejects with the signal's `reason`, takes nothing, and keeps no process running. Until
   * then it does, even if nobody else is left.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A number is a `timeoutMs`. */
export type Wait = number | WaitOptions | undefined;

/** The longest delay of a Node timer, in milliseconds; it would take a longer one for 1. About 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const UNLIMITED: WaitOptions = {};

/**
 * The limits of a wait, checked.
 * @throws {WrongUse} They are neither a number nor an object, or one of them is not what it should be.
 * @throws The signal's `reason`, when it is aborted already.
 */
export function checkWait(wait: Wait): WaitOptions {
  if (wait === undefined) return UNLIMITED;
  const limits = typeof wait === 'number' ? { timeoutMs: wait } : wait;
  if (typeof limits !== 'object' || limits === null) {
    const allowed = 'by a number of milliseconds, or by { timeoutMs, signal }';
    throw new WrongUse(`a wait is limited ${allowed}, not by ${inspect(wait)}`);
  }
  const { timeoutMs, signal } = limits;
  if (timeoutMs !== undefined && (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))) {
    throw new WrongUse(`a time limit is a number of milliseconds, not ${inspect(timeoutMs)}`);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new WrongUse(`the signal of a wait is an AbortSignal, not ${inspect(signal, { depth: 0 })}`);
  }
  signal?.throwIfAborted();
  return limits;
}

/** Whether a wait with that limit must not wait at all: it asks once. */
export function asksOnce(timeoutMs: number | undefined): boolean {
  return timeoutMs !== undefined && timeoutMs <= 0;
}

/**
 * Watches the limits of a wait that has begun. One of the two is called, once, unless the wait ends before.
 * @param lapsed The time is up; what had arrived by then has been read before, however long this process stood still.
 * @param aborted The signal says so, with its reason.
 * @param keeps Its timer keeps this process running.
 * @returns Ends the watch. Call it when the wait is over.
 */
export function watchWait(
  { timeoutMs, signal }: WaitOptions, lapsed: () => void, aborted: (reason: unknown) => void, keeps = true,
): () => void {
  if (timeoutMs === undefined && signal === undefined) return nothing;
  let timer: NodeJS.Timeout | undefined;
  let look: NodeJS.Immediate | undefined;
  const end = (): void => {
    clearTimeout(timer);
    clearImmediate(look);
    unlisten();
  };
  const abort = (): void => {
    end();
    aborted(signal!.reason);
  };
  if (timeoutMs !== undefined && timeoutMs <= LONGEST_TIMER_MS) {
    timer = setTimeout(() => {
      // Timers run before anything is read: after a standstill, what is awaited may be here already.
      look = setImmediate(() => {
        end();
        lapsed();
      });
    }, Math.max(0, timeoutMs)); // Node warns of a negative delay.
    if (!keeps) timer.unref();
  }
  const unlisten = signal === undefined ? nothing : onAbort(signal, abort);
  return end;
}

/**
 * One signal may call off many waits. Node warns of a leak where it has more than ten listeners: so it has one of ours.
 */
interface Watched {
  readonly waits: Set<() => void>;
  readonly abortAll: () => void;
  /** Keeps this process running while it waits: the timer of AbortSignal.timeout() does not. */
  readonly stay: NodeJS.Timeout;
}

const watched = new WeakMap<AbortSignal, Watched>();

/** @returns Ends it. */
function onAbort(signal: AbortSignal, abort: () => void): () => void {
  const { waits, abortAll, stay } = watched.get(signal) ?? watch(signal);
  waits.add(abort);
  return () => {
    if (!waits.delete(abort) || waits.size > 0) return;
    signal.removeEventListener('abort', abortAll);
    watched.delete(signal);
    keepNoLonger(stay);
    clearInterval(stay);
  };
}

function watch(signal: AbortSignal): Watched {
  const waits = new Set<() => void>();
  const abortAll = (): void => { for (const abort of waits) abort(); };
  const entry = { waits, abortAll, stay: setInterval(nothing, LONGEST_TIMER_MS) };
  keepWhileAwaiting(entry.stay);
  signal.addEventListener('abort', abortAll);
  watched.set(signal, entry);
  return entry;
}

function nothing(): void {}
