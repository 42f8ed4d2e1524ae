// The end of a Queue at which gets wait for items, and the items themselves. Part of queue-owner.ts.
import { Fifo } from './fifo.ts';
import type { Holder, Holders, Numbered } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import { sizeOf } from './queue-item.ts';
import type { Item } from './queue-item.ts';
import { Line } from './queue-line.ts';
import type { Waiter } from './queue-line.ts';

/** No more is sent ahead once this much is in one message, in bytes. */
const MANY_BYTES = 256 * 1024;
/** For this long others wait for what a process was asked to give back, in milliseconds: it may be busy, or stopped. */
const RECALL_MS = 100;
/** Who comes back later than this, in milliseconds, is slow: what it has in advance, others may have to wait for. */
const SLOW_MS = 10;
/** The same while others wait. Who is quicker uses up what it has while a recall is on its way: there is none so long. */
const SLOW_FOR_OTHERS_MS = 2;

export class GetEnd {
  readonly #host: OwnerHost;
  readonly #holders: Holders;
  /** Calls for another serve(). */
  readonly #onLate: () => void;
  readonly #items = new Fifo<Numbered>();
  #lastNumber = 0;
  #looksAgainAt = Infinity;
  readonly line = new Line();

  constructor(holders: Holders, host: OwnerHost, onLate: () => void) {
    this.#holders = holders;
    this.#host = host;
    this.#onLate = onLate;
  }

  /** How many items are here. */
  get length(): number {
    return this.#items.length;
  }

  ask(from: string, id: number, now: boolean): void {
    const time = this.#host.now();
    this.#holders.get(from)!.getLead.asked(time, this.line.length > 0 ? SLOW_FOR_OTHERS_MS : SLOW_MS);
    this.line.push({ from, id, now, since: time });
  }

  add(items: readonly Item[]): void {
    for (const item of items) {
      this.#host.arrives(item);
      this.#items.push({ number: ++this.#lastNumber, item });
    }
  }

  /** Items that were sent out go back to where they were. */
  comeBack(entries: readonly Numbered[]): void {
    if (entries.length === 0) return;
    const sorted = [...entries].sort((a, b) => a.number - b.number);
    const last = sorted.at(-1)!.number;
    for (const { item } of sorted) this.#host.returns(item);
    while (this.#items.length > 0 && this.#items.at(0)!.number < last) sorted.push(this.#items.shift()!);
    this.#items.unshift(sorted.sort((a, b) => a.number - b.number));
  }

  /**
   * Sends items to those who wait, and some ahead to those who come back quickly. When others wait as well, these get
   * their turn when it has used them, in one message with its next asking, or given them back.
   */
  serve(): void {
    let isHeldUp = false;
    // This process's own seat hears at once, and may ask for more before tell() returns.
    while (this.line.length > 0) {
      const next = this.#next();
      isHeldUp = next === undefined || this.#waitsForOthers(next.from);
      if (isHeldUp || this.#items.length === 0) break;
      if (!this.line.remove(next!)) continue; // It was served while this process gave back what it had.
      const { from, id, since } = next!;
      const now = this.#host.now();
      const holder = this.#holders.get(from)!;
      const items = [this.#sendOut(from)];
      // What comes after a while without items may be work of another kind: all who wait get some of it.
      if (this.line.length > 0 && now - since > SLOW_MS) holder.getLead.end();
      this.#sendAhead(holder, items);
      holder.getLead.served(now);
      holder.sentAt = now;
      this.#host.tell(from, { type: 'items', items, id });
    }
    if (isHeldUp || this.#items.length > 0) return;
    const refused = this.line.removeImpatient(this.#host.now());
    for (const { from, id } of refused) this.#host.tell(from, { type: 'empty', id });
  }

  /** What is sent to a process before it has answered a recall would be mixed up with what it gives back. */
  #next(): Waiter | undefined {
    return this.line.find(({ from }) => this.#holders.get(from)!.recalledAt === undefined);
  }

  #sendOut(to: string): Item {
    const entry = this.#items.shift()!;
    this.#holders.get(to)!.send(entry);
    return entry.item;
  }

  /** Adds more to what goes to that process. */
  #sendAhead(holder: Holder, items: Item[]): void {
    const most = Math.min(holder.getLead.length, this.#items.length);
    for (let i = 0, bytes = sizeOf(items[0]); i < most && bytes < MANY_BYTES; i++, bytes += sizeOf(items[i])) {
      items.push(this.#sendOut(holder.address));
      holder.ahead++;
    }
  }

  /**
   * What others were sent ahead is older than what is here; who got it later than this would see it out of order. So
   * it is used or comes back first. @returns Whether to wait for that.
   */
  #waitsForOthers(asker: string): boolean {
    let waitMs = 0;
    const now = this.#host.now();
    for (const holder of this.#holders.values()) {
      if (holder.ahead === 0 || holder.address === asker) continue;
      const sinceSent = now - holder.sentAt;
      if (holder.recalledAt === undefined && sinceSent < SLOW_FOR_OTHERS_MS && holder.address !== this.#host.self) {
        waitMs = Math.max(waitMs, SLOW_FOR_OTHERS_MS);
        continue;
      }
      if (holder.recalledAt === undefined) {
        holder.recalledAt = now;
        holder.getLead.end();
        this.#host.tell(holder.address, { type: 'recall' });
      }
      // This process's own seat has answered already.
      if (holder.recalledAt !== undefined && now - holder.recalledAt < RECALL_MS) waitMs = RECALL_MS;
    }
    if (waitMs > 0) this.#lookAgain(waitMs);
    return waitMs > 0;
  }

  #lookAgain(ms: number): void {
    const at = this.#host.now() + ms;
    if (at >= this.#looksAgainAt) return;
    this.#looksAgainAt = at;
    this.#host.after(ms, () => {
      this.#looksAgainAt = Infinity;
      this.#onLate();
    });
  }
}
