// The owner of an Event, a Semaphore or a Barrier: what the three have in common. It knows who holds it and who waits
// in which order. It lives in the process that made it, which hears when any of the others dies.
// Pure: it is told what came and tells what to send. link.ts connects it, the model tests drive it without processes.
import { isWithin } from '../base/address.ts';
import { endedWell } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { Kept } from '../base/kept.ts';
import type { KeptMessage } from '../base/kept.ts';
import { Verdict } from '../base/verdict.ts';
import type { FromOwner, Refusal, ToOwner } from './messages.ts';
import { WaitingLine } from '../base/waiting-line.ts';

/** What connects an owner with the clients, and with its event loop. */
export interface OwnerHost {
  /** The address of this process, which holds it too. */
  readonly self: string;
  tell(to: string, message: FromOwner): void;
  /** Calls `work` when all that had reached this process by now has been read. */
  whenRead(work: () => void): void;
  /** Calls `call` when all that is under way between any processes now has come, with what follows from it. */
  whenAllHeard(call: () => void): void;
}

/** One wait of a process. */
export interface Ask {
  readonly from: string;
  readonly id: number;
}

export abstract class Owner {
  readonly #host: OwnerHost;
  /** By their addresses, what the processes that hold it are called. */
  readonly #holders = new Map<string, string>();
  readonly #kept = new Kept();
  readonly #verdict: Verdict;
  /** Who waits, in their order. */
  protected readonly line = new WaitingLine<Ask>();
  /** Those who have no answer yet, by process and number. */
  readonly #asks = new Map<string, Map<number, Ask>>();
  /** A process that held it and failed; undefined again when a new process holds it. */
  #failure: Death | undefined;

  constructor(host: OwnerHost) {
    this.#host = host;
    this.#verdict = new Verdict(host.whenAllHeard);
    this.#holders.set(host.self, host.self);
  }

  /**
   * What is to be kept when all have forgotten it, in case it is still on its way to somebody: undefined when a new one
   * would do as well.
   */
  abstract get state(): number | undefined;

  /** What it is like, for those who look at it here. */
  abstract describe(): Readonly<Record<string, unknown>>;

  /** Whether nothing but its state would be lost if it went: nobody but this process holds it, and nobody waits. */
  get mayGo(): boolean {
    return this.#holders.size === 1 && this.#asks.size === 0 && !this.#kept.isBy(this.#host.self);
  }

  /** That process holds it from now on, though it may not have started yet. */
  attached(from: string): void {
    this.#hold(from, from);
  }

