// Lock: mutual exclusion between processes. Follows Python's multiprocessing.Lock, but if its holder dies it is free.
//
// A lock is a token that one process has at a time. The process that made the lock (lock-arbiter.ts) says who gets it
// next, in the order of asking. Each process has a seat at the lock (lock-seat.ts): while the token is at a seat and
// nobody else has asked, acquire and release send no message at all (biased locking, as in Kawachiya et al., OOPSLA
// 2002). When somebody has asked, the arbiter recalls the token: those who waited here before are served, and then it
// goes back.
import { defineKind, TRAVEL } from './codec.ts';
import type { Ticket, Traveller } from './codec.ts';
import { currentProcess } from './current.ts';
import { WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { onLeave } from './leaving.ts';
import { LockArbiter } from './lock-arbiter.ts';
import type { FromArbiter, ToArbiter } from './lock-arbiter.ts';
import { LockSeat } from './lock-seat.ts';
import type { Waiter } from './lock-seat.ts';
import * as router from './router.ts';
import { asksOnce, limitTime } from './time-limit.ts';

/** acquire(0) gives up after this long, in milliseconds: where the token is, somebody is too busy even to answer. */
const ANSWER_MS = 1000;

const YES = Promise.resolve(true);
const DONE = Promise.resolve();

export class Lock implements Traveller {
  readonly #seat: LockSeat;
  #ref: string | undefined;

  /** Makes a lock, which lives in this process; other processes get it in arguments or messages. */
  constructor();
  constructor(ref?: string) {
    this.#seat = new LockSeat(ref === undefined);
    if (ref !== undefined) this.#sitDown(ref);
  }

  /**
   * The process that died holding the lock before this one got it: what the lock protects may be half done. It may also
   * have let it go a moment before it died.
   */
  get abandonedBy(): Death | undefined {
    return this.#seat.abandonedBy;
  }

  /**
   * Waits for the lock. Waiters are served in the order in which they asked, over all processes; only a process that
   * has just released the lock may take it again at once, for 2 ms at most.
   * @param timeoutMs How long to wait, in milliseconds; 0 asks once. Without it there is no limit.
   * @returns Whether this process holds the lock now: false when the time ran out.
   * @throws {ProcessDied} The process in which the lock lives is dead.
   */
  acquire(timeoutMs?: number): Promise<boolean> {
    return this.#seat.take() ? YES : this.#wait(timeoutMs);
  }

  /** Lets the lock go. @throws {WrongUse} This process does not hold it. */
  release(): Promise<void> {
    if (this.#seat.release()) return DONE;
    return Promise.reject(new WrongUse(`${currentProcess().name} cannot release a lock that it does not hold`));
  }

  /** Runs `work` while holding the lock and releases it whatever happens. @returns What `work` returns. */
  async withLock<T>(work: () => T | Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await work();
    } finally {
      await this.release();
    }
  }

  /** Holds the lock to the end of the block: `await using _ = await lock.hold();`. */
  async hold(): Promise<AsyncDisposable> {
    await this.acquire();
    let holds = true;
    return {
      [Symbol.asyncDispose]: () => {
        if (!holds) return DONE;
        holds = false;
        return this.release();
      },
    };
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRAVEL](): Ticket {
    if (this.#ref === undefined) this.#openToOthers();
    return { kind: 'Lock', ref: this.#ref! };
  }

  /** The lock was made here: the arbiter is here too. */
  #openToOthers(): void {
    const ref = router.newRef();
    const here = router.selfAddress();
    const arbiter = new LockArbiter(here, (to, message) => {
      if (to === here) this.#seat.hear(message);
      else router.post(to, ref, message);
    });
    router.addEndpoint(ref, {
      receive: (from, message) => arbiter.receive(from, message as ToArbiter),
      died: (death) => arbiter.died(death),
    });
    this.#connect(ref, true, (message) => arbiter.receive(here, message));
  }

  /** The lock was made elsewhere. */
  #sitDown(ref: string): void {
    const owner = router.ownerOf(ref);
    router.addEndpoint(ref, {
      receive: (_from, message) => this.#seat.hear(message as FromArbiter),
      died: (death) => {
        if (router.isWithin(owner, death.address)) this.#seat.orphan(death);
      },
    });
    this.#connect(ref, false, (message) => router.post(owner, ref, message));
  }

  #connect(ref: string, atHome: boolean, tell: (message: ToArbiter) => void): void {
    this.#ref = ref;
    seats.set(ref, this);
    this.#seat.connect({
      atHome,
      tell,
      now: () => performance.now(),
      soon: (work) => process.nextTick(work),
      nextTurn: (work) => setImmediate(work),
      after: (ms, work) => setTimeout(work, ms).unref(),
    });
    onLeave(() => this.#seat.giveBack());
  }

  async #wait(timeoutMs: number | undefined): Promise<boolean> {
    const seat = this.#seat;
    const attempt = asksOnce(timeoutMs);
    if (attempt && seat.isInUseHere()) return false;
    waitBegins();
    try {
      if (seat.mustListen()) {
        await turnOfTheEventLoop();
        if (seat.take()) return true;
      }
      return await new Promise<boolean>((resolve, reject) => {
        let waiter: Waiter | undefined;
        const timer = limitTime(attempt ? ANSWER_MS : timeoutMs, () => {
          seat.withdraw(waiter!);
          resolve(false);
        });
        waiter = seat.wait(attempt, (got) => {
          clearTimeout(timer);
          resolve(got);
        }, (error) => {
          clearTimeout(timer);
          reject(error);
        });
      });
    } finally {
      waitEnds();
    }
  }
}

/** Lets messages come in: after the second 'check' phase there has been a 'poll' phase for certain. */
function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** The locks that others have to do with, by their names in the tree: a lock that comes back is the one that left. */
const seats = new Map<string, Lock>();
const LockFromElsewhere = Lock as unknown as new (ref: string) => Lock;

defineKind('Lock', ({ ref }) => seats.get(ref) ?? new LockFromElsewhere(ref));
