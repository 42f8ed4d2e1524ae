// The putting half of a process's client of a Queue. Pure, as gets.ts. Used by client.ts.
//
// Into a bounded queue each put is asked for, with its item: only the owner knows whether there is a place. An
// unbounded one has a place always, so that its puts need no answer; but while too much is on its way, they wait here.
import { Fifo } from '../../base/fifo.ts';
import type { ClientHost } from './host.ts';
import type { Packed } from '../../values/packed.ts';
import { sizeOf } from '../../values/packed.ts';
import { IdleFlush } from './idle-flush.ts';

/**
 * While so much is on its way to an unbounded queue, in items or bytes, puts wait. The item that reaches the limit
 * goes.
 */
const MOST_ON_THE_WAY = 1024;
const MOST_BYTES_ON_THE_WAY = 1024 * 1024;

/** A put that waits. */
export interface Putter {
  readonly item: Packed;
  /** It is refused as soon as it is clear that there is no place. */
  readonly now: boolean;
  readonly settle: () => void;
  /** It is not in the queue. */
  readonly fail: (error: Error) => void;
  /** This process need not wait for it any longer. */
  readonly release: () => void;
  /** The owner's name for it. */
  id?: number;
}

export interface Puts {
  /** Whether nobody waits, and all is told. */
  readonly isIdle: boolean;
  /** Puts an item if that can be done without asking. @returns Whether it could. */
  put(item: Packed): boolean;
  /** Waits for a place; `settle` or `fail` is called once, possibly at once. */
  wait(putter: Putter): void;
  /**
   * A put does not want to wait any longer. Unless it is settled already, `fail` is called, as soon as that is certain.
   */
  withdraw(putter: Putter): void;
  /** Nothing can be put any more. */
  close(error: Error): void;
  /** The process ends, or its target has: what waits is put without it. */
  leave(): void;
  /** Tells what was put. */
  send(): void;
}

export class BoundedPuts implements Puts {
  readonly #host: ClientHost;
  readonly #idleFlush: IdleFlush;
  readonly #waiting = new Map<number, Putter>();
  #lastId = 0;

  constructor(host: ClientHost) {
    this.#host = host;
    this.#idleFlush = new IdleFlush(host.now);
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  put(_item: Packed): boolean {
    return false;
  }

  wait(putter: Putter): void {
    const id = ++this.#lastId;
    putter.id = id;
    this.#waiting.set(id, putter);
    this.#idleFlush.called();
    this.#host.tell({ type: 'put', id, now: putter.now, item: putter.item });
    if (this.#idleFlush.isIdle) this.#host.flush();
    this.#idleFlush.served();
  }

  withdraw({ id }: Putter): void {
    if (this.#waiting.has(id!)) this.#host.tell({ type: 'withdraw put', id: id! });
  }

  accepted(id: number): void {
    this.#take(id)?.settle();
  }

  refused(id: number, error: Error): void {
    this.#take(id)?.fail(error);
  }

  close(error: Error): void {
    for (const id of [...this.#waiting.keys()]) this.refused(id, error);
  }

  leave(): void {
    for (const { release } of this.#waiting.values()) release();
  }

  send(): void {}

  #take(id: number): Putter | undefined {
    const putter = this.#waiting.get(id);
    this.#waiting.delete(id);
    return putter;
  }
}

export class UnboundedPuts implements Puts {
  readonly #host: ClientHost;
  readonly #idleFlush: IdleFlush;
  readonly #refusal: () => Error;
  /** These wait until less is on its way. */
  readonly #waiting = new Set<Putter>();
  #outgoing: Packed[] = [];
  #outgoingBytes = 0;
  #sendsSoon = false;
  /** Each message that the owner has not acknowledged, and their sums. */
  readonly #onTheWay = new Fifo<{ readonly count: number; readonly bytes: number }>();
  #countOnTheWay = 0;
  #bytesOnTheWay = 0;
  /** Whether the owner has been heard, so that the queue was not closed before this process came to it. */
  #isWelcome: boolean;

  /** @param refusal The error for a put that does not want to wait any longer. */
  constructor(host: ClientHost, refusal: () => Error) {
    this.#host = host;
    this.#idleFlush = new IdleFlush(host.now);
    this.#refusal = refusal;
    this.#isWelcome = host.atHome;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#outgoing.length === 0 && !this.#sendsSoon;
  }

  put(item: Packed): boolean {
    if (!this.#host.isAboutToEnd() && (this.#waiting.size > 0 || !this.#hasRoom())) return false;
    this.#idleFlush.called();
    this.#putOne(item);
    const { isIdle } = this.#idleFlush;
    if (isIdle || this.#host.atHome) this.send();
    else this.#sendSoon();
    if (isIdle) this.#host.flush();
    this.#idleFlush.served();
    return true;
  }

  wait(putter: Putter): void {
    this.#waiting.add(putter);
  }

  withdraw(putter: Putter): void {
    if (this.#waiting.delete(putter)) putter.fail(this.#refusal());
  }

  /** So many more are in the queue; none says that this process may begin. */
  arrived(count: number): void {
    this.#isWelcome = true;
    for (let left = count; left > 0;) {
      const message = this.#onTheWay.shift();
      if (message === undefined) break;
      left -= message.count;
      this.#countOnTheWay -= message.count;
      this.#bytesOnTheWay -= message.bytes;
    }
    this.#putWaiting(() => this.#hasRoom());
  }

  close(error: Error): void {
    this.send();
    for (const putter of this.#waiting) {
      this.#waiting.delete(putter);
      putter.fail(error);
    }
  }

  leave(): void {
    this.#putWaiting(() => true);
    this.send();
  }

  send(): void {
    this.#sendsSoon = false;
    if (this.#outgoing.length === 0) return;
    const items = this.#outgoing;
    const bytes = this.#outgoingBytes;
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    if (!this.#host.atHome) {
      this.#onTheWay.push({ count: items.length, bytes });
      this.#countOnTheWay += items.length;
      this.#bytesOnTheWay += bytes;
    }
    this.#host.tell({ type: 'puts', items });
  }

  #hasRoom(): boolean {
    return this.#isWelcome && this.#countOnTheWay + this.#outgoing.length < MOST_ON_THE_WAY
      && this.#bytesOnTheWay + this.#outgoingBytes < MOST_BYTES_ON_THE_WAY;
  }

  #putWaiting(hasRoom: () => boolean): void {
    for (const putter of this.#waiting) {
      if (!hasRoom()) break;
      this.#waiting.delete(putter);
      this.#putOne(putter.item);
      putter.settle();
    }
    if (this.#outgoing.length > 0) this.#sendSoon();
  }

  #putOne(item: Packed): void {
    this.#outgoing.push(item);
    this.#outgoingBytes += sizeOf(item);
  }

  #sendSoon(): void {
    if (this.#sendsSoon) return;
    this.#sendsSoon = true;
    this.#host.tellSoon(() => this.send());
  }
}
