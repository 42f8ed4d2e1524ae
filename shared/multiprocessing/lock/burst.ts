// For how long a client keeps the token of its Lock between a release and the next take: only in a burst, of which a
// message a take would be most of the cost, and only until what runs now is done. Used by lock-client.ts.

/** For this long a process may take the token again although others wait, in milliseconds: a message a take is slow. */
export const SLICE_MS = 2;
/**
 * A take, its release, and the pause before them are quick if they last no longer than this together, in milliseconds.
 */
export const QUICK_MS = 1;
/** After so many quick ones in a row it is a burst. Two or three may be chance, with long work behind them. */
export const BURST = 4;
/**
 * After so many it was a long one: where it is interrupted, that was the system's doing, and the next quick one goes on
 * with it.
 */
const LONG_BURST = 64;
/** To look at the clock takes as long as the lock: whose last take was quicker than this, in milliseconds, ... */
const VERY_QUICK_MS = 0.02;
/** ... may take it so many times more before the next look. */
const TAKES_UNSEEN = 3;

export interface BurstHost {
  /** A clock, in milliseconds. */
  now(): number;
  /** Calls `work` when the event loop turns, and messages may have come in. */
  nextTurn(work: () => void): void;
}

export class LockBurst {
  readonly #host: BurstHost;
  /** When the lock was first taken in this turn of the event loop; undefined: not yet. */
  #turnSince: number | undefined;
  /** When a take that is measured began: the release before it, or when it was served. */
  #lookedAt = -Infinity;
  #quickOnes = 0;
  #unseen = 0;

  constructor(host: BurstHost) {
    this.#host = host;
  }

  /** Whether a token that lies here may be taken now. If not, others must be heard first, or get it. */
  mayTake(recalledAt: number | undefined): boolean {
    if (recalledAt !== undefined) {
      this.#unseen = 0;
      return this.#host.now() - recalledAt < SLICE_MS;
    }
    if (this.#turnSince !== undefined) return this.#lookedAt - this.#turnSince < SLICE_MS;
    // A loop of acquire and release might never let the event loop turn, and then no recall would be heard.
    this.#turnSince = this.asked();
    this.#lookedAt = this.#turnSince;
    this.#host.nextTurn(() => {
      this.#turnSince = undefined;
      this.#unseen = 0;
    });
    return true;
  }

  /**
   * Somebody wants the lock, and may have to wait: what others do with it meanwhile is not his pause. @returns The
   * time.
   */
  asked(): number {
    const now = this.#host.now();
    if (now - this.#lookedAt >= QUICK_MS) this.#slow();
    return now;
  }

  /** Somebody who asked has it now. */
  served(): void {
    this.#lookedAt = this.#host.now();
    this.#unseen = 0;
  }

  /** The lock is let go. @returns Whether it was one of a burst. */
  released(): boolean {
    if (this.#unseen > 0) {
      this.#unseen--;
      this.#quickOnes++;
      return true;
    }
    const now = this.#host.now();
    const took = now - this.#lookedAt;
    this.#lookedAt = now;
    if (took < QUICK_MS) this.#quickOnes++;
    else this.#slow();
    const isBurst = this.#quickOnes > BURST;
    if (isBurst && took < VERY_QUICK_MS) this.#unseen = TAKES_UNSEEN;
    return isBurst;
  }

  #slow(): void {
    this.#quickOnes = this.#quickOnes > LONG_BURST ? BURST : 0;
  }
}
