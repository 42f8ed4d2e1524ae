// What a Pool has to do: calls, the tasks of which they consist, and those that wait for a worker. Used by the files
// around it.
import type { Death } from '../base/errors.ts';
import { Fifo } from '../base/fifo.ts';
import type { Located } from '../process/modules.ts';
import { bringHome, Keeper } from '../transport/custody.ts';
import { holdsPrimitives } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import type { ToPoolWorker } from './pool-worker.ts';

/** A call of apply, with one task; or of map or imap, with many. It hears once of each task. */
export interface Job {
  /** Nobody has anything of it before all is done: then a task may wait behind another, at a worker that is quick. */
  readonly isGathered: boolean;
  /** How many of its tasks wait, or are with a worker. */
  left: number;
  /** How many of them wait. */
  waiting: number;
  /** Whether primitives were in any that waited. */
  holdsPrimitives: boolean;
  /** Nobody wants what comes of it any more. */
  isDropped: boolean;
  /**
   * A task is done.
   * @param results What came of each input, in order.
   * @param failures What was thrown instead, by the input's place: only where each input is a call of its own.
   */
  done(part: number, results: unknown, failures: ReadonlyMap<number, Error>): void;
  /** A task has failed as a whole. */
  failed(part: number, error: unknown): void;
}

export interface Task {
  readonly job: Job;
  /** Which one of the job's. */
  readonly part: number;
  readonly id: number;
  readonly inputs: Packed;
  readonly message: ToPoolWorker;
  /** The pool answers for what is in it, until its worker has that. */
  isKept: boolean;
}

let lastTask = 0;

/** @param inputs What it is called with, an array. @param how ToPoolWorker has it. */
export function newTask(
  job: Job, part: number, located: Located, inputs: Packed, how: 'once' | 'all' | 'each',
): Task {
  const id = ++lastTask;
  return { job, part, id, inputs, message: { type: 'task', id, ...located, inputs, how }, isKept: false };
}

/** Where the results of a map, or of apply, are gathered. It settles once; whatever comes after that is ignored. */
export class Call implements Job {
  readonly isGathered: boolean;
  left = 0;
  waiting = 0;
  holdsPrimitives = false;
  isDropped = false;
  readonly results: Promise<unknown[][]>;
  readonly #results: unknown[][] = [];
  #resolve: (results: unknown[][]) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  readonly #drop: () => void;
  #over: () => void = () => {};

  /** @param drop Nobody waits for the rest of its tasks any more. */
  constructor(isGathered: boolean, drop: () => void) {
    this.isGathered = isGathered;
    this.#drop = drop;
    this.results = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  done(part: number, results: unknown): void {
    this.#results[part] = results as unknown[];
    if (this.left > 0) return;
    this.finish();
    this.#over();
  }

  failed(_part: number, error: unknown): void {
    this.#reject(error);
    if (!this.isDropped) this.#drop();
    if (this.left === 0) this.#over();
  }

  /** There is nothing more to be done. */
  finish(): void {
    this.#resolve(this.#results);
  }

  /** Tells when none of its tasks waits, or is with a worker. */
  whenOver(over: () => void): void {
    if (this.left === 0) over();
    else this.#over = over;
  }
}

/** The tasks that wait, in order. */
export class WaitingTasks {
  readonly #line = new Fifo<Task>();
  /** How many in the line are of jobs that were dropped. */
  #dropped = 0;
  /** A pool has workers as long as it has tasks. */
  readonly #keeper = new Keeper(true);

  get length(): number {
    return this.#line.length - this.#dropped;
  }

  /** The one whose turn is next; undefined when there is none. */
  first(): Task | undefined {
    while (this.#line.at(0)?.job.isDropped === true) {
      this.letGo(this.#line.shift()!);
      this.#dropped--;
    }
    return this.#line.at(0);
  }

  shift(): Task | undefined {
    const task = this.first();
    if (task !== undefined) task.job.waiting--;
    return this.#line.shift();
  }

  push(task: Task): void {
    task.job.waiting++;
    task.job.holdsPrimitives ||= holdsPrimitives(task.inputs);
    if (!task.isKept) this.#keeper.keep(task.inputs);
    task.isKept = true;
    this.#line.push(task);
  }

  /** These come back, and are next. */
  unshift(tasks: readonly Task[]): void {
    for (const { job } of tasks) job.waiting++;
    this.#line.unshift(tasks);
  }

  /** A worker has what is in the task, or it has come to its end. */
  letGo(task: Task, death: Death | null = null): void {
    if (task.isKept) this.#keeper.letGo(task.inputs, death);
    task.isKept = false;
  }

  /**
   * Takes out the tasks of a job; not at once, which for many jobs takes long. But primitives that are in them are
   * here again at once: somebody may wait at them, or at the other ends of Pipes.
   */
  drop(job: Job): void {
    job.isDropped = true;
    if (job.waiting > 0 && job.holdsPrimitives) {
      for (const task of this.#line) {
        if (task.job !== job) continue;
        bringHome(task.inputs);
        this.letGo(task);
      }
    }
    this.#dropped += job.waiting;
    job.left -= job.waiting;
    job.waiting = 0;
    if (this.#dropped * 2 > this.#line.length) for (const task of this.takeAll()) this.push(task);
  }

  takeAll(): Task[] {
    this.#dropped = 0;
    const wanted: Task[] = [];
    for (const task of this.#line.takeAll()) {
      if (task.job.isDropped) {
        this.letGo(task);
      } else {
        task.job.waiting--;
        wanted.push(task);
      }
    }
    return wanted;
  }
}
