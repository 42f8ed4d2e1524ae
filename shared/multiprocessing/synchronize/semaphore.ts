// Semaphore: a number of permits, each for one at a time. Follows Python's multiprocessing.Semaphore, but a permit of a
// process that dies comes back. The permits lie with the process that made it (semaphore-owner.ts), which serves those
// who wait in the order of asking.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import type { Death } from '../base/errors.ts';
import { ProcessDied, TimedOut } from '../base/errors.ts';
import { checkCount } from './count.ts';
import { defineShared, Link } from './link.ts';
import type { Kind } from './link.ts';
import { SemaphoreOwner } from './semaphore-owner.ts';
import type { SemaphoreAsk } from './semaphore-owner.ts';
import type { Wait } from '../base/time-limit.ts';

export interface SemaphoreOptions {
  /**
   * There are never more permits than at first, as in Python's BoundedSemaphore: a release while all are free rejects.
   * Default: false, it adds one, as in Python's Semaphore.
   */
  readonly bounded?: boolean | undefined;
}

const SEMAPHORE: Kind = {
  name: 'Semaphore', word: 'semaphore',
  owner: (host, [permits, bounded], state) => new SemaphoreOwner(host, permits!, bounded === 1, state),
  proxy: (link) => new SemaphoreFromElsewhere(link),
};

export class Semaphore implements Transferable {
  readonly #link: Link;

  /**
   * Makes a semaphore, which lives in this process; other processes get it in arguments or messages. So do not make one
   * in a process that computes for long: while it does, nobody gets a permit, or learns that he does not.
   * @param permits How many are free at first: a whole number, 0 too.
   * @throws {WrongUse} `permits` is none.
   */
  constructor(permits?: number, options?: SemaphoreOptions);
  constructor(permits: number | Link = 1, { bounded = false }: SemaphoreOptions = {}) {
    this.#link = permits instanceof Link ? permits
      : new Link(SEMAPHORE, [checkCount(permits, 0, 'the permits of a semaphore'), bounded ? 1 : 0]);
  }

  /**
   * The process that died holding a permit that this process has now; of several the last. What it did with it may be
   * half done. It is forgotten when this process has released all of its permits.
   */
  get abandonedBy(): Death | undefined {
    return this.#link.client.abandonedBy;
  }

  /**
   * Takes a permit; waits while none is free. Those who wait are served in the order in which they asked, over all
   * processes. What a process holds when it dies, or ends, is free again. So where a permit is a signal that is used up
   * rather than a place that is given back, use a Queue: those of a consumer that died would come back too.
   * @param wait How long to wait, in milliseconds, or `{ timeoutMs, signal }`; 0 asks once. Without it there is no
   * limit.
   * @returns Whether this process has it now: false when the time ran out.
   * @throws {ProcessDied} The process in which the semaphore lives is dead; or no permit is free or held, a process
   * that might have released one failed, and all who still have the semaphore wait as well.
   * @throws The signal's `reason`, when it is aborted before the permit is had; should it be granted after that, it is
   * free again. @throws {WrongUse} `wait` is none.
   */
  async acquire(wait?: Wait): Promise<boolean> {
    return await this.#ask('acquire', wait) as boolean;
  }

  /**
   * Gives a permit back: it leaves this process at once, whether that awaits it or not. As in Python any process may,
   * one that has taken none too: it then gives back the one of the process that has held some for longest; and if
   * nobody holds any, there is one more than before. {@link withPermit} never releases one too many. When the process
   * in which the semaphore lives is dead, there is nothing left to give back, and nothing happens.
   * @throws {WrongUse} The semaphore is bounded, and all its permits are free.
   */
  async release(): Promise<void> {
    this.#link.client.releases();
    try {
      await this.#ask('release');
    } catch (error) {
      if (!(error instanceof ProcessDied)) throw error;
    }
  }

  /**
   * Runs `work` with a permit, and releases it whatever happens. @param wait As for {@link acquire}.
   * @returns What `work` returns. @throws {TimedOut} The time ran out, and `work` was not called.
   */
  async withPermit<T>(work: () => T | Promise<T>, wait?: Wait): Promise<T> {
    await this.#acquireInTime(wait);
    try {
      return await work();
    } finally {
      await this.release();
    }
  }

  /**
   * Keeps a permit to the end of the block: `await using _ = await semaphore.hold();`.
   * @param wait As for {@link acquire}. @throws {TimedOut} The time ran out.
   */
  async hold(wait?: Wait): Promise<AsyncDisposable> {
    await this.#acquireInTime(wait);
    let holds = true;
    return {
      [Symbol.asyncDispose]: async () => {
        if (!holds) return;
        holds = false;
        await this.release();
      },
    };
  }

  /**
   * How many permits are free. Others may take them before you learn of it.
   * @throws {ProcessDied} The process in which the semaphore lives is dead.
   */
  async value(): Promise<number> {
    return await this.#ask('value') as number;
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRANSFER](): Reference {
    return this.#link.travel(this);
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const [permits, bounded] = this.#link.detail;
    return this.#link.describe({ permits, bounded: bounded === 1 }, options);
  }

  async #acquireInTime(wait: Wait): Promise<void> {
    if (await this.acquire(wait)) return;
    throw new TimedOut('no permit was free', typeof wait === 'object' ? wait.timeoutMs : wait);
  }

  #ask(what: SemaphoreAsk, wait?: Wait): Promise<number | boolean> {
    return this.#link.ask(what, wait);
  }
}

const SemaphoreFromElsewhere = Semaphore as unknown as new (link: Link) => Semaphore;

defineShared(SEMAPHORE);
