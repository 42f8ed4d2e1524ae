// DictProxy: a dict of a Manager, as every process sees it; shared-dict.ts is the dict itself. Follows the DictProxy of
// Python's multiprocessing.managers, with the names of JavaScript's Map where that has the same.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { Proxies } from './call.ts';
import type { Caller } from './call.ts';
import { defineKind, TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { isPlainPart } from '../values/cloneable.ts';
import { WrongUse } from '../base/errors.ts';
import { freeze } from './frozen.ts';
import { pack, packAll, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { SharedDict } from './shared-dict.ts';
import type { DictCall, DictEntry } from './shared-dict.ts';

/** What a dict can be filled from: the own properties of a plain object, or entries, as a Map has them. */
export type DictSource<V> = Readonly<Record<string, V>> | Iterable<readonly [key: string, value: V]>;

/**
 * A dict that several processes use, in the order in which keys were first set. Each method is one message to the
 * process in which it was made, and one answer; it settles when that process has done it, in one step that no other
 * call comes between. So `set` after `get` loses what others set in between: count with `increment`.
 *
 * It settles only then, and not when the message is sent, although messages between processes keep their order: what a
 * process learns in another way, over a socket or from a file, must not be ahead of the dict. Many calls at once are as
 * fast as that would be.
 *
 * All methods reject with `ManagerClosed` after the manager was shut down, with `ProcessDied` when the process died in
 * which it was made, and with `WrongUse` for a key that is not a string.
 */
export class DictProxy<V = unknown> implements Transferable {
  readonly #caller: Caller<DictCall>;

  /** For Manager and the codec: use {@link Manager.dict}. */
  constructor(connect: (self: DictProxy<V>) => Caller<DictCall>) {
    this.#caller = connect(this);
  }

  /**
   * The value of a key; undefined when there is none. It is a frozen copy: changing a plain object or array in it
   * throws, as the methods do that change a Map, Set or Date. Bytes in it are your own to change.
   */
  async get(key: string): Promise<V | undefined> {
    return this.#open(await this.#caller.call({ type: 'get', key: checked(key) }) as Packed);
  }

  /** Sets a key's value, to a structured clone; the toolkit's primitives may be in it. @throws {NotCloneable} */
  async set(key: string, value: V): Promise<void> {
    await this.#caller.call({ type: 'set', key: checked(key), value: pack(value, `the value of ${inspect(key)}`) });
  }

  /**
   * Sets many keys in one step: nobody finds a part of them set.
   * @param entries A plain object, a Map, or other entries. @throws {NotCloneable} None was set.
   */
  async update(entries: DictSource<V>): Promise<void> {
    await this.#caller.call({ type: 'update', entries: packEntries(entries) });
  }

  /**
   * Sets a key's value if there is none, in one step. @returns The value that the key has then, as {@link get}.
   * @throws {NotCloneable}
   */
  async setDefault(key: string, value: V): Promise<V> {
    const packed = pack(value, `the value of ${inspect(checked(key))}`);
    return this.#open(await this.#caller.call({ type: 'setDefault', key, value: packed }) as Packed);
  }

  /**
   * Adds to a number, in one step that no other process can get between. A missing key starts at 0.
   * @returns The sum. @throws {WrongUse} The value, or `by`, is not a number.
   */
  async increment(key: string, by = 1): Promise<number> {
    if (typeof by !== 'number') throw new WrongUse(`increment adds a number, not ${inspect(by)}`);
    return await this.#caller.call({ type: 'increment', key: checked(key), by }) as number;
  }

  /** Removes a key. @returns Whether it was there. */
  async delete(key: string): Promise<boolean> {
    return await this.#caller.call({ type: 'delete', key: checked(key) }) as boolean;
  }

  /** Takes a key off the dict. @returns Its value, which nobody else pops; undefined when there is none. */
  async pop(key: string): Promise<V | undefined> {
    return this.#open(await this.#caller.call({ type: 'pop', key: checked(key) }) as Packed);
  }

  /** Takes the last entry off the dict, as Python's popitem; undefined when the dict is empty. */
  async popItem(): Promise<[key: string, value: V] | undefined> {
    const entry = await this.#caller.call({ type: 'popItem' }) as DictEntry | undefined;
    return entry === undefined ? undefined : [entry[0], this.#open(entry[1])];
  }

  /** Removes all keys. */
  async clear(): Promise<void> {
    await this.#caller.call({ type: 'clear' });
  }

  /** Whether a key is in the dict. */
  async has(key: string): Promise<boolean> {
    return await this.#caller.call({ type: 'has', key: checked(key) }) as boolean;
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return await this.#caller.call({ type: 'size' }) as number;
  }

  /** All keys, in their order. */
  async keys(): Promise<string[]> {
    return await this.#caller.call({ type: 'keys' }) as string[];
  }

  /** All values. The array is your own, the values are frozen as those from {@link get}. */
  async values(): Promise<V[]> {
    return (await this.#caller.call({ type: 'values' }) as Packed[]).map((value) => this.#open(value));
  }

  /** All keys with their values, as from {@link values}. */
  async entries(): Promise<[key: string, value: V][]> {
    const entries = await this.#caller.call({ type: 'entries' }) as [string, Packed][];
    return entries.map(([key, value]) => [key, this.#open(value)]);
  }

  /** All of it as a plain object of your own, in which the values are frozen. */
  async toObject(): Promise<Record<string, V>> {
    return Object.fromEntries(await this.entries());
  }

  /** The entries as they are now, all at once: `for await (const [key, value] of dict)`. */
  async* [Symbol.asyncIterator](): AsyncGenerator<[key: string, value: V], void, undefined> {
    yield* await this.entries();
  }

  /** For codec.ts. */
  [TRANSFER](): Reference {
    return { kind: 'DictProxy', ref: this.#caller.ref() };
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `DictProxy ${inspect({ isHere: this.#caller.isHere }, options)}`;
  }

  #open(item: Packed): V {
    return freeze(unpack(this.#caller.own(item))) as V;
  }
}

const proxies = new Proxies<DictCall, DictProxy>(
  'dict', (connect) => new DictProxy(connect), () => new SharedDict(),
);

/** For Manager: the proxy in the process in which the dict lives, with what it starts with. */
export function shareDict<V>(dict: SharedDict, initial: DictSource<V>): DictProxy<V> {
  dict.handle({ type: 'update', entries: packEntries(initial) });
  return proxies.of(dict) as DictProxy<V>;
}

defineKind('DictProxy', ({ ref }) => proxies.arrived(ref));

function checked(key: unknown): string {
  if (typeof key === 'string') return key;
  throw new WrongUse(`a key of a shared dict is a string, not ${inspect(key)}`);
}

/** Each key once, with the value that it has last. @throws {WrongUse} @throws {NotCloneable} */
function packEntries(source: DictSource<unknown>): DictEntry[] {
  const entries = [...new Map(entriesOf(source))];
  const keys = entries.map(([key]) => checked(key));
  const values = packAll(entries.map(([, value]) => value), (i) => `the value of ${inspect(keys[i])}`);
  return keys.map((key, i) => [key, values[i]]);
}

function entriesOf(source: unknown): [unknown, unknown][] {
  if (typeof source === 'object' && source !== null) {
    const entries: unknown[] = Symbol.iterator in source ? [...source as Iterable<unknown>] : Object.entries(source);
    // An object of a class that shows nothing, as a promise or another dict: its content would be lost without a word.
    const isEmpty = entries.length === 0 && !(Symbol.iterator in source) && !isPlainPart(source);
    if (!isEmpty && entries.every(isEntry)) return entries;
  }
  const allowed = 'from an object\'s properties or from entries';
  throw new WrongUse(`a shared dict is filled ${allowed}, not from ${inspect(source)}`);
}

function isEntry(entry: unknown): entry is [unknown, unknown] {
  return Array.isArray(entry);
}
