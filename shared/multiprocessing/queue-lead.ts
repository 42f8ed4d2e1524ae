// How far ahead of its asking a process is served at one end of a Queue: a message for each item would be slow, and
// what lies unused in one process is missing in the others. Used by the two ends of queue-owner.ts.

/** The most that is sent ahead: one message's worth. */
const MOST = 512;
/** Who comes back later than this, in milliseconds, is slow: what it has in advance, others may have to wait for. */
const SLOW_MS = 10;

/**
 * The lead of whoever has been the only one to ask for a while: it starts at nothing, and doubles with every quick
 * return. Only one process at a time has a lead.
 */
export class Lead {
  #whose: string | undefined;
  #length = 0;
  #servedAt = 0;

  /** That process asks, having used up what it was sent before. */
  asked(who: string, now: number): void {
    if (who !== this.#whose || now - this.#servedAt > SLOW_MS) this.#length = 0;
    else this.#length = Math.min(MOST, Math.max(1, this.#length * 2));
    this.#whose = who;
    this.#servedAt = now;
  }

  /** That process is served now. */
  served(who: string, now: number): void {
    if (who === this.#whose) this.#servedAt = now;
  }

  /** It did not use all that it was given. */
  tooLong(who: string): void {
    if (who === this.#whose) this.#length = 0;
  }

  /** How many more than it asked for that process may be given. */
  of(who: string): number {
    return who === this.#whose ? this.#length : 0;
  }
}
