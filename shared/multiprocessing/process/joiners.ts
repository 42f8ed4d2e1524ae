// Those who wait for an end that comes once: of a process, of a pool. Used by process.ts and pool.ts.
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { watchWait } from '../base/time-limit.ts';
import type { WaitOptions } from '../base/time-limit.ts';

export class Joiners {
  readonly #waiting = new Set<() => void>();

  /**
   * Waits, and keeps this process running meanwhile: true when the end has come, false when the time was up before.
   * @throws The signal's reason, when that calls the wait off.
   */
  async wait(limits: WaitOptions): Promise<boolean> {
    waitBegins();
    let joined = (): void => {};
    let endWatch = (): void => {};
    try {
      return await new Promise<boolean>((resolve, reject) => {
        joined = () => resolve(true);
        endWatch = watchWait(limits, () => resolve(false), reject);
        this.#waiting.add(joined);
      });
    } finally {
      endWatch();
      this.#waiting.delete(joined);
      waitEnds();
    }
  }

  /** The end has come. */
  release(): void {
    for (const joined of this.#waiting) joined();
  }
}
