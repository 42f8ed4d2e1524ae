// A process's seat at one Lock: whether the token is here, who of this process waits for it, and when it goes back.
// Pure: it is told what came and tells what to send. lock.ts connects it, the model test drives it without processes.
import { ProcessDied } from './errors.ts';
import type { Death } from './errors.ts';
import { Fifo } from './fifo.ts';
import type { FromArbiter, ToArbiter } from './lock-arbiter.ts';

/** For this long a process may take the token again although others wait, in milliseconds: a message a take is slow. */
export const SLICE_MS = 2;
/** To look at the clock takes as long as the lock: who took it twice within this, in milliseconds, ... */
const QUICK_MS = 0.02;
/** ... may take it so many times more before the next look, unless somebody is known to wait. */
const TAKES_UNSEEN = 3;
/** An unused token goes home after this long, in milliseconds: until then a death here looks like a holder's. */
export const IDLE_MS = 20;

/** What connects a seat with the arbiter, and with time. */
export interface SeatHost {
  /** Whether the arbiter lives in this process, so that an unused token may stay. */
  readonly atHome: boolean;
  tell(message: ToArbiter): void;
  /** A clock, in milliseconds. */
  now(): number;
  /** Calls `work` when what runs now, with all that follows from it at once, is done. */
  soon(work: () => void): void;
  /** Calls `work` when the event loop turns, and messages may have come in. */
  nextTurn(work: () => void): void;
  /** Calls `work` after that many milliseconds, if the process still runs. */
  after(ms: number, work: () => void): void;
}

/** Somebody of this process who waits. */
export interface Waiter {
  /** Under this number the arbiter has the waiter in its line. Those without one wait here only, before the others. */
  readonly id: number | undefined;
  readonly attempt: boolean;
  readonly settle: (got: boolean) => void;
  readonly fail: (error: Error) => void;
}

export class LockSeat {
  /** undefined: no other process has to do with the lock yet. */
  #host: SeatHost | undefined;
  #here: boolean;
  #held = false;
  /** First those without a number, then the others in the order of their numbers. */
  readonly #waiters = new Fifo<Waiter>();
  #lastId = 0;
  /** The turns of the waiters up to this number have come. */
  #dueUpTo = 0;
  #recalledAt: number | undefined;
  /** When the lock was first taken in this turn of the event loop; undefined: not yet. */
  #takenAt: number | undefined;
  #lookedAt = -Infinity;
  #takesUnseen = 0;
  #givesBackSoon = false;
  #watchesIdle = false;
  #usedSinceLook = false;
  #abandonedBy: Death | null = null;
  #ownerDied: Death | undefined;

  /** @param here Whether the token is here at first: it is where the lock was made. */
  constructor(here: boolean) {
    this.#here = here;
  }

  /** From now on other processes have to do with the lock. */
  connect(host: SeatHost): void {
    this.#host = host;
  }

  /** The process that died with the token before the present holder, here, got it. */
  get abandonedBy(): Death | undefined {
    return this.#held ? this.#abandonedBy ?? undefined : undefined;
  }

