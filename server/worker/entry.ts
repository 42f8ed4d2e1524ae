// The target of a worker's process. The worker itself is loaded in that process alone: so the master has a dozen files
// fewer to load, and starts sooner.
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import type { WorkerOptions } from './worker.ts';

/** Runs a worker to its end; see worker.ts. */
export async function work(options: WorkerOptions, terminalLock: Lock): Promise<void> {
  const worker = await import('./worker.ts');
  await worker.work(options, terminalLock);
}
