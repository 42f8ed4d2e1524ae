// The putting half of a process's seat at a Queue: the places that were given to it, what is on its way to the owner,
// and who of this process waits for a place. Pure, as queue-getters.ts. Used by queue-seat.ts.
import { Fifo } from './fifo.ts';
import type { SeatHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';
import { sizeOf } from './queue-item.ts';
import { SeatLine } from './queue-line.ts';
import type { SeatWaiter } from './queue-line.ts';
import { Pace } from './queue-pace.ts';

/** While so much is on its way to an unbounded queue, in bytes, puts wait. The item that reaches the limit goes. */
const MOST_BYTES_ON_THE_WAY = 1024 * 1024;

/** A put that waits. */
export interface Putter extends SeatWaiter {
  /** Makes the item ready to be sent; called once, when there is a place. */
  readonly item: () => Item;
  readonly settle: () => void;
}

export class Putters {
  readonly #host: SeatHost;
  readonly #bounded: boolean;
  readonly #line: SeatLine<Putter>;
  readonly #pace: Pace;
  /** Places that may be used at once. For an unbounded queue they say how many items more may be on the way. */
  #places: number;
  #pausing = false;
  #outgoing: Item[] = [];
  #outgoingBytes = 0;
  #sendsSoon = false;
  /** What is on the way to an unbounded queue, and of that each message. */
  #bytesOnTheWay = 0;
  readonly #onTheWay = new Fifo<{ readonly count: number; readonly bytes: number }>();

  constructor(bounded: boolean, host: SeatHost) {
    this.#host = host;
    this.#pace = new Pace(host.now);
    this.#bounded = bounded;
    this.#places = !bounded && host.atHome ? Infinity : 0;
    this.#line = new SeatLine<Putter>(
      (id, now) => host.tell({ type: 'want', id, now }), (id) => host.tell({ type: 'unwant', id }),
    );
  }

  /** Whether nobody waits, and all is told. */
  get isIdle(): boolean {
    const allTold = this.#outgoing.length === 0 && !this.#sendsSoon && !this.#pausing;
    return this.#line.length === 0 && allTold && (!this.#bounded || this.#places === 0);
  }

  /** A put begins. */
  begin(): void {
    this.#pace.called();
  }

  /** Whether an item can be put now, passing over nobody. */
  isReady(): boolean {
    return this.#line.length === 0 && this.#hasRoom() && this.#host.mayServeAtOnce();
  }

  /** Puts an item. There must be room. */
  put(item: Item): void {
    this.#putOne(item);
    this.#sendSoonOrNow();
  }

  /** Waits for a place; `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(putter: Putter): void {
    this.#line.push(putter);
    if ((this.#host.atHome || this.#hasRoom()) && !this.#host.mayServeAtOnce()) this.#pause();
    this.#serve();
  }

  /** The time of a waiter ran out. */
  withdraw(putter: Putter): void {
    this.#line.withdraw(putter);
  }

  /** A place came for that waiter, and perhaps more, ahead. */
  receive(count: number, id: number): void {
    this.#places += count;
    this.#line.answered(id);
    this.#serve();
    this.#sendSoon();
  }

  /** So many items have arrived in the unbounded queue, or, at first, may be on their way. */
  arrived(count: number): void {
    this.#places += count;
    for (let left = count; left > 0;) {
      const message = this.#onTheWay.shift();
      if (message === undefined) break;
      left -= message.count;
      this.#bytesOnTheWay -= message.bytes;
    }
    this.#serve();
  }

  /** Nothing comes for that waiter. */
  fail(id: number, error: Error): void {
    this.#line.fail(id, error);
  }

  /** Nothing can be put any more. */
  close(error: Error): void {
    this.#line.failAll(error);
    this.send();
  }

  /** The process ends: what waits for a place is handed over to wait there. */
  leave(): void {
    this.send();
    const items: Item[] = [];
    while (this.#line.length > 0) this.#settle(this.#line.shift(), (item) => items.push(item));
    if (items.length > 0) this.#host.tell({ type: 'parting', items });
  }

  /** Sends what was put, and gives back the places that nobody here is about to use. */
  send(): void {
    this.#sendsSoon = false;
    this.#sendPut();
    if (this.#bounded && this.#places > 0 && this.#line.length === 0) {
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

  #putOne(item: Item): void {
    this.#places--;
    this.#outgoing.push(item);
    this.#outgoingBytes += sizeOf(item);
    this.#pace.served();
  }

  #sendSoonOrNow(): void {
    const isLeisurely = this.#pace.isLeisurely;
    if (this.#host.atHome || isLeisurely) this.#sendPut();
    if (isLeisurely) this.#host.hurry();
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#sendsSoon) return;
    this.#sendsSoon = true;
    this.#host.tellSoon(() => this.send());
  }

  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.#host.nextTurn(() => {
      this.#pausing = false;
      this.#serve();
      this.#sendSoon();
    });
  }

  #serve(): void {
    if (this.#pausing) return;
    if (this.#line.length > 0 && this.#hasRoom()) {
      while (this.#line.length > 0 && this.#hasRoom()) this.#settle(this.#line.shift(), (item) => this.#putOne(item));
      this.#sendSoonOrNow();
    }
    if (this.#bounded) this.#line.askForAll();
  }

  #settle(putter: Putter, put: (item: Item) => void): void {
    try {
      put(putter.item());
      putter.settle();
    } catch (error) {
      putter.fail(error as Error);
    }
  }
}
