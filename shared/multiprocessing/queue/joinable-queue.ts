// JoinableQueue: a Queue that knows when all work is done. Follows Python's multiprocessing.JoinableQueue, but work
// that a dead process left undone is done by another, and join() does not wait for those who will not come.
import { WrongUse } from '../base/errors.ts';
import { currentProcess } from '../process/current.ts';
import { checkMaxsize, defineQueue, Queue } from './queue.ts';
import { QueueLink } from './link.ts';
import type { Wait } from '../base/time-limit.ts';

/**
 * A queue whose items are done when {@link taskDone} says so, and not when their process asks for the next: until then
 * an item goes back to the head of the queue when its process dies, however it ends.
 */
export class JoinableQueue<T> extends Queue<T> {
  /** As Queue's. */
  constructor(maxsize?: number);
  constructor(link: QueueLink);
  constructor(maxsize: number | QueueLink = 0) {
    super(maxsize instanceof QueueLink ? maxsize : new QueueLink('JoinableQueue', checkMaxsize(maxsize)));
  }

  /**
   * Says that one of the items that this process took is done, the first that it took of those that are not.
   * @throws {WrongUse} All that this process took are done.
   */
  taskDone(): Promise<void> {
    if (this.link.finishOne()) return DONE;
    return Promise.reject(new WrongUse(
      `taskDone called more often than there were items: ${currentProcess().name} has taken no item that is not done`,
    ));
  }

  /**
   * Waits until every item that was put is done.
   * @param wait How long at most, in milliseconds, and what calls it off; 0 asks once. Without it there is no limit.
   * @returns Whether all are done: false when the time is up.
   * @throws {ProcessDied} The process in which the queue lives is dead; or one that held it failed, and no process that
   * takes items from it is left: none that has called get, or has done nothing with it yet, or can still get it. The
   * items are still in the queue: a new process can take them, and then join() is of use again.
   */
  join(wait?: Wait): Promise<boolean> {
    return this.link.endOfWork(wait);
  }
}

const DONE = Promise.resolve();

defineQueue('JoinableQueue', (link) => new JoinableQueue(link));
