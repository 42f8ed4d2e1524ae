// Time limits of waits, in milliseconds: what every join, acquire, get and poll of the toolkit takes.
import { inspect } from 'node:util';
import { WrongUse } from './errors.ts';

/** The longest delay of a Node timer, in milliseconds; it would take a longer one for 1. About 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Whether a wait with that limit must not wait at all: it asks once. */
export function asksOnce(timeoutMs: number | undefined): boolean {
  return timeoutMs !== undefined && timeoutMs <= 0;
}

/**
 * Calls `expired` after `timeoutMs`; never when it is undefined, or longer than about 24 days.
 * @returns What clearTimeout takes.
 * @throws {WrongUse} The limit is not a number.
 */
export function limitTime(timeoutMs: number | undefined, expired: () => void): NodeJS.Timeout | undefined {
  if (timeoutMs === undefined) return undefined;
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) {
    throw new WrongUse(`a time limit is a number of milliseconds, not ${inspect(timeoutMs)}`);
  }
  return timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(expired, timeoutMs);
}
