// Whether what a process puts, or says of items that are done, is flushed at once. Where one follows the other it
// travels with the next, which costs least; after an idle moment it leaves at once, as the event loop may not turn
// again for long. Used by puts.ts and client.ts.

/** From this on a pause is an idle moment, in milliseconds: then a message more does not matter. */
const IDLE_MS = 1;

export class IdleFlush {
  readonly #now: () => number;
  #servedAt = -Infinity;
  #isIdle = true;

  /** @param now A clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** The process comes back. */
  called(): void {
    this.#isIdle = this.#now() - this.#servedAt >= IDLE_MS;
  }

  /** The process goes on. */
  served(): void {
    this.#servedAt = this.#now();
  }
}
