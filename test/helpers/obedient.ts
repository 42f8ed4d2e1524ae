// A child that does with an Event, a Semaphore or a Barrier what a test tells it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Process } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/synchronize-work.ts';
import type { Answer, Command } from '../fixtures/synchronize-work.ts';
import { Crew } from './crew.ts';
import { moduleUrl } from './paths.ts';
import { startProcess } from './processes.ts';
import type { Cleaner, Mail } from './processes.ts';

export const module = moduleUrl('test/fixtures/synchronize-work.ts');

export class Child {
  readonly process: Process<never[]>;
  readonly #mail: Mail;
  readonly #came: Answer[] = [];
  #lastCall = 0;

  private constructor(started: { process: Process<never[]>; mail: Mail }) {
    this.process = started.process;
    this.#mail = started.mail;
  }

  static async start(t: Cleaner, primitive: object, name?: string): Promise<Child> {
    const child = new Child(startProcess(t, { module, target: work.obey, args: [primitive], name }));
    await child.#next(({ type }) => type === 'ready');
    return child;
  }

  /** One that makes the primitive itself. */
  static async maker<Made extends object>(
    t: Cleaner, kind: 'Barrier' | 'Semaphore', name: string,
  ): Promise<{ child: Child; made: Made }> {
    const started = startProcess(t, { module, target: work.makeAndObey, args: [kind], name });
    const made = await started.mail.next() as Made;
    const child = new Child(started);
    await child.#next(({ type }) => type === 'ready');
    return { child, made };
  }

  /** `B (pid 4711)` */
  get who(): string {
    return `${this.process.name} (pid ${this.process.pid})`;
  }

  tell(command: Command): void {
    this.process.channel.post(command);
  }

  /** Uses another primitive from now on. */
  async use(primitive: object): Promise<void> {
    this.tell({ type: 'use', primitive });
    await this.#next(({ type }) => type === 'ready');
  }

  /**
   * Begins a call. Settles when it has reached the primitive's owner, if that is this process.
   * @returns What comes of it: rejects with the name and message of an error.
   */
  async begins(method: string, timeoutMs?: number): Promise<{ result: Promise<unknown> }> {
    const as = `${++this.#lastCall}`;
    this.tell({ type: 'call', as, method, timeoutMs });
    await this.#next(({ type }) => type === 'asked');
    const result = this.#resultOf(as);
    result.catch(() => {}); // It may be awaited late, or never.
    return { result };
  }

  async does(method: string, timeoutMs?: number): Promise<unknown> {
    return await (await this.begins(method, timeoutMs)).result;
  }

  /** Ends it by a signal at once, and waits until it is gone. */
  async dies(): Promise<void> {
    this.process.kill();
    await this.process.join();
  }

  async #resultOf(as: string): Promise<unknown> {
    const answer = await this.#next((answer) => 'as' in answer && answer.as === as);
    if (answer.type === 'failed') throw Object.assign(new Error(answer.message), { name: answer.name });
    assert.equal(answer.type, 'came');
    return answer.abandonedBy === undefined ? answer.value : { value: answer.value, abandonedBy: answer.abandonedBy };
  }

  /** The first such answer; the others are kept. Those who wait look again when one more has come. */
  async #next(isIt: (answer: Answer) => boolean): Promise<Answer> {
    for (;;) {
      const index = this.#came.findIndex(isIt);
      if (index !== -1) return this.#came.splice(index, 1)[0]!;
      this.#reading ??= this.#mail.next().then((answer) => {
        this.#reading = undefined;
        this.#came.push(answer as Answer);
      });
      await this.#reading;
    }
  }

  #reading: Promise<void> | undefined;
}

const crew = new Crew((t, primitive: object, name) => Child.start(t, primitive, name));
after(() => crew.end());

/** As many as there are names, which other tests of the file use after this one, if they are alive then. */
export async function children<Names extends string[]>(
  t: Cleaner, primitive: object, ...names: Names
): Promise<{ [Index in keyof Names]: Child }> {
  const lent = await Promise.all(names.map((name) => crew.lend(t, primitive, name)));
  return lent as { [Index in keyof Names]: Child };
}
