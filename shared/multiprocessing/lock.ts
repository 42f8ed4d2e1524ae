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
import { lookAgain, whenForgotten } from './forgotten.ts';
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
  constructor(place?: LockPlace) {
    this.#seat = place?.seat ?? new LockSeat(true);
    if (place === undefined) return;
    this.#ref = place.ref;
    keepWhileInUse(this, place);
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
    if (this.#ref === undefined) {
      this.#ref = router.newRef('lock');
      keepWhileInUse(this, openToOthers(this.#ref, this.#seat));
    }
    return { kind: 'Lock', ref: this.#ref };
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

/** What this process has of a lock that others have to do with. It may outlive the Lock, which must not be in it. */
interface LockPlace {
  readonly ref: string;
  readonly seat: LockSeat;
  readonly endpoint: router.Endpoint;
  /** Whether nothing would be lost if all of this went. */
  mayGo(): boolean;
  /** What the program has in its hands. */
  lock?: WeakRef<Lock>;
}

/** By their names in the tree: a lock that comes back is the one that left. */
const places = new Map<string, LockPlace>();

onLeave(() => {
  for (const { seat } of places.values()) seat.giveBack();
});

/** The lock was made here: the arbiter is here too. */
function openToOthers(ref: string, seat: LockSeat): LockPlace {
  const here = router.selfAddress();
  const arbiter = new LockArbiter(here, (to, message) => {
    if (to === here) seat.hear(message);
    else router.post(to, ref, message);
  });
  const endpoint: router.Endpoint = {
    receive: (from, message) => arbiter.receive(from, message as ToArbiter),
    died: (death) => arbiter.died(death),
  };
  connect(seat, true, (message) => arbiter.receive(here, message));
  // Should another process still have the lock, a new arbiter will do as well.
  return addPlace({ ref, seat, endpoint, mayGo: () => seat.isIdle && arbiter.isAsNew });
}

/** The lock was made elsewhere. */
function sitDown(ref: string): LockPlace {
  const owner = router.ownerOf(ref);
  const seat = new LockSeat(false);
  const endpoint: router.Endpoint = {
    receive: (_from, message) => seat.hear(message as FromArbiter),
    died: (death) => {
      if (router.isWithin(owner, death.address)) seat.orphan(death);
    },
  };
  connect(seat, false, (message) => router.post(owner, ref, message));
  return addPlace({ ref, seat, endpoint, mayGo: () => seat.isIdle && !seat.isHere });
}

function connect(seat: LockSeat, atHome: boolean, tell: (message: ToArbiter) => void): void {
  seat.connect({
    atHome,
    tell,
    now: () => performance.now(),
    soon: (work) => process.nextTick(work),
    nextTurn: (work) => setImmediate(work),
    after: (ms, work) => setTimeout(work, ms).unref(),
  });
}

function addPlace(place: LockPlace): LockPlace {
  places.set(place.ref, place);
  router.addEndpoint(place.ref, place.endpoint);
  return place;
}

function keepWhileInUse(lock: Lock, place: LockPlace): void {
  place.lock = new WeakRef(lock);
  whenForgotten(lock, () => isGone(place));
}

/** Lets go of what the program has forgotten. @returns Whether nothing is left to be done, since it has it again, or so. */
function isGone(place: LockPlace): boolean {
  if (place.lock?.deref() !== undefined || places.get(place.ref) !== place) return true;
  if (!place.mayGo()) return false;
  places.delete(place.ref);
  router.removeEndpoint(place.ref);
  return true;
}

const LockFromElsewhere = Lock as unknown as new (place: LockPlace) => Lock;

function placeOf(ref: string): LockPlace {
  const place = places.get(ref);
  if (place !== undefined) return place;
  return router.ownerOf(ref) === router.selfAddress() ? openToOthers(ref, new LockSeat(true)) : sitDown(ref);
}

router.hearForForgotten('lock', (ref) => {
  const place = placeOf(ref);
  lookAgain(() => isGone(place), 1);
  return place.endpoint;
});

defineKind('Lock', ({ ref }) => {
  const place = placeOf(ref);
  return place.lock?.deref() ?? new LockFromElsewhere(place);
});
