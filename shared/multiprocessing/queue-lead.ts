// How far ahead of its asking a process is served at one end of a Queue: a message for each item would be slow, and
// what lies unused in one process is missing in the others. Used by the two ends of queue-owner.ts.

/** The most that is sent ahead: one message's worth. */
const MOST = 512;

/** One process's lead: it starts at nothing, and doubles with every quick return. */
export class Lead {
  #length = 0;
  #servedAt = -Infinity;

  /** How many more than it asked for the process may be given. */
  get length(): number {
    return this.#length;
  }

  /** The process asks, having used up what it was sent before. It is slow if that took longer than `slowMs`. */
  asked(now: number, slowMs: number): void {
    this.#length = now - this.#servedAt > slowMs ? 0 : Math.min(MOST, Math.max(1, this.#length * 2));
    this.#servedAt = now;
  }

  /** It is served now. */
  served(now: number): void {
    this.#servedAt = now;
  }

  /** It did not use all that it was given, or others need it more. */
  end(): void {
    this.#length = 0;
  }
}
