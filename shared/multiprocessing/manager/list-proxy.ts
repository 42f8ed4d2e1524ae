// ListProxy: a list of a Manager, as every process sees it; and the list itself, which lives in the manager's process.
// Follows the ListProxy of Python's multiprocessing.managers, with the names of JavaScript's arrays.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { Proxies } from './call.ts';
import type { Callable, Caller } from './call.ts';
import { defineKind, TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { ManagerClosed, WrongUse } from '../base/errors.ts';
import { freeze } from './frozen.ts';
import { isPacked, pack, unpack } from '../values/packed.ts';
import { endCustody, refuseCustody, takeCustody } from '../transport/custody.ts';
import type { Packed } from '../values/packed.ts';
import { hasShape } from '../base/shape.ts';

type ListCall =
  | { readonly type: 'get'; readonly index: number }
  | { readonly type: 'set'; readonly index: number; readonly value: Packed }
  | { readonly type: 'push'; readonly values: readonly Packed[] }
  | { readonly type: 'pop' | 'length' | 'toArray' };

/** The list itself. It keeps packed values, which only those who get them unpack. */
export class SharedList implements Callable<ListCall> {
  #values: Packed[] = [];
  isShutDown = false;
  onShutdown: (() => void) | undefined;

  understands(call: unknown): call is ListCall {
    return hasShape<ListCall>(call, {
      get: { index: Number.isInteger }, set: { index: Number.isInteger, value: isPacked },
      push: { values: (values) => Array.isArray(values) && values.every(isPacked) }, pop: {}, length: {}, toArray: {},
    });
  }

  handle(call: ListCall): unknown {
    if (this.isShutDown) {
      if (call.type === 'set') refuseCustody(call.value);
      if (call.type === 'push') for (const value of call.values) refuseCustody(value);
      throw new ManagerClosed('the manager of this list was shut down');
    }
    switch (call.type) {
      case 'get':
        return this.#values.at(call.index);
      case 'set':
        this.#set(call.index, call.value);
        return undefined;
      case 'push':
        for (const value of call.values) {
          takeCustody(value);
          this.#values.push(value);
        }
        return this.#values.length;
      case 'pop':
        return this.#values.pop();
      case 'length':
        return this.#values.length;
      case 'toArray':
        return [...this.#values];
    }
  }

  /** Nothing is kept any more, and every call is answered with that. */
  shutdown(): void {
    this.isShutDown = true;
    this.onShutdown?.();
    for (const value of this.#values.splice(0)) endCustody(value);
  }

  #set(index: number, value: Packed): void {
    const { length } = this.#values;
    const place = index < 0 ? length + index : index;
    if (place < 0 || place >= length) {
      refuseCustody(value);
      if (length === 0) throw new RangeError(`set needs an index, and ${index} is none: the list is empty`);
      const allowed = `from ${-length} to ${length - 1}`;
      throw new RangeError(`set needs an index ${allowed}, and ${index} is not: the list has ${length} values`);
    }
    takeCustody(value);
    endCustody(this.#values[place]);
    this.#values[place] = value;
  }
}

/**
 * A list that several processes use. Each method is one message to the process in which it was made, and one answer; it
 * settles when that process has done it. Indexes below 0 count from the end, as with Array.prototype.at and with.
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
    const packed = values.map((value, i) => pack(value, `value ${i + 1} to push`));
    return await this.#caller.call({ type: 'push', values: packed }) as number;
  }

  /** Takes the last value off the list; undefined when it is empty. What two processes pop is never the same. */
  async pop(): Promise<T | undefined> {
    return this.#open(await this.#caller.call({ type: 'pop' }) as Packed);
  }

  async length(): Promise<number> {
    return await this.#caller.call({ type: 'length' }) as number;
  }

  /** All of it as an array of your own, in which the values are frozen. */
  async toArray(): Promise<T[]> {
    return (await this.#caller.call({ type: 'toArray' }) as Packed[]).map((value) => this.#open(value));
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

  #open(item: Packed): T {
    return freeze(unpack(this.#caller.own(item))) as T;
  }
}

const proxies = new Proxies<ListCall, ListProxy>(
  'list', (connect) => new ListProxy(connect), () => new SharedList(),
);

/** For Manager: the proxy in the process in which the list lives, with what it starts with. */
export function shareList<T>(list: SharedList, initial: readonly T[]): ListProxy<T> {
  list.handle({ type: 'push', values: initial.map((value, i) => pack(value, `value ${i + 1} of the list`)) });
  return proxies.of(list) as ListProxy<T>;
}

defineKind('ListProxy', ({ ref }) => proxies.arrived(ref));

function checked(index: unknown): number {
  if (Number.isInteger(index)) return index as number;
  throw new WrongUse(`an index of a shared list is a whole number, not ${inspect(index)}`);
}
