// A line of those who wait, first come, first served, that anybody may leave at any time: to come, to leave and to be
// served costs the same however long the line is. Used by the parts of Lock and Pipe.
import { Fifo } from './fifo.ts';

/** So many who have left stay in the line before it is worth closing up. */
const FEW = 32;

export class WaitingLine<T extends object> {
  /** Those who have left stay in here until they are first, or are too many. */
  readonly #line = new Fifo<T>();
  readonly #waiting = new Set<T>();

  get length(): number {
    return this.#waiting.size;
  }

  get first(): T | undefined {
    for (let next = this.#line.at(0); next !== undefined; next = this.#line.at(0)) {
      if (this.#waiting.has(next)) return next;
      this.#line.shift();
    }
    return undefined;
  }

  get last(): T | undefined {
    for (;;) {
      const last = this.#line.at(this.#line.length - 1);
      if (last === undefined || this.#waiting.has(last)) return last;
      this.#line.takeLast(1);
    }
  }

  /** Each may come once only. */
  push(waiter: T): void {
    this.#line.push(waiter);
    this.#waiting.add(waiter);
  }

  /** Takes the first; undefined when nobody waits. */
  shift(): T | undefined {
    const first = this.first;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** @returns Whether it was in the line. */
  remove(waiter: T): boolean {
    if (!this.#waiting.delete(waiter)) return false;
    if (this.#line.length > 2 * this.#waiting.size + FEW) this.#line.removeAll((other) => !this.#waiting.has(other));
    return true;
  }

  /** Takes all, in their order. */
  takeAll(): T[] {
    const all = this.#line.takeAll().filter((waiter) => this.#waiting.has(waiter));
    this.#waiting.clear();
    return all;
  }
}
