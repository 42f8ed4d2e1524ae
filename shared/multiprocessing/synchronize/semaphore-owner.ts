// The owner of a Semaphore: how many permits are free, how many each process holds, and who gets the next one. What a
// process held when it died is free again, and whoever gets it next learns of that.
import { isWithin } from '../base/address.ts';
import type { Death } from '../base/errors.ts';
import { Owner } from './owner.ts';
import type { OwnerHost } from './owner.ts';

export type SemaphoreAsk = 'acquire' | 'release' | 'value';

/** What a process holds. */
interface Holding {
  count: number;
  /** What was granted to it, and it may not have heard of yet: the asks, and who died with that permit before. */
  readonly unheard: { readonly id: number; readonly abandonedBy: Death | null }[];
}

export class SemaphoreOwner extends Owner {
  readonly #initial: number;
  readonly #bounded: boolean;
  #free: number;
  /** The processes that hold permits, or may not have heard of what they got, from the one that began to first. */
  readonly #held = new Map<string, Holding>();
  /** Who died with permits that are free now, in that order. */
  readonly #abandoned: Death[] = [];

  /** @param bounded Never more permits than at first. @param state As `state` of one that was forgotten. */
  constructor(host: OwnerHost, initial: number, bounded: boolean, state?: number) {
    super(host);
    this.#initial = initial;
    this.#bounded = bounded;
    this.#free = state ?? initial;
  }

  get state(): number | undefined {
    return this.#free === this.#initial ? undefined : this.#free;
  }

  override describe(): { readonly value: number; readonly waiting: number } {
    return { value: this.#free, waiting: this.line.length };
  }

  protected override asked(from: string, id: number, what: string): void {
    switch (what as SemaphoreAsk) {
      case 'acquire':
        this.wait(from, id);
        this.#serve();
        break;
      case 'release':
        if (this.#takeFrom(from) || !this.#bounded) {
          this.answer({ from, id }, true);
          this.#free++;
          this.#serve();
        } else {
          const why = `${this.nameOf(from)} cannot release a permit: all ${this.#initial} are free`;
          this.refuse({ from, id }, { error: 'wrong', why, death: null });
        }
        break;
      case 'value':
        this.answer({ from, id }, this.#free);
        break;
    }
  }

  protected override hasHeard(from: string, id: number): void {
    const unheard = this.#held.get(from)?.unheard;
    while (unheard !== undefined && unheard.length > 0 && unheard[0]!.id <= id) unheard.shift();
    this.#forgetIfNothing(from);
  }

  /** The permit was never used: it is free as if that one had not asked, however long its process is busy. */
  protected override undo(from: string, id: number): void {
    const holding = this.#held.get(from);
    const index = holding?.unheard.findIndex((grant) => grant.id === id) ?? -1;
    if (index === -1) return;
    const [grant] = holding!.unheard.splice(index, 1);
    // Another may have released it meanwhile, in place of one that is still held; or it had one too many.
    if (!this.#takeFrom(from) && this.#bounded) return this.#forgetIfNothing(from);
    if (grant!.abandonedBy !== null) this.#abandoned.unshift(grant!.abandonedBy);
    this.#free++;
    this.#serve();
  }

  protected override lost(death: Death): void {
    for (const [address, { count }] of this.#held) {
      if (!isWithin(address, death.address)) continue;
      this.#held.delete(address);
      this.#free += count;
      for (let i = 0; i < count; i++) this.#abandoned.push(death);
    }
    this.#serve();
  }

  protected override hopeless(): string | undefined {
    return [...this.#held.values()].some(({ count }) => count > 0) ? undefined : 'nobody is left to release a permit';
  }

  #serve(): void {
    for (let first = this.line.first; first !== undefined && this.#free > 0; first = this.line.first) {
      this.#free--;
      const abandonedBy = this.#abandoned.shift() ?? null;
      const { from, id } = first;
      let holding = this.#held.get(from);
      if (holding === undefined) this.#held.set(from, holding = { count: 0, unheard: [] });
      holding.count++;
      holding.unheard.push({ id, abandonedBy });
      this.tell(first, { type: 'grant', id, abandonedBy });
    }
  }

  /**
   * Notes that a permit of that process is released, or of the one that has held some for longest: any may release, as
   * in Python. @returns Whether anybody holds one.
   */
  #takeFrom(from: string): boolean {
    const holds = (address: string): boolean => (this.#held.get(address)?.count ?? 0) > 0;
    const holder = holds(from) ? from : [...this.#held.keys()].find(holds);
    if (holder === undefined) return false;
    this.#held.get(holder)!.count--;
    this.#forgetIfNothing(holder);
    return true;
  }

  #forgetIfNothing(address: string): void {
    const holding = this.#held.get(address);
    if (holding?.count === 0 && holding.unheard.length === 0) this.#held.delete(address);
  }
}
