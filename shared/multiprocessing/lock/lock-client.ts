// A process's client at one Lock: whether the token is here, who of this process waits for it, and when it goes back.
// Pure: it is told what came and tells what to send. lock.ts connects it, the model test drives it without processes.
import { ProcessDied } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import type { FromArbiter, ToArbiter } from './messages.ts';
import { LockBurst } from './burst.ts';
import type { BurstHost } from './burst.ts';
import { WaitingLine } from '../base/waiting-line.ts';

/** What connects a client with the arbiter, and with time. */
export interface ClientHost extends BurstHost {
  /** Whether the arbiter lives in this process, so that an unused token may stay. */
  readonly atHome: boolean;
  tell(message: ToArbiter): void;
  /** All that was told goes to the system now: what this process does next may take long. */
  flush(): void;
  /** Calls `work` when what runs now, with all that follows from it at once, is done. */
  soon(work: () => void): void;
}

/** Somebody of this process who waits. */
export interface PendingAcquire {
  /** Under this number the arbiter has the waiter in its line. Those without one wait here only, before the others. */
  readonly id: number | undefined;
  readonly settle: (got: boolean) => void;
  readonly fail: (error: Error) => void;
}

export class LockClient {
  /** undefined: no other process has to do with the lock yet. */
  #host: ClientHost | undefined;
  #burst: LockBurst | undefined;
  #here: boolean;
  #held = false;
  /** First those without a number, then the others in the order of their numbers. */
  readonly #waiters = new WaitingLine<PendingAcquire>();
  readonly #byId = new Map<number, PendingAcquire>();
  /** Those of them who are to get it at their turn or not at all: attempts, and whose time is up. */
  readonly #impatient = new Set<PendingAcquire>();
  #lastId = 0;
  /** The number of the grant with which the token came; 0: it was here from the beginning. */
  #grant = 0;
  /** The turns of the waiters up to this number have come. */
  #dueUpTo = 0;
  #recalledAt: number | undefined;
  /** How many of this process let the event loop turn before they take the token, which lies here. */
  #listening = 0;
  #looksSoon = false;
  #abandonedBy: Death | null = null;
  #ownerDied: Death | undefined;

  /** @param here Whether the token is here at first: it is where the lock was made. */
  constructor(here: boolean) {
    this.#here = here;
  }

  /** From now on other processes have to do with the lock. */
  connect(host: ClientHost): void {
    this.#host = host;
    this.#burst = new LockBurst(host);
  }

  /** The process that died with the token before the present holder, here, got it. */
  get abandonedBy(): Death | undefined {
    return this.#held ? this.#abandonedBy ?? undefined : undefined;
  }

