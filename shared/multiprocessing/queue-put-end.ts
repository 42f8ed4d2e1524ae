// The end of a Queue at which puts wait for places. Part of queue-owner.ts.
import type { Holders } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import { Lead } from './queue-lead.ts';
import { Line } from './queue-line.ts';

/** For this long a put that wants its answer at once waits for places that others may give back, in milliseconds. */
const PATIENCE_MS = 100;

export class PutEnd {
  readonly #host: OwnerHost;
  readonly #holders: Holders;
  readonly #countPlaces: () => number;
  /** Calls for another serve(). */
  readonly #onLate: () => void;
  readonly #lead = new Lead();
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
    this.#lead.asked(from, this.#host.now());
    this.line.push({ from, id, now, since: this.#host.now() });
  }

  /** Places come back from that process, which was given too many. */
  giveBack(from: string, places: number): void {
    this.#holders.get(from)!.reserved -= places;
    this.#lead.tooLong(from);
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
      const count = this.line.length > 0 ? 1 : Math.min(this.free(), 1 + this.#lead.of(from));
      this.#holders.get(from)!.reserved += count;
      this.#lead.served(from, this.#host.now());
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
