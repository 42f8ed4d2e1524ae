// The items of a Queue, in the order of their arrival, and who may have which: nobody gets an item that is older than
// one that it has already, or it would see what one process put out of order. Used by gets.ts.
//
// Only what came back can be older. It goes first to the process from which it came when that asks again, as this has
// nothing younger, or to another that has nothing younger. What comes back from the dead goes to anybody.
import { Fifo } from '../../base/fifo.ts';
import type { Packed } from '../../values/packed.ts';
import type { Peer } from './peer.ts';

export interface Entry {
  /** Counts them in the order of their arrival. */
  readonly number: number;
  readonly item: Packed;
  /** The highest number that the process had to which it was sent last, before that. */
  before: number;
  /** From whom it came back, who may be expected to ask for it. */
  claimant: Peer | undefined;
  /** Anybody may have it, though it is older than what they have: once for always. */
  late: boolean;
}

export class Items {
  readonly #fresh = new Fifo<Entry>();
  /** Those that came back, all older than the fresh ones. */
  readonly #returned = new Fifo<Entry>();
  #lastNumber = 0;

  get length(): number {
    return this.#fresh.length + this.#returned.length;
  }

  add(item: Packed): void {
    this.#fresh.push({ number: ++this.#lastNumber, item, before: 0, claimant: undefined, late: false });
  }

  /** Takes the next that this process may have. */
  takeFor({ youngest }: Peer): Entry | undefined {
    if (this.#returned.length > 0) {
      const entry = this.#returned.find(({ number, late }) => late || number > youngest);
      if (entry !== undefined) {
        this.#returned.remove(entry);
        return entry;
      }
    }
    return this.#fresh.shift();
  }

  /** These go back to where they were. @param claimant Who may ask for them; undefined: nobody will. */
  giveBack(entries: readonly Entry[], claimant: Peer | undefined): void {
    if (entries.length === 0) return;
    for (const entry of entries) {
      entry.claimant = claimant;
      entry.late ||= claimant === undefined;
    }
    const all = [...this.#returned.takeAll(), ...entries].sort((a, b) => a.number - b.number);
    for (const entry of all) this.#returned.push(entry);
  }

  /** Those whose claimants others wait for. */
  claimants(): Set<Peer> {
    const claimants = new Set<Peer>();
    for (const { claimant, late } of this.#returned) if (!late) claimants.add(claimant!);
    return claimants;
  }

  /** That one cannot be expected any more: anybody may have what came back from it. */
  free(claimant: Peer): void {
    for (const entry of this.#returned) entry.late ||= entry.claimant === claimant;
  }
}
