// The owner of one Queue: its items, who waits for them and for places, and what every process has of it. It lives in
// the process that made the queue, which hears when any of the others dies: what the dead had not done comes back.
// Pure: it is told what came and tells what to send. Connected by queue-link.ts and the model test.
import type { Death } from './errors.ts';
import { Fifo } from './fifo.ts';
import { GetEnd } from './queue-get-end.ts';
import { Holder, Holders } from './queue-holder.ts';
import type { Numbered } from './queue-holder.ts';
import type { OwnerHost } from './queue-hosts.ts';
import type { Item } from './queue-item.ts';
import type { ToOwner } from './queue-messages.ts';
import { PutEnd } from './queue-put-end.ts';
import { isWithin } from './router.ts';

/** So many items may be on their way from one process to an unbounded queue. */
export const MOST_ON_THE_WAY = 1024;

interface Join {
  readonly from: string;
  readonly id: number;
}

export class QueueOwner {
  readonly #host: OwnerHost;
  /** Infinity when there is no bound. */
  readonly #maxsize: number;
  /** What was taken is done when its process says so, and not when it asks for more. */
  readonly #joinable: boolean;
  readonly #holders = new Holders();
  readonly #putEnd: PutEnd;
  readonly #getEnd: GetEnd;
  /** What processes that have left could not put any more, for want of a place. */
  readonly #parting = new Fifo<Item>();
  #joins: Join[] = [];
  #closed = false;
  /** From these, puts may still come although the queue is closed. */
  readonly #unsealed = new Set<string>();
  /** A process that held the queue and failed; undefined again when a new process holds it. */
  #failure: Death | undefined;
  #settlesSoon = false;
  /** Which end the last settling served alone. */
  #servedAlone: 'put' | 'get' | undefined;

  /** @param maxsize How many items it holds; 0: any number. */
  constructor(maxsize: number, joinable: boolean, host: OwnerHost) {
    this.#maxsize = maxsize === 0 ? Infinity : maxsize;
    this.#joinable = joinable;
    this.#host = host;
    const onLate = (): void => this.#settleSoon();
    this.#putEnd = new PutEnd(this.#holders, host, () => this.#maxsize - this.#size(), onLate);
    this.#getEnd = new GetEnd(this.#holders, host, onLate);
    this.#hold(host.self, false).sits = true;
  }

  /** That process holds the queue from now on, though it may not have started yet. */
  attached(from: string): void {
    this.#hold(from, true);
  }

  /** It is on its way from this process to another, which may hold it soon. */
  travels(): void {
    this.#failure = undefined;
  }

