// The end of a Queue at which puts wait for places. Part of queue-owner.ts.
import type { Holder, Holders } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import { Line } from './queue-line.ts';

/** For this long a put that wants its answer at once waits for places that others may give back, in milliseconds. */
const PATIENCE_MS = 100;
/** Who comes back later than this, in milliseconds, is slow: what it has in advance, others may have to wait for. */
const SLOW_MS = 10;

export class PutEnd {
  readonly #host: OwnerHost;
  readonly #holders: Holders;
  readonly #countPlaces: () => number;
  /** Calls for another serve(). */
  readonly #onLate: () => void;
  /** Who asked last. Only this one has a lead: places that lie unused in one process are missing in the others. */
  #last: Holder | undefined;
  readonly line = new Line();
  #looksAgain = false;

  /** @param countPlaces How many places have no item in them. */
  constructor(holders: Holders, host: OwnerHost, countPlaces: () => number, onLate: () => void) {
    this.#holders = holders;
    this.#host = host;
    this.#countPlaces = countPlaces;
    this.#onLate = onLate;
  }

  ask(from: string, id: number, now: boolean): void {
    const holder = this.#holders.get(from)!;
    if (holder !== this.#last) {
      this.#last?.putLead.end();
      holder.putLead.end();
      this.#last = holder;
    } else {
      holder.putLead.asked(this.#host.now(), SLOW_MS);
    }
    this.line.push({ from, id, now, since: this.#host.now() });
  }

  /** Places come back from that process, which was given too many. */
  giveBack(from: string, places: number): void {
    const holder = this.#holders.get(from)!;
    holder.reserved -= places;
    holder.putLead.end();
  }

  /** How many places can be given. */
  free(): number {
    return this.#countPlaces() - this.#holders.sum((holder) => holder.reserved);
  }

  /** Gives places to those who wait, and if nobody waits any more, some ahead to the last of them. */
  serve(): void {
    // This process's own seat hears at once, and may put and ask for more before tell() returns.
    while (this.line.length > 0 && this.free() > 0) {
      const { from, id } = this.line.shift()!;
      const holder = this.#holders.get(from)!;
      const count = this.line.length > 0 ? 1 : Math.min(this.free(), 1 + holder.putLead.length);
      holder.reserved += count;
      holder.putLead.served(this.#host.now());
      this.#host.tell(from, { type: 'places', count, id });
    }
    this.#refuseImpatient();
  }

  /** While a place may come back unused, nobody is told that there is none; but who has it may be busy, or stopped. */
  #refuseImpatient(): void {
    const mayComeBack = this.#holders.sum((holder) => holder.reserved) > 0;
    const refused = this.line.removeImpatient(this.#host.now() - (mayComeBack ? PATIENCE_MS : 0));
    for (const { from, id } of refused) this.#host.tell(from, { type: 'full', id });
    if (this.#looksAgain || this.line.find(({ now }) => now) === undefined) return;
    this.#looksAgain = true;
    this.#host.after(PATIENCE_MS, () => {
      this.#looksAgain = false;
      this.#onLate();
    });
  }
}
