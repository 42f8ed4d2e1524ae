// When the next worker is started: at once after one crash, later each time when they go on.
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
  /** The next start, which is waited for. */
  #timer: NodeJS.Timeout | undefined;
  #startsAt = 0;

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

  /** One that had been ready for so long left as it was to. */
  left(livedMs: number): void {
    if (livedMs >= YOUNG_MS) this.#diedYoung = 0;
  }

  /** Whether the last start has failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Whether it is no use to try again, if no worker is left. */
  get hopeless(): boolean {
    return this.#failures >= HOPELESS;
  }

  /** Calls `start` when its time has come, which may be now; but not while one is waited for. */
  wait(start: () => void): void {
    if (this.#timer !== undefined) return;
    const delayMs = this.next();
    if (delayMs === 0) return start();
    this.#startsAt = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      start();
    }, delayMs);
  }

  /** Nothing is to be started. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** In so many milliseconds the next one is started: also for one more that could not be, meanwhile. */
  get waitMs(): number {
    return this.#timer === undefined ? this.next() : Math.max(0, Math.round(this.#startsAt - performance.now()));
  }

  /** Milliseconds to wait before the next start. */
  next(): number {
    if (this.#failures > 0) return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failures - 1));
    const excess = this.#diedYoung - BAD_LUCK;
    return excess > 0 ? Math.min(LONGEST_YOUNG_DELAY_MS, FIRST_DELAY_MS * 2 ** (excess - 1)) : 0;
  }
}
