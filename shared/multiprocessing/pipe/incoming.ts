// What has come to one end of a Pipe, and who waits for it there. Used by connection.ts.
import { TimedOut } from '../base/errors.ts';
import { Fifo } from '../base/fifo.ts';
import type { ToHub } from './messages.ts';
import { isWorthTelling, NOTHING, plusOne } from './window.ts';
import type { Load } from './window.ts';
import { holdsPrimitives, sizeOf } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import { asksOnce } from '../base/time-limit.ts';
import type { WaitOptions } from '../base/time-limit.ts';
import { waitInLine } from '../base/waiter.ts';
import type { Waiter } from '../base/waiter.ts';
import { WaitingLine } from '../base/waiting-line.ts';

let lastAsk = 0;

export class Incoming {
  readonly #tell: (message: ToHub) => void;
  readonly #items = new Fifo<Packed>();
  readonly #readers = new WaitingLine<Waiter<Packed>>();
  readonly #polls = new WaitingLine<Waiter<boolean>>();
  /** What to do when the hub answers, by the numbers of the questions. */
  readonly #questions = new Map<number, () => void>();
  /** Read here, and not yet told. */
  #read: Load = NOTHING;

  constructor(tell: (message: ToHub) => void) {
    this.#tell = tell;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** Whether a recv or a poll waits. */
  get isAwaited(): boolean {
    return this.#readers.length > 0 || this.#polls.length > 0;
  }

  /** The next value. Those who wait are served in their order. @throws {TimedOut} */
  async take(limits: WaitOptions): Promise<Packed> {
    if (this.isEmpty) {
      return await this.#waitIn(this.#readers, limits, ({ reject }) => {
        reject(new TimedOut('no value came from the other end of the pipe', limits.timeoutMs));
      });
    }
    const item = this.#items.shift();
    this.#wasRead(item);
    return item;
  }

  /** Whether a value comes, or the end, within the time. */
  await(limits: WaitOptions): Promise<boolean> {
    return this.#waitIn(this.#polls, limits, ({ resolve }) => resolve(false));
  }

  #waitIn<T>(
    line: WaitingLine<Waiter<T>>, { timeoutMs, signal }: WaitOptions, lapse: (waiter: Waiter<T>) => void,
  ): Promise<T> {
    const once = asksOnce(timeoutMs);
    // It lapses never before the hub has answered: what was sent before may still be on its way from there.
    let reasonsToWait = once ? 1 : 2;
    const lapsed = (waiter: Waiter<T>): void => {
      if (--reasonsToWait === 0 && line.remove(waiter)) lapse(waiter);
    };
    return waitInLine<T>({ timeoutMs: once ? undefined : timeoutMs, signal }, {
      enter: (waiter) => {
        line.push(waiter);
        if (timeoutMs === undefined) return;
        this.#questions.set(++lastAsk, () => lapsed(waiter));
        this.#tell({ type: 'ask', id: lastAsk });
      },
      leave: (waiter) => line.remove(waiter),
      lapsed,
    });
  }

  answered(id: number): void {
    this.#questions.get(id)?.();
    this.#questions.delete(id);
  }

  arrived(item: Packed): void {
    const reader = this.#readers.shift();
    if (reader === undefined) {
      this.#items.push(item);
      this.#settlePolls();
    } else {
      this.#wasRead(item);
      reader.resolve(item);
    }
  }

  /** Forgets what has come, of which the hub has its own. @returns How many were read since it was told last. */
  clear(): number {
    this.#items.takeAll();
    const { count } = this.#read;
    this.#read = NOTHING;
    return count;
  }

  /** Nothing more will come. What has come can be taken. */
  fail(error: Error): void {
    this.#questions.clear();
    for (const { reject } of this.#readers.takeAll()) reject(error);
    this.#settlePolls();
  }

  #settlePolls(): void {
    for (const { resolve } of this.#polls.takeAll()) resolve(true);
  }

  #wasRead(item: Packed): void {
    this.#read = plusOne(this.#read, sizeOf(item));
    // The hub says of the primitives in it that they are kept until it knows that it was read.
    if (!isWorthTelling(this.#read) && !holdsPrimitives(item)) return;
    this.#tell({ type: 'read', count: this.#read.count });
    this.#read = NOTHING;
  }
}
