// The end of a Queue at which gets wait for items. Part of owner.ts.
//
// Each get is answered with one item, in the order of asking over all processes. Only while one process alone takes
// items, and from a queue without a bound, it is sent some ahead. When another may take some too, those are called
// back. Until they come, others are served with what is here, though it is younger: whoever has them may be busy for
// long. What comes back then is older than what others have (items.ts), and can be in one of these states:
// - its claimant asks again: it gets it, before anything younger. Its asking comes before its answer to a probe, since
//   both come by one way;
// - somebody asks who has nothing younger: he gets it, and the claimant what follows;
// - all who ask have younger ones. The claimant is probed: it answers when its event loop turns and no get waits there.
//   Until then, it may still be about to ask. When it has answered, anybody gets the items, as it is no use to wait;
// - the claimant has died, its target has ended, or it has forgotten the queue: the same, at once.
// What the dead had comes back without a claimant.
import type { Death } from '../../base/errors.ts';
import type { OwnerHost } from './host.ts';
import { sizeOf } from '../../values/packed.ts';
import type { Packed } from '../../values/packed.ts';
import { Items } from './items.ts';
import type { Entry } from './items.ts';
import { Line } from './line.ts';
import type { Place } from './line.ts';
import type { Peer, Peers, WaitingGet } from './peer.ts';

/** The most that is sent ahead: one message's worth, in items and in bytes. */
const MOST_AHEAD = 512;
const MANY_BYTES = 256 * 1024;

export class OwnerGets {
  readonly items = new Items();
  readonly #peers: Peers;
  readonly #host: OwnerHost;
  readonly #isBounded: boolean;
  readonly #line = new Line<WaitingGet>();
  /** Those of them that want their answer at once. */
  #impatient: Place<WaitingGet>[] = [];

  constructor(peers: Peers, isBounded: boolean, host: OwnerHost) {
    this.#peers = peers;
    this.#isBounded = isBounded;
    this.#host = host;
  }

  get isWaiting(): boolean {
    return this.#line.first !== undefined;
  }

  ask(peer: Peer, id: number, now: boolean, ahead: number): void {
    if (peer.gets.has(id)) return;
    this.#consumes(peer);
    const place = this.#line.push({ peer, id, ahead });
    peer.gets.set(id, place);
    if (now) this.#impatient.push(place);
  }

  /** A get does not wait any longer. Nothing happens if it was answered. */
  withdraw(peer: Peer, id: number): void {
    const place = peer.gets.get(id);
    if (place === undefined) return;
    this.#remove(place);
    this.#host.tell(peer.address, { type: 'empty', id });
  }

  /** For a get in this very process: the next item, if nobody waits for it. */
  takeHere(peer: Peer): Entry | undefined {
    if (this.isWaiting) return undefined;
    const entry = this.items.takeFor(peer);
    if (entry === undefined) return undefined;
    this.#consumes(peer);
    peer.send(entry);
    return entry;
  }

  /** What came ahead of its asking comes back from a process. */
  comeBack(peer: Peer, count: number): void {
    this.giveBack(peer.giveBack(count), peer);
  }

  /** Items go back to where they were. @param claimant Who may ask for them; undefined: nobody will. */
  giveBack(entries: readonly Entry[], claimant: Peer | undefined): void {
    for (const { item } of entries) this.#host.carries(item);
    this.items.giveBack(entries, claimant);
  }

  /** Sends items to those who wait. @returns Whether there were any. */
  serve(): boolean {
    let served = false;
    let blocked: Set<Peer> | undefined;
    for (let place = this.#line.first; place !== undefined && this.items.length > 0; place = place.behind) {
      const { peer } = place.value;
      if (blocked?.has(peer)) continue;
      // What came ahead crossed its asking: it will tell what it took of that, and of what remains, gives back.
      const entry = peer.ahead > 0 ? undefined : this.items.takeFor(peer);
      if (entry !== undefined) {
        this.#send(place, entry);
        served = true;
      } else if ((blocked ??= new Set()).add(peer).size === this.#asking().length) {
        break;
      }
    }
    return served;
  }

