// What the worker pool is given, and what it tells the server. Types alone: whoever imports them loads nothing.
import type { Log } from '../../shared/log/log.ts';
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import type { Totals } from '../totals.ts';
import type { WorkerReport } from '../worker/messages.ts';
import type { WorkerOptions } from '../worker/worker.ts';

export interface WorkerPoolOptions {
  /** The number of workers to begin with, and the most there may ever be. */
  readonly size: number;
  readonly most: number;
  readonly graceMs: number;
  /** 0: no heartbeat. */
  readonly workerTimeoutMs: number;
  readonly worker: Omit<WorkerOptions, 'slot'>;
  readonly terminalLock: Lock;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly totals: Totals;
  /** Somebody watches the server: workers tell of their work every second, also without a heartbeat. */
  readonly isWatched: boolean;
}

/** What a pool has to know while the server stops. */
export interface Stopping {
  /** Whether clients wait for a worker, or may still come. */
  isAwaited(): boolean;
  /** How much of the grace is left, in milliseconds. */
  graceLeftMs(): number;
}

/** What the pool tells the server. Workers are named by ids, each used once. */
export interface WorkerPoolEvents {
  ready(worker: number): void;
  report(worker: number, report: WorkerReport): void;
  /** It could not take a connection a while ago: it may be tried again. */
  relieved(worker: number): void;
  /** Lines of the log that a worker leaves to the master, and how many count as lost if they are not printed. */
  print(text: string, lines: number): void;
  stalled(worker: number): void;
  resumed(worker: number): void;
  retiring(worker: number): void;
  /** Its process is gone, and everything that it said before has been told. */
  died(worker: number): void;
  resized(size: number): void;
  /** As many workers as wanted are ready, or one at least and the others could not start; for the first time. */
  up(): void;
  /** No worker can be started, and none ever was. */
  failed(reason: string): void;
}
