// The end of a Queue at which puts wait for places. Part of queue-owner.ts.
import type { Holders } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import { Lead } from './queue-lead.ts';
import { Line } from './queue-line.ts';

export class PutEnd {
  readonly #host: OwnerHost;
  readonly #holders: Holders;
  readonly #countPlaces: () => number;
  readonly #lead = new Lead();
  readonly line = new Line();

  /** @param countPlaces How many places have no item in them. */
  constructor(holders: Holders, host: OwnerHost, countPlaces: () => number) {
    this.#holders = holders;
    this.#host = host;
    this.#countPlaces = countPlaces;
  }

  ask(from: string, id: number, now: boolean): void {
    this.#lead.asked(from, this.#host.now());
    this.line.push({ from, id, now });
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
    // As long as a place may come back unused, nobody is told that there is none.
    if (this.#holders.sum((holder) => holder.reserved) > 0) return;
    for (const { from, id } of this.line.removeImpatient()) this.#host.tell(from, { type: 'full', id });
  }
}
