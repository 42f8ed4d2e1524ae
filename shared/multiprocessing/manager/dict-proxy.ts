// DictProxy: a dict of a Manager, as every process sees it; and the dict itself, which lives in the manager's process.
// Follows the DictProxy of Python's multiprocessing.managers.
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
import { hasShape, isNumber, isString } from '../base/shape.ts';

type DictCall =
  | { readonly type: 'get' | 'delete' | 'has'; readonly key: string }
  | { readonly type: 'set'; readonly key: string; readonly value: Packed }
  | { readonly type: 'increment'; readonly key: string; readonly by: number }
  | { readonly type: 'size' | 'keys' | 'values' | 'entries' };

const KEY = { key: isString };

/** The dict itself. It keeps packed values, which only those who get them unpack. */
export class SharedDict implements Callable<DictCall> {
  /** A Map, so that `__proto__` is a key like any other. */
  readonly #values = new Map<string, Packed>();
  isShutDown = false;
  onShutdown: (() => void) | undefined;

  understands(call: unknown): call is DictCall {
    return hasShape<DictCall>(call, {
      get: KEY, delete: KEY, has: KEY, set: { key: isString, value: isPacked },
      increment: { key: isString, by: isNumber },
      size: {}, keys: {}, values: {}, entries: {},
    });
  }

  handle(call: DictCall): unknown {
    if (this.isShutDown) {
      if (call.type === 'set') refuseCustody(call.value);
      throw new ManagerClosed('the manager of this dict was shut down');
    }
    switch (call.type) {
      case 'get':
        return this.#values.get(call.key);
      case 'set':
        takeCustody(call.value);
        endCustody(this.#values.get(call.key));
        this.#values.set(call.key, call.value);
        return undefined;
      case 'delete':
        endCustody(this.#values.get(call.key));
        return this.#values.delete(call.key);
      case 'has':
        return this.#values.has(call.key);
      case 'size':
        return this.#values.size;
      case 'keys':
        return [...this.#values.keys()];
      case 'values':
        return [...this.#values.values()];
      case 'entries':
        return [...this.#values];
      case 'increment':
        return this.#increment(call.key, call.by);
    }
  }

  /** Nothing is kept any more, and every call is answered with that. */
  shutdown(): void {
    this.isShutDown = true;
    this.onShutdown?.();
    for (const value of this.#values.values()) endCustody(value);
    this.#values.clear();
  }

  #increment(key: string, by: number): number {
    const before = this.#values.has(key) ? this.#values.get(key) : 0;
    if (typeof before !== 'number') {
      throw new WrongUse(`increment needs a number, and the value of ${inspect(key)} is of type ${typeof before}`);
    }
    this.#values.set(key, before + by);
    return before + by;
  }
}

/**
 * A dict that several processes use, in the order in which keys were first set. Each method is one message to the
 * process in which it was made, and one answer; it settles when that process has done it. So `set` after `get` loses
 * what others set in between: count with `increment`.
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

  async has(key: string): Promise<boolean> {
    return await this.#caller.call({ type: 'has', key: checked(key) }) as boolean;
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return await this.#caller.call({ type: 'size' }) as number;
  }

  async keys(): Promise<string[]> {
    return await this.#caller.call({ type: 'keys' }) as string[];
  }

  /** All values. The array is your own, the values are frozen as those from {@link get}. */
  async values(): Promise<V[]> {
    return (await this.#caller.call({ type: 'values' }) as Packed[]).map((value) => this.#open(value));
  }

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
export function shareDict<V>(dict: SharedDict, initial: Readonly<Record<string, V>>): DictProxy<V> {
  for (const [key, value] of Object.entries(initial)) {
    dict.handle({ type: 'set', key, value: pack(value, `the value of ${inspect(key)}`) });
  }
  return proxies.of(dict) as DictProxy<V>;
}

defineKind('DictProxy', ({ ref }) => proxies.arrived(ref));

function checked(key: unknown): string {
  if (typeof key === 'string') return key;
  throw new WrongUse(`a key of a shared dict is a string, not ${inspect(key)}`);
}
