// Pool: a fixed number of processes that call functions for others. Follows Python's multiprocessing.pool.Pool.
//
// A worker does one task at a time, and the rest wait here, in order. So when a worker dies it is plain what it took
// with it: that one task rejects with the reason, another worker takes its place, and nothing else notices. (In Python
// the caller waits for ever: python/cpython#82265.) Only of a map whose parts are quick a worker gets the next part
// ahead, so that it need not wait for it; it comes back when the worker dies.
import { cpuCount } from './current.ts';
import { ProcessDied, WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { Fifo } from './fifo.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { packOwn } from './parcel.ts';
import { serveTasks } from './pool-worker.ts';
import type { FromPoolWorker, ToPoolWorker } from './pool-worker.ts';
import { Process } from './process.ts';
import type { Target } from './process.ts';
import { unpack } from './queue-item.ts';
import { rebuildError } from './remote-error.ts';

interface Task {
  /** The map that it is part of: the same for all its parts. */
  readonly map: object | undefined;
  readonly message: ToPoolWorker;
  resolve(results: unknown[]): void;
  reject(error: Error): void;
}

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

const POOL_WORKER = new URL(import.meta.url.endsWith('.ts') ? './pool-worker.ts' : './pool-worker.js', import.meta.url);

let lastPool = 0;

export class Pool {
  readonly #name = `Pool-${++lastPool}`;
  readonly #size: number;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting = new Fifo<Task>();
  readonly #joiners: (() => void)[] = [];
  #state: 'open' | 'closed' | 'terminated' = 'open';
  #failedStarts = 0;
  #lastWorker = 0;

  /**
   * Starts the workers: daemons, so a pool that nobody closes does not keep the program running.
   * @param size How many: more than the CPUs pays only for work that waits.
   * @throws {WrongUse} The size is no whole number of at least 1.
   */
  constructor(size: number = cpuCount()) {
    if (!Number.isInteger(size) || size < 1) throw new WrongUse(`a Pool has a whole number of workers from 1 on, not ${size}`);
    this.#size = size;
    while (this.#workers.size < size) this.#startWorker();
  }

  /**
   * Calls the function with these arguments in one of the workers.
   * @returns What it returns, as a structured clone. Rejects with what it throws, with its own stack; with
   * {@link ProcessDied} when its worker dies meanwhile.
   * @throws {NotCloneable} An argument cannot be sent. @throws {WrongUse} The pool is closed.
   */
  async apply<Args extends unknown[], Result>(target: Target<Args, Result>, args: NoInfer<Args>): Promise<Awaited<Result>> {
    const [result] = await this.#run(target, [...args], undefined, `an argument of ${target.target.name}`);
    return result as Awaited<Result>;
  }

  /**
   * Calls the function with each item, spread over the workers.
   * @returns The results in the order of the items. Rejects as {@link apply} does, with the first failure.
   */
  async map<Item, Result>(target: Target<[Item], Result>, items: Iterable<NoInfer<Item>>): Promise<Awaited<Result>[]> {
    const inputs: Item[] = Array.isArray(items) ? items : Array.from(items);
    const size = Math.ceil(inputs.length / (CHUNKS_A_WORKER * this.#size));
    const map = {};
    const chunks: Promise<unknown[]>[] = [];
    for (let at = 0; at < inputs.length; at += size) {
      chunks.push(this.#run(target, inputs.slice(at, at + size), map, `an item of ${target.target.name}`));
    }
    // Not by flat(), which takes longer than all the rest here.
    return ([] as unknown[]).concat(...await Promise.all(chunks)) as Awaited<Result>[];
  }

  /** Takes no more tasks. The workers end when all that were given are done. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.#dispatch();
  }

  /** Ends the workers at once. Tasks that are not done reject. */
  terminate(): void {
    this.#state = 'terminated';
    for (const task of this.#waiting.takeAll()) task.reject(this.#terminated());
    for (const { process } of this.#workers) process.kill();
  }

  /** Waits until all workers have ended. @throws {WrongUse} The pool was neither closed nor terminated. */
  async join(): Promise<void> {
    if (this.#state === 'open') throw new WrongUse(`${this.#name} must be closed or terminated before it is joined`);
    if (this.#workers.size === 0) return;
    waitBegins();
    await new Promise<void>((resolve) => this.#joiners.push(resolve));
    waitEnds();
  }

  async #run(target: Target<never[]>, inputs: unknown[], map: object | undefined, what: string): Promise<unknown[]> {
    if (this.#state !== 'open') throw new WrongUse(`${this.#name} is ${this.#state} and takes no more tasks`);
    if (target.target.name === '') throw new WrongUse('a Pool calls exported functions, and this one has no name');
    const message: ToPoolWorker = {
      type: 'task', module: String(target.module), target: target.target.name, inputs: packOwn(inputs, what), spread: map === undefined,
    };
    waitBegins();
    try {
      return await new Promise<unknown[]>((resolve, reject) => {
        this.#waiting.push({ map, message, resolve, reject });
        this.#dispatch();
      });
    } finally {
      waitEnds();
    }
  }

  #dispatch(): void {
    for (const worker of this.#workers) {
      if (worker.tasks.length > 0) continue;
      if (this.#waiting.length > 0) this.#give(worker);
      else if (this.#state === 'closed') worker.process.channel.post({ type: 'end' } satisfies ToPoolWorker);
    }
    for (const worker of this.#workers) {
      const [task] = worker.tasks;
      if (task?.map === undefined || worker.tasks.length > 1 || !worker.isQuick) continue;
      if (this.#waiting.at(0)?.map === task.map) this.#give(worker);
    }
  }

  #give(worker: PoolWorker): void {
    const task = this.#waiting.shift()!;
    if (worker.tasks.push(task) === 1) worker.begunAt = performance.now();
    worker.process.channel.postOwn(task.message);
  }

  #startWorker(): void {
    const process = new Process({
      module: POOL_WORKER,
      target: serveTasks, args: [], name: `${this.#name}:${++this.#lastWorker}`, daemon: true,
    });
    const worker: PoolWorker = { process, tasks: [], begunAt: 0, isQuick: false, proven: false };
    this.#workers.add(worker);
    process.start();
    process.channel.listen((message) => this.#answered(worker, message as FromPoolWorker));
    void process.ended.then((death) => this.#ended(worker, death));
  }

  #answered(worker: PoolWorker, answer: FromPoolWorker): void {
    const task = worker.tasks.shift();
    const now = performance.now();
    worker.isQuick = now - worker.begunAt < QUICK_MS;
    worker.begunAt = now;
    worker.proven = true;
    this.#failedStarts = 0;
    if (answer.type === 'done') task?.resolve(unpack(answer.results) as unknown[]);
    else task?.reject(rebuildError(answer.error, `${worker.process.name} (pid ${worker.process.pid})`));
    this.#dispatch();
  }

  #ended(worker: PoolWorker, death: Death): void {
    this.#workers.delete(worker);
    const [task, ...ahead] = worker.tasks;
    if (this.#state !== 'terminated') this.#waiting.unshift(ahead);
    else for (const { reject } of ahead) reject(this.#terminated());
    task?.reject(new ProcessDied(death, 'the task that it had was not finished'));
    if (!worker.proven && task === undefined) this.#failedStarts++;
    if (this.#state === 'open' || (this.#state === 'closed' && this.#waiting.length > 0)) {
      if (this.#failedStarts < MOST_FAILED_STARTS) this.#startWorker();
      else if (this.#workers.size === 0) this.#giveUp(death);
      this.#dispatch();
    }
    if (this.#workers.size === 0) for (const resolve of this.#joiners.splice(0)) resolve();
  }

  #terminated(): WrongUse {
    return new WrongUse(`${this.#name} was terminated before the task was begun`);
  }

  /** No worker can be started: nobody may wait for one. */
  #giveUp(last: Death): void {
    this.#state = 'terminated';
    for (const task of this.#waiting.takeAll()) task.reject(new ProcessDied(last, `${this.#name} cannot start its workers`));
  }
}
