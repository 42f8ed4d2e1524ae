// Event: something that happens once, or is so or not, and for which many processes wait. Follows Python's
// multiprocessing.Event. Whether it is set lies with the process that made it (event-owner.ts): to ask is a message.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { EventOwner } from './event-owner.ts';
import type { EventAsk } from './event-owner.ts';
import { defineShared, Link } from './link.ts';
import type { Kind } from './link.ts';
import type { Wait } from '../base/time-limit.ts';

const EVENT: Kind = {
  name: 'Event', word: 'event',
  owner: (host, _detail, state) => new EventOwner(host, state),
  proxy: (link) => new EventFromElsewhere(link),
};

export class Event implements Transferable {
  readonly #link: Link;

  /**
   * Makes an event, which is not set, and lives in this process: other processes get it in arguments or messages. So do
   * not make one in a process that computes for long: while it does, nobody learns that it is set.
   */
  constructor();
  constructor(link?: Link) {
    this.#link = link ?? new Link(EVENT, []);
  }

  /**
   * Sets it: all who wait go on, and whoever waits later does not have to. It leaves this process at once, whether that
   * awaits it or not. @throws {ProcessDied} The process in which the event lives is dead.
   */
  async set(): Promise<void> {
    await this.#ask('set');
  }

  /** Clears it: whoever waits from now on does so until it is set again. @throws As {@link set}. */
  async clear(): Promise<void> {
    await this.#ask('clear');
  }

  /** Whether it is set. Others may change it before you learn of it. @throws As {@link set}. */
  async isSet(): Promise<boolean> {
    return await this.#ask('isSet') as boolean;
  }

  /**
   * Waits until it is set. Who waits when it is set goes on, even if it is cleared in the next moment.
   * @param wait How long to wait, in milliseconds, or `{ timeoutMs, signal }`; 0 asks once. Without it there is no
   * limit.
   * @returns true: it is set, or was meanwhile; false: the time ran out.
   * @throws {ProcessDied} The process in which it lives is dead; or it is not set, a process that held it failed, and
   * all who still hold it or can get it wait as well. @throws The signal's `reason`. @throws {WrongUse} `wait` is none.
   */
  async wait(wait?: Wait): Promise<boolean> {
    return await this.#ask('wait', wait) as boolean;
  }

  /** For codec.ts: from now on others have to do with it. */
  [TRANSFER](): Reference {
    return this.#link.travel(this);
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return this.#link.describe({}, options);
  }

  #ask(what: EventAsk, wait?: Wait): Promise<number | boolean> {
    return this.#link.ask(what, wait);
  }
}

const EventFromElsewhere = Event as unknown as new (link: Link) => Event;

defineShared(EVENT);
