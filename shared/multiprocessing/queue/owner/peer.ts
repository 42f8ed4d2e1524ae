// What the owner of a Queue knows of one process that holds it. Used by owner.ts and its two ends.
import { Fifo } from '../../base/fifo.ts';
import type { Packed } from '../../values/packed.ts';
import type { Entry } from './items.ts';
import type { Place } from './line.ts';

/** A get that waits. */
export interface WaitingGet {
  readonly peer: Peer;
  readonly id: number;
  /** So many items more the process could use at once. */
  readonly ahead: number;
}

/** A put that waits, with its item. */
export interface WaitingPut {
  readonly peer: Peer;
  readonly id: number;
  readonly item: Packed;
  /** Its process has left: it is put even if that dies. */
  final: boolean;
}

/** Who has put so many items since it took one does not take any more, for all that can be expected. */
const MANY_PUTS = 100;

export class Peer {
  readonly address: string;
  /** Its parent has named it, and it has not spoken for itself yet. */
  starting: boolean;
  /** It has the queue, and speaks for itself. */
  isHere = false;
  /** How many items it has put since it called get, or ever. */
  putsSinceGet = 0;
  /** It has called get, and its target has not ended since. */
  consumes = false;
  /** Its target has ended. */
  left = false;
  /** How many of the items that were sent to it came ahead of its asking, and no get there has returned yet. */
  ahead = 0;
  /** The highest number of an item that it has. */
  youngest = 0;
  /** It was asked to give back what it has ahead. */
  recalled = false;
  /** It was asked whether it wants the items that came back from it. */
  probed = false;
  readonly gets = new Map<number, Place<WaitingGet>>();
  readonly waitingPuts = new Map<number, Place<WaitingPut>>();
  /** What was sent to it and is not done. It takes them in this order. */
  readonly #out = new Fifo<Entry>();

  constructor(address: string, starting: boolean) {
    this.address = address;
    this.starting = starting;
  }

  /** Whether it only puts, for all that can be expected: so that others may be sent items ahead. */
  get onlyPuts(): boolean {
    return this.putsSinceGet >= (this.consumes ? MANY_PUTS : 1);
  }

  /** How many items gets there have returned that are not done, as far as it has said. */
  get inWork(): number {
    return this.#out.length - this.ahead;
  }

  send(entry: Entry): void {
    entry.before = this.youngest;
    this.youngest = Math.max(this.youngest, entry.number);
    this.#out.push(entry);
  }

  /** So many of those ahead were taken. The first `done` of all will never be needed again: `leaves` gets each. */
  used(taken: number, done: number, leaves: (item: Packed) => void): void {
    this.ahead = Math.max(0, this.ahead - taken);
    for (let i = Math.min(done, this.inWork); i > 0; i--) leaves(this.#out.shift()!.item);
  }

  /** The last so many of what was sent come back: all that no get there has returned. */
  giveBack(count: number): Entry[] {
    this.ahead = 0;
    const entries = this.#out.takeLast(Math.min(count, this.#out.length));
    if (entries.length > 0) this.youngest = entries[0]!.before;
    return entries;
  }
}

/** The processes that hold the queue, by their addresses. */
export type Peers = Map<string, Peer>;
