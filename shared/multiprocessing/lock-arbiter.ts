// The arbiter of one Lock: who has the token, and who gets it next. Lives in the process that made the lock, which hears
// when any of the others dies; that is why no lock file can go stale here and no holder's death can block the rest.
import type { Death } from './errors.ts';
import type { Endpoint } from './router.ts';
import * as router from './router.ts';

/** From a process that has a seat at the lock. */
export type ToArbiter =
  | { readonly type: 'ask'; readonly attempt: boolean } // One more of mine wants it; an attempt does not wait.
  | { readonly type: 'withdraw' } // The time of one of mine ran out.
  | { readonly type: 'return' } // The token comes back.
  | { readonly type: 'busy' }; // It was asked for by an attempt, and is held.

/** To such a process. `turns`: how many of those who asked there are served before the next process. */
export type FromArbiter =
  | { readonly type: 'grant'; readonly turns: number; readonly recalled: boolean; readonly abandonedBy: Death | undefined }
  | { readonly type: 'turns'; readonly turns: number }
  | { readonly type: 'recall' } // Somebody else waits.
  | { readonly type: 'attempt' } // Somebody else would like it if it is free.
  | { readonly type: 'refuse' }; // The attempt failed.

interface Entry {
  readonly from: string;
  readonly attempt: boolean;
}

export class LockArbiter implements Endpoint {
  readonly #ref: string;
  readonly #tellMaker: (message: FromArbiter) => void;
  /** Where the token is. It starts with the process that made the lock. */
  #holder: string | undefined = router.selfAddress();
  #recalled = false;
  #line: Entry[] = [];
  #abandonedBy: Death | undefined;

  /** @param tellMaker Reaches the seat of this very process. */
  constructor(ref: string, tellMaker: (message: FromArbiter) => void) {
    this.#ref = ref;
    this.#tellMaker = tellMaker;
  }

  receive(from: string, body: unknown): void {
    const message = body as ToArbiter;
    switch (message.type) {
      case 'ask':
        this.#ask(from, message.attempt);
        break;
      case 'withdraw': {
        const i = this.#line.findLastIndex((entry) => entry.from === from && !entry.attempt);
        if (i !== -1) this.#line.splice(i, 1);
        break;
      }
      case 'return':
        if (this.#holder === from) this.#free();
        break;
      case 'busy':
        for (const entry of this.#line) if (entry.attempt) this.#tell(entry.from, { type: 'refuse' });
        this.#line = this.#line.filter((entry) => !entry.attempt);
        break;
    }
  }

  died(death: Death): void {
    this.#line = this.#line.filter((entry) => !router.isWithin(entry.from, death.address));
    if (this.#holder === undefined || !router.isWithin(this.#holder, death.address)) return;
    this.#abandonedBy = death;
    this.#free();
  }

  #ask(from: string, attempt: boolean): void {
    if (this.#holder === undefined) {
      this.#line.push({ from, attempt });
      this.#free();
    } else if (attempt && (this.#line.length > 0 || this.#holder === from)) {
      this.#tell(from, { type: 'refuse' });
    } else if (this.#holder === from && this.#line.length === 0) {
      this.#tell(from, { type: 'turns', turns: 1 });
    } else {
      this.#line.push({ from, attempt });
      if (attempt) this.#tell(this.#holder, { type: 'attempt' });
      else this.#recall();
    }
  }

  #recall(): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#tell(this.#holder!, { type: 'recall' });
  }

  /** The token is here: it goes to the first in the line, with a turn for each of its waiters up to the next process. */
  #free(): void {
    this.#holder = undefined;
    this.#recalled = false;
    const next = this.#line[0]?.from;
    if (next === undefined) return;
    const after = this.#line.findIndex((entry) => entry.from !== next);
    const turns = after === -1 ? this.#line.length : after;
    this.#line.splice(0, turns);
    this.#holder = next;
    this.#recalled = this.#line.length > 0;
    this.#tell(next, { type: 'grant', turns, recalled: this.#recalled, abandonedBy: this.#abandonedBy });
    this.#abandonedBy = undefined;
  }

  #tell(to: string, message: FromArbiter): void {
    if (to === router.selfAddress()) this.#tellMaker(message);
    else router.post(to, this.#ref, message);
  }
}
