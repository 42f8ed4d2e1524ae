// A process's seat at one Queue: its two halves (queue-putters.ts, queue-getters.ts), its questions to the owner, and
// the end of it all. Pure: it is told what came and tells what to send. Connected by queue-link.ts and the model test.
import { ProcessDied, QueueClosed, QueueEmpty, QueueFull } from './errors.ts';
import type { Death } from './errors.ts';
import { Getters } from './queue-getters.ts';
import type { SeatHost } from './queue-hosts.ts';
import type { FromOwner } from './queue-messages.ts';
import { Putters } from './queue-putters.ts';

interface Query {
  readonly settle: (value: number) => void;
  readonly fail: (error: Error) => void;
}

export class QueueSeat {
  readonly putters: Putters;
  readonly getters: Getters;
  readonly #maxsize: number;
  readonly #joinable: boolean;
  readonly #host: SeatHost;
  readonly #queries = new Map<number, Query>();
  #lastQuery = 0;
  #closed = false;
  #gone: ProcessDied | undefined;

  /** @param maxsize How many items the queue holds; 0: any number. @param joinable Whether items wait to be done. */
  constructor(maxsize: number, joinable: boolean, host: SeatHost) {
    this.#maxsize = maxsize;
    this.#joinable = joinable;
    this.#host = host;
    this.putters = new Putters(maxsize > 0, host);
    this.getters = new Getters(host);
  }

  /** Call before a put. @throws {QueueClosed} @throws {ProcessDied} Nothing can be put any more. */
  aboutToPut(): void {
    this.mustLive();
    if (this.#closed) throw closedToPuts();
    this.putters.begin();
  }

  /** Call before a get: what was taken here until now is used. @throws {ProcessDied} Nothing can be got any more. */
  aboutToGet(): void {
    this.mustLive();
    this.getters.begin(!this.#joinable);
  }

  /** Whether nothing of the queue is here, nobody waits here, and all is told. */
  get isIdle(): boolean {
    return this.#queries.size === 0 && this.putters.isIdle && this.getters.isIdle;
  }

  /** @throws {ProcessDied} The process in which the queue lives is dead. */
  mustLive(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** Says that one of the items that were taken here is done, the first. @returns Whether there was one. */
  finishOne(): boolean {
    if (this.getters.inWork === 0) return false;
    this.getters.finish(1);
    return true;
  }

  /** Asks the owner how many items there are, or to answer when all that were put are done. */
  ask(about: 'size' | 'end of work', settle: (value: number) => void, fail: (error: Error) => void): void {
    const id = ++this.#lastQuery;
    this.#queries.set(id, { settle, fail });
    this.putters.send();
    this.getters.report();
    this.#host.tell({ type: 'query', id, about });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.putters.send();
    this.#host.tell({ type: 'close' });
  }

  /** The process ends, or its target has: what was put goes out. @param well Whether all that was taken was used. */
  leave(well: boolean): void {
    if (this.#gone !== undefined) return;
    this.putters.leave();
    if (well && !this.#joinable) this.getters.finish(this.getters.inWork);
    this.getters.report();
  }

  /** The process in which the queue lives is dead. */
  orphan(death: Death): void {
    this.#gone = new ProcessDied(death, 'the queue that lived in it is gone');
    this.putters.close(this.#gone);
    this.getters.close(this.#gone);
    for (const { fail } of this.#queries.values()) fail(this.#gone);
    this.#queries.clear();
  }

  hear(message: FromOwner): void {
    switch (message.type) {
      case 'places':
        this.putters.receive(message.count, message.id);
        break;
      case 'full':
        this.putters.fail(message.id, this.full());
        break;
      case 'arrived':
        this.putters.arrived(message.count);
        break;
      case 'items':
        this.getters.receive(message.items, message.id);
        break;
      case 'empty':
        this.getters.fail(message.id, this.empty());
        break;
      case 'recall':
        this.getters.giveBack();
        break;
      case 'stranded':
        if (message.side === 'get') this.getters.fail(message.id, strandedGet(message.death));
        else this.putters.fail(message.id, strandedPut(message.death));
        break;
      case 'closed':
        this.#closed = true;
        this.putters.close(closedToPuts());
        this.#host.tell({ type: 'sealed' });
        break;
      case 'drained':
        this.getters.fail(message.id, new QueueClosed('the queue is closed, and no item is left in it'));
        break;
      case 'answer':
        this.#endQuery(message.id)?.settle(message.value);
        break;
      case 'abandoned':
        this.#endQuery(message.id)?.fail(abandoned(message.unfinished, message.death));
        break;
    }
  }

  full(timeoutMs?: number): QueueFull {
    if (this.#maxsize === 0) return new QueueFull(`too much was on its way to the queue for ${timeoutMs} ms`);
    const state = timeoutMs === undefined ? 'is full' : `stayed full for ${timeoutMs} ms`;
    return new QueueFull(`the queue ${state}: its maxsize is ${this.#maxsize}`);
  }

  empty(timeoutMs?: number): QueueEmpty {
    return new QueueEmpty(`the queue ${timeoutMs === undefined ? 'is empty' : `stayed empty for ${timeoutMs} ms`}`);
  }

  #endQuery(id: number): Query | undefined {
    const query = this.#queries.get(id);
    this.#queries.delete(id);
    return query;
  }
}

function closedToPuts(): QueueClosed {
  return new QueueClosed('the queue is closed: nothing more can be put into it');
}

function strandedGet(death: Death): ProcessDied {
  return new ProcessDied(death, 'nobody is left to put an item into the empty queue');
}

function strandedPut(death: Death): ProcessDied {
  return new ProcessDied(death, 'nobody is left to take an item from the full queue');
}

function abandoned(unfinished: number, death: Death): ProcessDied {
  const items = unfinished === 1 ? '1 item is' : `${unfinished} items are`;
  return new ProcessDied(death, `${items} unfinished, and nobody is left who takes items from the queue`);
}
