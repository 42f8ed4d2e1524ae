// Lock: mutual exclusion between processes. Follows Python's multiprocessing.Lock, but if its holder dies it is free.
//
// A lock is a token that one process has at a time. The process that made the lock (lock-arbiter.ts) says who gets it
// next, in the order of asking. Each process has a client at the lock (lock-client.ts). Where the token came from
// elsewhere, a release sends it home at once, so that a lock that nobody holds can be had whatever its last holder does
// next. Only in a burst (burst.ts) does it stay for a moment, and acquire and release send no message at all (biased
// locking, as in Kawachiya et al., OOPSLA 2002). When somebody has asked, the arbiter recalls the token.
import { isWithin, ownerOf } from '../base/address.ts';
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { defineKind, TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { currentProcess } from '../process/current.ts';
import { TimedOut, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { lookAgain, whenForgotten } from '../base/forgotten.ts';
import { onLeave } from '../process/leaving.ts';
import { LockArbiter } from './lock-arbiter.ts';
import { readFromArbiter, readToArbiter } from './messages.ts';
import type { ToArbiter } from './messages.ts';
import { LockClient } from './lock-client.ts';
import { waitAt } from './wait.ts';
import * as router from '../transport/router.ts';
import type { Wait } from '../base/time-limit.ts';
import { afterThis, whenRead } from '../transport/turn.ts';

const YES = Promise.resolve(true);
const DONE = Promise.resolve();

export class Lock implements Transferable {
  readonly #client: LockClient;
  #ref: string | undefined;

  /** Makes a lock, which lives in this process; other processes get it in arguments or messages. */
  constructor();
  constructor(place?: LockPlace) {
    this.#client = place?.client ?? new LockClient(true);
    if (place === undefined) return;
    this.#ref = place.ref;
    keepWhileInUse(this, place);
  }

  /**
   * The process that died holding the lock before this one got it: what the lock protects may be half done. If it died
   * in a burst (see {@link release}), it may also have let it go a moment before.
   */
  get abandonedBy(): Death | undefined {
    return this.#client.abandonedBy;
  }

  /**
   * Waits for the lock. Waiters are served in the order in which they asked, over all processes; only a process that
   * takes it in a burst (see {@link release}) may go on doing so for 2 ms after it has heard of others.
   *
   * A lock that nobody holds is had at once, whatever its last holder does, and when the time is up the process in
   * which the lock lives says whether it was: so do not make a lock in a process that computes for long, for while it
   * does nobody else gets it or learns that he does not.
   * @param wait How long to wait, in milliseconds, or `{ timeoutMs, signal }`; 0 asks once. Without it there is no
   * limit.
   * @returns Whether this process holds the lock now: false when the time ran out. In a burst elsewhere it counts as
   * held.
   * @throws {ProcessDied} The process in which the lock lives is dead. @throws {WrongUse} `wait` is none.
   * @throws The signal's `reason`, when it is aborted before the lock is had. Should it be granted after that, it goes
   * on.
   */
  acquire(wait?: Wait): Promise<boolean> {
    return wait === undefined && this.#client.take() ? YES : waitAt(this.#client, wait);
  }

  /**
   * Lets the lock go, before it returns: whatever this process does next, others can have it at once.
   *
   * But a message a time is slow. From the fifth on that follow each other quickly (the pause before it and the hold
   * together under a millisecond), or the first after a burst of 64 that was interrupted, the lock stays until what
   * runs now is done, with all that follows at once, like settled promises. A program that computes on from there,
   * without letting the event loop turn, keeps others waiting until it does. The same is true, always, of the process
   * in which the lock lives.
   * @throws {WrongUse} This process does not hold it.
   */
  release(): Promise<void> {
    if (this.#client.release()) return DONE;
    return Promise.reject(new WrongUse(`${currentProcess().name} cannot release a lock that it does not hold`));
  }

  /**
   * Runs `work` while holding the lock and releases it whatever happens. @param wait As for {@link acquire}.
   * @returns What `work` returns. @throws {TimedOut} The time ran out, and `work` was not called.
   */
  async withLock<T>(work: () => T | Promise<T>, wait?: Wait): Promise<T> {
    await this.#acquireInTime(wait);
    try {
      return await work();
    } finally {
      await this.release();
    }
  }

  /**
   * Holds the lock to the end of the block: `await using _ = await lock.hold();`. @param wait As for {@link acquire}.
   * @throws {TimedOut} The time ran out.
   */
  async hold(wait?: Wait): Promise<AsyncDisposable> {
    await this.#acquireInTime(wait);
    let holds = true;
    return {
      [Symbol.asyncDispose]: () => {
        if (!holds) return DONE;
        holds = false;
        return this.release();
      },
    };
  }

  /**
   * Who has the lock: for those who watch, not to decide by, as it may be another's a moment later.
   * @returns undefined when nobody has it, or in another process than the one that made the lock.
   */
  get held(): HeldLock | undefined {
    const { isHeld, isHere } = this.#client;
    const shared = this.#ref === undefined ? undefined : places.get(this.#ref)?.held?.();
    // The token that is here may just lie here.
    if (!isHere) return shared;
    return isHeld ? { holder: router.selfAddress(), sinceMs: undefined, waiting: shared?.waiting ?? 0 } : undefined;
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRANSFER](): Reference {
    if (this.#ref === undefined) {
      this.#ref = router.newRef('lock');
      keepWhileInUse(this, openToOthers(this.#ref, this.#client));
    }
    return { kind: 'Lock', ref: this.#ref };
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { isHeld, abandonedBy } = this.#client;
    return `Lock ${inspect({ isHeldHere: isHeld, abandonedBy }, options)}`;
  }

  async #acquireInTime(wait: Wait): Promise<void> {
    if (await this.acquire(wait)) return;
    throw new TimedOut('the lock was not free', typeof wait === 'object' ? wait.timeoutMs : wait);
  }
}

export interface HeldLock {
  /** The {@link Process.address} of the process that has it. */
  readonly holder: string;
  /** Since when, on the clock of performance.now(); undefined: that was not noted. */
  readonly sinceMs: number | undefined;
  /** How many wait for it. */
  readonly waiting: number;
}

/** What this process has of a lock that others have to do with. It may outlive the Lock, which must not be in it. */
interface LockPlace {
  readonly ref: string;
  readonly client: LockClient;
  readonly endpoint: router.Endpoint;
  /** Whether nothing would be lost if all of this went. */
  mayGo(): boolean;
  /** Where the arbiter is: who has the token. */
  held?(): HeldLock | undefined;
  /** What the program has in its hands. */
  lock?: WeakRef<Lock>;
}

/** By their names in the tree: a lock that comes back is the one that left. */
const places = new Map<string, LockPlace>();

onLeave(() => {
  for (const { client } of places.values()) client.giveBack();
});

/** The lock was made here: the arbiter is here too. */
function openToOthers(ref: string, client: LockClient): LockPlace {
  const here = router.selfAddress();
  let grantedAt: number | undefined;
  const arbiter = new LockArbiter(here, {
    tell: (to, message) => {
      if (message.type === 'grant') grantedAt = performance.now();
      if (to === here) client.hear(message);
      else router.post(to, ref, message);
    },
    whenRead,
  });
  const endpoint: router.Endpoint = {
    receive: (from, body) => {
      const message = readToArbiter(body);
      if (message !== undefined) arbiter.receive(from, message);
    },
    died: (death) => arbiter.died(death),
  };
  connect(client, true, (message) => arbiter.receive(here, message));
  // Should another process still have the lock, a new arbiter will do as well.
  return addPlace({
    ref, client, endpoint, mayGo: () => client.isIdle && arbiter.isAsNew,
    held: () => arbiter.holder === undefined ? undefined
      : { holder: arbiter.holder, sinceMs: grantedAt, waiting: arbiter.waiting },
  });
}

/** The lock was made elsewhere. */
function becomeClient(ref: string): LockPlace {
  const owner = ownerOf(ref);
  const client = new LockClient(false);
  const endpoint: router.Endpoint = {
    receive: (from, body) => {
      const message = from === owner ? readFromArbiter(body) : undefined;
      if (message !== undefined) client.hear(message);
    },
    died: (death) => {
      if (isWithin(owner, death.address)) client.orphan(death);
    },
  };
  connect(client, false, (message) => router.post(owner, ref, message));
  return addPlace({ ref, client, endpoint, mayGo: () => client.isIdle && !client.isHere });
}

function connect(client: LockClient, atHome: boolean, tell: (message: ToArbiter) => void): void {
  client.connect({
    atHome,
    tell,
    flush: router.flush,
    now: () => performance.now(),
    soon: afterThis,
    nextTurn: (work) => setImmediate(work),
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

/**
 * Lets go of what the program has forgotten. @returns Whether nothing is left to be done, since it has it again, or so.
 */
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
  return ownerOf(ref) === router.selfAddress() ? openToOthers(ref, new LockClient(true)) : becomeClient(ref);
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
