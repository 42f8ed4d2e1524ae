// The putting half of a process's seat at a Queue: the places that were given to it, what is on its way to the owner, and
// who of this process waits for a place. Pure, as queue-getters.ts. Used by queue-seat.ts.
import { Fifo } from './fifo.ts';
import type { SeatHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';
import { sizeOf } from './queue-item.ts';

/** So much may be on its way to an unbounded queue, in bytes; what goes beyond waits, unless it is alone. */
const MOST_BYTES_ON_THE_WAY = 1024 * 1024;

/** A put that waits. */
export interface Putter {
  /** It does not wait for a place to become free. */
  readonly now: boolean;
  /** Makes the item ready to be sent; called once, when there is a place. */
  readonly item: () => Item;
  readonly settle: () => void;
  readonly fail: (error: Error) => void;
}

export class Putters {
  readonly #host: SeatHost;
  readonly #bounded: boolean;
  /** Places that may be used at once. For an unbounded queue they say how much may be on the way. */
  #places: number;
  readonly #waiters = new Fifo<Putter>();
  /** The owner knows of so many waiters, the first ones. */
  #asked = 0;
  #pausing = false;
  #outgoing: Item[] = [];
  #outgoingBytes = 0;
  #sendsSoon = false;
  /** What is on the way to an unbounded queue, and of that each message. */
  #bytesOnTheWay = 0;
  readonly #onTheWay = new Fifo<{ readonly count: number; readonly bytes: number }>();

  constructor(bounded: boolean, host: SeatHost) {
    this.#host = host;
    this.#bounded = bounded;
    this.#places = !bounded && host.atHome ? Infinity : 0;
  }

  /** Whether an item can be put now, passing over nobody. */
  isReady(): boolean {
    return this.#waiters.length === 0 && this.#hasRoom() && this.#host.mayServeAtOnce();
  }

  /** Puts an item. There must be room. */
  put(item: Item): void {
    this.#places--;
    this.#outgoing.push(item);
    this.#outgoingBytes += sizeOf(item);
    if (this.#host.atHome) this.#sendPut();
    if (!this.#host.atHome || this.#bounded) this.#sendSoon();
  }

  /** Waits for a place; `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(putter: Putter): void {
    this.#waiters.push(putter);
    if ((this.#host.atHome || this.#hasRoom()) && !this.#host.mayServeAtOnce()) this.#pause();
    this.#serve();
  }

  /** The time of a waiter ran out. */
  withdraw(putter: Putter): void {
    if (!this.#waiters.remove(putter) || this.#asked <= this.#waiters.length) return;
    this.#asked--;
    this.#host.tell({ type: 'unwant' });
  }

  /** Places came, the last `ahead` of them unasked. */
  receive(count: number, ahead: number): void {
    this.#places += count;
    this.#asked = Math.max(0, this.#asked - (count - ahead));
    if (!this.#bounded) this.#arrived(count);
    this.#serve();
    if (this.#bounded) this.#sendSoon();
  }

  /** There is none for one that does not wait. */
  refuse(error: Error): void {
    const putter = this.#waiters.find(({ now }) => now);
    if (putter === undefined) return;
    this.#waiters.remove(putter);
    this.#asked--;
    putter.fail(error);
  }

  /** No place will come for so many. */
  fail(count: number, error: Error): void {
    this.#asked = Math.max(0, this.#asked - count);
    for (let i = 0; i < count; i++) this.#waiters.shift()?.fail(error);
  }

  /** Nothing can be put any more. */
  close(error: Error): void {
    this.#asked = 0;
    for (const putter of this.#waiters.takeAll()) putter.fail(error);
    this.send();
  }

  /** The process ends: what waits for a place is handed over to wait there. */
  leave(): void {
    this.send();
    const waiters = this.#waiters.takeAll();
    for (; this.#asked > 0; this.#asked--) this.#host.tell({ type: 'unwant' });
    if (waiters.length === 0) return;
    const items: Item[] = [];
    for (const putter of waiters) this.#settle(putter, (item) => items.push(item));
    this.#host.tell({ type: 'parting', items });
  }

  /** Sends what was put, and gives back the places that nobody here is about to use. */
  send(): void {
    this.#sendsSoon = false;
    this.#sendPut();
    if (this.#bounded && this.#places > 0 && this.#waiters.length === 0) {
      const places = this.#places;
      this.#places = 0;
      this.#host.tell({ type: 'unused', places });
    }
  }

  #sendPut(): void {
    if (this.#outgoing.length === 0) return;
    const items = this.#outgoing;
    this.#outgoing = [];
    if (!this.#bounded && !this.#host.atHome) {
      this.#onTheWay.push({ count: items.length, bytes: this.#outgoingBytes });
      this.#bytesOnTheWay += this.#outgoingBytes;
    }
    this.#outgoingBytes = 0;
    this.#host.tell({ type: 'put', items });
  }

  #hasRoom(): boolean {
    return this.#places > 0 && (this.#bounded || this.#bytesOnTheWay + this.#outgoingBytes < MOST_BYTES_ON_THE_WAY);
  }

  #arrived(count: number): void {
    for (let left = count; left > 0;) {
      const message = this.#onTheWay.shift();
      if (message === undefined) return;
      left -= message.count;
      this.#bytesOnTheWay -= message.bytes;
    }
  }

  #sendSoon(): void {
    if (this.#sendsSoon) return;
    this.#sendsSoon = true;
    this.#host.afterThis(() => this.send());
  }

  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.#host.nextTurn(() => {
      this.#pausing = false;
      this.#serve();
    });
  }

  #settle(putter: Putter, put: (item: Item) => void): void {
    try {
      put(putter.item());
      putter.settle();
    } catch (error) {
      putter.fail(error as Error);
    }
  }

  #serve(): void {
    if (this.#pausing) return;
    while (this.#waiters.length > 0 && this.#hasRoom()) {
      this.#settle(this.#waiters.shift()!, (item) => this.put(item));
    }
    if (!this.#bounded) return;
    while (this.#asked < this.#waiters.length) {
      const { now } = this.#waiters.at(this.#asked++)!;
      this.#host.tell({ type: 'want', now });
    }
  }
}
