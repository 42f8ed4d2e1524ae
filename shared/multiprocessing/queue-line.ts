// Who waits at one end of a Queue, in the order in which they asked. Used by the two ends of queue-owner.ts.
import { Fifo } from './fifo.ts';
import { isWithin } from './router.ts';

/** A put or a get that waits in the process at `from`. */
export interface Waiter {
  readonly from: string;
  /** It does not wait for long: it is refused as soon as it is clear that it cannot be served. */
  readonly now: boolean;
}

export class Line<W extends Waiter = Waiter> extends Fifo<W> {
  /** The time of one that waits in that process ran out: the last, for the seat there serves the first. */
  withdraw(from: string): void {
    this.removeLast((waiter) => waiter.from === from && !waiter.now);
  }

  /** Those in processes that are dead. */
  removeDead(address: string): void {
    this.removeAll((waiter) => isWithin(waiter.from, address));
  }

  /** @returns The processes of those that do not wait for long, which leave the line. */
  removeImpatient(): string[] {
    return this.length === 0 ? [] : this.removeAll((waiter) => waiter.now).map(({ from }) => from);
  }

  /** Whether any wait in that process. */
  has(from: string): boolean {
    return this.find((waiter) => waiter.from === from) !== undefined;
  }

  /** How many wait in each process. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { from } of this) counts.set(from, (counts.get(from) ?? 0) + 1);
    return counts;
  }
}

/**
 * The messages in the order in which they are to be told: the owner's own process hears at once, and may ask for more
 * before the others have heard; so it comes last.
 */
export function lastFor<T>(self: string, messages: Map<string, T>): [string, T][] {
  return [...messages].sort(([a], [b]) => Number(a === self) - Number(b === self));
}
