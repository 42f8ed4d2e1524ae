// The end of a Queue at which puts wait for places. Part of queue-owner.ts.
import type { Holders } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import { Lead } from './queue-lead.ts';
import { lastFor, Line } from './queue-line.ts';

export class PutEnd {
  readonly #host: OwnerHost;
  readonly #holders: Holders;
  readonly #lead = new Lead();
  readonly line = new Line();

  constructor(holders: Holders, host: OwnerHost) {
    this.#holders = holders;
    this.#host = host;
  }

  ask(from: string, now: boolean): void {
    this.#lead.asked(from, this.#host.now());
    this.line.push({ from, now });
  }

  /** Places come back from that process, which was given too many. */
  giveBack(from: string, places: number): void {
    this.#holders.get(from)!.reserved -= places;
    this.#lead.tooLong(from);
  }

  /** How many places can be given when there are so many without an item. */
  free(places: number): number {
    return places - this.#holders.sum((holder) => holder.reserved);
  }

  /** Gives places to those who wait, and if nobody waits any more, some ahead to the last of them. */
  serve(places: number): void {
    let free = this.free(places);
    const grants = new Map<string, { count: number; ahead: number }>();
    let last: string | undefined;
    for (; free > 0 && this.line.length > 0; free--) {
      last = this.line.shift()!.from;
      const grant = grants.get(last) ?? { count: 0, ahead: 0 };
      grant.count++;
      grants.set(last, grant);
    }
    if (this.line.length === 0 && last !== undefined) {
      const grant = grants.get(last)!;
      grant.ahead = Math.min(free, this.#lead.of(last));
      grant.count += grant.ahead;
    }
    for (const [to, { count }] of grants) this.#holders.get(to)!.reserved += count;
    for (const [to, { count, ahead }] of lastFor(this.#host.self, grants)) {
      this.#lead.served(to, this.#host.now());
      this.#host.tell(to, { type: 'places', count, ahead });
    }
    // As long as a place may come back unused, nobody is told that there is none.
    if (this.#holders.sum((holder) => holder.reserved) > 0) return;
    for (const from of this.line.removeImpatient()) this.#host.tell(from, { type: 'full' });
  }
}
