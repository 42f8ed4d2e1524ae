// The arbiter of one Lock: who has the token, and who gets it next. Lives in the process that made the lock, which
// hears when any of the others dies; so no lock file can go stale here and no holder's death can block the rest.
// Pure: it is told what came and tells what to send. lock.ts connects it, the model test drives it without processes.
import type { Death } from './errors.ts';
import { isWithin } from './router.ts';

/** From a process's seat at the lock. `id`: counts the asks of that seat, upwards. */
export type ToArbiter =
  | { readonly type: 'ask'; readonly id: number; readonly attempt: boolean } // An attempt does not wait.
  | { readonly type: 'withdraw'; readonly id: number } // Its time ran out.
  // The token comes back. `abandonedBy`: what came with it, if nobody there has held it since and learned of it.
  | { readonly type: 'return'; readonly abandonedBy: Death | null }
  | { readonly type: 'busy' }; // An attempt asked for the token, and it is held.

/** The token, and with it the turn of every ask of that seat up to that number. */
interface Grant {
  readonly type: 'grant';
  readonly upTo: number;
  /** Somebody else waits already. */
  readonly recalled: boolean;
  /** Who died with the token before. Not undefined, for then the message would not be small plain data (wire.ts). */
  readonly abandonedBy: Death | null;
}

/** To such a seat. */
export type FromArbiter =
  | Grant
  | { readonly type: 'recall' } // Somebody else waits.
  | { readonly type: 'attempt' } // Somebody else would like it if it is free.
  | { readonly type: 'refuse'; readonly id: number }; // The attempt failed.

interface Entry {
  readonly from: string;
  readonly id: number;
  readonly attempt: boolean;
}

export class LockArbiter {
  readonly #maker: string;
  readonly #tell: (to: string, message: FromArbiter) => void;
  /** Where the token is; undefined: here, which is only so while nobody asks. */
  #holder: string | undefined;
  #recalled = false;
  #line: Entry[] = [];
  #abandonedBy: Death | null = null;

  /** Whether all is as it was when the lock was made: then a new arbiter in its place would do as well. */
  get isAsNew(): boolean {
    const isHome = this.#holder === undefined || this.#holder === this.#maker;
    return isHome && this.#line.length === 0 && this.#abandonedBy === null;
  }

  /** @param maker The address of the process that made the lock: the token starts there. */
  constructor(maker: string, tell: (to: string, message: FromArbiter) => void) {
    this.#maker = maker;
    this.#holder = maker;
    this.#tell = tell;
  }

  receive(from: string, message: ToArbiter): void {
    switch (message.type) {
      case 'ask':
        this.#ask({ from, id: message.id, attempt: message.attempt });
        break;
      case 'withdraw':
        this.#line = this.#line.filter((entry) => entry.from !== from || entry.id !== message.id);
        break;
      case 'return':
        if (this.#holder !== from) break;
        this.#abandonedBy = message.abandonedBy;
        this.#grantNext();
        break;
      case 'busy': {
        const attempts = this.#line.filter((entry) => entry.attempt);
        this.#line = this.#line.filter((entry) => !entry.attempt);
        for (const { from: asker, id } of attempts) this.#tell(asker, { type: 'refuse', id });
        break;
      }
    }
  }

  /** With a process, all that it started counts as dead, although one of these may run on for a moment. */
  died(death: Death): void {
    this.#line = this.#line.filter((entry) => !isWithin(entry.from, death.address));
    if (this.#holder === undefined || !isWithin(this.#holder, death.address)) return;
    this.#abandonedBy = death;
    this.#grantNext();
  }

  #ask(entry: Entry): void {
    const holder = this.#holder;
    if (holder === undefined) {
      this.#line.push(entry);
      this.#grantNext();
    } else if (!entry.attempt) {
      // Even when the token is at that very seat: it may be on its way back already, so this turn needs its own grant.
      this.#line.push(entry);
      this.#recall(holder);
    } else if (holder === entry.from || this.#line.length > 0) {
      this.#tell(entry.from, { type: 'refuse', id: entry.id });
    } else {
      this.#line.push(entry);
      this.#tell(holder, { type: 'attempt' });
    }
  }

  #recall(holder: string): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#tell(holder, { type: 'recall' });
  }

  /** The token is here: it goes to the first in the line, with the turns of all who follow it from the same seat. */
  #grantNext(): void {
    const next = this.#line[0]?.from;
    this.#holder = next;
    this.#recalled = false;
    if (next === undefined) return;
    const others = this.#line.findIndex((entry) => entry.from !== next);
    const served = this.#line.splice(0, others === -1 ? this.#line.length : others);
    this.#recalled = this.#line.length > 0;
    const abandonedBy = this.#abandonedBy;
    this.#abandonedBy = null;
    this.#tell(next, { type: 'grant', upTo: served.at(-1)!.id, recalled: this.#recalled, abandonedBy });
  }
}
