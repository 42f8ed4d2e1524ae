// What a Pool has to do: the calls of apply and map, the tasks of which they consist, and those that wait for a worker.
// Used by pool.ts.
import { Fifo } from '../base/fifo.ts';
import type { ToPoolWorker } from './pool-worker.ts';

/** A call of apply, with one task, or of map. It settles once; whatever comes after that is ignored. */
export interface Job {
  readonly isMap: boolean;
  readonly resolve: (results: unknown[][]) => void;
  readonly reject: (error: unknown) => void;
  /** What came of each task. */
  readonly results: unknown[][];
  /** How many are not done. */
  left: number;
  /** Nobody wants what comes of it any more. */
  isDropped: boolean;
}

export interface Task {
  readonly job: Job;
  /** Which one of the job's. */
  readonly part: number;
  readonly id: number;
  readonly message: ToPoolWorker;
}

/** A task is done. */
export function taskDone({ job, part }: Task, results: unknown[]): void {
  job.results[part] = results;
  if (--job.left === 0) job.resolve(job.results);
}

/** The tasks that wait, in order. */
export class WaitingTasks {
  readonly #line = new Fifo<Task>();
  /** How many in the line are of jobs that were dropped. */
  #dropped = 0;

  get length(): number {
    return this.#line.length - this.#dropped;
  }

  /** The one whose turn is next; undefined when there is none. */
  first(): Task | undefined {
    while (this.#line.at(0)?.job.isDropped === true) {
      this.#line.shift();
      this.#dropped--;
    }
    return this.#line.at(0);
  }

  shift(): Task | undefined {
    this.first();
    return this.#line.shift();
  }

  push(task: Task): void {
    this.#line.push(task);
  }

  /** These come back, and are next. */
  unshift(tasks: readonly Task[]): void {
    this.#line.unshift(tasks.filter(({ job }) => !job.isDropped));
  }

  /** Takes out the tasks of a job; not at once, which for many jobs takes long. @param waiting How many are in here. */
  drop(job: Job, waiting: number): void {
    job.isDropped = true;
    this.#dropped += waiting;
    if (this.#dropped * 2 > this.#line.length) for (const task of this.takeAll()) this.#line.push(task);
  }

  takeAll(): Task[] {
    this.#dropped = 0;
    return this.#line.takeAll().filter(({ job }) => !job.isDropped);
  }
}
