// How long to wait before the next worker is started: not at all after one crash, longer each time when they go on.
// Used by worker-pool.ts.

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
/** A worker that was ready for less than this, in milliseconds, died young. */
const YOUNG_MS = 250;
/** So many that die young in a row are replaced at once. */
const BAD_LUCK = 3;
const LONGEST_YOUNG_DELAY_MS = 500;
/** After so many failed starts in a row there is no hope that the next one works. */
const HOPELESS = 3;

export class RestartDelay {
  #failures = 0;
  #diedYoung = 0;

  /** A worker became ready. */
  started(): void {
    this.#failures = 0;
  }

  /** A worker ended before it was ready. */
  failed(): void {
    this.#failures++;
  }

  /** A worker that had been ready for `livedMs` milliseconds died. */
  died(livedMs: number): void {
    this.#diedYoung = livedMs < YOUNG_MS ? this.#diedYoung + 1 : 0;
  }

  /** Whether it is no use to try again, if no worker is left. */
  get hopeless(): boolean {
    return this.#failures >= HOPELESS;
  }

  /** Milliseconds to wait before the next start. */
  next(): number {
    if (this.#failures > 0) return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    const excess = this.#diedYoung - BAD_LUCK;
    return excess > 0 ? Math.min(LONGEST_YOUNG_DELAY_MS, FIRST_DELAY_MS * 2 ** (excess - 1)) : 0;
  }
}
