// Those who wait for lines to be printed. Only terminal.ts uses it.
import { afterRunning } from '../running-time.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface PendingFlush {
  /** The number of the batch with which all that it waits for is written. */
  readonly batch: number;
  readonly settle: (written: boolean) => void;
}

export class Flushes {
  readonly #waiters = new Set<PendingFlush>();

  get areAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /**
   * Waits for a batch.
   * @param timeoutMs How long, in milliseconds in which this process runs. Without it there is no limit.
   * @returns What it was settled with; false when the time ran out.
   */
  wait(batch: number, timeoutMs: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (written: boolean): void => {
        clearTimeout(hold);
        endLimit();
        this.#waiters.delete(waiter);
        resolve(written);
      };
      const waiter: PendingFlush = { batch, settle };
      // The limit alone keeps no process running, and this one must come to the end of its wait.
      const hold = timeoutMs === undefined ? undefined : setTimeout(() => {}, LONGEST_TIMER_MS);
      const endLimit = timeoutMs === undefined ? () => {} : afterRunning(timeoutMs, () => settle(false));
      this.#waiters.add(waiter);
    });
  }

  /** @param upTo The last batch of which this is so; all, if it is not given. */
  settle(written: boolean, upTo = Infinity): void {
    for (const waiter of [...this.#waiters]) if (waiter.batch <= upTo) waiter.settle(written);
  }
}
