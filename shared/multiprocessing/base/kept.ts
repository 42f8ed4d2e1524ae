// Where a primitive waits in values that nobody has taken yet: in the item of a queue, the task of a pool, the unread
// value of a pipe, a dict or a list. Who keeps such a value tells the primitive's owner (transport/custody.ts): a
// process that has nothing of the primitive now can still get it from there.
import { isWithin } from './address.ts';
import type { Death } from './errors.ts';
import { isDeathOrNull } from './shape.ts';

/**
 * So many more values are kept in this process that have the primitive in them, and so many more of all of these can be
 * taken by another process than this one; if they are fewer because a process has died, with that death. Not
 * undefined, as then it would travel as a clone.
 */
export interface KeptMessage {
  readonly type: 'kept';
  readonly more: number;
  readonly offered: number;
  readonly death: Death | null;
}

export const KEPT_SHAPE = { more: Number.isSafeInteger, offered: Number.isSafeInteger, death: isDeathOrNull };

/** What the owner of the primitive knows of that. */
export class Kept {
  readonly #by = new Map<string, { readonly count: number; readonly offered: number }>();

  /** Whether another process than these can get it: one that keeps some itself, or takes from one that does. */
  canBeGot(besides: (address: string) => boolean): boolean {
    for (const [address, { offered }] of this.#by) if (offered > 0 || !besides(address)) return true;
    return false;
  }

  /** Whether that process keeps some. */
  isBy(address: string): boolean {
    return this.#by.has(address);
  }

  hear(from: string, { more, offered }: KeptMessage): void {
    const before = this.#by.get(from) ?? { count: 0, offered: 0 };
    const count = before.count + more;
    if (count > 0) this.#by.set(from, { count, offered: before.offered + offered });
    else this.#by.delete(from);
  }

  /** A process is dead, and all below it. @returns Whether one of these kept some. */
  died(death: Death): boolean {
    const dead = [...this.#by.keys()].filter((address) => isWithin(address, death.address));
    for (const address of dead) this.#by.delete(address);
    return dead.length > 0;
  }
}
