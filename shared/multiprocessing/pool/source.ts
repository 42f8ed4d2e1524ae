// The items of an imap, from whatever can be iterated over. Used by iteration.ts.
import { inspect } from 'node:util';
import { WrongUse } from '../base/errors.ts';

export type Step = IteratorResult<unknown, unknown>;

export interface Source {
  /** The next one, or the end. Throws, or rejects, with what the iterator throws. */
  next(): Step | PromiseLike<Step>;
  /** Tells the iterator that nobody will ask it again: a generator's `finally` runs. Rejects with what that throws. */
  close(): Promise<void>;
}

/** @throws {WrongUse} It cannot be iterated over. @throws What it throws when it is asked for its iterator. */
export function sourceOf(items: unknown): Source {
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(items) as {
    readonly [Symbol.asyncIterator]?: unknown; readonly [Symbol.iterator]?: unknown;
  };
  const open = asynchronous ?? synchronous;
  if (typeof open !== 'function') {
    throw new WrongUse(`the items of imap are an iterable or an async iterable, not ${inspect(items, { depth: 0 })}`);
  }
  const iterator = open.call(items) as Iterator<unknown> | AsyncIterator<unknown>;
  return {
    next: () => iterator.next(),
    close: async () => { await iterator.return?.(); },
  };
}