  /** Takes the lock if that needs no message and passes over nobody for long. @returns Whether it did. */
  take(): boolean {
    if (!this.#here || this.#held || this.#waiters.length > 0) return false;
    if (this.#host !== undefined && !this.#isInTime(this.#host)) return false;
    this.#held = true;
    this.#usedSinceLook = true;
    return true;
  }

  /** Whether take() fails only because this process may not have heard who waits. Let the event loop turn first. */
  mustListen(): boolean {
    return this.#here && !this.#held && this.#waiters.length === 0 && this.#recalledAt === undefined;
  }

  /** Whether the token is here. */
  get isHere(): boolean {
    return this.#here;
  }

  /** Whether nobody of this process holds the lock or waits for it. */
  get isIdle(): boolean {
    return !this.#held && this.#waiters.length === 0 && !this.#givesBackSoon;
  }

  /** Whether an attempt fails without asking: the lock is in use in this process. */
  isInUseHere(): boolean {
    return this.#here && (this.#held || this.#waiters.length > 0);
  }

  /** Waits for the lock: `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(attempt: boolean, settle: (got: boolean) => void, fail: (error: Error) => void): Waiter {
    const asks = !this.#here || this.#recalledAt !== undefined || this.#waiters.at(this.#waiters.length - 1)?.id !== undefined;
    const waiter: Waiter = { id: asks ? ++this.#lastId : undefined, attempt, settle, fail };
    if (this.#ownerDied !== undefined) {
      fail(orphanedError(this.#ownerDied));
      return waiter;
    }
    this.#waiters.push(waiter);
    if (waiter.id === undefined) this.#serve();
    else this.#host!.tell({ type: 'ask', id: waiter.id, attempt });
    return waiter;
  }

  /** The waiter's time ran out. */
  withdraw(waiter: Waiter): void {
    if (this.#waiters.remove(waiter) && waiter.id !== undefined) this.#host!.tell({ type: 'withdraw', id: waiter.id });
  }

  /** Lets the lock go. @returns Whether it was held here. */
  release(): boolean {
    if (!this.#held) return false;
    this.#held = false;
    this.#abandonedBy = null;
    this.#free();
    return true;
  }

  /** Sends the token home if it is here and nobody holds it. */
  giveBack(): void {
    if (!this.#here || this.#held || this.#host === undefined) return;
    this.#here = false;
    this.#recalledAt = undefined;
    const abandonedBy = this.#abandonedBy;
    this.#abandonedBy = null;
    this.#host.tell({ type: 'return', abandonedBy });
  }

  hear(message: FromArbiter): void {
    switch (message.type) {
      case 'grant':
        this.#here = true;
        this.#dueUpTo = message.upTo;
        this.#abandonedBy = message.abandonedBy;
        this.#recalledAt = message.recalled ? this.#host!.now() : undefined;
        this.#free();
        break;
      case 'recall':
        if (!this.#here) break; // It crossed the token on its way back.
        this.#recalledAt ??= this.#host!.now();
        this.#free();
        break;
      case 'attempt':
        if (this.isInUseHere()) this.#host!.tell({ type: 'busy' });
        else this.giveBack();
        break;
      case 'refuse': {
        const waiter = this.#waiters.find(({ id }) => id === message.id);
        if (waiter === undefined) break;
        this.#waiters.remove(waiter);
        waiter.settle(false);
        break;
      }
    }
  }

  /** The process in which the lock lives is dead. Nobody can get it any more; who holds it here still has it alone. */
  orphan(death: Death): void {
    this.#ownerDied ??= death;
    this.#here = false;
    for (const waiter of this.#waiters.takeAll()) waiter.fail(orphanedError(this.#ownerDied));
  }

  #isInTime(host: SeatHost): boolean {
    if (this.#takesUnseen > 0 && this.#recalledAt === undefined && this.#takenAt !== undefined) {
      this.#takesUnseen--;
      return true;
    }
    const now = host.now();
    this.#takesUnseen = now - this.#lookedAt < QUICK_MS ? TAKES_UNSEEN : 0;
    this.#lookedAt = now;
    if (this.#recalledAt !== undefined) return now - this.#recalledAt < SLICE_MS;
    if (this.#takenAt !== undefined) return now - this.#takenAt < SLICE_MS;
    // A loop of acquire and release might never let the event loop turn, and then no recall would be heard.
    this.#takenAt = now;
    host.nextTurn(() => {
      this.#takenAt = undefined;
    });
    return true;
  }

  /** Gives the token, if it is here and free, to the next waiter of this process whose turn it is. */
  #serve(): boolean {
    if (this.#waiters.length === 0 || !this.#here || this.#held) return false;
    const first = this.#waiters.at(0)!;
    if (first.id !== undefined && first.id > this.#dueUpTo) return false;
    this.#waiters.shift();
    this.#held = true;
    this.#usedSinceLook = true;
    first.settle(true);
    return true;
  }

  /** A token that is here and free goes to the next waiter here, or home when it was recalled, or stays for a while. */
  #free(): void {
    if (this.#serve() || !this.#here || this.#held || this.#host === undefined) return;
    if (this.#recalledAt === undefined) {
      this.#watchIdle(this.#host);
    } else if (!this.#givesBackSoon) {
      // Those who take it again at once do so before this.
      this.#givesBackSoon = true;
      this.#host.soon(() => {
        this.#givesBackSoon = false;
        if (this.#recalledAt !== undefined && !this.#serve()) this.giveBack();
      });
    }
  }

  #watchIdle(host: SeatHost): void {
    if (this.#watchesIdle || host.atHome) return;
    this.#watchesIdle = true;
    this.#usedSinceLook = false;
    host.after(IDLE_MS, () => {
      this.#watchesIdle = false;
      if (this.#usedSinceLook) this.#free();
      else this.giveBack();
    });
  }
}

function orphanedError(death: Death): ProcessDied {
  return new ProcessDied(death, 'the lock that lived in it is gone');
}
