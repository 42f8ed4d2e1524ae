// The end of a bounded Queue at which puts wait for places, each with its item, in the order of their arrival: no place is
// ever kept for a process. Part of queue-owner.ts.
import type { Death } from './errors.ts';
import type { OwnerHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';
import { Line } from './queue-line.ts';
import type { Place } from './queue-line.ts';
import type { Peer, WaitingPut } from './queue-peer.ts';

export class OwnerPuts {
  readonly #host: OwnerHost;
  readonly #line = new Line<WaitingPut>();
  /** Those of them that want their answer at once. */
  #impatient: Place<WaitingPut>[] = [];

  constructor(host: OwnerHost) {
    this.#host = host;
  }

  get isWaiting(): boolean {
    return this.#line.first !== undefined;
  }

  ask(peer: Peer, id: number, now: boolean, item: Item): void {
    if (peer.waitingPuts.has(id)) return;
    this.#host.arrives(item);
    const place = this.#line.push({ peer, id, item, final: false });
    peer.waitingPuts.set(id, place);
    if (now) this.#impatient.push(place);
  }

  /** A put does not wait any longer. Nothing happens if it was answered. */
  withdraw(peer: Peer, id: number): void {
    const place = peer.waitingPuts.get(id);
    if (place === undefined) return;
    this.#drop(place);
    this.#host.tell(peer.address, { type: 'full', id });
  }

  /** Puts what waits into the places that there are. @param isClosed Only what is final. @returns Whether there was some. */
  serve(hasPlace: () => boolean, isClosed: boolean, add: (item: Item) => void): boolean {
    let served = false;
    for (let place = this.#line.first; place !== undefined && hasPlace(); place = place.behind) {
      const { peer, id, item, final } = place.value;
      if (isClosed && !final) continue;
      this.#remove(place);
      add(item);
      if (!final) this.#host.tell(peer.address, { type: 'accepted', id });
      served = true;
    }
    return served;
  }

  /** Those who want their answer at once get it. */
  refuseImpatient(): void {
    for (const { value: { peer, id } } of this.#impatient.splice(0)) this.withdraw(peer, id);
  }

  /** Nobody is left who could make a place. */
  fail(death: Death): void {
    for (const place of this.#line.all()) {
      const { peer, id, final } = place.value;
      if (final) continue;
      this.#drop(place);
      this.#host.tell(peer.address, { type: 'deadlocked', side: 'put', id, death });
    }
  }

  /** A process leaves, and its puts are settled: they wait on without it. */
  makeFinal(peer: Peer): void {
    for (const { value } of peer.waitingPuts.values()) {
      value.final = true;
      this.#host.carries(value.item);
    }
    peer.waitingPuts.clear();
  }

  /** A process is dead, or knows that the queue is closed: it has refused what waits. */
  forget(peer: Peer): void {
    for (const place of peer.waitingPuts.values()) this.#drop(place);
  }

  #drop(place: Place<WaitingPut>): void {
    this.#remove(place);
    this.#host.leaves(place.value.item);
  }

  #remove(place: Place<WaitingPut>): void {
    this.#line.remove(place);
    if (!place.value.final) place.value.peer.waitingPuts.delete(place.value.id);
  }
}
