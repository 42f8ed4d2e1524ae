// Barrier: a number of parties wait until all have come, and then go on together, round after round. Follows Python's
// multiprocessing.Barrier, but it is also broken when one of them dies. Who has come lies with the process that made it
// (barrier-owner.ts).
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { BarrierOwner } from './barrier-owner.ts';
import type { BarrierAsk } from './barrier-owner.ts';
import { checkCount } from './count.ts';
import { checkWait } from '../base/time-limit.ts';
import type { Wait } from '../base/time-limit.ts';
import { defineShared, Link } from './link.ts';
import type { Kind } from './link.ts';
import { WrongUse } from '../base/errors.ts';

export interface BarrierOptions {
  /**
   * Called each time that all have come, before they go on, in the process that made the barrier; what it returns is
   * awaited. If it throws, the barrier is broken.
   */
  readonly action?: (() => unknown) | undefined;
  /** How long each waits who gives no limit of its own, in milliseconds. Default: without limit. */
  readonly timeoutMs?: number | undefined;
}

/** What makes a barrier. The action stays where it was made: wherever it goes, it is known without. */
function kind(action?: () => unknown): Kind {
  return {
    name: 'Barrier', word: 'barrier',
    owner: (host, [parties], state) => new BarrierOwner(host, parties!, action, state),
    proxy: (link) => new BarrierFromElsewhere(link),
  };
}

export class Barrier implements Transferable {
  readonly #link: Link;

  /**
   * Makes a barrier, which lives in this process; other processes get it in arguments or messages. So do not make one
   * in a process that computes for long: while it does, nobody goes on.
   * @param parties How many must come: a whole number, 1 or more.
   * @throws {WrongUse} `parties` is none, or an option is not what it should be.
   */
  constructor(parties: number, options?: BarrierOptions);
  constructor(parties: number | Link, { action, timeoutMs }: BarrierOptions = {}) {
    if (parties instanceof Link) {
      this.#link = parties;
      return;
    }
    checkCount(parties, 1, 'the parties of a barrier');
    checkWait(timeoutMs);
    if (action !== undefined && typeof action !== 'function') {
      throw new WrongUse(`the action of a barrier must be a function, not ${inspect(action)}`);
    }
    this.#link = new Link(kind(action), timeoutMs === undefined ? [parties] : [parties, timeoutMs]);
  }

  /** How many must come. */
  get parties(): number {
    return this.#link.detail[0]!;
  }

  /**
   * Waits until all have come. One has come when this is called, whether it awaits that at once or not.
   *
   * When a time limit runs out, the barrier is broken for all, as in Python. When a signal aborts, it is as if this one
   * had not come, and the others wait on; should all have come before that is heard, they go on.
   * @param wait How long to wait, in milliseconds, or `{ timeoutMs, signal }`. Without a time limit the barrier's own
   * counts; `Infinity` is none.
   * @returns The place in which it came, from 0 to `parties` - 1, another for each in a round: so one of them can do
   * what is to be done once.
   * @throws {BrokenBarrierError} The barrier is broken, or was meanwhile, and why: one who waits died or gave up; a
   * process that has the barrier failed, whether it was to come or not; the action threw; {@link abort} or
   * {@link reset} was called. One that ends in good order breaks nothing: another may come in its place.
   * @throws {ProcessDied} The process in which the barrier lives is dead. @throws The signal's `reason`.
   * @throws {WrongUse} `wait` is none.
   */
  async wait(wait?: Wait): Promise<number> {
    const { timeoutMs = this.#link.detail[1], signal } = checkWait(wait);
    return await this.#ask('wait', { timeoutMs, signal }) as number;
  }

  /** How many have come and wait for the others. @throws {ProcessDied} As {@link wait}. */
  async waiting(): Promise<number> {
    return await this.#ask('waiting') as number;
  }

  /** Whether it is broken: then nobody waits until it is {@link reset}. @throws {ProcessDied} As {@link wait}. */
  async broken(): Promise<boolean> {
    return await this.#ask('broken') as boolean;
  }

  /**
   * Breaks it: who waits, now or later, is rejected with `BrokenBarrierError`.
   * @throws {ProcessDied} As {@link wait}.
   */
  async abort(): Promise<void> {
    await this.#ask('abort');
  }

  /**
   * Makes it as it was at first. Who waits is rejected with `BrokenBarrierError`, who comes later is not.
   * @throws {ProcessDied} As {@link wait}.
   */
  async reset(): Promise<void> {
    await this.#ask('reset');
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRANSFER](): Reference {
    return this.#link.travel(this);
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return this.#link.describe({ parties: this.parties }, options);
  }

  #ask(what: BarrierAsk, wait?: Wait): Promise<number | boolean> {
    return this.#link.ask(what, wait);
  }
}

const BarrierFromElsewhere = Barrier as unknown as new (link: Link) => Barrier;

defineShared(kind());
