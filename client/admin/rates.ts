// How much each worker did in the last seconds. Pure. Used by top.ts.
import type { Status } from '../../shared/status/status.ts';

/** So many are kept, one a second. */
export const RATES_KEPT = 20;

export class Rates {
  /** By slot: a worker's successor goes on where it was. */
  readonly #rates = new Map<number, number[]>();

  /** Notes what the workers do now; those that are gone are forgotten. */
  note({ workers }: Status): void {
    for (const slot of this.#rates.keys()) {
      if (!workers.some((worker) => worker.slot === slot)) this.#rates.delete(slot);
    }
    for (const { slot, messagesPerSecond } of workers) {
      const before = this.#rates.get(slot) ?? [];
      this.#rates.set(slot, [...before, messagesPerSecond].slice(-RATES_KEPT));
    }
  }

  /** Messages a second of that worker, the last one at the end. */
  of(slot: number): readonly number[] {
    return this.#rates.get(slot) ?? [];
  }

  /** The most that any worker did. */
  get most(): number {
    return Math.max(0, ...[...this.#rates.values()].map((rates) => Math.max(0, ...rates)));
  }
}
