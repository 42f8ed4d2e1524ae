// Queue: items from any process to any other, first in, first out. Follows Python's multiprocessing.Queue, but what a
// process had taken and not used when it was killed is not lost, and nobody waits for ever for the dead.
//
// A queue lives in the process that made it (owner.ts); every process that holds it is a client of it
// (client.ts), and link.ts connects the two. A put carries its item, and a get is one entry in the owner's line:
// nothing is kept for a process that may be busy, and no clock decides who is next. Only puts into an unbounded queue
// need no answer, and only a process that alone takes from one is sent items ahead (gets.ts has the cases).
import { ownerOf } from '../base/address.ts';
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { defineKind, TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { ProcessDied, QueueClosed, WrongUse } from '../base/errors.ts';
import { lookAgain, whenForgotten } from '../base/forgotten.ts';
import { QueueLink } from './link.ts';
import * as router from '../transport/router.ts';
import type { Wait } from '../base/time-limit.ts';

export class Queue<T> implements Transferable, AsyncIterable<T> {
  protected readonly link: QueueLink;

  /**
   * Makes a queue, which lives in this process; other processes get it in arguments, messages and items. With this
   * process it ends.
   * @param maxsize How many items it holds; while it is full, put waits. 0: there is no bound.
   * @throws {WrongUse} `maxsize` is negative, or no whole number.
   */
  constructor(maxsize?: number);
  /** For the toolkit itself: a queue that lives in another process, or another kind of queue. */
  constructor(link: QueueLink);
  constructor(maxsize: number | QueueLink = 0) {
    this.link = maxsize instanceof QueueLink ? maxsize : new QueueLink('Queue', checkMaxsize(maxsize));
  }

  /**
   * Puts a clone of the item into the queue: what is done to the original later does not matter. Waits while the queue
   * is full. Items of one process come out in the order in which it put them; those of several as they arrived.
   *
   * Without a bound, and if the queue lives elsewhere, put waits only while about 1,000 items or 1 MB are on their way.
   * When it has settled, the item leaves at once if this process puts seldom, else with all that it puts in this turn
   * of the event loop, and in any case before whatever else this process tells others; if it is killed before, the item
   * is not in the queue. A put that nobody awaited is put all the same when this process's target has ended,
   * and so is what listeners of its 'exit' put.
   * @param wait How long to wait for a place, in milliseconds, and what calls the wait off; 0 is {@link putNowait}.
   * Without it there is no limit. When the time is up or the signal aborts, the owner has the last word: either the put
   * settles, and the item is in the queue, or it rejects, and the item is not.
   * @throws {QueueFull} The queue was full all that time; an unbounded one: too much was on its way.
   * @throws The signal's `reason`.
   * @throws {QueueClosed} The queue is closed.
   * @throws {NotCloneable} The item holds a function, a socket …
   * @throws {ProcessDied} The process in which the queue lives is dead; or the queue is full, a process that held it
   * failed, and all who still hold it or can get it wait as well.
   */
  put(item: T, wait?: Wait): Promise<void> {
    return this.link.put(item, wait);
  }

  /** Puts a clone of the item into the queue if there is a place. @throws As {@link put}, and {QueueFull} at once. */
  putNowait(item: T): Promise<void> {
    return this.link.put(item, 0);
  }

  /**
   * Takes the next item; waits while there is none. Those who wait are served in the order in which they asked, over
   * all processes, and each sees the items of each putter in the order of the puts.
   *
   * From a queue without a bound, a process that alone takes items, in a quick burst of one get after the other, is
   * sent some ahead. What is left of them goes back as soon as it does anything else: when its event loop turns, or it
   * tells others something. While it computes in the very turn of such a burst, up to 512 items or 256 KiB stay with
   * it.
   *
   * Each item is taken once, unless the process that took it fails (a signal, an exit code other than 0, the target
   * throws) before it used it: then it goes back to the head of the queue. A process has used an item when it calls get
   * again, or when its target ends. The owner learns of that by the end of the turn of the event loop: what was taken
   * in the turn in which a process is killed may be handed out twice. What comes back from the dead can come after
   * younger items, and be more than `maxsize`. So can what came back from a process that had been sent it ahead, or for
   * a get that was aborted meanwhile, if others have younger ones and wait, and that process asks for no more when its
   * event loop turns.
   * @param wait How long to wait, in milliseconds, and what calls the wait off; 0 is {@link getNowait}. Without it
   * there is no limit. When the time is up, the owner has the last word: an item after all, or QueueEmpty. When the
   * signal aborts, the get rejects at once and takes nothing.
   * @throws {QueueEmpty} The queue was empty all that time. @throws The signal's `reason`.
   * @throws {QueueClosed} The queue is closed, and empty.
   * @throws {ProcessDied} The process in which the queue lives is dead; or the queue is empty, a process that held it
   * failed, and all who still hold it or can get it wait as well.
   */
  get(wait?: Wait): Promise<T> {
    return this.link.get(wait) as Promise<T>;
  }

  /** Takes the next item if there is one. @throws As {@link get}, and {QueueEmpty} at once. */
  getNowait(): Promise<T> {
    return this.link.get(0) as Promise<T>;
  }

  /** How many items were put that no get has returned yet. Others may change it before you learn of it. */
  qsize(): Promise<number> {
    return this.link.size();
  }

  /** Whether there is no item in the queue. Others may change it before you learn of it. */
  async empty(): Promise<boolean> {
    return await this.link.size() === 0;
  }

  /** Whether the queue holds `maxsize` items; never, without a bound. Others may change it before you learn of it. */
  async full(): Promise<boolean> {
    return this.link.maxsize > 0 && await this.link.size() >= this.link.maxsize;
  }

  /**
   * Closes the queue for all: puts that wait and later ones are refused. What is in it can still be got; then get is
   * refused, and `for await` ends. Closing twice does nothing. What a process had taken and not used when it died comes
   * back into a closed queue too, for who gets it then; readers that have heard the end by that time have not.
   * @throws {ProcessDied} The process in which the queue lives is dead.
   */
  close(): Promise<void> {
    return this.link.close();
  }

  /** Closes the queue for all with the block: `await using queue = …`. One whose process is dead is closed by that. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      if (!(error instanceof ProcessDied)) throw error;
    }
  }

  /** Takes items until the queue is closed and empty: `for await (const item of queue)`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof QueueClosed) return;
        throw error;
      }
      yield item;
    }
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { kind, maxsize } = this.link;
    return `${kind} ${inspect({ maxsize }, options)}`;
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRANSFER](): Reference {
    const reference = this.link.travel();
    if (!known.has(reference.ref)) know(reference.ref, this.link, this);
    return reference;
  }
}

/** @throws {WrongUse} It is negative, or no whole number. */
export function checkMaxsize(maxsize: unknown): number {
  if (typeof maxsize === 'number' && Number.isSafeInteger(maxsize) && maxsize >= 0) return maxsize;
  throw new WrongUse(`the maxsize of a queue is a whole number of items, or 0 for no bound, not ${inspect(maxsize)}`);
}

interface Known {
  readonly link: QueueLink;
  /** What the program has in its hands. */
  queue: WeakRef<Queue<unknown>> | undefined;
}

/** The queues that others have to do with, by their names in the tree: a queue that comes back is the one that left. */
const known = new Map<string, Known>();

function know(ref: string, link: QueueLink, queue: Queue<unknown> | undefined): Known {
  const entry: Known = { link, queue: undefined };
  known.set(ref, entry);
  if (queue === undefined) lookAgain(() => isGone(ref, entry), 1);
  else keepWhileInUse(ref, entry, queue);
  return entry;
}

function keepWhileInUse(ref: string, entry: Known, queue: Queue<unknown>): void {
  entry.queue = new WeakRef(queue);
  whenForgotten(queue, () => isGone(ref, entry));
}

/** @returns Whether nothing is left to be done: the program has it again, or nothing is left of it here. */
function isGone(ref: string, entry: Known): boolean {
  if (entry.queue?.deref() !== undefined || known.get(ref) !== entry) return true;
  if (!entry.link.isGone()) return false;
  known.delete(ref);
  return true;
}

router.hearForForgotten('queue', (ref) => {
  // Only what lived here can have been forgotten so that others count on it: what comes to a former client is too late.
  if (ownerOf(ref) !== router.selfAddress()) return { receive: () => {} };
  return know(ref, QueueLink.again(ref), undefined).link;
});

/** Says how queues of a kind come to life in the process that receives their references. */
export function defineQueue(kind: QueueLink['kind'], make: (link: QueueLink) => Queue<unknown>): void {
  defineKind(kind, ({ ref, detail }) => {
    const isOwn = ownerOf(ref) === router.selfAddress();
    const entry = known.get(ref)
      ?? know(ref, isOwn ? QueueLink.again(ref) : new QueueLink(kind, detail as number, ref), undefined);
    let queue = entry.queue?.deref();
    if (queue === undefined) {
      queue = make(entry.link);
      keepWhileInUse(ref, entry, queue);
    }
    return queue;
  });
}

defineQueue('Queue', (link) => new Queue(link));
