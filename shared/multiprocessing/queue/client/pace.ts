// Whether a process takes its time between two puts, or two items that are done. What a hurried one does travels with what it does
// next, which costs least; what a leisurely one does leaves at once, for its event loop may not turn again for long.
// Used by queue-puts.ts and queue-client.ts.

/** From this on it is leisure, in milliseconds: then a message more does not matter. */
const LEISURE_MS = 1;

export class Pace {
  readonly #now: () => number;
  #servedAt = -Infinity;
  #isLeisurely = true;

  /** @param now A clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isLeisurely(): boolean {
    return this.#isLeisurely;
  }

  /** The process comes back. */
  called(): void {
    this.#isLeisurely = this.#now() - this.#servedAt >= LEISURE_MS;
  }

  /** The process goes on. */
  served(): void {
    this.#servedAt = this.#now();
  }
}
