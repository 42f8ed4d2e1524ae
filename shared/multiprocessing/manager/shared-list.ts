// A list of a Manager, in the process that made it; list-proxy.ts is how processes see it. Each call is one step: it is
// done when the next one begins.
import { ManagerClosed } from '../base/errors.ts';
import { hasShape, isBoolean } from '../base/shape.ts';
import { Keeper, refuseCustody } from '../transport/custody.ts';
import * as router from '../transport/router.ts';
import { isPacked } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import type { Callable } from './call.ts';
import { inOrder, sameAs } from './order.ts';

export type ListCall =
  | { readonly type: 'get' | 'pop'; readonly index: number }
  | { readonly type: 'set' | 'insert'; readonly index: number; readonly value: Packed }
  | { readonly type: 'push'; readonly values: readonly Packed[] }
  | { readonly type: 'slice'; readonly start: number; readonly end?: number }
  | { readonly type: 'indexOf' | 'remove'; readonly value: Packed }
  | { readonly type: 'sort'; readonly isReversed: boolean }
  | { readonly type: 'length' | 'reverse' | 'clear' };

const INDEX = { index: Number.isInteger };
const PLACED = { index: Number.isInteger, value: isPacked };
const VALUE = { value: isPacked };

/** It keeps packed values, which only those who get them unpack. */
export class SharedList implements Callable<ListCall> {
  #values: Packed[] = [];
  isShutDown = false;
  onShutdown: (() => void) | undefined;
  ref: string | undefined;
  readonly keeper = new Keeper(false, () => this.ref);

  understands(call: unknown): call is ListCall {
    return hasShape<ListCall>(call, {
      get: INDEX, pop: INDEX, set: PLACED, insert: PLACED,
      push: { values: (values) => Array.isArray(values) && values.every(isPacked) },
      slice: { start: Number.isInteger, end: (end) => end === undefined || Number.isInteger(end) },
      indexOf: VALUE, remove: VALUE, sort: { isReversed: isBoolean }, length: {}, reverse: {}, clear: {},
    });
  }

  handle(call: ListCall, from = router.selfAddress()): unknown {
    if (this.isShutDown) {
      for (const value of broughtBy(call)) refuseCustody(value);
      throw new ManagerClosed('the manager of this list was shut down');
    }
    switch (call.type) {
      case 'get':
        return this.#values.at(call.index);
      case 'set':
        return this.#set(call.index, call.value);
      case 'push':
        return this.#insert(this.#values.length, call.values);
      case 'insert':
        return this.#insert(call.index, [call.value]);
      case 'pop':
        return this.#pop(call.index, from);
      case 'slice':
        return this.#values.slice(call.start, call.end);
      case 'indexOf':
        return this.#values.findIndex(sameAs(call.value));
      case 'remove':
        return this.#remove(call.value);
      case 'sort':
        this.#values = inOrder(this.#values, call.isReversed);
        return undefined;
      case 'reverse':
        this.#values.reverse();
        return undefined;
      case 'length':
        return this.#values.length;
      case 'clear':
        return this.#clear();
    }
  }

  /** Nothing is kept any more, and every call is answered with that. */
  shutdown(): void {
    this.isShutDown = true;
    this.onShutdown?.();
    this.#clear();
  }

  #placeOf(index: number): number | undefined {
    const { length } = this.#values;
    const place = index < 0 ? length + index : index;
    return place >= 0 && place < length ? place : undefined;
  }

  #set(index: number, value: Packed): void {
    const place = this.#placeOf(index);
    if (place === undefined) {
      refuseCustody(value);
      const { length } = this.#values;
      if (length === 0) throw new RangeError(`set needs an index, and ${index} is none: the list is empty`);
      const allowed = `from ${-length} to ${length - 1}`;
      throw new RangeError(`set needs an index ${allowed}, and ${index} is not: the list has ${length} values`);
    }
    this.keeper.take(value);
    this.keeper.drop(this.#values[place]);
    this.#values[place] = value;
  }

  #insert(index: number, values: readonly Packed[]): number {
    for (const value of values) this.keeper.take(value);
    if (index === this.#values.length) for (const value of values) this.#values.push(value);
    else this.#values.splice(index, 0, ...values);
    return this.#values.length;
  }

  #pop(index: number, from: string): Packed {
    const place = this.#placeOf(index);
    if (place === undefined) return undefined;
    const [value] = this.#values.splice(place, 1);
    this.keeper.give(value, from);
    return value;
  }

  #remove(value: Packed): boolean {
    const place = this.#values.findIndex(sameAs(value));
    if (place === -1) return false;
    this.keeper.drop(this.#values.splice(place, 1)[0]);
    return true;
  }

  #clear(): void {
    for (const value of this.#values.splice(0)) this.keeper.drop(value);
  }
}

/** The values that a call would add. */
function broughtBy(call: ListCall): readonly Packed[] {
  switch (call.type) {
    case 'push':
      return call.values;
    case 'set':
    case 'insert':
      return [call.value];
    default:
      return [];
  }
}
