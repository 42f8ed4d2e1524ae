// How long to wait before the next worker is started: not at all after one crash, longer and longer when it does not help.

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
/** A worker that lived for less than this, in milliseconds, after it was ready died young. */
const YOUNG_MS = 250;
/** Deaths of the young in a row that are taken for bad luck. */
const BAD_LUCK = 3;
const LONGEST_YOUNG_DELAY_MS = 500;
/** Starts that failed in a row, after which there is no hope of another outcome. */
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
