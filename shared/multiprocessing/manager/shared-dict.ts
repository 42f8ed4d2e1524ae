// A dict of a Manager, in the process that made it; dict-proxy.ts is how processes see it. Each call is one step: it is
// done when the next one begins.
import { inspect } from 'node:util';
import { ManagerClosed, WrongUse } from '../base/errors.ts';
import { hasShape, isNumber, isString } from '../base/shape.ts';
import { Keeper, refuseCustody } from '../transport/custody.ts';
import * as router from '../transport/router.ts';
import { isPacked } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import type { Callable } from './call.ts';

export type DictEntry = readonly [key: string, value: Packed];

export type DictCall =
  | { readonly type: 'get' | 'delete' | 'has' | 'pop'; readonly key: string }
  | { readonly type: 'set' | 'setDefault'; readonly key: string; readonly value: Packed }
  | { readonly type: 'update'; readonly entries: readonly DictEntry[] }
  | { readonly type: 'increment'; readonly key: string; readonly by: number }
  | { readonly type: 'popItem' | 'clear' | 'size' | 'keys' | 'values' | 'entries' };

const KEY = { key: isString };
const ENTRY = { key: isString, value: isPacked };

/** It keeps packed values, which only those who get them unpack. */
export class SharedDict implements Callable<DictCall> {
  /** A Map, so that `__proto__` is a key like any other. */
  readonly #values = new Map<string, Packed>();
  isShutDown = false;
  onShutdown: (() => void) | undefined;
  ref: string | undefined;
  readonly keeper = new Keeper(false, () => this.ref);

  understands(call: unknown): call is DictCall {
    return hasShape<DictCall>(call, {
      get: KEY, delete: KEY, has: KEY, pop: KEY, set: ENTRY, setDefault: ENTRY,
      update: { entries: (entries) => Array.isArray(entries) && entries.every(isEntry) },
      increment: { key: isString, by: isNumber },
      popItem: {}, clear: {}, size: {}, keys: {}, values: {}, entries: {},
    });
  }

  handle(call: DictCall, from = router.selfAddress()): unknown {
    if (this.isShutDown) {
      for (const value of broughtBy(call)) refuseCustody(value);
      throw new ManagerClosed('the manager of this dict was shut down');
    }
    switch (call.type) {
      case 'get':
        return this.#values.get(call.key);
      case 'set':
        return this.#set(call.key, call.value);
      case 'setDefault':
        return this.#setDefault(call.key, call.value);
      case 'update':
        for (const [key, value] of call.entries) this.#set(key, value);
        return undefined;
      case 'increment':
        return this.#increment(call.key, call.by);
      case 'delete':
        this.keeper.drop(this.#values.get(call.key));
        return this.#values.delete(call.key);
      case 'pop':
        return this.#pop(call.key, from);
      case 'popItem':
        return this.#popItem(from);
      case 'clear':
        return this.#clear();
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
    }
  }

  /** Nothing is kept any more, and every call is answered with that. */
  shutdown(): void {
    this.isShutDown = true;
    this.onShutdown?.();
    this.#clear();
  }

  #set(key: string, value: Packed): void {
    this.keeper.take(value);
    this.keeper.drop(this.#values.get(key));
    this.#values.set(key, value);
  }

  #setDefault(key: string, value: Packed): Packed {
    if (this.#values.has(key)) refuseCustody(value);
    else this.#set(key, value);
    return this.#values.get(key);
  }

  #increment(key: string, by: number): number {
    const before = this.#values.has(key) ? this.#values.get(key) : 0;
    if (typeof before !== 'number') {
      throw new WrongUse(`increment needs a number, and the value of ${inspect(key)} is of type ${typeof before}`);
    }
    this.#values.set(key, before + by);
    return before + by;
  }

  #pop(key: string, from: string): Packed {
    const value = this.#values.get(key);
    this.#values.delete(key);
    this.keeper.give(value, from);
    return value;
  }

  #popItem(from: string): DictEntry | undefined {
    const last = [...this.#values.keys()].at(-1);
    return last === undefined ? undefined : [last, this.#pop(last, from)];
  }

  #clear(): void {
    for (const value of this.#values.values()) this.keeper.drop(value);
    this.#values.clear();
  }
}

function isEntry(entry: unknown): entry is DictEntry {
  return Array.isArray(entry) && isString(entry[0]) && isPacked(entry[1]);
}

/** The values that a call would add. */
function broughtBy(call: DictCall): readonly Packed[] {
  switch (call.type) {
    case 'update':
      return call.entries.map(([, value]) => value);
    case 'set':
    case 'setDefault':
      return [call.value];
    default:
      return [];
  }
}
