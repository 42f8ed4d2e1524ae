// Pool: a fixed number of processes that call functions for others. Follows Python's multiprocessing.pool.Pool.
//
// A worker has one task at a time, and the rest wait here, in order. So when a worker dies it is plain what it took with
// it: that one task rejects with the reason, another worker takes its place, and nothing else notices. (In Python the
// caller waits for ever: python/cpython#82265.)
import { decode, encode } from './codec.ts';
import { cpuCount } from './current.ts';
import { ProcessDied, WrongUse } from './errors.ts';
import type { Death } from './errors.ts';
import { waitBegins, waitEnds } from './keep-alive.ts';
import { serveTasks } from './pool-worker.ts';
import type { FromPoolWorker, ToPoolWorker } from './pool-worker.ts';
import { Process } from './process.ts';
import type { Target } from './process.ts';
import { rebuildError } from './remote-error.ts';

interface Task {
  readonly message: ToPoolWorker;
  resolve(results: unknown[]): void;
  reject(error: Error): void;
}

interface PoolWorker {
  readonly process: Process<[]>;
  task: Task | undefined;
  /** Whether it has ever been heard of: one that ends before cannot be started. */
  proven: boolean;
}

/** Into how many parts a map is cut for each worker: few messages, and still even work when some items take longer. */
const CHUNKS_A_WORKER = 4;
/** How many workers in a row may end before their first answer until the pool gives up. */
const MOST_FAILED_STARTS = 3;

const POOL_WORKER = new URL(import.meta.url.endsWith('.ts') ? './pool-worker.ts' : './pool-worker.js', import.meta.url);

let lastPool = 0;

export class Pool {
  readonly #name = `Pool-${++lastPool}`;
  readonly #size: number;
  readonly #workers = new Set<PoolWorker>();
  readonly #waiting: Task[] = [];
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
    const [result] = await this.#run(target, [args], `an argument of ${target.target.name}`);
    return result as Awaited<Result>;
  }

  /**
   * Calls the function with each item, spread over the workers.
   * @returns The results in the order of the items. Rejects as {@link apply} does, with the first failure.
   */
  async map<Item, Result>(target: Target<[Item], Result>, items: Iterable<NoInfer<Item>>): Promise<Awaited<Result>[]> {
    const argLists = Array.from(items, (item) => [item]);
    const size = Math.ceil(argLists.length / (CHUNKS_A_WORKER * this.#size));
    const chunks: Promise<unknown[]>[] = [];
    for (let at = 0; at < argLists.length; at += size) {
      chunks.push(this.#run(target, argLists.slice(at, at + size), `an item of ${target.target.name}`));
    }
    return (await Promise.all(chunks)).flat() as Awaited<Result>[];
  }

  /** Takes no more tasks. The workers end when all that were given are done. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
    this.#dispatch();
  }

  /** Ends the workers at once. Tasks that are not done reject. */
  terminate(): void {
    this.#state = 'terminated';
    for (const task of this.#waiting.splice(0)) task.reject(new WrongUse(`${this.#name} was terminated before the task was begun`));
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

  async #run(target: Target<never[]>, argLists: unknown[][], what: string): Promise<unknown[]> {
    if (this.#state !== 'open') throw new WrongUse(`${this.#name} is ${this.#state} and takes no more tasks`);
    if (target.target.name === '') throw new WrongUse('a Pool calls exported functions, and this one has no name');
    const message: ToPoolWorker = {
      type: 'task', module: String(target.module), target: target.target.name, argLists: encode(argLists, what),
    };
    waitBegins();
    try {
      return await new Promise<unknown[]>((resolve, reject) => {
        this.#waiting.push({ message, resolve, reject });
        this.#dispatch();
      });
    } finally {
      waitEnds();
    }
  }

  #dispatch(): void {
    for (const worker of this.#workers) {
      if (worker.task !== undefined) continue;
      const task = this.#waiting.shift();
      if (task !== undefined) {
        worker.task = task;
        worker.process.channel.post(task.message);
      } else if (this.#state === 'closed') {
        worker.process.channel.post({ type: 'end' } satisfies ToPoolWorker);
      } else {
        return;
      }
    }
  }

  #startWorker(): void {
    const process = new Process({
      module: POOL_WORKER,
      target: serveTasks, args: [], name: `${this.#name}:${++this.#lastWorker}`, daemon: true,
    });
    const worker: PoolWorker = { process, task: undefined, proven: false };
    this.#workers.add(worker);
    process.start();
    process.channel.listen((message) => this.#answered(worker, message as FromPoolWorker));
    void process.ended.then((death) => this.#ended(worker, death));
  }

  #answered(worker: PoolWorker, answer: FromPoolWorker): void {
    const task = worker.task;
    worker.task = undefined;
    worker.proven = true;
    this.#failedStarts = 0;
    if (answer.type === 'done') task?.resolve(decode(answer.results) as unknown[]);
    else task?.reject(rebuildError(answer.error, `${worker.process.name} (pid ${worker.process.pid})`));
    this.#dispatch();
  }

  #ended(worker: PoolWorker, death: Death): void {
    this.#workers.delete(worker);
    const { task } = worker;
    task?.reject(new ProcessDied(death, 'the task that it had was not finished'));
    if (!worker.proven && task === undefined) this.#failedStarts++;
    if (this.#state === 'open' || (this.#state === 'closed' && this.#waiting.length > 0)) {
      if (this.#failedStarts < MOST_FAILED_STARTS) this.#startWorker();
      else if (this.#workers.size === 0) this.#giveUp(death);
      this.#dispatch();
    }
    if (this.#workers.size === 0) for (const resolve of this.#joiners.splice(0)) resolve();
  }

  /** No worker can be started: nobody may wait for one. */
  #giveUp(last: Death): void {
    this.#state = 'terminated';
    for (const task of this.#waiting.splice(0)) task.reject(new ProcessDied(last, `${this.#name} cannot start its workers`));
  }
}
