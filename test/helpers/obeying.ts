// Children that do to a queue what the test tells them. Used by the tests of Queue and JoinableQueue.
import assert from 'node:assert/strict';
import type { JoinableQueue, Process, Queue } from '../../shared/multiprocessing/index.ts';
import { obey } from '../fixtures/queue-work.ts';
import type { Order, Outcome } from '../fixtures/queue-work.ts';
import { Crew } from './crew.ts';
import { moduleUrl } from './paths.ts';
import { startProcess } from './processes.ts';
import type { Cleaner } from './processes.ts';

type AnyQueue = Queue<unknown> | JoinableQueue<unknown>;

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

  /** Uses another queue from now on. */
  async use(queue: AnyQueue): Promise<void> {
    await this.tell('use', queue);
  }

  async kill(): Promise<void> {
    this.process.kill();
    await this.process.join();
  }
}

/** Starts a child that holds the queue, and waits until it is ready to obey. */
export async function startObeying(t: Cleaner, queue: AnyQueue, name?: string): Promise<Obeying> {
  const { process, mail } = startProcess(t, { module, target: obey, args: [queue], name });
  assert.equal(await mail.next(), 'ready');
  return new Obeying(process as unknown as Process<never[]>);
}

/** For the tests of one file. */
export function queueCrew(): Crew<AnyQueue, Obeying> {
  return new Crew(startObeying);
}
