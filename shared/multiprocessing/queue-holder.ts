// What the owner of a Queue knows of the processes that hold it. Used by queue-owner.ts and its two ends.
import { Fifo } from './fifo.ts';
import type { Item } from './queue-item.ts';
import { Lead } from './queue-lead.ts';

/** An item in the queue. `number` counts them in the order of their arrival. */
export interface Numbered {
  readonly number: number;
  readonly item: Item;
}

export class Holder {
  readonly address: string;
  /** Its parent has named it, and it has not spoken for itself yet. */
  starting: boolean;
  /** It has a seat. */
  sits = false;
  /** In so many items of other queues, which live there, this queue waits to be taken. */
  keeps = 0;
  /** It has asked for an item at least once. */
  consumes = false;
  /** How many places were given to it and not used yet. */
  reserved = 0;
  /** How many of the items that it has not taken yet were sent ahead of its asking. */
  ahead = 0;
  /** How far ahead of its asking it gets items, and places. */
  readonly getLead = new Lead();
  readonly putLead = new Lead();
  /** When it was last sent items. */
  sentAt = -Infinity;
  /** When it was asked to give these back; undefined: it was not, or has answered. */
  recalledAt: number | undefined;
  /** What was sent to it and is not done. It takes them in this order. */
  readonly #out = new Fifo<Numbered>();
  #inWork = 0;

  constructor(address: string, starting: boolean) {
    this.address = address;
    this.starting = starting;
  }

  /** How many items gets there have returned that are not done, as far as it has said. */
  get inWork(): number {
    return this.#inWork;
  }

  /** How many items were sent to it that no get there has returned yet, as far as it has said. */
  get untaken(): number {
    return this.#out.length - this.#inWork;
  }

  send(entry: Numbered): void {
    this.#out.push(entry);
  }

  /** Gets there have returned the next `taken`. The first `done` will never be needed again: `leaves` gets each. */
  used(taken: number, done: number, leaves: (item: Item) => void): void {
    this.#inWork += taken - done;
    for (let i = 0; i < done; i++) leaves(this.#out.shift()!.item);
    this.ahead = Math.min(this.ahead, this.untaken);
  }

  /** The answer to a recall. @returns The last so many of what was sent. */
  giveBack(count: number): Numbered[] {
    this.recalledAt = undefined;
    this.ahead = 0;
    return this.#out.takeLast(count);
  }

  /** It is dead. @returns All that was sent to it and was not done. */
  giveUp(): Numbered[] {
    return this.#out.takeAll();
  }
}

/** The processes that hold the queue, by their addresses. */
export class Holders extends Map<string, Holder> {
  sum(of: (holder: Holder) => number): number {
    let sum = 0;
    for (const holder of this.values()) sum += of(holder);
    return sum;
  }
}
