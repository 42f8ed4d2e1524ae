// A line of things, first in, first out: what a queue keeps, and who waits for it. Taking from the front costs the same
// however long the line is, which an array's shift() does not promise. Used by the parts of Queue and Pipe.

/** How many empty slots at the front are worth moving the rest for. */
const MANY_EMPTY = 1024;

export class Fifo<T> {
  #slots: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#slots.length - this.#head;
  }

  /** The one at that place, counted from the front; undefined behind the end. */
  at(index: number): T | undefined {
    return this.#slots[this.#head + index];
  }

  push(value: T): void {
    this.#slots.push(value);
  }

  /** Takes the first; undefined when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head++] = undefined;
    if (this.#head === this.#slots.length) {
      this.#slots.length = 0;
      this.#head = 0;
    } else if (this.#head >= MANY_EMPTY && this.#head * 2 >= this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }

  /** Puts these before the first, in their order. */
  unshift(values: readonly T[]): void {
    this.#slots = [...values, ...this.#slots.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes the last so many, and returns them in their order. */
  takeLast(count: number): T[] {
    return count === 0 ? [] : this.#slots.splice(Math.max(this.#head, this.#slots.length - count)) as T[];
  }

  /** Takes all, and returns them in their order. */
  takeAll(): T[] {
    return this.takeLast(this.length);
  }

  /** The first one of which this is true; undefined when there is none. */
  find(isIt: (value: T) => boolean): T | undefined {
    for (let i = this.#head; i < this.#slots.length; i++) if (isIt(this.#slots[i] as T)) return this.#slots[i];
    return undefined;
  }

  /** Takes this one out, the first if it is in there more than once. @returns Whether it was in there. */
  remove(value: T): boolean {
    if (this.length > 0 && this.at(0) === value) {
      this.shift();
      return true;
    }
    const index = this.#slots.indexOf(value, this.#head);
    if (index !== -1) this.#slots.splice(index, 1);
    return index !== -1;
  }

  /** Takes all of which this is true, and returns them in their order. */
  removeAll(isIt: (value: T) => boolean): T[] {
    const removed: T[] = [];
    const kept: T[] = [];
    for (const value of this.#slots.slice(this.#head) as T[]) (isIt(value) ? removed : kept).push(value);
    if (removed.length > 0) {
      this.#slots = kept;
      this.#head = 0;
    }
    return removed;
  }

  [Symbol.iterator](): Iterator<T> {
    return (this.#slots.slice(this.#head) as T[])[Symbol.iterator]();
  }
}
