// Which other processes have a proxy of a dict or a list, or can still get one: for what is kept in it they are those
// who can take it (transport/custody.ts). Used by call.ts.
import { isWithin } from '../base/address.ts';
import type { Death } from '../base/errors.ts';
import { Kept, KEPT_SHAPE } from '../base/kept.ts';
import type { KeptMessage } from '../base/kept.ts';
import { hasShape } from '../base/shape.ts';
import type { Keeper } from '../transport/custody.ts';
import { selfAddress } from '../transport/router.ts';

/** From the process of a proxy: it has none any more. */
export interface Gone {
  readonly type: 'gone';
}

export class Holders {
  readonly #keeper: Keeper;
  readonly #addresses = new Set<string>();
  readonly #kept = new Kept();

  /** @param keeper What the object keeps its values with. */
  constructor(keeper: Keeper) {
    this.#keeper = keeper;
  }

  attached(from: string): void {
    if (from === selfAddress()) return; // It has come home, in a message or the like.
    this.#addresses.add(from);
    this.#changed();
  }

  /** @returns Whether it was a message about who has it. */
  hear(from: string, body: unknown): boolean {
    if (!hasShape<Gone | KeptMessage>(body, { gone: {}, kept: KEPT_SHAPE })) return false;
    if (body.type === 'gone') this.#addresses.delete(from);
    else this.#kept.hear(from, body);
    this.#changed(body.type === 'kept' ? body.death : null);
    return true;
  }

  died(death: Death): void {
    for (const address of this.#addresses) if (isWithin(address, death.address)) this.#addresses.delete(address);
    this.#kept.died(death);
    this.#changed(death);
  }

  #changed(death: Death | null = null): void {
    const isShared = this.#addresses.size > 0 || this.#kept.canBeGot((address) => address === selfAddress());
    this.#keeper.offer(isShared, death);
  }
}