  /**
   * Whether nobody else holds it, and nothing is in it or waits: a new owner, closed if this one is, would do as well.
   */
  get isUnused(): boolean {
    const isEmpty = this.#size() === 0 && this.#parting.length === 0 && this.#joins.length === 0;
    const nobodyWaits = this.#getEnd.line.length === 0 && this.#putEnd.line.length === 0;
    const own = this.#holders.get(this.#host.self)!;
    return this.#holders.size === 1 && isEmpty && nobodyWaits && own.inWork === 0 && own.keeps === 0;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  receive(from: string, message: ToOwner): void {
    if (message.type === 'here' || (message.type === 'kept' && message.more > 0)) this.#hold(from, false);
    const holder = this.#holders.get(from);
    if (holder === undefined) return; // It is dead.
    switch (message.type) {
      case 'here':
        this.#welcome(holder);
        break;
      case 'gone':
        holder.sits = false;
        this.#unsealed.delete(from);
        if (holder.keeps === 0 && !holder.starting && holder.untaken + holder.inWork === 0) this.#holders.delete(from);
        break;
      case 'kept':
        holder.keeps += message.more;
        if (holder.keeps === 0 && !holder.sits && !holder.starting) this.#holders.delete(from);
        break;
      case 'want':
        if (this.#closed) break; // Its process will hear of that, and then the put is refused.
        this.#putEnd.ask(from, message.id, message.now);
        if (from === this.#host.self) this.#putEnd.serve();
        break;
      case 'unwant':
        this.#putEnd.line.withdraw(from, message.id);
        break;
      case 'put':
        this.#put(holder, message.items);
        break;
      case 'unused':
        this.#putEnd.giveBack(from, message.places);
        break;
      case 'parting':
        for (const item of message.items) this.#parting.push(item);
        this.#placeParting();
        break;
      case 'ask':
        holder.consumes = true;
        this.#getEnd.ask(from, message.id, message.now);
        if (from === this.#host.self) this.#getEnd.serve();
        break;
      case 'unask':
        this.#getEnd.line.withdraw(from, message.id);
        break;
      case 'used':
        holder.used(message.taken, message.done, this.#host.leaves);
        break;
      case 'spare':
        holder.ahead++;
        break;
      case 'back':
        this.#getEnd.comeBack(holder.giveBack(message.count));
        break;
      case 'query':
        if (message.about === 'size') this.#host.tell(from, { type: 'answer', id: message.id, value: this.#size() });
        else this.#joins.push({ from, id: message.id });
        break;
      case 'close':
        this.#close();
        break;
      case 'sealed':
        this.#unsealed.delete(from);
        break;
    }
    this.#settleSoon();
  }

  died(death: Death): void {
    const dead = [...this.#holders.values()].filter(({ address }) => isWithin(address, death.address));
    if (dead.length === 0) return;
    let failed = death.exitCode !== 0;
    const left: Numbered[] = [];
    for (const holder of dead) {
      this.#holders.delete(holder.address);
      this.#unsealed.delete(holder.address);
      failed ||= this.#joinable && holder.inWork > 0;
      left.push(...holder.giveUp());
    }
    if (failed) this.#failure = death;
    this.#getEnd.comeBack(left);
    this.#getEnd.line.removeDead(death.address);
    this.#putEnd.line.removeDead(death.address);
    this.#joins = this.#joins.filter(({ from }) => !isWithin(from, death.address));
    this.#settleSoon();
  }

  #hold(from: string, starting: boolean): Holder {
    let holder = this.#holders.get(from);
    if (holder === undefined) {
      holder = new Holder(from, starting);
      this.#holders.set(from, holder);
      this.#failure = undefined;
    }
    return holder;
  }

  #welcome(holder: Holder): void {
    holder.starting = false;
    holder.sits = true;
    if (this.#closed) this.#host.tell(holder.address, { type: 'closed' });
    else if (this.#maxsize === Infinity) this.#host.tell(holder.address, { type: 'arrived', count: MOST_ON_THE_WAY });
  }

  #put(holder: Holder, items: readonly Item[]): void {
    this.#getEnd.add(items);
    const { address } = holder;
    if (this.#maxsize !== Infinity) holder.reserved -= items.length;
    else if (address !== this.#host.self) this.#host.tell(address, { type: 'arrived', count: items.length });
  }

  #placeParting(): void {
    for (let free = this.#putEnd.free(); free > 0 && this.#parting.length > 0; free--) {
      this.#getEnd.add([this.#parting.shift()!]);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#putEnd.line.takeAll();
    for (const holder of this.#holders.values()) if (holder.sits) this.#unsealed.add(holder.address);
    for (const address of [...this.#unsealed]) this.#host.tell(address, { type: 'closed' });
  }

  /** Serves both ends now: what this process does next may take long. */
  settle(): void {
    this.#putEnd.serve();
    this.#getEnd.serve();
  }

  /** Everything that can happen now happens once all has been heard that came at the same time. */
  #settleSoon(): void {
    if (this.#settlesSoon) return;
    this.#settlesSoon = true;
    this.#host.afterThis(() => {
      this.#settlesSoon = false;
      this.#settle();
    });
  }

  /** Those of this very process put or take more as soon as they are served; the other end is served with all that. */
  #settle(): void {
    const { self } = this.#host;
    const last = this.#servedAlone;
    this.#servedAlone = undefined;
    this.#placeParting();
    if (last === undefined && this.#getEnd.length > 0 && this.#getEnd.line.has(self)) {
      this.#servedAlone = 'get';
      this.#getEnd.serve();
      this.#settleSoon();
    } else if (last === undefined && this.#putEnd.free() > 0 && this.#putEnd.line.has(self)) {
      this.#servedAlone = 'put';
      this.#putEnd.serve();
      this.#settleSoon();
    } else {
      this.settle();
      this.#endDrained();
      this.#failStranded();
      this.#answerJoins();
    }
  }

  #endDrained(): void {
    if (!this.#closed || this.#unsealed.size > 0 || this.#parting.length > 0 || this.#size() > 0) return;
    for (const { from, id } of this.#getEnd.line.takeAll()) this.#host.tell(from, { type: 'drained', id });
  }

  /** When a process failed and all who are left wait, they would wait for ever. */
  #failStranded(): void {
    const death = this.#failure;
    if (death === undefined) return;
    for (const [side, { line }] of [['get', this.#getEnd], ['put', this.#putEnd]] as const) {
      if (![...this.#holders.keys()].every((address) => line.has(address))) continue;
      for (const { from, id } of line.takeAll()) this.#host.tell(from, { type: 'stranded', side, id, death });
    }
  }

  #answerJoins(): void {
    if (this.#joins.length === 0) return;
    const unfinished = this.#size() + this.#holders.sum((holder) => holder.inWork);
    const workers = this.#holders.sum((holder) => Number(holder.consumes || holder.starting));
    const death = this.#failure;
    if (unfinished > 0 && (death === undefined || workers > 0)) return;
    for (const { from, id } of this.#joins.splice(0)) {
      if (unfinished === 0) this.#host.tell(from, { type: 'answer', id, value: 0 });
      else this.#host.tell(from, { type: 'abandoned', id, unfinished, death: death! });
    }
  }

  /** How many items were put that no get has returned yet. */
  #size(): number {
    return this.#getEnd.length + this.#holders.sum((holder) => holder.untaken);
  }
}
