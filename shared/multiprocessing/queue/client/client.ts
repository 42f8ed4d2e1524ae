// A process's client of one Queue: its two halves (puts.ts, gets.ts), its questions to the owner, and the end
// of it all. Pure: it is told what came and tells what to send. Connected by link.ts and the model test.
import { ProcessDied, QueueClosed, QueueEmpty, QueueFull } from '../../base/errors.ts';
import type { Death } from '../../base/errors.ts';
import { Gets } from './gets.ts';
import type { ClientHost } from './host.ts';
import type { FromOwner } from '../owner/messages.ts';
import { IdleFlush } from './idle-flush.ts';
import { BoundedPuts, UnboundedPuts } from './puts.ts';
import type { Puts } from './puts.ts';

interface Query {
  readonly settle: (value: number) => void;
  readonly fail: (error: Error) => void;
}

export class QueueClient {
  readonly puts: Puts;
  readonly gets: Gets;
  readonly #bounded: BoundedPuts | undefined;
  readonly #unbounded: UnboundedPuts | undefined;
  readonly #maxsize: number;
  readonly #joinable: boolean;
  readonly #doneFlush: IdleFlush;
  readonly #host: ClientHost;
  readonly #queries = new Map<number, Query>();
  #lastQuery = 0;
  #closed = false;
  #gone: ProcessDied | undefined;

  /** @param maxsize How many items the queue holds; 0: any number. @param joinable Whether items wait to be done. */
  constructor(maxsize: number, joinable: boolean, host: ClientHost) {
    this.#maxsize = maxsize;
    this.#joinable = joinable;
    this.#doneFlush = new IdleFlush(() => host.now());
    this.#host = host;
    if (maxsize > 0) this.puts = this.#bounded = new BoundedPuts(host);
    else this.puts = this.#unbounded = new UnboundedPuts(host, () => this.full());
    this.gets = new Gets(joinable, host);
  }

  /** Whether nothing of the queue is here, nobody waits here, and all is told. */
  get isIdle(): boolean {
    return this.#queries.size === 0 && this.puts.isIdle && this.gets.isIdle;
  }

  /** @throws {ProcessDied} The process in which the queue lives is dead. */
  mustLive(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** @throws {QueueClosed} @throws {ProcessDied} Nothing can be put any more. */
  mustTakePuts(): void {
    this.mustLive();
    if (this.#closed) throw closedToPuts();
  }

  /** Says that one of the items that were taken here is done, the first. @returns Whether there was one. */
  finishOne(): boolean {
    if (this.gets.inWork === 0) return false;
    this.#doneFlush.called();
    this.gets.finish(1);
    // Others wait for the end of all work, and this process may compute now.
    if (this.#doneFlush.isIdle) this.#host.flush();
    this.#doneFlush.served();
    return true;
  }

  /** Asks the owner how many items there are, or to answer when all that were put are done. @returns Its name. */
  ask(about: 'size' | 'end of work', settle: (value: number) => void, fail: (error: Error) => void): number {
    const id = ++this.#lastQuery;
    this.#queries.set(id, { settle, fail });
    this.puts.send();
    this.gets.send();
    this.#host.tell({ type: 'query', id, about });
    return id;
  }

  /** That end of work is not waited for any longer: the answer, how many items are not done, comes at once. */
  withdrawJoin(id: number): void {
    if (this.#queries.has(id)) this.#host.tell({ type: 'withdraw join', id });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.puts.send();
    this.#host.tell({ type: 'close' });
  }

  /** The process ends, or its target has: what was put goes out. @param well Whether all that was taken was used. */
  leave(well: boolean): void {
    if (this.#gone !== undefined) return;
    this.puts.leave();
    if (well && !this.#joinable) this.gets.finish(this.gets.inWork);
    this.gets.send();
    this.#host.tell({ type: 'left' });
  }

  /** The process in which the queue lives is dead. */
  orphan(death: Death): void {
    this.#gone = new ProcessDied(death, 'the queue that lived in it is gone');
    this.puts.close(this.#gone);
    this.gets.close(this.#gone);
    for (const { fail } of this.#queries.values()) fail(this.#gone);
    this.#queries.clear();
  }

  hear(message: FromOwner): void {
    switch (message.type) {
      case 'accepted':
        this.#bounded?.accepted(message.id);
        break;
      case 'arrived':
        this.#unbounded?.arrived(message.count);
        break;
      case 'full':
        this.#bounded?.refused(message.id, this.full());
        break;
      case 'items':
        this.gets.receive(message.id, message.items);
        break;
      case 'empty':
        this.gets.fail(message.id, this.empty());
        break;
      case 'recall':
        this.gets.recall();
        break;
      case 'probe':
        this.gets.probe();
        break;
      case 'deadlocked':
        if (message.side === 'get') this.gets.fail(message.id, deadlockedGet(message.death));
        else this.#bounded?.refused(message.id, deadlockedPut(message.death));
        break;
      case 'closed':
        this.#closed = true;
        this.puts.close(closedToPuts());
        this.#host.tell({ type: 'sealed' });
        break;
      case 'drained':
        this.gets.fail(message.id, new QueueClosed('the queue is closed, and no item is left in it'));
        break;
      case 'answer':
        this.#endQuery(message.id)?.settle(message.value);
        break;
      case 'abandoned':
        this.#endQuery(message.id)?.fail(abandoned(message.unfinished, message.death));
        break;
    }
  }

  /** @param forMs So long in milliseconds, if the put waited. */
  full(forMs?: number): QueueFull {
    if (this.#maxsize === 0) return new QueueFull(`too much was on its way to the queue for ${forMs} ms`);
    const state = forMs === undefined ? 'is full' : `stayed full for ${forMs} ms`;
    return new QueueFull(`the queue ${state}: its maxsize is ${this.#maxsize}`);
  }

  /** @param forMs So long in milliseconds, if the get waited. */
  empty(forMs?: number): QueueEmpty {
    return new QueueEmpty(`the queue ${forMs === undefined ? 'is empty' : `stayed empty for ${forMs} ms`}`);
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

function deadlockedGet(death: Death): ProcessDied {
  return new ProcessDied(death, 'nobody is left to put an item into the empty queue');
}

function deadlockedPut(death: Death): ProcessDied {
  return new ProcessDied(death, 'nobody is left to take an item from the full queue');
}

function abandoned(unfinished: number, death: Death): ProcessDied {
  const items = unfinished === 1 ? '1 item is' : `${unfinished} items are`;
  return new ProcessDied(death, `${items} unfinished, and nobody is left who takes items from the queue`);
}
