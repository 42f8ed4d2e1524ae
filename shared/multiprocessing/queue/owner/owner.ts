// The owner of one Queue: its items, who waits for them and for places, and what every process has of it. It lives in
// the process that made the queue, which hears when any of the others dies: what the dead had not done comes back.
// Pure: it is told what came and tells what to send. Connected by link.ts and the model test.
import { isWithin } from '../../base/address.ts';
import { endedWell } from '../../base/errors.ts';
import type { Death } from '../../base/errors.ts';
import { Kept } from '../../base/kept.ts';
import type { KeptMessage } from '../../base/kept.ts';
import { Verdict } from '../../base/verdict.ts';
import type { OwnerHost } from './host.ts';
import type { Packed } from '../../values/packed.ts';
import type { ToOwner } from './messages.ts';
import { OwnerGets } from './gets.ts';
import { Joins } from './joins.ts';
import { allWait, nobodyWorks } from './left.ts';
import { OwnerPuts } from './puts.ts';
import { Peer } from './peer.ts';
import type { Peers } from './peer.ts';

export class QueueOwner {
  readonly #host: OwnerHost;
  /** Infinity when there is no bound. */
  readonly #maxsize: number;
  /** What was taken is done when its process says so, and not when it asks for more. */
  readonly #joinable: boolean;
  readonly #peers: Peers = new Map();
  readonly #own: Peer;
  readonly #puts: OwnerPuts;
  readonly #gets: OwnerGets;
  readonly #joins: Joins;
  readonly #kept = new Kept();
  readonly #verdict: Verdict;
  #closed = false;
  /**
   * From these, puts may still come although the queue is closed: an unbounded one has them settled before they come.
   */
  readonly #unsealed = new Set<Peer>();
  /** A process that held the queue and failed; undefined again when a new process holds it. */
  #failure: Death | undefined;
  #settlesSoon = false;

  /** @param maxsize How many items it holds; 0: any number. */
  constructor(maxsize: number, joinable: boolean, host: OwnerHost) {
    this.#maxsize = maxsize === 0 ? Infinity : maxsize;
    this.#joinable = joinable;
    this.#host = host;
    this.#verdict = new Verdict(host.whenAllHeard);
    this.#joins = new Joins(host);
    this.#puts = new OwnerPuts(host);
    this.#gets = new OwnerGets(this.#peers, maxsize > 0, host);
    this.#own = this.#hold(host.self, false);
    this.#own.isHere = true;
  }

  /** That process holds the queue from now on, though it may not have started yet. */
  attached(from: string): void {
    this.#hold(from, true);
  }

