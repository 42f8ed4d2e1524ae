// Those who wait for lines to be printed. Only terminal.ts uses it.

interface Waiter {
  /** The number of the batch with which all that it waits for is written. */
  readonly batch: number;
  readonly settle: (written: boolean) => void;
}

export class Flushes {
  readonly #waiters = new Set<Waiter>();

  get areAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /**
   * Waits for a batch.
   * @param timeoutMs How long, in milliseconds. Without it there is no limit.
   * @returns What it was settled with; false when the time ran out.
   */
  wait(batch: number, timeoutMs: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (written: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(written);
      };
      const waiter: Waiter = { batch, settle };
      const timer = timeoutMs === undefined ? undefined : setTimeout(settle, timeoutMs, false);
      this.#waiters.add(waiter);
    });
  }

  /** @param upTo The last batch of which this is so; all, if it is not given. */
  settle(written: boolean, upTo = Infinity): void {
    for (const waiter of [...this.#waiters]) if (waiter.batch <= upTo) waiter.settle(written);
  }
}
