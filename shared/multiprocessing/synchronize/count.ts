// The number with which a Semaphore or a Barrier is made, checked.
import { inspect } from 'node:util';
import { WrongUse } from '../base/errors.ts';

/** @param what What it is the number of. @throws {WrongUse} It is no whole number, or less than `least`. */
export function checkCount(value: unknown, least: number, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw new WrongUse(`${what} must be a whole number, ${least} or more, not ${inspect(value)}`);
}
