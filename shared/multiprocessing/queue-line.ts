// Who waits at one end of a Queue, in the order in which they asked: Line as the owner sees it, over all processes, and
// SeatLine as one process does. Used by the two ends of queue-owner.ts, and by the two halves of queue-seat.ts.
import { Fifo } from './fifo.ts';
import { isWithin } from './router.ts';

/** A put or a get that waits in the process at `from`. */
export interface Waiter {
  readonly from: string;
  readonly id: number;
  /** It is refused as soon as it is clear that it cannot be served. */
  readonly now: boolean;
  /** When it asked, in milliseconds. */
  readonly since: number;
}

export class Line extends Fifo<Waiter> {
  /** It does not wait any more. Nothing happens if it has been served. */
  withdraw(from: string, id: number): void {
    const waiter = this.find((other) => other.from === from && other.id === id);
    if (waiter !== undefined) this.remove(waiter);
  }

  /** Those in processes that are dead go. */
  removeDead(address: string): void {
    this.removeAll((waiter) => isWithin(waiter.from, address));
  }

  /** Those who want their answer at once, and asked at that time or before, go. */
  removeImpatient(upTo: number): Waiter[] {
    return this.length === 0 ? [] : this.removeAll((waiter) => waiter.now && waiter.since <= upTo);
  }

  /** Whether any wait in that process. */
  has(from: string): boolean {
    return this.find((waiter) => waiter.from === from) !== undefined;
  }
}

/** A put or a get of this process that waits. */
export interface SeatWaiter {
  readonly now: boolean;
  readonly fail: (error: Error) => void;
  /** Under this the owner knows of it; undefined: it does not, or has answered. */
  id?: number | undefined;
}

export class SeatLine<W extends SeatWaiter> {
  readonly #ask: (id: number, now: boolean) => void;
  readonly #unask: (id: number) => void;
  readonly #asked = new Fifo<W>();
  /** These wait behind the others. */
  readonly #unasked = new Fifo<W>();
  #lastId = 0;

  /** @param ask Tells the owner of a waiter. @param unask Tells it that this one waits no longer. */
  constructor(ask: (id: number, now: boolean) => void, unask: (id: number) => void) {
    this.#ask = ask;
    this.#unask = unask;
  }

  get length(): number {
    return this.#asked.length + this.#unasked.length;
  }

  push(waiter: W): void {
    this.#unasked.push(waiter);
  }

  /** Tells the owner of all who wait. */
  askForAll(): void {
    for (let waiter = this.#unasked.shift(); waiter !== undefined; waiter = this.#unasked.shift()) {
      waiter.id = ++this.#lastId;
      this.#asked.push(waiter);
      this.#ask(waiter.id, waiter.now);
    }
  }

  /** Something came for that one. The first takes it all the same, and leaves its own place to that one. */
  answered(id: number): void {
    const first = this.#asked.at(0);
    const meant = first?.id === id ? first : this.#asked.find((waiter) => waiter.id === id);
    if (first === undefined || meant === undefined) return;
    meant.id = first.id;
    first.id = undefined;
  }

  /** Takes the first, to be served. There must be one. */
  shift(): W {
    const waiter = this.#asked.shift() ?? this.#unasked.shift()!;
    this.#forget(waiter);
    return waiter;
  }

  /** That one gives up. */
  withdraw(waiter: W): void {
    if (this.#asked.remove(waiter)) this.#forget(waiter);
    else this.#unasked.remove(waiter);
  }

  /** The owner says that nothing comes for that one. */
  fail(id: number, error: Error): void {
    const waiter = this.#asked.find((other) => other.id === id);
    if (waiter === undefined) return;
    this.#asked.remove(waiter);
    waiter.fail(error);
  }

  failAll(error: Error): void {
    for (const waiter of this.takeAll()) waiter.fail(error);
  }

  takeAll(): W[] {
    return [...this.#asked.takeAll(), ...this.#unasked.takeAll()];
  }

  #forget(waiter: W): void {
    if (waiter.id !== undefined) this.#unask(waiter.id);
  }
}
