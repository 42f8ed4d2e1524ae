// One end of a Pipe, as the process sees it in which the end is. Made by pipe.ts, which knows the way to the hub.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TRANSFER } from '../values/codec.ts';
import type { Reference, Transferable } from '../values/codec.ts';
import { currentProcess } from '../process/current.ts';
import { describeDeath, endedWell, PipeClosed, ProcessDied, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import { onLeave } from '../process/leaving.ts';
import { CONNECTION } from '../transport/custody.ts';
import { Incoming } from './incoming.ts';
import type { Ending, FromHub, ToHub } from './messages.ts';
import { Outgoing } from './outgoing.ts';
import { packLater, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { checkWait } from '../base/time-limit.ts';
import type { Wait } from '../base/time-limit.ts';

/** The method by which pipe.ts says that the end has come to this process. */
export const ARRIVE = Symbol('echopool.arrive');

/** How an end reaches its hub. */
export interface Wire {
  /** The same for both ends of a pipe that are in this process. */
  readonly pipe: unknown;
  /** The name of the end, by which other processes know it from now on. */
  ref(): string;
  tell(message: ToHub): void;
  claim(trip: number): void;
  /** Nothing more is to be heard. */
  cut(): void;
}

/** What the hub, or the death of its process, tells an end. */
export interface Handler {
  hear(message: FromHub): void;
  orphaned(death: Death): void;
}

/** `arriving`: claimed, and not welcomed yet. `passed`: on its way to another process, or there. */
type State = 'arriving' | 'here' | 'passed' | 'closed';

const WHAT = 'a value for the other end of a pipe';

/** The pipe through which a value is just being sent: its ends may not be in that value. */
let sendingThrough: unknown;

/** One end of a `Pipe`. */
export class Connection<T = unknown> implements Transferable {
  /** The ends that have something to see to before this process ends. */
  static readonly #unsettled = new Set<Connection>();
  static {
    onLeave(() => {
      for (const end of Connection.#unsettled) end.#leave();
    });
  }

  readonly #wire: Wire;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #state: State = 'here';
  /** How often the end was passed on. */
  #trip = 0;
  /** What recv and send reject with, now that nothing more will come. */
  #end: Error | undefined;
  #isOrphaned = false;

  constructor(connect: (handler: Handler) => Wire) {
    this.#wire = connect({ hear: (message) => this.#hear(message), orphaned: (death) => this.#orphaned(death) });
    this.#incoming = new Incoming((message) => this.#wire.tell(message));
    const deliver = (item: Packed): void => this.#wire.tell({ type: 'value', item });
    this.#outgoing = new Outgoing(deliver, (holds) => this.#isUnsettled(holds));
  }

  /**
   * Sends a value to the other end, as a structured clone; the toolkit's primitives may be in it, and other ends too.
   * Settles at once; but while 1,024 values or 1 MiB are unread at the other end, when enough of them were read.
   * @param wait How long to wait for that, in milliseconds, or `{ timeoutMs, signal }`. Without it there is no limit.
   * @throws {NotCloneable} It cannot be sent. @throws {WrongUse} This end was passed on, or is part of the value.
   * @throws {PipeClosed} This end or the other one was closed. @throws {ProcessDied} The other end's process died.
   * @throws {TimedOut} The time ran out. @throws The signal's `reason`. In both cases the value was not sent.
   */
  async send(value: T, wait?: Wait): Promise<void> {
    const limits = checkWait(wait);
    const refusal = this.#refusal() ?? this.#end;
    if (refusal !== undefined) throw refusal;
    const item = packLater(value, WHAT);
    if (this.#outgoing.isOpen) this.#outgoing.send(this.#sending(item));
    else await this.#outgoing.hold(() => this.#sending(item), limits);
  }

  /**
   * Waits for a value from the other end. Calls that wait are served in their order.
   * @param wait How long to wait, in milliseconds, or `{ timeoutMs, signal }`; 0: not at all. Without it there is no
   * limit.
   * @throws {PipeClosed} All was read, and the other end was closed or its process ended; or this end is closed.
   * @throws {ProcessDied} All was read, and the other end's process died. @throws {WrongUse} This end was passed on.
   * @throws {TimedOut} The time ran out. @throws The signal's `reason`. In both cases the next recv gets what comes.
   */
  async recv(wait?: Wait): Promise<T> {
    const limits = checkWait(wait);
    const refusal = this.#refusal() ?? (this.#incoming.isEmpty ? this.#end : undefined);
    if (refusal !== undefined) throw refusal;
    return unpack(await this.#incoming.take(limits)) as T;
  }

  /**
   * Whether recv would settle at once: a value is there, or none will come any more.
   * @param wait How long to wait for that, in milliseconds, or `{ timeoutMs, signal }`; with the signal alone until
   * then.
   * @throws {PipeClosed} This end is closed. @throws {WrongUse} It was passed on; or `wait` is none.
   * @throws The signal's `reason`.
   */
  async poll(wait: Wait = 0): Promise<boolean> {
    const limits = checkWait(wait);
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return !this.#incoming.isEmpty || this.#end !== undefined || await this.#incoming.await(limits);
  }

  /**
   * Closes this end: the other one reads what was sent, and then hears of it. What is unread here is dropped.
   * Closing twice is harmless, and so is closing an end that was passed on.
   */
  close(): void {
    if (this.#state === 'closed' || this.#state === 'passed') return;
    this.#outgoing.releaseAll();
    this.#wire.tell({ type: 'close' });
    this.#becomeClosed(new PipeClosed('this end of the pipe was closed'));
  }

  /** Closes this end with the block: `await using end = …`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** For codec.ts: the end leaves this process, with all that is unread. */
  [TRANSFER](): Reference {
    const refusal = this.#refusal() ?? (this.#isOrphaned ? this.#end : undefined);
    if (refusal !== undefined) throw refusal;
    if (sendingThrough === this.#wire.pipe) {
      throw new WrongUse('an end of a pipe cannot be sent through that pipe itself');
    }
    if (this.#incoming.isAwaited) {
      throw new WrongUse('an end of a pipe cannot be passed on while a recv or a poll waits at it');
    }
    const ref = this.#wire.ref();
    this.#outgoing.releaseAll();
    this.#state = 'passed';
    this.#wire.tell({ type: 'pass', trip: ++this.#trip, read: this.#incoming.clear() });
    this.#isUnsettled(true);
    return { kind: CONNECTION, ref, detail: this.#trip };
  }

  /** For pipe.ts: a reference of this end was received here. It may have been here before, or still. */
  [ARRIVE](trip: number): this {
    if (this.#state === 'here' || this.#state === 'arriving') {
      if (this.#trip >= trip) return this;
    }
    this.#state = 'arriving';
    this.#trip = trip;
    this.#end = undefined;
    this.#incoming.clear();
    this.#outgoing.reset();
    this.#isUnsettled(false);
    this.#wire.claim(trip);
    return this;
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `Connection ${inspect({ state: this.#state }, options)}`;
  }

  /** Why this end cannot be used here. */
  #refusal(): Error | undefined {
    if (this.#state === 'passed') {
      return new WrongUse(`this end of the pipe was passed on and is no longer at home in ${currentProcess().name}`);
    }
    return this.#state === 'closed' ? this.#end : undefined;
  }

  #sending(travel: () => Packed): Packed {
    sendingThrough = this.#wire.pipe;
    try {
      return travel();
    } finally {
      sendingThrough = undefined;
    }
  }

  #hear(message: FromHub): void {
    const isHere = this.#state === 'here';
    const isNow = 'trip' in message && message.trip === this.#trip;
    switch (message.type) {
      case 'welcome':
        if (this.#state !== 'arriving' || !isNow) break;
        this.#state = 'here';
        this.#outgoing.charge(message.load);
        break;
      case 'refused':
        if (this.#state === 'arriving' && isNow) this.#becomeClosed(errorFor(message.ending, 'this'));
        break;
      case 'gone':
        if (this.#state === 'passed' && isNow) this.#forget();
        break;
      case 'value':
        if (isHere) this.#incoming.arrived(message.item);
        break;
      case 'credit':
        if (isHere) this.#outgoing.credit(message.load);
        break;
      case 'ended':
        if (isHere) this.#finish(errorFor(message.ending, 'the other'));
        break;
      case 'answer':
        this.#incoming.answered(message.id);
        break;
    }
  }

  #orphaned(death: Death): void {
    this.#isOrphaned = true;
    if (this.#state === 'passed') this.#forget();
    else this.#finish(new ProcessDied(death, 'the pipe that was made in it is gone'));
  }

  /** Nothing more comes, and nothing can be sent. What has come can be read. */
  #finish(error: Error): void {
    this.#end ??= error;
    this.#incoming.fail(this.#end);
    this.#outgoing.fail(this.#end);
  }

  #becomeClosed(error: Error): void {
    this.#state = 'closed';
    this.#end = undefined;
    this.#incoming.clear();
    this.#finish(error);
    this.#wire.cut();
  }

  #forget(): void {
    this.#isUnsettled(false);
    this.#wire.cut();
  }

  #leave(): void {
    if (this.#state === 'passed') this.#wire.tell({ type: 'left' });
    else this.#outgoing.releaseAll();
  }

  #isUnsettled(is: boolean): void {
    if (is) Connection.#unsettled.add(this);
    else Connection.#unsettled.delete(this);
  }
}

function errorFor(ending: Ending, which: 'this' | 'the other'): Error {
  const end = `${which} end of the pipe`;
  switch (ending.type) {
    case 'closed':
      return new PipeClosed(`${end} was closed`);
    case 'elsewhere':
      return new WrongUse(`${end} is at home in another process, which received it first`);
    case 'died':
      if (endedWell(ending.death)) return new PipeClosed(`${end} was closed: ${describeDeath(ending.death)}`);
      return new ProcessDied(ending.death, `${end} is gone with it`);
  }
}
