// Pool: a fixed number of processes that call functions for others. Follows Python's multiprocessing.pool.Pool.
//
// A worker does one task at a time, and the rest wait here, in order. So when a worker dies it is plain what it took
// with it: that one task rejects with the reason, another worker takes its place, and nothing else notices. (In Python
// the caller waits for ever: python/cpython#82265.) Only of a map whose parts are quick a worker gets the next part
// ahead, so that it need not wait for it; it comes back when the worker dies.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { cpuCount } from '../process/current.ts';
import { ProcessDied, TimedOut, WrongUse } from '../base/errors.ts';
import type { Death } from '../base/errors.ts';
import type { ForkOptions } from '../process/fork.ts';
import { Joiners } from '../process/joiners.ts';
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { lineageOf, locate } from '../process/modules.ts';
import type { Target } from '../process/modules.ts';
import { taskDone, WaitingTasks } from './tasks.ts';
import type { Job, Task } from './tasks.ts';
import { readAnswer, serveTasks } from './pool-worker.ts';
import type { ToPoolWorker } from './pool-worker.ts';
import { ownFile } from '../base/own-file.ts';
import { Process } from '../process/process.ts';
import { packOwn, unpack } from '../values/packed.ts';
import { rebuildError } from '../values/remote-error.ts';
import { checkWait, watchWait } from '../base/time-limit.ts';
import type { Wait, WaitOptions } from '../base/time-limit.ts';

/** How the workers are started; as for a Process. */
export interface PoolOptions extends ForkOptions {
  /** How many: more than the CPUs pays only for work that waits. Default: as many as there are CPUs. */
  readonly size?: number | undefined;
}

/**
 * The limits of apply and map. When they are over, what waits for a worker is never begun. What was begun goes on, and
 * nobody hears of its result.
 */
export interface TaskOptions extends WaitOptions {
  /** What was begun ends then, too: its worker is killed, and another takes its place. Default: false. */
  readonly kill?: boolean | undefined;
}

/** A number is a `timeoutMs`. */
type TaskLimits = number | TaskOptions;

/** The arguments may be left out where none are needed. */
type ArgumentsAndOptions<Args extends readonly unknown[]> = [] extends Args
  ? [args?: NoInfer<Readonly<Args>>, options?: TaskLimits] : [args: NoInfer<Readonly<Args>>, options?: TaskLimits];

interface PoolWorker {
  readonly process: Process<[]>;
  /** What it does, and behind that what it was given ahead. */
  readonly tasks: Task[];
  /** When it began with the first of them. */
  begunAt: number;
  /** Whether it did the one before quickly. */
  isQuick: boolean;
  /** Whether it has ever been heard of: one that ends before cannot be started. */
  proven: boolean;
}

/** Into how many parts a map is cut for each worker: few messages, and still even work when some items take longer. */
const CHUNKS_A_WORKER = 4;
/** What is done in this time is quick, in milliseconds: then it does not matter if the next part waits behind it. */
const QUICK_MS = 5;
/** How many workers in a row may end before their first answer until the pool gives up. */
const MOST_FAILED_STARTS = 3;

/** So many pools may be in one another: each has as many workers as there are CPUs, and these multiply. */
const MOST_NESTED = 2;

const poolWorker = (): URL => ownFile(import.meta.url, 'multiprocessing/pool/pool', './pool-worker');

let lastPool = 0;
let lastTask = 0;

export class Pool {
  readonly #name = `Pool-${++lastPool}`;
  readonly #size: number;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting = new WaitingTasks();
  readonly #joiners = new Joiners();
  readonly #forkOptions: ForkOptions;
  #state: 'open' | 'closed' | 'terminated' = 'open';
  #failedStarts = 0;
  /** Why it has no workers and gets none. */
  #failure: ProcessDied | undefined;
  #lastWorker = 0;

