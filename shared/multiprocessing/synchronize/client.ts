// A process's client at an Event, a Semaphore or a Barrier: what was asked there, and who of this process waits for the
// answer. Pure, as the owner is: link.ts connects it, the model tests drive it without processes.
import { BrokenBarrierError, ProcessDied, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import type { FromOwner, Refusal, ToOwner } from './messages.ts';
import type { Waiter } from '../base/waiter.ts';

export class Client {
  readonly #what: string;
  readonly #tell: (message: ToOwner) => void;
  readonly #pending = new Map<number, Waiter<number | boolean>>();
  #lastId = 0;
  /** The last ask of which this process has heard that it was granted. */
  #heard = 0;
  #permits = 0;
  #abandonedBy: Death | undefined;
  #ownerDied: ProcessDied | undefined;

  /** @param what What it is, for errors: `event`. */
  constructor(what: string, tell: (message: ToOwner) => void) {
    this.#what = what;
    this.#tell = tell;
  }

  /** Whether nobody here waits or holds a permit. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#permits === 0;
  }

  /** Who died with one of the permits that this process holds: the last one. */
  get abandonedBy(): Death | undefined {
    return this.#abandonedBy;
  }

  /** Asks the owner; the waiter is settled once, possibly at once, unless it is withdrawn. @returns Its number. */
  ask(what: string, waiter: Waiter<number | boolean>): number {
    const id = ++this.#lastId;
    if (this.#ownerDied !== undefined) {
      waiter.reject(this.#ownerDied);
    } else {
      this.#pending.set(id, waiter);
      this.#tell({ type: 'ask', id, what, heard: this.#heard });
    }
    return id;
  }

  /** Its time is up: the owner has the last word. */
  expire(id: number, afterMs: number): void {
    if (this.#pending.has(id)) this.#tell({ type: 'expire', id, afterMs });
  }

  /** It was called off. */
  withdraw(id: number): void {
    if (this.#pending.delete(id)) this.#tell({ type: 'withdraw', id, heard: this.#heard });
  }

  /** One permit fewer is here. */
  releases(): void {
    this.#permits = Math.max(0, this.#permits - 1);
    if (this.#permits === 0) this.#abandonedBy = undefined;
  }

  hear(message: FromOwner): void {
    const waiter = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    switch (message.type) {
      case 'answer':
        waiter?.resolve(message.value);
        break;
      case 'grant':
        this.#heard = Math.max(this.#heard, message.id);
        if (waiter === undefined) break; // It was called off, and the owner has heard of that, or will.
        this.#permits++;
        this.#abandonedBy = message.abandonedBy ?? this.#abandonedBy;
        waiter.resolve(true);
        break;
      case 'refuse':
        waiter?.reject(errorOf(message));
        break;
    }
  }

  /** The process in which it lives is dead. */
  orphan(death: Death): void {
    this.#ownerDied ??= new ProcessDied(death, `the ${this.#what} that lived in it is gone`);
    const waiters = [...this.#pending.values()];
    this.#pending.clear();
    for (const waiter of waiters) waiter.reject(this.#ownerDied);
  }
}

function errorOf({ error, why, death }: Refusal): Error {
  if (error === 'wrong') return new WrongUse(why);
  return error === 'died' ? new ProcessDied(death!, why) : new BrokenBarrierError(why, death ?? undefined);
}
