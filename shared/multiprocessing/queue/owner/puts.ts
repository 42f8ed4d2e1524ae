// The end of a bounded Queue at which puts wait for places, each with its item, in the order of their arrival: no place
// is ever kept for a process. Part of owner.ts.
import type { Death } from '../../base/errors.ts';
import type { OwnerHost } from './host.ts';
import type { Packed } from '../../values/packed.ts';
import { Line } from './line.ts';
import type { Place } from './line.ts';
import type { Peer, WaitingPut } from './peer.ts';

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

  ask(peer: Peer, id: number, now: boolean, item: Packed): void {
    if (peer.waitingPuts.has(id)) return;
    this.#host.arrives(item);
    const place = this.#line.push({ peer, id, item, final: peer.left });
    if (peer.left) this.#host.carries(item);
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

  /** Puts what waits into the places that there are. @returns Whether there was some. */
  serve(hasPlace: () => boolean, add: (item: Packed) => void): boolean {
    let served = false;
    for (let place = this.#line.first; place !== undefined && hasPlace(); place = place.behind) {
      const { peer, id, item } = place.value;
      this.#line.remove(place);
      add(item);
      if (peer.waitingPuts.delete(id)) this.#host.tell(peer.address, { type: 'accepted', id });
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
      const { peer, id } = place.value;
      if (this.#drop(place)) this.#host.tell(peer.address, { type: 'deadlocked', side: 'put', id, death });
    }
  }

  /** A process leaves: what waits there is put even if it dies. */
  makeFinal(peer: Peer): void {
    for (const { value } of peer.waitingPuts.values()) {
      value.final = true;
      this.#host.carries(value.item);
    }
  }

  /** A process is dead. */
  forget(peer: Peer): void {
    for (const place of peer.waitingPuts.values()) if (!place.value.final) this.#drop(place);
    peer.waitingPuts.clear();
  }

  /** The queue is closed: what waits is refused, as its processes will hear. What waits without one stays. */
  close(): void {
    for (const place of this.#line.all()) this.#drop(place);
  }

  /** @returns Whether there is still a process that waits for it: else it stays. */
  #drop(place: Place<WaitingPut>): boolean {
    const { peer, id, item } = place.value;
    if (!peer.waitingPuts.delete(id)) return false;
    this.#line.remove(place);
    this.#host.leaves(item);
    return true;
  }
}
