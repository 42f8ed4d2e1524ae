// What the master names as its workers' target. The worker itself is loaded in the worker alone: the master, which all
// wait for, starts sooner by a dozen files.
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import type { WorkerOptions } from './worker.ts';

/** Runs a worker to its end; see worker.ts. */
export async function work(options: WorkerOptions, terminalLock: Lock): Promise<void> {
  const worker = await import('./worker.ts');
  await worker.work(options, terminalLock);
}
