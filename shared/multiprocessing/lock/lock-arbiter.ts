// The arbiter of one Lock: who has the token, and who gets it next. Lives in the process that made the lock, which
// hears when any of the others dies; so no lock file can go stale here and no holder's death can block the rest.
// Pure: it is told what came and tells what to send. lock.ts connects it, the model test drives it without processes.
import { isWithin } from '../base/address.ts';
import type { Death } from '../base/errors.ts';
import type { FromArbiter, ToArbiter } from './messages.ts';
import { WaitingLine } from '../base/waiting-line.ts';

interface Entry {
  readonly from: string;
  readonly id: number;
}

/** What connects an arbiter with the clients, and with its event loop. */
export interface ArbiterHost {
  tell(to: string, message: FromArbiter): void;
  /** Calls `work` when all that had reached this process by now has been read. */
  whenRead(work: () => void): void;
}

export class LockArbiter {
  readonly #maker: string;
  readonly #host: ArbiterHost;
  /** Where the token is; undefined: here, which is only so while nobody asks. */
  #holder: string | undefined;
  /** How often it was granted: tells the token that counts from one that was called back while it was on its way. */
  #grants = 0;
  /** Whose turns came with it, as far as they were not called off. */
  #granted = new Set<number>();
  #grantedAbandonedBy: Death | null = null;
  #recalled = false;
  readonly #line = new WaitingLine<Entry>();
  /** The same by process and number. */
  readonly #asks = new Map<string, Map<number, Entry>>();
  #abandonedBy: Death | null = null;

  /** Whether all is as it was when the lock was made: then a new arbiter in its place would do as well. */
  get isAsNew(): boolean {
    const isHome = this.#holder === undefined || this.#holder === this.#maker;
    return isHome && this.#line.length === 0 && this.#abandonedBy === null;
  }

  /** The address of the process that has the token; undefined: nobody has. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** How many wait for it. */
  get waiting(): number {
    return this.#line.length;
  }

  /** @param maker The address of the process that made the lock: the token starts there. */
  constructor(maker: string, host: ArbiterHost) {
    this.#maker = maker;
    this.#holder = maker;
    this.#host = host;
  }

  receive(from: string, message: ToArbiter): void {
    const ask = 'id' in message ? this.#asks.get(from)?.get(message.id) : undefined;
    switch (message.type) {
      case 'ask':
        if (ask === undefined) this.#ask({ from, id: message.id }, message.attempt);
        break;
      case 'expire':
        if (ask !== undefined) this.#answerSoon(ask);
        break;
      case 'withdraw':
        if (ask !== undefined) this.#remove(ask);
        else this.#callBack(from, message.id);
        break;
      case 'return':
        if (this.#holder !== from || message.grant !== this.#grants) break;
        this.#abandonedBy = message.abandonedBy;
        this.#grantNext();
        break;
    }
  }

  /** With a process, all that it started counts as dead, although one of these may run on for a moment. */
  died(death: Death): void {
    for (const [from, asks] of this.#asks) {
      if (!isWithin(from, death.address)) continue;
      for (const entry of asks.values()) this.#line.remove(entry);
      this.#asks.delete(from);
    }
    if (this.#holder === undefined || !isWithin(this.#holder, death.address)) return;
    this.#abandonedBy = death;
    this.#grantNext();
  }

  #ask(entry: Entry, attempt: boolean): void {
    this.#line.push(entry);
    const asks = this.#asks.get(entry.from);
    if (asks === undefined) this.#asks.set(entry.from, new Map([[entry.id, entry]]));
    else asks.set(entry.id, entry);
    const holder = this.#holder;
    if (holder === undefined) {
      this.#grantNext();
      return;
    }
    if (attempt) this.#answerSoon(entry);
    // The token of a client elsewhere is in use: an attempt does not end a burst there. That of the client here may
    // just lie there. Recalled even from the very client that asks: it may be on its way back already, so this turn
    // needs its own grant.
    if (!attempt || holder === this.#maker) this.#recall(holder);
  }

  /**
   * Who was called off had not heard of the grant. When that is true of all whose turns came with it, the token will be
   * used by nobody: it is here again, however long that process takes to hear of it and to send it back.
   */
  #callBack(from: string, id: number): void {
    if (this.#holder !== from || !this.#granted.delete(id) || this.#granted.size > 0) return;
    this.#abandonedBy = this.#grantedAbandonedBy;
    this.#grantNext();
  }

  /** The lock is had or not: a release that has reached this process already counts, and no other is waited for. */
  #answerSoon(entry: Entry): void {
    this.#host.whenRead(() => {
      if (this.#remove(entry)) this.#host.tell(entry.from, { type: 'refuse', id: entry.id });
    });
  }

  #remove(entry: Entry): boolean {
    const asks = this.#asks.get(entry.from);
    if (asks?.get(entry.id) === entry && asks.delete(entry.id) && asks.size === 0) this.#asks.delete(entry.from);
    return this.#line.remove(entry);
  }

  #recall(holder: string): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#host.tell(holder, { type: 'recall' });
  }

  /** The token is here: it goes to the first in the line, with the turns of all who follow it from the same client. */
  #grantNext(): void {
    const to = this.#line.first?.from;
    this.#holder = to;
    this.#recalled = false;
    if (to === undefined) return;
    const granted = new Set<number>();
    let upTo = 0;
    for (let next = this.#line.first; next?.from === to; next = this.#line.first) {
      this.#remove(next);
      granted.add(next.id);
      upTo = next.id;
    }
    this.#granted = granted;
    this.#grantedAbandonedBy = this.#abandonedBy;
    this.#recalled = this.#line.length > 0;
    const abandonedBy = this.#abandonedBy;
    this.#abandonedBy = null;
    this.#host.tell(to, { type: 'grant', grant: ++this.#grants, upTo, recalled: this.#recalled, abandonedBy });
  }
}
