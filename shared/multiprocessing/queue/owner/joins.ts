// Who waits for the end of work at a JoinableQueue. Part of owner.ts.
import { isWithin } from '../../base/address.ts';
import type { Death } from '../../base/errors.ts';
import type { OwnerHost } from './host.ts';

interface Join {
  readonly from: string;
  readonly id: number;
}

export class Joins {
  readonly #host: OwnerHost;
  /** Each under its address and id. */
  readonly #waiting = new Map<string, Join>();

  constructor(host: OwnerHost) {
    this.#host = host;
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** The processes that wait. */
  get addresses(): Set<string> {
    return new Set([...this.#waiting.values()].map(({ from }) => from));
  }

  add(from: string, id: number): void {
    this.#waiting.set(`${from} ${id}`, { from, id });
  }

  /**
   * One does not wait any longer. Nothing happens if it was answered.
   * @param unfinished How many items are not done.
   */
  withdraw(from: string, id: number, unfinished: number): void {
    if (this.#waiting.delete(`${from} ${id}`)) this.#host.tell(from, { type: 'answer', id, value: unfinished });
  }

  /** All are answered. @param death Because of which nobody is left who does the rest; undefined: all is done. */
  end(unfinished: number, death?: Death): void {
    for (const [key, { from, id }] of this.#waiting) {
      this.#waiting.delete(key);
      if (death === undefined) this.#host.tell(from, { type: 'answer', id, value: unfinished });
      else this.#host.tell(from, { type: 'abandoned', id, unfinished, death });
    }
  }

  died(death: Death): void {
    for (const [key, { from }] of this.#waiting) if (isWithin(from, death.address)) this.#waiting.delete(key);
  }
}
