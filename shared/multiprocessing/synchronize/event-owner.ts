// The owner of an Event: whether it is set. Those who wait are answered at once when it is, even if it is cleared in
// the same moment.
import { Owner } from './owner.ts';
import type { OwnerHost } from './owner.ts';

export type EventAsk = 'set' | 'clear' | 'isSet' | 'wait';

export class EventOwner extends Owner {
  #isSet: boolean;

  /** @param state As `state` of one that was forgotten. */
  constructor(host: OwnerHost, state?: number) {
    super(host);
    this.#isSet = state === 1;
  }

  get state(): number | undefined {
    return this.#isSet ? 1 : undefined;
  }

  override describe(): { readonly isSet: boolean } {
    return { isSet: this.#isSet };
  }

  protected override asked(from: string, id: number, what: string): void {
    switch (what as EventAsk) {
      case 'set':
        this.#isSet = true;
        for (const ask of this.line.takeAll()) this.answer(ask, true);
        this.answer({ from, id }, true);
        break;
      case 'clear':
        this.#isSet = false;
        this.answer({ from, id }, true);
        break;
      case 'isSet':
        this.answer({ from, id }, this.#isSet);
        break;
      case 'wait':
        if (this.#isSet) this.answer({ from, id }, true);
        else this.wait(from, id);
        break;
    }
  }

  protected override lost(): void {}

  protected override hopeless(): string {
    return 'nobody is left to set the event';
  }
}
