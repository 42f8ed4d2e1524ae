// What the log and the totals say of workers that ended and were not to. Used by worker-pool.ts.
import { counted } from '../../shared/log/log-format.ts';
import type { Log } from '../../shared/log/log.ts';
import { describeDeath } from '../../shared/multiprocessing/base/errors.ts';
import type { Death } from '../../shared/multiprocessing/base/errors.ts';
import type { DeathReason } from '../../shared/status/status.ts';
import type { Totals } from '../totals.ts';
import type { WorkerPhase } from './pool-plan.ts';
import type { WorkerProcess } from './worker-process.ts';

export class DeathNotices {
  readonly #log: Pick<Log, 'warn'>;
  readonly #totals: Totals;

  constructor(log: Pick<Log, 'warn'>, totals: Totals) {
    this.#log = log;
    this.#totals = totals;
  }

  /** @returns How it ended, as a sentence. */
  died(worker: WorkerProcess, phase: WorkerPhase | undefined, death: Death): string {
    const { slot, pid, unprinted, error } = worker;
    const how = describeDeath(death);
    const reason = error === undefined ? how : `${how}: ${error.message}`;
    this.#totals.deaths[kindOf(worker, phase, death)]++;
    this.#totals.linesLost += unprinted;
    const lines = `${counted(unprinted, 'line')} of its log ${unprinted === 1 ? 'is' : 'are'}`;
    this.#log.warn('worker', unprinted === 0 ? reason : `${reason}; about ${lines} lost`, {
      worker: slot, pid, exitCode: death.exitCode, error: error?.message,
      linesLost: unprinted === 0 ? undefined : unprinted,
    });
    return reason;
  }

  /** One could not start, and `ready` others serve. @param waitMs After so long it is tried again, if it is. */
  couldNotStart(ready: number, waitMs: number | undefined): void {
    const serving = ready === 0 ? 'none is serving, clients wait for it' : `${counted(ready, 'worker')} still serving`;
    const again = waitMs === undefined ? '' : `, and it is tried again in ${waitMs} ms`;
    const text = `a worker could not start; ${serving}${again}`;
    this.#log.warn('start', text, { workers: ready, waitMs });
  }
}

function kindOf({ isGivenUp }: WorkerProcess, phase: WorkerPhase | undefined, { exitCode }: Death): DeathReason {
  if (isGivenUp) return 'hung';
  if (phase === 'starting') return 'start';
  return exitCode >= 0 ? 'exit' : 'signal'; // NaN: nobody knows which.
}
