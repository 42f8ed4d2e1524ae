// The owner of a Barrier: who has come, and whether it is broken. When all have come, the action is run, if there is
// one, and then they go on; who comes meanwhile is one of the next round. When one of them dies or gives up, or a
// process that holds the barrier fails, the others could wait for ever: so it is broken then, until it is reset.
import { describeDeath, endedWell, messageOf } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import type { Refusal } from './messages.ts';
import { Owner } from './owner.ts';
import type { Ask, OwnerHost } from './owner.ts';

export type BarrierAsk = 'wait' | 'waiting' | 'broken' | 'abort' | 'reset';

const BROKEN = 1;
/** But with an action, which nothing else has. */
const AS_NEW = 0;

export class BarrierOwner extends Owner {
  readonly #parties: number;
  readonly #action: (() => unknown) | undefined;
  /** Those who have all come, in that order, while the action runs. */
  #complete: Ask[] | undefined;
  #broken: Refusal | undefined;

  /** @param state As `state` of one that was forgotten. */
  constructor(host: OwnerHost, parties: number, action: (() => unknown) | undefined, state?: number) {
    super(host);
    this.#parties = parties;
    this.#action = action;
    if (state === BROKEN) this.#broken = { error: 'broken', why: 'it was so before all forgot it', death: null };
  }

  get state(): number | undefined {
    if (this.#broken !== undefined) return BROKEN;
    return this.#action === undefined ? undefined : AS_NEW;
  }

  override describe(): { readonly waiting: number; readonly broken: string | undefined } {
    return { waiting: this.line.length, broken: this.#broken?.why };
  }

  protected override asked(from: string, id: number, what: string): void {
    const ask: Ask = { from, id };
    switch (what as BarrierAsk) {
      case 'wait':
        if (this.#broken !== undefined) return this.refuse(ask, this.#broken);
        this.wait(from, id);
        this.#passWhenComplete();
        break;
      case 'waiting':
        this.answer(ask, this.line.length);
        break;
      case 'broken':
        this.answer(ask, this.#broken !== undefined);
        break;
      case 'abort':
        this.#break(`${this.nameOf(from)} aborted it`);
        this.answer(ask, true);
        break;
      case 'reset':
        this.#fail({ error: 'broken', why: `${this.nameOf(from)} reset it`, death: null });
        this.#broken = undefined;
        this.answer(ask, true);
        break;
    }
  }

  protected override lapsed(ask: Ask, afterMs: number): void {
    this.#break(`${this.nameOf(ask.from)} gave up after ${afterMs} ms`);
  }

  protected override lost(death: Death, waited: boolean): void {
    if (waited || !endedWell(death)) this.#break(describeDeath(death), death);
  }

  protected override hopeless(): undefined {
    return undefined;
  }

  #passWhenComplete(): void {
    if (this.#complete !== undefined || this.line.length < this.#parties) return;
    const complete: Ask[] = [];
    while (complete.length < this.#parties) complete.push(this.line.shift()!);
    if (this.#action === undefined) return this.#pass(complete);
    this.#complete = complete;
    void this.#act(this.#action, complete);
  }

  async #act(action: () => unknown, complete: Ask[]): Promise<void> {
    let why: string | undefined;
    try {
      await action();
    } catch (error) {
      why = `its action failed: ${messageOf(error)}`;
    }
    if (this.#complete !== complete) return; // It was broken or reset meanwhile.
    if (why !== undefined) return this.#break(why);
    this.#complete = undefined;
    this.#pass(complete);
    this.#passWhenComplete();
  }

  /** Those who were called off have come all the same, and are told nothing. */
  #pass(complete: readonly Ask[]): void {
    for (const [index, ask] of complete.entries()) if (this.waits(ask)) this.answer(ask, index);
  }

  #break(why: string, death: Death | null = null): void {
    this.#broken ??= { error: 'broken', why, death };
    this.#fail(this.#broken);
  }

  #fail(refusal: Refusal): void {
    const all = [...this.#complete ?? [], ...this.line.takeAll()];
    this.#complete = undefined;
    for (const ask of all) if (this.waits(ask)) this.refuse(ask, refusal);
  }
}