  /**
   * Starts the workers: daemons, so a pool that nobody closes does not keep the program running.
   * @param options A number is the `size`.
   * @throws {WrongUse} The size is no whole number of at least 1; or this process is a child that imports a target's
   * module right now, or a worker of a pool that a worker of a pool made.
   */
  constructor(options: number | PoolOptions = {}) {
    const isNamed = typeof options === 'object' && options !== null;
    const { size = cpuCount(), ...forkOptions } = isNamed ? options : { size: options };
    if (!Number.isInteger(size) || size < 1) {
      throw new WrongUse(`a Pool has a whole number of workers from 1 on, not ${inspect(size)}`);
    }
    this.#size = size;
    this.#forkOptions = forkOptions;
    lineageOf({ module: poolWorker().href, target: serveTasks.name }, this.#name, MOST_NESTED);
    while (this.#workers.size < size) this.#startWorker();
  }

  /**
   * Calls the function with these arguments in one of the workers.
   * @returns What it returns, as a structured clone. Rejects with what it throws, with its own stack; with
   * {@link ProcessDied} when its worker dies meanwhile, whose `cause` is the error that ended it, if one did.
   * @throws {NotCloneable} An argument cannot be sent. @throws {WrongUse} The pool is closed.
   * @throws {TimedOut} Its time is up. @throws The signal's reason, when that calls it off.
   */
  async apply<Args extends readonly unknown[], Result>(
    target: Target<Args, Result>, ...[args, options]: ArgumentsAndOptions<Args>
  ): Promise<Awaited<Result>> {
    const inputs = args ?? [];
    if (!Array.isArray(inputs)) throw new WrongUse(`the arguments of a task must be an array, not ${inspect(inputs)}`);
    const [[result]] = await this.#run(target, [[...inputs]], false, options) as [[unknown]];
    return result as Awaited<Result>;
  }

  /**
   * Calls the function with each item, spread over the workers.
   * @returns The results in the order of the items. Rejects as {@link apply} does, with the first failure.
   */
  async map<Packed, Result>(
    target: Target<[Packed], Result>, items: Iterable<NoInfer<Packed>>, options?: TaskLimits,
  ): Promise<Awaited<Result>[]> {
    const inputs: Packed[] = Array.isArray(items) ? items : Array.from(items);
    const size = Math.ceil(inputs.length / (CHUNKS_A_WORKER * this.#size));
    const parts: Packed[][] = [];
    for (let at = 0; at < inputs.length; at += size) parts.push(inputs.slice(at, at + size));
    const results = await this.#run(target, parts, true, options);
    // Not by flat(), which takes longer than all the rest here.
    return ([] as unknown[]).concat(...results) as Awaited<Result>[];
  }

  /** Takes no more tasks. The workers end when all that were given are done. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.#dispatch();
  }

  /** Ends the workers at once. Tasks that are not done reject. */
  terminate(): void {
    this.#state = 'terminated';
    for (const { job } of this.#waiting.takeAll()) job.reject(this.#terminated());
    for (const { process } of this.#workers) process.kill();
  }

  /**
   * Waits until all workers have ended: true when they have, false when the time was up before.
   * @throws {WrongUse} The pool was neither closed nor terminated.
   * @throws The signal's reason, when that calls the wait off.
   */
  async join(wait?: Wait): Promise<boolean> {
    if (this.#state === 'open') throw new WrongUse(`${this.#name} must be closed or terminated before it is joined`);
    const limits = checkWait(wait);
    if (this.#workers.size === 0) return true;
    return await this.#joiners.wait(limits);
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const running = [...this.#workers].filter(({ tasks }) => tasks.length > 0).length;
    const state = { name: this.#name, size: this.#size, state: this.#state, running, waiting: this.#waiting.length };
    return `Pool ${inspect(state, options)}`;
  }

  async #run(
    target: Target<never[]>, parts: unknown[][], isMap: boolean, options: TaskLimits | undefined,
  ): Promise<unknown[][]> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state !== 'open') throw new WrongUse(`${this.#name} is ${this.#state} and takes no more tasks`);
    const located = locate(target, 'a task of a Pool');
    const limits: TaskOptions = checkWait(options);
    const what = isMap ? `an item of ${located.target}` : `an argument of ${located.target}`;
    const messages = parts.map((inputs) => (
      { type: 'task' as const, id: ++lastTask, ...located, inputs: packOwn(inputs, what), spread: !isMap }));
    if (messages.length === 0) return [];
    waitBegins();
    let endWatch = (): void => {};
    try {
      return await new Promise<unknown[][]>((resolve, reject) => {
        const job: Job = { isMap, resolve, reject, results: [], left: messages.length, isDropped: false };
        endWatch = watchWait(limits, () => {
          const where = this.#drop(job, limits.kill);
          const call = `${isMap ? 'the map of ' : ''}${located.target}`;
          reject(new TimedOut(`${call} was not done`, limits.timeoutMs, where));
        }, (reason) => {
          this.#drop(job, limits.kill);
          reject(reason);
        });
        for (const [part, message] of messages.entries()) this.#waiting.push({ job, part, id: message.id, message });
        this.#dispatch();
      });
    } finally {
      endWatch();
      waitEnds();
    }
  }

  /** Nobody waits for the job any more. @returns Where it is, for an error. */
  #drop(job: Job, kill = false): string {
    const busy = [...this.#workers].filter(({ tasks }) => tasks.some((task) => task.job === job));
    const begun = busy.reduce((count, { tasks }) => count + tasks.length, 0);
    // All that is left of it waits, but for what workers have: one of them has tasks of one job only.
    this.#waiting.drop(job, job.left - begun);
    if (kill) for (const { process } of busy) process.kill();
    const who = busy.map(({ process }) => describe(process)).join(' and ');
    if (who === '') return `it waits for a worker of ${this.#name}`;
    return `${who} ${kill ? 'was killed for it' : 'is still at it'}`;
  }

  #dispatch(): void {
    for (const worker of this.#workers) {
      if (worker.tasks.length > 0) continue;
      if (this.#waiting.length > 0) this.#give(worker);
      else if (this.#state === 'closed') worker.process.channel.post({ type: 'end' } satisfies ToPoolWorker);
    }
    for (const worker of this.#workers) {
      const [task] = worker.tasks;
      if (task?.job.isMap !== true || worker.tasks.length > 1 || !worker.isQuick) continue;
      if (this.#waiting.first()?.job === task.job) this.#give(worker);
    }
  }

  #give(worker: PoolWorker): void {
    const task = this.#waiting.shift()!;
    if (worker.tasks.push(task) === 1) worker.begunAt = performance.now();
    worker.process.channel.postOwn(task.message);
  }

  #startWorker(): void {
    const process = new Process({
      ...this.#forkOptions, module: poolWorker(), target: serveTasks,
      name: `${this.#name}:${++this.#lastWorker}`, daemon: true,
    });
    const worker: PoolWorker = { process, tasks: [], begunAt: 0, isQuick: false, proven: false };
    process.start();
    this.#workers.add(worker);
    process.channel.listen((message) => this.#answered(worker, message));
    void process.ended.then((death) => this.#ended(worker, death));
  }

  #answered(worker: PoolWorker, message: unknown): void {
    const answer = readAnswer(message);
    const [task] = worker.tasks;
    if (task === undefined || answer?.id !== task.id) return;
    worker.tasks.shift();
    const now = performance.now();
    worker.isQuick = now - worker.begunAt < QUICK_MS;
    worker.begunAt = now;
    worker.proven = true;
    this.#failedStarts = 0;
    try {
      if (answer.type === 'done') taskDone(task, unpack(answer.results) as unknown[]);
      else task.job.reject(rebuildError(answer.error, describe(worker.process)));
    } catch (error) {
      task.job.reject(error);
    }
    this.#dispatch();
  }

  #ended(worker: PoolWorker, death: Death): void {
    this.#workers.delete(worker);
    const [task, ...ahead] = worker.tasks;
    const { error } = worker.process;
    const because = error === undefined ? {} : { cause: error };
    if (this.#state !== 'terminated') this.#waiting.unshift(ahead);
    else for (const { job } of ahead) job.reject(this.#terminated());
    task?.job.reject(new ProcessDied(death, 'the task that it had was not finished', because));
    if (!worker.proven && task === undefined) this.#failedStarts++;
    if (this.#state === 'open' || (this.#state === 'closed' && this.#waiting.length > 0)) {
      if (this.#failedStarts < MOST_FAILED_STARTS) this.#startWorker();
      else if (this.#workers.size === 0) this.#giveUp(death, because);
      this.#dispatch();
    }
    if (this.#workers.size === 0) this.#joiners.release();
  }

  #terminated(): WrongUse {
    return new WrongUse(`${this.#name} was terminated before the task was begun`);
  }

  /** No worker can be started: nobody may wait for one. */
  #giveUp(last: Death, because: ErrorOptions): void {
    const failure = new ProcessDied(last, `${this.#name} cannot start its workers`, because);
    this.#state = 'terminated';
    this.#failure = failure;
    for (const { job } of this.#waiting.takeAll()) job.reject(failure);
  }
}

function describe({ name, pid }: Process): string {
  return `${name} (pid ${pid})`;
}