  /** Takes the lock if that needs no message and passes over nobody for long. @returns Whether it did. */
  take(): boolean {
    if (!this.#here || this.#held || this.#waiters.length > 0) return false;
    if (this.#burst !== undefined && !this.#burst.mayTake(this.#recalledAt)) return false;
    this.#held = true;
    return true;
  }

  /**
   * Whether take() fails only because this process may not have heard who waits. Let the event loop turn first, between
   * {@link listen} and {@link listened}.
   */
  mustListen(): boolean {
    return this.#here && !this.#held && this.#waiters.length === 0 && this.#recalledAt === undefined;
  }

  listen(): void {
    this.#listening++;
  }

  listened(): void {
    this.#listening--;
    this.#lookSoon();
  }

  /** Whether this process holds the lock. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** Whether the token is here. */
  get isHere(): boolean {
    return this.#here;
  }

  /** Whether nobody of this process holds the lock or waits for it. */
  get isIdle(): boolean {
    return !this.#held && this.#waiters.length === 0 && !this.#looksSoon;
  }

  /** Whether an attempt fails without asking: the lock is in use in this process. */
  isInUseHere(): boolean {
    return this.#here && (this.#held || this.#waiters.length > 0);
  }

  /** Waits for the lock: `settle` or `fail` is called once, possibly at once, unless the waiter is withdrawn before. */
  wait(attempt: boolean, settle: (got: boolean) => void, fail: (error: Error) => void): PendingAcquire {
    const asks = !this.#here || this.#recalledAt !== undefined || this.#waiters.last?.id !== undefined;
    const waiter: PendingAcquire = { id: asks ? ++this.#lastId : undefined, settle, fail };
    if (this.#ownerDied !== undefined) {
      fail(orphanedError(this.#ownerDied));
      return waiter;
    }
    this.#burst?.asked();
    this.#waiters.push(waiter);
    if (waiter.id === undefined) {
      this.#serve();
    } else {
      this.#byId.set(waiter.id, waiter);
      if (attempt) this.#impatient.add(waiter);
      this.#host!.tell({ type: 'ask', id: waiter.id, attempt });
    }
    return waiter;
  }

  /** The waiter was called off. */
  withdraw(waiter: PendingAcquire): void {
    if (!this.#remove(waiter) || waiter.id === undefined) return;
    this.#host!.tell({ type: 'withdraw', id: waiter.id });
    this.#host!.flush(); // Who calls it off may compute then, and must not get the lock meanwhile.
  }

  /** The waiter's time is up: `settle` is called as soon as it is known whether it has got the lock. */
  expire(waiter: PendingAcquire): void {
    if (waiter.id === undefined || (this.#here && waiter.id <= this.#dueUpTo)) {
      if (this.#remove(waiter)) waiter.settle(false); // Somebody of this process has it.
    } else if (this.#byId.has(waiter.id)) {
      this.#impatient.add(waiter);
      this.#host!.tell({ type: 'expire', id: waiter.id });
    }
  }

  /** Lets the lock go. @returns Whether it was held here. */
  release(): boolean {
    if (!this.#held) return false;
    this.#held = false;
    this.#abandonedBy = null;
    const isBurst = this.#burst?.released();
    if (this.#serve() || this.#mayStay()) return true;
    if (isBurst === true) this.#lookSoon();
    else this.giveBack();
    return true;
  }

  /** Sends the token home if it is here and nobody holds it. */
  giveBack(): void {
    if (!this.#here || this.#held || this.#host === undefined) return;
    this.#here = false;
    this.#recalledAt = undefined;
    const abandonedBy = this.#abandonedBy;
    this.#abandonedBy = null;
    this.#host.tell({ type: 'return', grant: this.#grant, abandonedBy });
    this.#host.flush();
  }

  hear(message: FromArbiter): void {
    switch (message.type) {
      case 'grant':
        if (this.#here || this.#held) break; // There is one token, and it is here.
        this.#here = true;
        this.#grant = message.grant;
        this.#dueUpTo = message.upTo;
        this.#abandonedBy = message.abandonedBy;
        this.#recalledAt = message.recalled ? this.#host!.now() : undefined;
        if (this.#serve()) this.#refuseImpatient();
        else this.giveBack(); // Whoever asked has been called off.
        break;
      case 'recall':
        if (!this.#here) break; // It crossed the token on its way back.
        this.#recalledAt ??= this.#host!.now();
        this.giveBack();
        break;
      case 'refuse': {
        const waiter = this.#byId.get(message.id);
        if (waiter !== undefined && this.#remove(waiter)) waiter.settle(false);
        break;
      }
    }
  }

  /** The process in which the lock lives is dead. Nobody can get it any more; who holds it here still has it alone. */
  orphan(death: Death): void {
    this.#ownerDied ??= death;
    this.#here = false;
    this.#byId.clear();
    this.#impatient.clear();
    for (const waiter of this.#waiters.takeAll()) waiter.fail(orphanedError(this.#ownerDied));
  }

  /** Whether a token that nobody uses may stay: the arbiter, here, knows that it is free. */
  #mayStay(): boolean {
    return this.#host === undefined || (this.#host.atHome && this.#recalledAt === undefined);
  }

  /**
   * A token that is not taken again at once goes home, unless somebody here just listens for others before he takes it.
   */
  #lookSoon(): void {
    if (this.#looksSoon || this.#mayStay()) return;
    this.#looksSoon = true;
    this.#host!.soon(() => {
      this.#looksSoon = false;
      if (this.#mayStay() || (this.#listening > 0 && this.#recalledAt === undefined)) return;
      this.giveBack();
    });
  }

  /** Gives the token, if it is here and free, to the next waiter of this process whose turn it is. */
  #serve(): boolean {
    const first = this.#waiters.first;
    if (first === undefined || !this.#here || this.#held) return false;
    if (first.id !== undefined && first.id > this.#dueUpTo) return false;
    this.#remove(first);
    this.#held = true;
    this.#burst?.served();
    first.settle(true);
    return true;
  }

  /** Their turn has come, and somebody before them, in this process, has the lock. */
  #refuseImpatient(): void {
    for (const waiter of this.#impatient) {
      if (waiter.id! <= this.#dueUpTo && this.#remove(waiter)) waiter.settle(false);
    }
  }

  #remove(waiter: PendingAcquire): boolean {
    if (waiter.id !== undefined) this.#byId.delete(waiter.id);
    this.#impatient.delete(waiter);
    return this.#waiters.remove(waiter);
  }
}

function orphanedError(death: Death): ProcessDied {
  return new ProcessDied(death, 'the lock that lived in it is gone');
}