  /**
   * Whether nobody else holds it, and nothing is in it or waits: a new owner, closed if this one is, would do as well.
   */
  get isUnused(): boolean {
    const nobodyWaits = !this.#gets.isWaiting && !this.#puts.isWaiting && !this.#joins.isWaiting;
    const isUnused = this.#own.inWork === 0 && !this.#kept.isBy(this.#own.address);
    return this.#peers.size === 1 && this.#size() === 0 && nobodyWaits && isUnused;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  receive(from: string, message: ToOwner): void {
    if (message.type === 'kept') return this.#hearOfKept(from, message);
    if (message.type === 'here') this.#hold(from, false);
    const peer = this.#peers.get(from);
    if (peer === undefined) return; // It is dead.
    if (message.type !== 'query') this.#verdict.changed();
    switch (message.type) {
      case 'here':
        this.#welcome(peer);
        break;
      case 'gone':
        peer.isHere = false;
        this.#unsealed.delete(peer);
        this.#gets.forget(peer);
        if (!peer.starting && peer.ahead + peer.inWork === 0) this.#peers.delete(from);
        this.#tellIfShared();
        break;
      case 'put':
        if (this.#closed) break; // It will hear of that, and then the put is refused.
        peer.putsSinceGet++;
        this.#puts.ask(peer, message.id, message.now, message.item);
        if (peer === this.#own) this.settle();
        break;
      case 'puts':
        peer.putsSinceGet += message.items.length;
        this.#arrive(peer, message.items);
        break;
      case 'withdraw put':
        this.settle();
        this.#puts.withdraw(peer, message.id);
        break;
      case 'get':
        peer.used(message.taken, message.done, this.#host.leaves);
        this.#gets.ask(peer, message.id, message.now, message.ahead);
        break;
      case 'withdraw get':
        if (!message.aborted) this.settle();
        this.#gets.withdraw(peer, message.id);
        break;
      case 'used':
        peer.used(message.taken, message.done, this.#host.leaves);
        break;
      case 'back':
        this.#gets.comeBack(peer, message.count);
        break;
      case 'idle':
        this.#gets.isIdle(peer);
        break;
      case 'left':
        peer.left = true;
        peer.consumes = peer.gets.size > 0;
        this.#puts.makeFinal(peer);
        break;
      case 'query':
        this.settle();
        if (message.about === 'size') this.#host.tell(from, { type: 'answer', id: message.id, value: this.#size() });
        else this.#joins.add(from, message.id);
        break;
      case 'withdraw join':
        this.settle();
        this.#joins.withdraw(from, message.id, this.#countUnfinished());
        break;
      case 'close':
        this.#close();
        break;
      case 'sealed':
        this.#unsealed.delete(peer);
        break;
    }
    this.#settleSoon();
  }

  /** For a get in this very process: the next item, if nobody waits for it. */
  takeHere(): { readonly item: Packed } | undefined {
    const entry = this.#gets.takeHere(this.#own);
    if (entry !== undefined) this.#settleSoon();
    return entry;
  }

  died(death: Death): void {
    const dead = [...this.#peers.values()].filter(({ address }) => isWithin(address, death.address));
    const kept = this.#kept.died(death);
    if (dead.length === 0 && !kept) return;
    let failed = !endedWell(death);
    for (const peer of dead) {
      this.#peers.delete(peer.address);
      failed ||= this.#joinable && peer.inWork > 0;
      this.#gets.forget(peer);
      this.#unsealed.delete(peer);
      this.#puts.forget(peer);
      this.#gets.giveBack(peer.giveBack(Infinity), undefined);
    }
    if (failed) this.#failure = death;
    this.#verdict.changed();
    this.#tellIfShared(death);
    this.#joins.died(death);
    this.#settleSoon();
  }

  /** Serves both ends now: what this process does next may take long. */
  settle(): void {
    const hasPlace = (): boolean => this.#gets.items.length < this.#maxsize;
    const add = (item: Packed): void => this.#add(item);
    let goesOn: boolean;
    do {
      goesOn = this.#puts.serve(hasPlace, add);
      goesOn = this.#gets.serve() || this.#gets.lookForClaimants() || goesOn;
    } while (goesOn);
    if (this.#closed && this.#unsealed.size === 0 && !this.#puts.isWaiting && this.#size() === 0) this.#gets.drain();
    // Who asks once is not told `empty` while nobody can say whether it is to be `closed`.
    if (this.#unsealed.size === 0) this.#gets.refuseImpatient();
    this.#puts.refuseImpatient();
  }

  #hold(from: string, starting: boolean): Peer {
    let peer = this.#peers.get(from);
    if (peer === undefined) {
      peer = new Peer(from, starting);
      this.#peers.set(from, peer);
      this.#failure = undefined;
      this.#verdict.changed();
      this.#gets.recallFromOthers(peer);
      this.#tellIfShared();
    }
    return peer;
  }

  #hearOfKept(from: string, message: KeptMessage): void {
    this.#kept.hear(from, message);
    if (message.death !== null && !endedWell(message.death)) this.#failure = message.death;
    this.#verdict.changed();
    this.#tellIfShared(message.death);
    this.#settleSoon();
  }

  #tellIfShared(death: Death | null = null): void {
    const isShared = this.#peers.size > 1 || this.#kept.canBeGot((address) => address === this.#own.address);
    this.#host.isShared(isShared, death);
  }

  #welcome(peer: Peer): void {
    peer.starting = false;
    peer.isHere = true;
    if (this.#closed) this.#host.tell(peer.address, { type: 'closed' });
    else if (this.#maxsize === Infinity) this.#host.tell(peer.address, { type: 'arrived', count: 0 });
  }

  #arrive(peer: Peer, items: readonly Packed[]): void {
    if (this.#maxsize !== Infinity || (this.#closed && !this.#unsealed.has(peer))) return;
    for (const item of items) {
      this.#host.arrives(item);
      this.#add(item);
    }
    if (peer !== this.#own) this.#host.tell(peer.address, { type: 'arrived', count: items.length });
  }

  #add(item: Packed): void {
    this.#host.carries(item);
    this.#gets.items.add(item);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#puts.close();
    const peers = [...this.#peers.values()].filter(({ isHere }) => isHere);
    if (this.#maxsize === Infinity) for (const peer of peers) this.#unsealed.add(peer);
    for (const { address } of peers) this.#host.tell(address, { type: 'closed' });
  }

  /** Everything that can happen now happens once all has been heard that came at the same time. */
  #settleSoon(): void {
    if (this.#settlesSoon) return;
    this.#settlesSoon = true;
    this.#host.afterThis(() => {
      this.#settlesSoon = false;
      this.settle();
      if (this.#joins.isWaiting && this.#countUnfinished() === 0) this.#joins.end(0);
      this.#verdict.look(() => this.#isSomebodyForlorn, () => this.#refuseForlorn());
    });
  }

  /** When a process failed and nobody is left but those who wait, they would wait for ever. */
  get #isSomebodyForlorn(): boolean {
    return this.#failure !== undefined && (this.#allWait('gets') || this.#allWait('waitingPuts') || this.#nobodyWorks);
  }

  #refuseForlorn(): void {
    if (this.#allWait('gets')) this.#gets.fail(this.#failure!);
    if (this.#allWait('waitingPuts')) this.#puts.fail(this.#failure!);
    if (this.#nobodyWorks) this.#joins.end(this.#countUnfinished(), this.#failure);
  }

  #allWait(which: 'gets' | 'waitingPuts'): boolean {
    return allWait(this.#peers, this.#kept, which);
  }

  get #nobodyWorks(): boolean {
    const { isWaiting, addresses } = this.#joins;
    return isWaiting && nobodyWorks(this.#peers, this.#kept, addresses, this.#own.address);
  }

  /** How many items were put that are not done. */
  #countUnfinished(): number {
    let unfinished = this.#size();
    for (const { inWork } of this.#peers.values()) unfinished += inWork;
    return unfinished;
  }

  /** How many items were put that no get has returned yet. */
  #size(): number {
    let size = this.#gets.items.length;
    for (const { ahead } of this.#peers.values()) size += ahead;
    return size;
  }
}
