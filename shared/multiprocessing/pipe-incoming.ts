// What has come to one end of a Pipe, and who waits for it there. Used by connection.ts.
import { Fifo } from './fifo.ts';
import type { ToHub } from './pipe-messages.ts';
import { isWorthTelling, NOTHING, plusOne } from './pipe-window.ts';
import type { Load } from './pipe-window.ts';
import { sizeOf } from './queue-item.ts';
import type { Item } from './queue-item.ts';
import { asksOnce, limitTime } from './time-limit.ts';
import { waitInLine } from './waiter.ts';
import type { Waiter } from './waiter.ts';

let lastAsk = 0;

export class Incoming {
  readonly #tell: (message: ToHub) => void;
  readonly #items = new Fifo<Item>();
  readonly #readers = new Fifo<Waiter<Item>>();
  readonly #polls = new Set<Waiter<boolean>>();
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
    return this.#readers.length > 0 || this.#polls.size > 0;
  }

  /** The next value. Those who wait are served in their order. */
  async take(): Promise<Item> {
    if (this.isEmpty) return await waitInLine<Item>((waiter) => this.#readers.push(waiter));
    const item = this.#items.shift();
    this.#wasRead(item);
    return item;
  }

  /** Whether a value comes, or the end, within the time. */
  async await(timeoutMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await waitInLine<boolean>((waiter) => {
        // Never false before the hub has answered: what was sent before may still be on its way from there.
        let reasonsToWait = 1;
        const lapse = (): void => {
          if (--reasonsToWait === 0 && this.#polls.delete(waiter)) waiter.resolve(false);
        };
        if (!asksOnce(timeoutMs)) {
          reasonsToWait++;
          timer = limitTime(timeoutMs, lapse);
        }
        this.#polls.add(waiter);
        this.#questions.set(++lastAsk, lapse);
        this.#tell({ type: 'ask', id: lastAsk });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  answered(id: number): void {
    this.#questions.get(id)?.();
    this.#questions.delete(id);
  }

  arrived(item: Item): void {
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
    for (const { reject } of this.#readers.takeAll()) reject(error);
    this.#settlePolls();
  }

  #settlePolls(): void {
    for (const { resolve } of this.#polls) resolve(true);
    this.#polls.clear();
  }

  #wasRead(item: Item): void {
    this.#read = plusOne(this.#read, sizeOf(item));
    if (!isWorthTelling(this.#read)) return;
    this.#tell({ type: 'read', count: this.#read.count });
    this.#read = NOTHING;
  }
}