  /**
   * Somebody waits, and all items are claimed by others: asks these whether they want them.
   * @returns Whether some need not be asked, so that it can go on.
   */
  lookForClaimants(): boolean {
    if (!this.#isHungry()) return false;
    let goesOn = false;
    for (const claimant of this.items.claimants()) {
      if (this.#peers.get(claimant.address) !== claimant || claimant.left) {
        this.items.free(claimant);
        goesOn = true;
      } else if (!claimant.probed && claimant.gets.size === 0 && claimant.ahead === 0) {
        claimant.probed = true;
        this.#host.tell(claimant.address, { type: 'probe' });
      }
    }
    return goesOn;
  }

  /** That process does not want what came back from it. */
  isIdle(peer: Peer): void {
    if (!peer.probed) return;
    peer.probed = false;
    this.serve();
    if (this.#isHungry()) this.items.free(peer);
  }

  /** Others may want what was sent ahead: it is called back. */
  recallFromOthers(peer: Peer): void {
    for (const other of this.#peers.values()) {
      if (other === peer || other.ahead === 0 || other.recalled) continue;
      other.recalled = true;
      this.#host.tell(other.address, { type: 'recall' });
    }
  }

  /** Those who want their answer at once get it. */
  refuseImpatient(): void {
    for (const { value: { peer, id } } of this.#impatient.splice(0)) this.withdraw(peer, id);
  }

  /** The queue is closed, and nothing is left. */
  drain(): void {
    for (const { value: { peer, id } } of this.#takeAll()) this.#host.tell(peer.address, { type: 'drained', id });
  }

  /** Nobody is left who could put something. */
  fail(death: Death): void {
    for (const { value: { peer, id } } of this.#takeAll()) {
      this.#host.tell(peer.address, { type: 'deadlocked', side: 'get', id, death });
    }
  }

  /** A process is dead, or has forgotten the queue. */
  forget(peer: Peer): void {
    for (const place of peer.gets.values()) this.#line.remove(place);
    peer.gets.clear();
  }

  #consumes(peer: Peer): void {
    peer.left = false;
    peer.probed = false;
    if (!peer.consumes || peer.putsSinceGet > 0) this.recallFromOthers(peer);
    peer.consumes = true;
    peer.putsSinceGet = 0;
  }

  #send(place: Place<WaitingGet>, entry: Entry): void {
    const { peer, id, ahead } = place.value;
    this.#remove(place);
    peer.send(entry);
    const items = [entry.item];
    if (ahead > 0 && this.#isAlone(peer)) this.#addAhead(peer, items, ahead);
    this.#host.tell(peer.address, { type: 'items', id, items });
  }

  #addAhead(peer: Peer, items: Packed[], ahead: number): void {
    const most = 1 + Math.min(ahead, MOST_AHEAD);
    for (let bytes = sizeOf(items[0]); items.length < most && bytes < MANY_BYTES;) {
      const entry = this.items.takeFor(peer);
      if (entry === undefined) break;
      peer.send(entry);
      peer.ahead++;
      items.push(entry.item);
      bytes += sizeOf(entry.item);
    }
    peer.recalled = false;
  }

  /**
   * Whether nobody else is expected to take items: all others have only put so far, or have left. A process that has
   * done neither may be about to begin; only the one that made the queue mostly has others use it.
   */
  #isAlone(peer: Peer): boolean {
    if (this.#isBounded || peer.gets.size > 0) return false;
    for (const other of this.#peers.values()) {
      if (other === peer || other.left || (!other.isHere && !other.starting)) continue;
      if (!other.onlyPuts && (other.consumes || other.address !== this.#host.self)) return false;
    }
    return true;
  }

  #asking(): Peer[] {
    return [...this.#peers.values()].filter(({ gets }) => gets.size > 0);
  }

  #isHungry(): boolean {
    return this.items.length > 0 && this.isWaiting && this.#asking().some(({ ahead }) => ahead === 0);
  }

  #remove(place: Place<WaitingGet>): void {
    this.#line.remove(place);
    place.value.peer.gets.delete(place.value.id);
  }

  #takeAll(): Place<WaitingGet>[] {
    const places = this.#line.all();
    for (const place of places) this.#remove(place);
    return places;
  }
}
