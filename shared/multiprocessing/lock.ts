// Lock: mutual exclusion between processes. Follows Python's multiprocessing.Lock, but a lock whose holder dies is free.
//
// A lock is a token that one process has at a time. The process that made the lock (lock-arbiter.ts) says who gets it
// next, in the order of asking. Each process has a seat at the lock: while the token is at a seat and nobody else has
// asked, acquire and release send no message at all (biased locking, as in Kawachiya et al., OOPSLA 2002). When somebody
// has asked, the arbiter recalls the token: those who waited here before are served, and then it goes back.
import { defineKind, TRAVEL } from './codec.ts';
import type { Ticket, Traveller } from './codec.ts';
import { ProcessDied, WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { onLeave } from './leaving.ts';
import { LockArbiter } from './lock-arbiter.ts';
import type { FromArbiter, ToArbiter } from './lock-arbiter.ts';
import * as router from './router.ts';
import { currentProcess } from './current.ts';

/** For this long after a recall the process may take the token again, in milliseconds: a message per acquire is slow. */
const SLICE_MS = 5;
/** An unused token goes home after this long, in milliseconds: only then does a death here no longer look like a holder's. */
const IDLE_MS = 20;
/** How many times a token is taken before the clock is looked at. */
const TAKES_A_LOOK = 128;

const YES = Promise.resolve(true);
const DONE = Promise.resolve();

interface Waiter {
  settle(got: boolean): void;
  fail(error: Error): void;
  /** The arbiter knows of this waiter and has it in its line. The others wait here only, ahead of these. */
  readonly registered: boolean;
  readonly attempt: boolean;
}

export class Lock implements Traveller {
  #ref: string | undefined;
  #tell: (message: ToArbiter) => void = () => {};
  #here: boolean;
  #held = false;
  #abandonedBy: Death | undefined;
  #ownerDied: Death | undefined;
  readonly #waiters: Waiter[] = [];
  /** How many registered waiters the arbiter has let go first. */
  #turns = 0;
  #recalledAt: number | undefined;
  #takes = 0;
  #lookedAt = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #usedSinceIdleCheck = false;

  /** Makes a lock, which lives in this process; other processes get it in arguments or messages. */
  constructor();
  constructor(ticket?: Ticket) {
    this.#here = ticket === undefined;
    if (ticket === undefined) return;
    this.#takeSeat(ticket.ref, (message) => router.post(router.ownerOf(ticket.ref), ticket.ref, message));
  }

  /** The process that died holding the lock before this one got it: what the lock protects may be half done. */
  get abandonedBy(): Death | undefined {
    return this.#held ? this.#abandonedBy : undefined;
  }

  /**
   * Waits for the lock. Waiters are served in the order in which they asked, over all processes; only a process that has
   * just released the lock may take it again at once, for {@link SLICE_MS} at most.
   * @param timeoutMs How long to wait, in milliseconds; 0 asks once. Without it there is no limit.
   * @returns Whether this process holds the lock now: false when the time ran out.
   * @throws {ProcessDied} The process in which the lock lives is dead.
   */
  acquire(timeoutMs?: number): Promise<boolean> {
    if (this.#here && !this.#held && this.#waiters.length === 0 && this.#mayTake()) {
      this.#held = true;
      this.#usedSinceIdleCheck = true;
      return YES;
    }
    return this.#wait(timeoutMs);
  }

  /** Lets the lock go. @throws {WrongUse} This process does not hold it. */
  release(): Promise<void> {
    if (!this.#held) {
      return Promise.reject(new WrongUse(`${currentProcess().name} cannot release a lock that it does not hold`));
    }
    this.#held = false;
    this.#abandonedBy = undefined;
    if (this.#ref !== undefined) this.#next();
    else if (this.#waiters.length > 0) this.#serve();
    return DONE;
  }

  /** Runs `work` while holding the lock and releases it whatever happens. @returns What `work` returns. */
  async withLock<T>(work: () => T | Promise<T>): Promise<T> {
    await this.acquire();
    try {
      return await work();
    } finally {
      if (this.#ownerDied === undefined) await this.release();
    }
  }

  /** Holds the lock to the end of the block: `await using _ = await lock.hold();`. */
  async hold(): Promise<AsyncDisposable> {
    await this.acquire();
    return { [Symbol.asyncDispose]: () => this.release() };
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRAVEL](): Ticket {
    if (this.#ref === undefined) {
      const ref = router.newRef();
      const arbiter = new LockArbiter(ref, (message) => this.#hear(message));
      this.#takeSeat(ref, (message) => arbiter.receive(router.selfAddress(), message), arbiter);
    }
    return { kind: 'Lock', ref: this.#ref! };
  }

  #takeSeat(ref: string, tell: (message: ToArbiter) => void, arbiter?: LockArbiter): void {
    this.#ref = ref;
    this.#tell = tell;
    router.addEndpoint(ref, arbiter ?? {
      receive: (_from, message) => this.#hear(message as FromArbiter),
      died: (death) => this.#orphaned(death),
    });
    onLeave(() => this.#giveBack());
  }

  /** Whether the free token, which is here, may be taken without asking. */
  #mayTake(): boolean {
    if (this.#recalledAt !== undefined) return performance.now() - this.#recalledAt < SLICE_MS;
    if (this.#ref === undefined || ++this.#takes < TAKES_A_LOOK) return true;
    // A loop of acquire and release never lets the event loop turn, so no recall would ever be heard.
    this.#takes = 0;
    return performance.now() - this.#lookedAt < SLICE_MS;
  }

  async #wait(timeoutMs: number | undefined): Promise<boolean> {
    if (this.#ownerDied !== undefined) throw this.#orphanedError(this.#ownerDied);
    if (timeoutMs !== undefined && timeoutMs <= 0 && this.#here && (this.#held || this.#waiters.length > 0)) return false;
    waitBegins();
    try {
      if (this.#here && !this.#held && this.#waiters.length === 0 && this.#recalledAt === undefined) {
        await turnOfTheEventLoop();
        this.#lookedAt = performance.now();
      }
      return await new Promise<boolean>((resolve, reject) => this.#queueUp(timeoutMs, resolve, reject));
    } finally {
      waitEnds();
    }
  }

  #queueUp(timeoutMs: number | undefined, resolve: (got: boolean) => void, reject: (error: Error) => void): void {
    const attempt = timeoutMs !== undefined && timeoutMs <= 0;
    const registered = !this.#here || this.#recalledAt !== undefined || this.#waiters.at(-1)?.registered === true;
    const timer = timeoutMs === undefined || attempt ? undefined : setTimeout(() => {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      if (registered) this.#tell({ type: 'withdraw' });
      resolve(false);
    }, timeoutMs);
    const settle = (got: boolean): void => {
      clearTimeout(timer);
      resolve(got);
    };
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    const waiter: Waiter = { settle, fail, registered, attempt };
    this.#waiters.push(waiter);
    if (registered) this.#tell({ type: 'ask', attempt });
    else this.#serve();
  }

  /** Gives the token, if it is here and free, to the next waiter of this process whose turn it is. */
  #serve(): boolean {
    if (!this.#here || this.#held) return false;
    const first = this.#waiters[0];
    if (first === undefined) {
      this.#turns = 0; // Theirs whose time ran out.
      return false;
    }
    if (first.registered && this.#turns-- <= 0) {
      this.#turns = 0;
      return false;
    }
    this.#waiters.shift();
    this.#held = true;
    this.#usedSinceIdleCheck = true;
    first.settle(true);
    return true;
  }

  /** The token is free: the next waiter here, or home with it if it was recalled, or it stays for a while. */
  #next(): void {
    if (this.#serve() || !this.#here) return;
    if (this.#recalledAt === undefined) {
      this.#watchIdle();
      return;
    }
    // Those who take it again at once do so before the next tick.
    process.nextTick(() => {
      if (this.#recalledAt !== undefined && !this.#serve()) this.#giveBack();
    });
  }

  #giveBack(): void {
    if (!this.#here || this.#held || this.#ownerDied !== undefined) return;
    this.#here = false;
    this.#recalledAt = undefined;
    this.#tell({ type: 'return' });
  }

  #watchIdle(): void {
    if (this.#idleTimer !== undefined || router.ownerOf(this.#ref!) === router.selfAddress()) return;
    this.#usedSinceIdleCheck = false;
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      if (this.#usedSinceIdleCheck) this.#next();
      else this.#giveBack();
    }, IDLE_MS).unref();
  }

  #hear(message: FromArbiter): void {
    switch (message.type) {
      case 'grant':
        this.#here = true;
        this.#turns += message.turns;
        this.#abandonedBy = message.abandonedBy;
        this.#lookedAt = performance.now();
        this.#recalledAt = message.recalled ? this.#lookedAt : undefined;
        this.#next();
        break;
      case 'turns':
        this.#turns += message.turns;
        this.#next();
        break;
      case 'recall':
        this.#recalledAt ??= performance.now();
        this.#next();
        break;
      case 'attempt':
        if (this.#here && !this.#held && this.#waiters.length === 0) this.#giveBack();
        else if (this.#here) this.#tell({ type: 'busy' });
        break;
      case 'refuse':
        this.#refuseAttempt();
        break;
    }
  }

  #refuseAttempt(): void {
    const i = this.#waiters.findIndex((waiter) => waiter.attempt);
    if (i !== -1) this.#waiters.splice(i, 1)[0]!.settle(false);
  }

  #orphaned(death: Death): void {
    if (!router.isWithin(router.ownerOf(this.#ref!), death.address)) return;
    this.#ownerDied = death;
    this.#here = false;
    this.#held = false;
    for (const waiter of this.#waiters.splice(0)) waiter.fail(this.#orphanedError(death));
  }

  #orphanedError(death: Death): ProcessDied {
    return new ProcessDied(death, 'the lock that lived in it is gone');
  }
}

/** Lets messages come in: after the second 'check' phase there has been a 'poll' phase for certain. */
function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

const seats = new Map<string, Lock>();
const SeatedLock = Lock as unknown as new (ticket: Ticket) => Lock;

defineKind('Lock', (ticket) => {
  const known = seats.get(ticket.ref) ?? new SeatedLock(ticket);
  seats.set(ticket.ref, known);
  return known;
});
