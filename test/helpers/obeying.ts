// Children that do to a queue what the test tells them. Used by the tests of Queue and JoinableQueue.
import assert from 'node:assert/strict';
import type { JoinableQueue, Process, Queue } from '../../shared/multiprocessing/index.ts';
import { obey } from '../fixtures/queue-work.ts';
import type { Order, Outcome } from '../fixtures/queue-work.ts';
import { moduleUrl } from './paths.ts';
import { startProcess } from './processes.ts';
import type { Cleaner } from './processes.ts';

const module = moduleUrl('test/fixtures/queue-work.ts');

export class Obeying {
  readonly process: Process<never[]>;
  readonly #orders = new Map<number, (outcome: Outcome) => void>();
  #lastId = 0;

  constructor(process: Process<never[]>) {
    this.process = process;
    process.channel.listen((message) => {
      const outcome = message as Outcome;
      this.#orders.get(outcome.id)!(outcome);
    });
  }

  /** Gives an order. @returns What it brings. @throws What it throws, with its name and message. */
  async tell(...order: Order): Promise<unknown> {
    const { value, error } = await new Promise<Outcome>((resolve) => {
      this.#orders.set(++this.#lastId, resolve);
      this.process.channel.post([this.#lastId, order]);
    });
    if (error === undefined) return value;
    throw Object.assign(new Error(error.message), { name: error.name });
  }

  /** Gives an order that has no answer: it ends the process, or waits until then. @returns The process. */
  start(...order: Order): Process<never[]> {
    this.process.channel.post([0, order]);
    this.#orders.set(0, () => {});
    return this.process;
  }

  async kill(): Promise<void> {
    this.process.kill();
    await this.process.join();
  }
}

/** Starts a child that holds the queue, and waits until it is ready to obey. */
export async function startObeying(t: Cleaner, queue: Queue<unknown> | JoinableQueue<unknown>): Promise<Obeying> {
  const { process, mail } = startProcess(t, { module, target: obey, args: [queue] });
  assert.equal(await mail.next(), 'ready');
  return new Obeying(process as unknown as Process<never[]>);
}

/** Children that several tests use, one after the other: for those that leave them as they were. */
export class Crew implements Cleaner {
  readonly #idle: Obeying[] = [];
  readonly #work: (() => void | Promise<void>)[] = [];

  after(work: () => void | Promise<void>): void {
    this.#work.push(work);
  }

  /** A child that holds the queue until the test ends. */
  async lend(t: Cleaner, queue: Queue<unknown> | JoinableQueue<unknown>): Promise<Obeying> {
    const child = this.#idle.pop() ?? await startObeying(this, queue);
    await child.tell('use', queue);
    t.after(() => void this.#idle.push(child));
    return child;
  }

  /** Ends them all: for the `after` of their tests. */
  async end(): Promise<void> {
    for (const work of this.#work) await work();
  }
}
