// The getting half of a process's seat at a Queue: what was sent here and is not taken yet, who of this process waits,
// and what the owner must learn of it. Pure: it is told what came and tells what to send. Used by queue-seat.ts.
import { Fifo } from './fifo.ts';
import type { SeatHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';
import { SeatLine } from './queue-line.ts';
import type { SeatWaiter } from './queue-line.ts';
import { Pace } from './queue-pace.ts';

/** A get that waits. */
export interface Getter extends SeatWaiter {
  readonly settle: (item: Item) => void;
}

export class Getters {
  readonly #host: SeatHost;
  readonly #line: SeatLine<Getter>;
  readonly #pace: Pace;
  /** What came and was not taken, in the order in which it came. */
  readonly #stock = new Fifo<Item>();
  /** How many of these came ahead: the owner may call them back. */
  #ahead = 0;
  #pausing = false;
  #taken = 0;
  #done = 0;
  #reported = { taken: 0, done: 0 };
  #reportsSoon = false;

  constructor(host: SeatHost) {
    this.#host = host;
    this.#pace = new Pace(host.now);
    this.#line = new SeatLine<Getter>((id, now) => {
      this.report();
      host.tell({ type: 'ask', id, now });
    }, (id) => host.tell({ type: 'unask', id }));
  }

  /** How many items the gets of this process have returned that are not done. */
  get inWork(): number {
    return this.#taken - this.#done;
  }

  /** Whether nobody waits, nothing is here or in work, and all is told. */
  get isIdle(): boolean {
    const allTold = !this.#reportsSoon && !this.#pausing && this.#reported.done === this.#done;
    return this.#line.length === 0 && this.#stock.length === 0 && this.inWork === 0 && allTold;
  }

  /** So many more, the first that were taken of those that are not done, need never come back. */
  finish(count: number): void {
    if (count === 0) return;
    this.#done += count;
    this.#reportSoon();
  }

  /** A get begins: what was taken before is used, if it is `done` by that. */
  begin(done: boolean): void {
    if (done) this.finish(this.inWork);
    this.#pace.called();
  }

  /** Whether an item can be taken now, passing over nobody. */
  isReady(): boolean {
    return this.#stock.length > 0 && this.#line.length === 0 && this.#host.mayServeAtOnce();
  }

  /** Takes the next item. There must be one. */
  take(): Item {
    const item = this.#takeOne();
    this.#reportTaken();
    return item;
  }

  /** Waits for an item; `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(getter: Getter): void {
    this.#line.push(getter);
    if ((this.#host.atHome || this.#stock.length > 0) && !this.#host.mayServeAtOnce()) this.#pause();
    this.#serve();
  }

  /** The time of a waiter ran out. */
  withdraw(getter: Getter): void {
    this.#line.withdraw(getter);
  }

  /** An item came for that waiter, and perhaps more, ahead. */
  receive(items: readonly Item[], id: number): void {
    for (const item of items) this.#stock.push(item);
    this.#ahead += items.length - 1;
    this.#line.answered(id);
    this.#serve();
  }

  /** Nothing comes for that waiter. */
  fail(id: number, error: Error): void {
    this.#line.fail(id, error);
  }

  /** Others need what came ahead: gives back what no get here waits for. */
  giveBack(): void {
    this.#serveFromStock();
    const count = this.#stock.takeAll().length;
    this.#ahead = 0;
    this.report();
    this.#host.tell({ type: 'back', count });
  }

  /** Nothing can be taken any more. */
  close(error: Error): void {
    this.#stock.takeAll();
    this.#line.failAll(error);
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

  #takeOne(): Item {
    const item = this.#stock.shift();
    this.#ahead = Math.min(this.#ahead, this.#stock.length);
    this.#taken++;
    this.#pace.served();
    return item;
  }

  #reportTaken(): void {
    if (this.#pace.isLeisurely) {
      this.report();
      this.#host.hurry();
    } else {
      this.#reportSoon();
    }
  }

  #reportSoon(): void {
    if (this.#reportsSoon) return;
    this.#reportsSoon = true;
    this.#host.tellSoon(() => this.report());
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
    this.#serveFromStock();
    for (; this.#stock.length > this.#ahead; this.#ahead++) this.#host.tell({ type: 'spare' });
    this.#line.askForAll();
  }

  #serveFromStock(): void {
    if (this.#line.length === 0 || this.#stock.length === 0) return;
    while (this.#line.length > 0 && this.#stock.length > 0) this.#line.shift().settle(this.#takeOne());
    this.#reportTaken();
  }
}
