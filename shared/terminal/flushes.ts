// The calls of flush() that wait until their lines are printed. Only terminal.ts uses it.
import { afterRunning } from '../running-time.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface PendingFlush {
  /** The number of the batch with which all that it waits for is written. */
  readonly batch: number;
  readonly settle: (written: boolean) => void;
}

export class Flushes {
  readonly #pending = new Set<PendingFlush>();

  get areAwaited(): boolean {
    return this.#pending.size > 0;
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
        this.#pending.delete(flush);
        resolve(written);
      };
      const flush: PendingFlush = { batch, settle };
      // The limit alone keeps no process running, and this one is to wait until its end.
      const hold = timeoutMs === undefined ? undefined : setTimeout(() => {}, LONGEST_TIMER_MS);
      const endLimit = timeoutMs === undefined ? () => {} : afterRunning(timeoutMs, () => settle(false));
      this.#pending.add(flush);
    });
  }

  /** @param written Whether they are written. @param upTo The last batch of which this is so. Default: all. */
  settle(written: boolean, upTo = Infinity): void {
    for (const flush of [...this.#pending]) if (flush.batch <= upTo) flush.settle(written);
  }
}
