// The workers of a Pool: who does which task, and what becomes of it when one dies, has done its share, or cannot even
// be started. Used by pool.ts.
import { inspect } from 'node:util';
import { ProcessDied, WrongUse, messageOf } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import type { WaitOptions } from '../base/time-limit.ts';
import { Joiners } from '../process/joiners.ts';
import { lineageOf } from '../process/modules.ts';
import { bringHome, endCustody, refuseCustody } from '../transport/custody.ts';
import { unpack } from '../values/packed.ts';
import { rebuildError } from '../values/remote-error.ts';
import { CrewWorker, purposeOf } from './crew-worker.ts';
import type { PoolPlan } from './options.ts';
import { readAnswer } from './pool-worker.ts';
import type { FromPoolWorker } from './pool-worker.ts';
import { WaitingTasks } from './tasks.ts';
import type { Job, Task } from './tasks.ts';

/** Who may still have tasks for the workers when the pool takes no more calls: an imap. */
export interface Supplier {
  /** Nobody waits for its tasks now. The workers need not stay for it; should it have some later, they are started. */
  readonly isIdle: boolean;
  /** There are no workers any more, for this reason. */
  poolEnded(reason: Error): void;
}

/** How many workers in a row may end before they are ready until the pool gives up. */
const MOST_FAILED_STARTS = 3;
/** So many pools may be in one another: each has as many workers as there are CPUs, and these multiply. */
const MOST_NESTED = 2;

export class Crew {
  readonly name: string;
  readonly #plan: PoolPlan;
  readonly #workers = new Set<CrewWorker>();
  readonly #waiting = new WaitingTasks();
  readonly #suppliers = new Set<Supplier>();
  readonly #joiners = new Joiners();
  #state: 'open' | 'closed' | 'terminated' = 'open';
  #done = 0;
  #failedStarts = 0;
  /** Why it has no workers and gets none. */
  #failure: Error | undefined;
  #lastWorker = 0;

