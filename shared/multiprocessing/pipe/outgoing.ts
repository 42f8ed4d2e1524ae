// What leaves one end of a Pipe: at once while the window is open, else when the other end has read. For connection.ts.
import { TimedOut } from '../base/errors.ts';
import { isOpen, minus, NOTHING, plus, plusOne } from './window.ts';
import type { Load } from './window.ts';
import { sizeOf } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import type { WaitOptions } from '../base/time-limit.ts';
import { waitInLine } from '../base/waiter.ts';
import type { Waiter } from '../base/waiter.ts';
import { WaitingLine } from '../base/waiting-line.ts';

export class Outgoing {
  readonly #deliver: (item: Packed) => void;
  readonly #onHeld: (holds: boolean) => void;
  readonly #held = new WaitingLine<Waiter<void>>();
  /** What they wait with: the primitives in a value travel only when it leaves. */
  readonly #values = new WeakMap<Waiter<void>, () => Packed>();
  /** Sent by this end and not read at the other one. */
  #unread: Load = NOTHING;

  /**
   * @param deliver Brings a value to the hub.
   * @param onHeld Hears whether values wait here, when that changes.
   */
  constructor(deliver: (item: Packed) => void, onHeld: (holds: boolean) => void) {
    this.#deliver = deliver;
    this.#onHeld = onHeld;
  }

  /** Whether a value may leave at once. */
  get isOpen(): boolean {
    return this.#held.length === 0 && isOpen(this.#unread);
  }

  /** The value leaves. */
  send(item: Packed): void {
    this.#release(item);
  }

  /**
   * Settles when the value has left. Called off or too late, it stays: nothing has happened to it. @throws {TimedOut}
   */
  async hold(value: () => Packed, limits: WaitOptions): Promise<void> {
    const leave = (waiter: Waiter<void>): boolean => {
      const wasHeld = this.#held.remove(waiter);
      if (wasHeld && this.#held.length === 0) this.#onHeld(false);
      return wasHeld;
    };
    await waitInLine<void>(limits, {
      enter: (waiter) => {
        this.#values.set(waiter, value);
        this.#held.push(waiter);
        this.#onHeld(true);
      },
      leave,
      lapsed: (waiter) => {
        const what = 'the other end of the pipe did not read enough to send more';
        if (leave(waiter)) waiter.reject(new TimedOut(what, limits.timeoutMs));
      },
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
      const waiter = this.#held.shift()!;
      try {
        this.#release(this.#values.get(waiter)!());
        waiter.resolve();
      } catch (error) {
        waiter.reject(error as Error); // What travels in it was closed or passed on meanwhile.
      }
    }
    if (this.#held.length === 0) this.#onHeld(false);
  }

  #release(item: Packed): void {
    const before = this.#unread;
    this.#unread = plusOne(before, sizeOf(item));
    try {
      this.#deliver(item);
    } catch (error) {
      this.#unread = before; // It was too large to be sent, and has not left.
      throw error;
    }
  }
}