  receive(from: string, message: ToOwner): void {
    this.#verdict.changed();
    if (message.type === 'here') this.#hold(from, message.who);
    if (message.type === 'kept') this.#hearOfKept(from, message);
    else if (!this.#holders.has(from)) return; // It is dead, or none of ours.
    switch (message.type) {
      case 'here':
        break;
      case 'gone':
        if (from !== this.#host.self && !this.#asks.has(from)) this.#holders.delete(from);
        break;
      case 'kept':
        break;
      case 'ask':
        this.hasHeard(from, message.heard);
        this.asked(from, message.id, message.what);
        break;
      case 'expire': {
        const ask = this.#find(from, message.id);
        // What has reached this process already counts, and nothing else is waited for.
        if (ask !== undefined) {
          this.#host.whenRead(() => {
            if (this.#find(from, message.id) === ask) this.lapsed(ask, message.afterMs);
          });
        }
        break;
      }
      case 'withdraw': {
        this.hasHeard(from, message.heard);
        const ask = this.#find(from, message.id);
        if (ask !== undefined) this.#forget(ask);
        else this.undo(from, message.id);
        break;
      }
    }
    this.#giveUpWhenNobodyIsLeft();
  }

  /** With a process, all that it started counts as dead, although one of these may run on for a moment. */
  died(death: Death): void {
    const isDead = (address: string): boolean => isWithin(address, death.address);
    const waited = [...this.#asks].flatMap(([from, asks]) => isDead(from) ? [...asks.values()] : []);
    for (const ask of waited) this.#forget(ask);
    const held = [...this.#holders.keys()].filter(isDead);
    for (const address of held) this.#holders.delete(address);
    const kept = this.#kept.died(death);
    if ((held.length > 0 || kept) && !endedWell(death)) this.#failure = death;
    this.#verdict.changed();
    if (waited.length + held.length > 0) this.lost(death, waited.length > 0);
    this.#giveUpWhenNobodyIsLeft();
  }

  /** A process asks for something: to be answered at once, or to {@link wait}. What is unknown is passed over. */
  protected abstract asked(from: string, id: number, what: string): void;

  /** Processes that held it are dead, and all that is said here of them is forgotten. `waited`: one of them did. */
  protected abstract lost(death: Death, waited: boolean): void;

  /** Why nobody can be served any more once all who hold it wait, as a clause; undefined: somebody still can. */
  protected abstract hopeless(): string | undefined;

  /** The time of one who waits is up. */
  protected lapsed(ask: Ask, _afterMs: number): void {
    this.answer(ask, false);
  }

  /** A process has heard of what was granted to it, up to the ask of that number. */
  protected hasHeard(_from: string, _id: number): void {}

  /** An ask was called off that had been granted; its process had not heard of that, and never used it. */
  protected undo(_from: string, _id: number): void {}

  /** That one waits from now on. */
  protected wait(from: string, id: number): void {
    if (this.#find(from, id) !== undefined) return;
    const ask: Ask = { from, id };
    this.line.push(ask);
    const asks = this.#asks.get(from);
    if (asks === undefined) this.#asks.set(from, new Map([[id, ask]]));
    else asks.set(id, ask);
  }

  protected answer(ask: Ask, value: number | boolean): void {
    this.tell(ask, { type: 'answer', id: ask.id, value });
  }

  protected refuse(ask: Ask, refusal: Refusal): void {
    this.tell(ask, { type: 'refuse', id: ask.id, ...refusal });
  }

  protected tell(ask: Ask, message: FromOwner): void {
    this.#forget(ask);
    this.#host.tell(ask.from, message);
  }

  /** Whether that one has no answer yet. */
  protected waits(ask: Ask): boolean {
    return this.#find(ask.from, ask.id) === ask;
  }

  /** `Process-2 (pid 4711)` */
  protected nameOf(address: string): string {
    return this.#holders.get(address) ?? address;
  }

  #hearOfKept(from: string, message: KeptMessage): void {
    this.#kept.hear(from, message);
    if (message.death !== null && !endedWell(message.death)) this.#failure = message.death;
  }

  #hold(address: string, who: string): void {
    const isNew = !this.#holders.has(address);
    if (isNew || who !== address) this.#holders.set(address, who);
    if (!isNew) return;
    this.#failure = undefined;
    this.#verdict.changed();
  }

  #find(from: string, id: number): Ask | undefined {
    return this.#asks.get(from)?.get(id);
  }

  #forget(ask: Ask): void {
    const asks = this.#asks.get(ask.from);
    if (asks?.get(ask.id) === ask && asks.delete(ask.id) && asks.size === 0) this.#asks.delete(ask.from);
    this.line.remove(ask);
  }

  /** A process failed that might have served those who wait. */
  #giveUpWhenNobodyIsLeft(): void {
    this.#verdict.look(() => this.#isNobodyLeft, () => {
      const refusal: Refusal = { error: 'died', why: this.hopeless()!, death: this.#failure! };
      for (const ask of this.line.takeAll()) this.refuse(ask, refusal);
    });
  }

  get #isNobodyLeft(): boolean {
    if (this.#failure === undefined || this.#asks.size === 0 || this.hopeless() === undefined) return false;
    const waits = (address: string): boolean => this.#asks.has(address);
    return [...this.#holders.keys()].every(waits) && !this.#kept.canBeGot(waits);
  }
}
