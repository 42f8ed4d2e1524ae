// What leaves one end of a Pipe: at once while the window is open, else when the other end has read. For connection.ts.
import { Fifo } from './fifo.ts';
import { isOpen, minus, NOTHING, plus, plusOne } from './pipe-window.ts';
import type { Load } from './pipe-window.ts';
import { sizeOf } from './queue-item.ts';
import type { Item } from './queue-item.ts';
import { waitInLine } from './waiter.ts';
import type { Waiter } from './waiter.ts';

interface Held extends Waiter<void> {
  readonly item: Item;
}

export class Outgoing {
  readonly #deliver: (item: Item) => void;
  readonly #onHeld: (holds: boolean) => void;
  readonly #held = new Fifo<Held>();
  /** Sent by this end and not read at the other one. */
  #unread: Load = NOTHING;

  /**
   * @param deliver Brings a value to the hub.
   * @param onHeld Hears whether values wait here, when that changes.
   */
  constructor(deliver: (item: Item) => void, onHeld: (holds: boolean) => void) {
    this.#deliver = deliver;
    this.#onHeld = onHeld;
  }

  /** Settles when the value has left. */
  async send(item: Item): Promise<void> {
    if (this.#held.length === 0 && isOpen(this.#unread)) {
      this.#release(item);
      return;
    }
    await waitInLine<void>((waiter) => {
      this.#held.push({ ...waiter, item });
      this.#onHeld(true);
    });
  }

  /** The end is new here: nothing was sent from here. */
  reset(): void {
    this.#unread = NOTHING;
  }

  /** So much had been sent from elsewhere. */
  charge(load: Load): void {
    this.#unread = plus(this.#unread, load);
  }

  /** So much was read. */
  credit(load: Load): void {
    this.#unread = minus(this.#unread, load);
    this.#releaseWhile(() => isOpen(this.#unread));
  }

  /** All that is held leaves, whatever the window says: the end goes, and nothing may stay behind. */
  releaseAll(): void {
    this.#releaseWhile(() => true);
  }

  /** Nothing can be sent any more. */
  fail(error: Error): void {
    for (const { reject } of this.#held.takeAll()) reject(error);
    this.#onHeld(false);
  }

  #releaseWhile(goesOn: () => boolean): void {
    if (this.#held.length === 0) return;
    while (this.#held.length > 0 && goesOn()) {
      const { item, resolve } = this.#held.shift()!;
      this.#release(item);
      resolve();
    }
    if (this.#held.length === 0) this.#onHeld(false);
  }

  #release(item: Item): void {
    this.#unread = plusOne(this.#unread, sizeOf(item));
    this.#deliver(item);
  }
}
