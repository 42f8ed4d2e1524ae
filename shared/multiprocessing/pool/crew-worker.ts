// One worker of a Pool, as the pool sees it: its process, and the tasks that it has. Used by crew.ts.
import { ownFile } from '../base/own-file.ts';
import { Process } from '../process/process.ts';
import type { PoolPlan } from './options.ts';
import { serveTasks } from './pool-worker.ts';
import type { ToPoolWorker } from './pool-worker.ts';
import type { Task } from './tasks.ts';

/** What is done in this time is quick, in milliseconds: then it does not matter if the next part waits behind it. */
const QUICK_MS = 5;

const poolWorker = (): URL => ownFile(import.meta.url, 'multiprocessing/pool/crew-worker', './pool-worker');

/** What each worker is started for. @throws {WrongUse} The package is in a bundle. */
export function purposeOf(): { readonly module: string; readonly target: string } {
  return { module: poolWorker().href, target: serveTasks.name };
}

export class CrewWorker {
  readonly process: Process<never[]>;
  /** What it does, and behind that what it was given ahead. */
  readonly tasks: Task[] = [];
  /** Whether it could be started: it begins no task before. */
  isReady = false;
  /** It was told to end, and gets no more. */
  isEnding = false;
  /** How many more it may be given. */
  #left: number;
  /** When it began with the first of its tasks. */
  #begunAt = 0;
  /** Whether it did the one before quickly. */
  #isQuick = false;

  /** Starts it. @throws What {@link Process.start} throws. */
  constructor(name: string, { forkOptions, initializer, args, maxTasksPerChild }: PoolPlan) {
    this.#left = maxTasksPerChild;
    this.process = new Process({
      ...forkOptions, module: poolWorker(), target: serveTasks, args: [initializer, ...args], name, daemon: true,
    });
    this.process.start();
  }

  get isFree(): boolean {
    return this.tasks.length === 0 && !this.isEnding;
  }

  /** It has been given as many as it may. */
  get isSpent(): boolean {
    return this.#left === 0;
  }

  /**
   * Whether it may be given one more of what it is at: it need not wait for it then. Only of what is gathered: should
   * the one that it is at take long, the other waits behind it, though others may be free.
   */
  takesAhead(next: Task | undefined): boolean {
    const [task] = this.tasks;
    return task?.job.isGathered === true && this.tasks.length === 1 && this.#isQuick && !this.isSpent && !this.isEnding
      && next?.job === task.job;
  }

  give(task: Task): void {
    this.#left--;
    if (this.tasks.push(task) === 1) this.#begunAt = performance.now();
    this.process.channel.postOwn(task.message);
  }

  /** The task with that id has come to its end. @returns It; undefined when that is not the one that it is at. */
  finish(id: number): Task | undefined {
    if (this.tasks[0]?.id !== id) return undefined;
    const now = performance.now();
    this.#isQuick = now - this.#begunAt < QUICK_MS;
    this.#begunAt = now;
    return this.tasks.shift();
  }

  /** Tells it to end when it has nothing left to do. @param leave At once. */
  end(leave: boolean): void {
    this.isEnding = true;
    this.process.channel.post({ type: 'end', leave } satisfies ToPoolWorker);
  }

  kill(): void {
    this.isEnding = true;
    this.process.kill();
  }

  /** `Pool-1:2 (pid 4711)`. */
  describe(): string {
    return `${this.process.name} (pid ${this.process.pid})`;
  }
}
