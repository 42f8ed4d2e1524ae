// ListProxy: a list of a Manager, as every process sees it; shared-list.ts is the list itself. Follows the ListProxy of
// Python's multiprocessing.managers, with the names of JavaScript's arrays where they have the same.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { Proxies } from './call.ts';
import type { Caller } from './call.ts';
import { defineKind, TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { WrongUse } from '../base/errors.ts';
import { freeze } from './frozen.ts';
import { pack, packAll, packData, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { SharedList } from './shared-list.ts';
import type { ListCall } from './shared-list.ts';

/**
 * A list that several processes use. Each method is one message to the process in which it was made, and one answer; it
 * settles when that process has done it, in one step that nobody else's call comes between. Indexes below 0 count from
 * the end, as with Array.prototype.at and with. `indexOf`, `includes` and `remove` compare values by what is in them,
 * as Python does and util.isDeepStrictEqual: two copies of an object are the same.
 *
 * All methods reject with `ManagerClosed` after the manager was shut down, with `ProcessDied` when the process died in
 * which it was made, and with `WrongUse` for an index that is not a whole number.
 */
export class ListProxy<T = unknown> implements Transferable {
  readonly #caller: Caller<ListCall>;

  /** For Manager and the codec: use {@link Manager.list}. */
  constructor(connect: (self: ListProxy<T>) => Caller<ListCall>) {
    this.#caller = connect(this);
  }

  /** The value at an index; undefined when there is none, as Array.prototype.at. A frozen copy, as from a DictProxy. */
  async get(index: number): Promise<T | undefined> {
    return this.#open(await this.#caller.call({ type: 'get', index: checked(index) }) as Packed);
  }

  /** Replaces the value at an index. @throws {RangeError} There is none. @throws {NotCloneable} */
  async set(index: number, value: T): Promise<void> {
    await this.#caller.call({ type: 'set', index: checked(index), value: pack(value, `the value at ${index}`) });
  }

  /** Adds values at the end, next to each other. @returns The new length. @throws {NotCloneable} None was added. */
  async push(...values: T[]): Promise<number> {
    return await this.#push(values, 'push');
  }

  /** The same for all values of an array or another iterable, however many. */
  async extend(values: Iterable<T>): Promise<number> {
    if (typeof (values as Iterable<T> | undefined)?.[Symbol.iterator] !== 'function') {
      throw new WrongUse(`extend needs an array or another iterable, not ${inspect(values, { depth: 0 })}`);
    }
    return await this.#push([...values], 'extend with');
  }

  /**
   * Puts a value before the one at an index, as Python's list.insert. An index beyond an end of the list means that
   * end. @returns The new length. @throws {NotCloneable}
   */
  async insert(index: number, value: T): Promise<number> {
    checked(index);
    const packed = pack(value, 'the value to insert');
    return await this.#caller.call({ type: 'insert', index, value: packed }) as number;
  }

  /**
   * Takes the value at an index off the list, the last one without an index; undefined when there is none. What two
   * processes pop is never the same.
   */
  async pop(index = -1): Promise<T | undefined> {
    return this.#open(await this.#caller.call({ type: 'pop', index: checked(index) }) as Packed);
  }

  /**
   * Removes the first value that is the same. @returns Whether there was one.
   * @throws {NotCloneable} `value` cannot be sent, or a primitive of the toolkit is in it.
   */
  async remove(value: T): Promise<boolean> {
    return await this.#caller.call({ type: 'remove', value: sought(value) }) as boolean;
  }

  /** Removes all values. */
  async clear(): Promise<void> {
    await this.#caller.call({ type: 'clear' });
  }

  /** The number of values. */
  async length(): Promise<number> {
    return await this.#caller.call({ type: 'length' }) as number;
  }

  /** The index of the first value that is the same; -1 when there is none. @throws {NotCloneable} As {@link remove}. */
  async indexOf(value: T): Promise<number> {
    return await this.#caller.call({ type: 'indexOf', value: sought(value) }) as number;
  }

  /** Whether a value is in the list. @throws {NotCloneable} As {@link remove}. */
  async includes(value: T): Promise<boolean> {
    return await this.indexOf(value) !== -1;
  }

  /** Turns the list around. */
  async reverse(): Promise<void> {
    await this.#caller.call({ type: 'reverse' });
  }

  /**
   * Sorts the list: numbers by their size, with NaN as the last, and strings by their UTF-16 units, as `<` compares
   * them. A function that compares cannot be sent: of other values sort an array, in the process that needs the order.
   * @param options `reverse`: the largest comes first.
   * @throws {WrongUse} They are not numbers alone, nor strings alone: the list is as before. Or `options` are none.
   */
  async sort(options: { readonly reverse?: boolean | undefined } = {}): Promise<void> {
    if (typeof options !== 'object' || options === null) {
      throw new WrongUse(`sort takes { reverse }, and no function that compares, not ${inspect(options)}`);
    }
    await this.#caller.call({ type: 'sort', isReversed: options.reverse === true });
  }

  /** A part of the list, or all of it, as Array.prototype.slice: an array of your own, in which values are frozen. */
  async slice(start = 0, end?: number): Promise<T[]> {
    const part = { start: checked(start), ...(end === undefined ? {} : { end: checked(end) }) };
    return (await this.#caller.call({ type: 'slice', ...part }) as Packed[]).map((value) => this.#open(value));
  }

  /** All of it as an array of your own, in which the values are frozen. */
  async toArray(): Promise<T[]> {
    return await this.slice();
  }

  /** The values as they are now, all at once: `for await (const value of list)`. */
  async* [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    yield* await this.toArray();
  }

  /** For codec.ts. */
  [TRANSFER](): Reference {
    return { kind: 'ListProxy', ref: this.#caller.ref() };
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `ListProxy ${inspect({ isHere: this.#caller.isHere }, options)}`;
  }

  async #push(values: T[], how: string): Promise<number> {
    const packed = packAll(values, (i) => `value ${i + 1} to ${how}`);
    return await this.#caller.call({ type: 'push', values: packed }) as number;
  }

  #open(item: Packed): T {
    return freeze(unpack(this.#caller.own(item))) as T;
  }
}

const proxies = new Proxies<ListCall, ListProxy>(
  'list', (connect) => new ListProxy(connect), () => new SharedList(),
);

/** For Manager: the proxy in the process in which the list lives, with what it starts with. */
export function shareList<T>(list: SharedList, initial: Iterable<T>): ListProxy<T> {
  list.handle({ type: 'push', values: packAll([...initial], (i) => `value ${i + 1} of the list`) });
  return proxies.of(list) as ListProxy<T>;
}

defineKind('ListProxy', ({ ref }) => proxies.arrived(ref));

function checked(index: unknown): number {
  if (Number.isInteger(index)) return index as number;
  throw new WrongUse(`an index of a shared list is a whole number, not ${inspect(index)}`);
}

function sought(value: unknown): Packed {
  return packData(value, 'the value to look for');
}