  /** Starts the workers. @throws {WrongUse} They may not be started here. @throws {NotCloneable} */
  constructor(name: string, plan: PoolPlan) {
    this.name = name;
    this.#plan = plan;
    lineageOf(purposeOf(), name, MOST_NESTED);
    try {
      while (this.#workers.size < plan.size) this.#startWorker();
    } catch (error) {
      this.terminate();
      throw error;
    }
  }

  get size(): number {
    return this.#plan.size;
  }

  get state(): 'open' | 'closed' | 'terminated' {
    return this.#state;
  }

  get running(): number {
    return [...this.#workers].filter(({ tasks }) => tasks.length > 0).length;
  }

  get waiting(): number {
    const ahead = [...this.#workers].reduce((count, { tasks }) => count + Math.max(0, tasks.length - 1), 0);
    return this.#waiting.length + ahead;
  }

  get done(): number {
    return this.#done;
  }

  /** @throws {WrongUse} It is closed or terminated. @throws {ProcessDied} Its workers cannot be started. */
  checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== 'open') throw new WrongUse(`${this.name} is ${this.#state} and takes no more tasks`);
  }

  /** Takes tasks, and the job is told of each once. */
  submit(tasks: readonly Task[]): void {
    for (const task of tasks) {
      task.job.left++;
      if (this.#state === 'terminated') this.#refuse(task, this.#failure ?? this.#terminated());
      else this.#waiting.push(task);
    }
    this.look();
  }

  /** The workers stay while it has tasks for them. */
  add(supplier: Supplier): void {
    this.#suppliers.add(supplier);
  }

  /** It has no more. */
  remove(supplier: Supplier): void {
    if (this.#suppliers.delete(supplier)) this.look();
  }

  /** Nobody waits for the job any more. @returns Where it is, for an error. */
  drop(job: Job, kill = false): string {
    const { left } = job;
    this.#waiting.drop(job);
    const busy = [...this.#workers].filter(({ tasks }) => tasks.some((task) => task.job === job));
    if (kill) for (const worker of busy) worker.kill();
    const who = busy.map((worker) => worker.describe()).join(' and ');
    this.look();
    if (who !== '') return `${who} ${kill ? 'was killed for it' : 'is still at it'}`;
    return left === 0 ? 'its source gives no item' : `it waits for a worker of ${this.name}`;
  }

  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.look();
  }

  terminate(): void {
    this.#state = 'terminated';
    this.#rejectAll(this.#terminated());
    for (const worker of this.#workers) worker.kill();
  }

  async join(limits: WaitOptions): Promise<boolean> {
    if (this.#isAtEnd) return true;
    return await this.#joiners.wait(limits);
  }

  /** Gives the tasks that wait to the workers that are free, and sees to it that there are the workers needed. */
  look(): void {
    if (this.#state !== 'terminated' && (this.#state === 'open' || this.#waiting.length > 0)) this.#fillUp();
    for (const worker of this.#workers) {
      if (!worker.isFree) continue;
      if (worker.isSpent) worker.end(true);
      else if (this.#waiting.length > 0) worker.give(this.#waiting.shift()!);
      else if (this.#isDone) worker.end(false);
    }
    for (const worker of this.#workers) {
      if (worker.takesAhead(this.#waiting.first())) worker.give(this.#waiting.shift()!);
    }
    if (this.#isAtEnd) this.#joiners.release();
  }

  /** It takes no calls any more, and nobody has tasks for workers that have none. */
  get #isDone(): boolean {
    if (this.#state !== 'closed') return this.#state === 'terminated';
    return this.#waiting.length === 0 && [...this.#suppliers].every(({ isIdle }) => isIdle);
  }

  get #isAtEnd(): boolean {
    return this.#workers.size === 0 && this.#isDone;
  }

  /** Another worker for each that is gone. */
  #fillUp(): void {
    while (this.#workers.size < this.#plan.size && this.#failedStarts < MOST_FAILED_STARTS) {
      try {
        this.#startWorker();
      } catch (error) {
        this.#failedStarts++;
        if (this.#workers.size === 0 && this.#failedStarts === MOST_FAILED_STARTS) this.#giveUp(error as Error);
      }
    }
  }

  #startWorker(): void {
    const worker = new CrewWorker(`${this.name}:${++this.#lastWorker}`, this.#plan);
    this.#workers.add(worker);
    worker.process.channel.listen((message) => this.#heard(worker, readAnswer(message)));
    void worker.process.ended.then((death) => this.#ended(worker, death));
  }

  #heard(worker: CrewWorker, answer: FromPoolWorker | undefined): void {
    if (answer === undefined) return;
    if (answer.type === 'ready') {
      worker.isReady = true;
      this.#failedStarts = 0;
      return;
    }
    if (answer.type === 'taken') {
      const [task] = worker.tasks;
      if (task?.id === answer.id) this.#waiting.letGo(task);
      return;
    }
    const task = worker.finish(answer.id);
    if (task === undefined) return;
    this.#settle(task, answer, worker.describe());
    this.look();
  }

  #settle(task: Task, answer: Exclude<FromPoolWorker, { type: 'ready' | 'taken' }>, who: string): void {
    this.#waiting.letGo(task);
    if (answer.type === 'failed') return this.#fail(task, rebuildError(answer.error, who));
    let results: unknown[];
    let failures: Map<number, Error>;
    try {
      if (task.job.isDropped) refuseCustody(answer.results); // Nobody takes them, nor the ends of Pipes in them.
      const given = task.job.isDropped ? [] : unpack(answer.results);
      if (!Array.isArray(given)) throw new WrongUse(`${who} answered with ${inspect(given)}, which no task does`);
      results = given;
      failures = new Map((answer.failures ?? []).map(([place, error]) => [place, rebuildError(error, who)]));
    } catch (error) {
      return this.#fail(task, error);
    }
    this.#done++;
    task.job.left--;
    task.job.done(task.part, results, failures);
  }

  #fail(task: Task, error: unknown): void {
    this.#waiting.letGo(task);
    this.#done++;
    task.job.left--;
    task.job.failed(task.part, error);
  }

  /** It was never begun. */
  #refuse(task: Task, reason: Error): void {
    bringHome(task.inputs);
    this.#fail(task, reason);
  }

  #ended(worker: CrewWorker, death: Death): void {
    this.#workers.delete(worker);
    const { error } = worker.process;
    const because = error === undefined ? {} : { cause: error };
    // Those that it had not begun are for another.
    const [begun, unbegun] = worker.isReady ? [worker.tasks.slice(0, 1), worker.tasks.slice(1)] : [[], worker.tasks];
    const [task] = begun;
    if (task !== undefined) {
      endCustody(task.inputs); // Unless it had taken them out, nobody else will.
      this.#waiting.letGo(task, death);
      this.#fail(task, new ProcessDied(death, 'the task that it had was not finished', because));
    }
    this.#takeBack(unbegun);
    if (!worker.isReady && !worker.isEnding) this.#failedStarts++;
    else if (worker.isReady && this.#failedStarts >= MOST_FAILED_STARTS) this.#failedStarts = 0;
    this.look();
    if (this.#workers.size > 0) return;
    if (this.#state !== 'terminated' && this.#failedStarts >= MOST_FAILED_STARTS) {
      const why = error === undefined ? '' : `: ${messageOf(error)}`;
      this.#giveUp(new ProcessDied(death, `${this.name} cannot start its workers${why}`, because));
    }
  }

  /** Tasks that a worker had, and had not begun. */
  #takeBack(tasks: readonly Task[]): void {
    const [task] = tasks;
    if (task === undefined) return;
    // They are all of one job.
    if (this.#state !== 'terminated' && !task.job.isDropped) return this.#waiting.unshift(tasks);
    const reason = this.#terminated();
    for (const task of tasks) {
      bringHome(task.inputs);
      this.#waiting.letGo(task);
      task.job.left--;
      task.job.failed(task.part, reason);
    }
  }

  #terminated(): WrongUse {
    return new WrongUse(`${this.name} was terminated before the task was begun`);
  }

  /** No worker can be started: nobody may wait for one. */
  #giveUp(failure: Error): void {
    this.#state = 'terminated';
    this.#failure = failure;
    this.#rejectAll(failure);
    this.look();
  }

  #rejectAll(reason: Error): void {
    for (const supplier of this.#suppliers) supplier.poolEnded(reason);
    this.#suppliers.clear();
    for (const task of this.#waiting.takeAll()) this.#refuse(task, reason);
  }
}
