// The getting half of a process's seat at a Queue: what was sent here and is not taken yet, who of this process waits,
// and what the owner must learn of it. Pure: it is told what came and tells what to send. Used by queue-seat.ts.
import { Fifo } from './fifo.ts';
import type { SeatHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';

/** A get that waits. */
export interface Getter {
  /** It does not wait for an item to come. */
  readonly now: boolean;
  readonly settle: (item: Item) => void;
  readonly fail: (error: Error) => void;
}

export class Getters {
  readonly #host: SeatHost;
  /** What came and was not taken, in the order in which it came. */
  readonly #stock = new Fifo<Item>();
  /** How many of these the owner may call back: all but those that it sent for gets which still wait. */
  #ahead = 0;
  readonly #waiters = new Fifo<Getter>();
  /** The owner knows of so many waiters, the first ones. */
  #asked = 0;
  #pausing = false;
  #taken = 0;
  #done = 0;
  #reported = { taken: 0, done: 0 };
  #reportsSoon = false;

  constructor(host: SeatHost) {
    this.#host = host;
  }

  /** How many items the gets of this process have returned that are not done. */
  get inWork(): number {
    return this.#taken - this.#done;
  }

  /** The first so many that were taken, after those that were done before, need never come back. */
  finish(count: number): void {
    if (count === 0) return;
    this.#done += count;
    this.#reportSoon();
  }

  /** Whether an item can be taken now, passing over nobody. */
  isReady(): boolean {
    return this.#stock.length > 0 && this.#waiters.length === 0 && this.#host.mayServeAtOnce();
  }

  /** Takes the next item. There must be one. */
  take(): Item {
    const item = this.#stock.shift();
    this.#ahead = Math.min(this.#ahead, this.#stock.length);
    this.#taken++;
    this.#reportSoon();
    return item;
  }

  /** Waits for an item; `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(getter: Getter): void {
    this.#waiters.push(getter);
    if ((this.#host.atHome || this.#stock.length > 0) && !this.#host.mayServeAtOnce()) this.#pause();
    this.#serve();
  }

  /** The time of a waiter ran out. */
  withdraw(getter: Getter): void {
    if (!this.#waiters.remove(getter) || this.#asked <= this.#waiters.length) return;
    this.#asked--;
    this.#host.tell({ type: 'unask' });
  }

  /** Items came, the last `ahead` of them unasked. */
  receive(items: readonly Item[], ahead: number): void {
    for (const item of items) this.#stock.push(item);
    this.#ahead += ahead;
    this.#asked = Math.max(0, this.#asked - (items.length - ahead));
    this.#serve();
  }

  /** There is none for one that does not wait. */
  refuse(error: Error): void {
    const getter = this.#waiters.find(({ now }) => now);
    if (getter === undefined) return;
    this.#waiters.remove(getter);
    this.#asked--;
    getter.fail(error);
  }

  /** Nothing will come for so many. */
  fail(count: number, error: Error): void {
    this.#asked = Math.max(0, this.#asked - count);
    for (let i = 0; i < count; i++) this.#waiters.shift()?.fail(error);
  }

  /** Others need what was sent ahead: gives back what no get here waits for. */
  giveBack(): void {
    const needed = this.#waiters.length - this.#asked;
    const count = Math.max(0, this.#stock.length - needed);
    this.#stock.takeLast(count);
    this.#ahead = 0;
    this.report();
    this.#host.tell({ type: 'back', count });
  }

  /** Nothing can be taken any more. */
  close(error: Error): void {
    this.#stock.takeAll();
    for (const getter of this.#waiters.takeAll()) getter.fail(error);
  }

  /** Tells the owner what was taken and done. */
  report(): void {
    this.#reportsSoon = false;
    const taken = this.#taken - this.#reported.taken;
    const done = this.#done - this.#reported.done;
    if (taken === 0 && done === 0) return;
    this.#reported = { taken: this.#taken, done: this.#done };
    this.#host.tell({ type: 'used', taken, done });
  }

  #reportSoon(): void {
    if (this.#reportsSoon) return;
    this.#reportsSoon = true;
    this.#host.afterThis(() => this.report());
  }

  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.#host.nextTurn(() => {
      this.#pausing = false;
      this.#serve();
    });
  }

  #serve(): void {
    if (this.#pausing) return;
    while (this.#waiters.length > 0 && this.#stock.length > 0) this.#waiters.shift()!.settle(this.take());
    if (this.#stock.length > this.#ahead) {
      this.#host.tell({ type: 'spare', count: this.#stock.length - this.#ahead });
      this.#ahead = this.#stock.length;
    }
    while (this.#asked < this.#waiters.length) {
      const { now } = this.#waiters.at(this.#asked++)!;
      this.report();
      this.#host.tell({ type: 'ask', now });
    }
  }
}
