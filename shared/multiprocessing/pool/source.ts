// The items of a map or an imap, from whatever can be iterated over. Used by pool.ts.
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
  const { asynchronous, synchronous } = waysInto(items);
  const open = asynchronous ?? synchronous;
  if (typeof open !== 'function') throw noItems('imap', items);
  const iterator = open.call(items) as Iterator<unknown> | AsyncIterator<unknown>;
  return {
    next: () => iterator.next(),
    close: async () => { await iterator.return?.(); },
  };
}

/**
 * All the items at once; or those of an async iterable, which are still to come.
 * @throws {WrongUse} It cannot be iterated over. @throws What its iterator throws.
 */
export function itemsOf(items: unknown): readonly unknown[] | AsyncIterable<unknown> {
  if (Array.isArray(items)) return items;
  const { asynchronous, synchronous } = waysInto(items);
  if (typeof asynchronous === 'function') return items as AsyncIterable<unknown>;
  if (typeof synchronous === 'function') return Array.from(items as Iterable<unknown>);
  throw noItems('map', items);
}

function waysInto(items: unknown): { readonly asynchronous: unknown; readonly synchronous: unknown } {
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = Object(items) as {
    readonly [Symbol.asyncIterator]?: unknown; readonly [Symbol.iterator]?: unknown;
  };
  return { asynchronous, synchronous };
}

function noItems(call: string, items: unknown): WrongUse {
  return new WrongUse(`the items of ${call} are an iterable or an async iterable, not ${inspect(items, { depth: 0 })}`);
}
