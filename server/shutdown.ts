// A stop in order: nobody is let in any more, what was received is answered, every connection gets a FIN, and the
// workers end; all of it within the grace. Used by server.ts.
import { counted } from '../shared/log/log-format.ts';
import type { Log } from '../shared/log/log.ts';
import { afterRunning, limitSilence } from '../shared/running-time.ts';
import type { Dispatcher } from './connections/dispatcher.ts';
import type { HeldConnections } from './connections/held-connections.ts';
import type { WorkerPool } from './workers/worker-pool.ts';

/** How long clients that keep coming are let in while the server stops, in milliseconds. */
const LAST_ARRIVALS_MS = 100;

export interface ShutdownDependencies {
  readonly log: Log;
  readonly connections: HeldConnections;
  readonly dispatcher: Dispatcher;
  readonly pool: WorkerPool;
  /** Closes the listener, and decides on those that are not let in yet. */
  stopAccepting(): void;
}

export class Shutdown {
  readonly #parts: ShutdownDependencies;
  #acceptsNoMore = false;
  /** Whether the grace is over, and the workers are killed. */
  isOver = false;

  constructor(parts: ShutdownDependencies) {
    this.#parts = parts;
  }

  /** Settles when all workers are gone, and all connections with them. */
  async run(graceMs: number): Promise<void> {
    const { log, connections, dispatcher, pool } = this.#parts;
    this.#lastArrivals();
    const { size } = connections;
    const text = `stopping: ${counted(size, 'connection')} to end, ${graceMs} ms at most`;
    log.info('stopping', text, { connections: size, graceMs });
    const grace = limitSilence(graceMs, () => 0, () => {
      // Those that still wait are refused, unless a worker had them, and counted so.
      const waiting = dispatcher.line().filter((id) => connections.get(id)?.counts !== 'served').length;
      const left = connections.size - waiting;
      dispatcher.stop();
      this.isOver = true;
      pool.killAll();
      const cutOff = `${counted(left, 'connection')} ${left === 1 ? 'is' : 'are'} cut off`;
      const refused = waiting === 0 ? '' : `, ${waiting} that ${waiting === 1 ? 'waits is' : 'wait are'} refused`;
      const over = `the grace of ${graceMs} ms is over: ${cutOff}${refused}`;
      log.warn('grace', over, { graceMs, connections: left, waiting });
    });
    await pool.drain({
      isAwaited: () => !this.#acceptsNoMore || dispatcher.waiting > 0,
      graceLeftMs: () => Math.max(0, Math.round(graceMs - grace.passedMs)),
    });
    grace.stop();
    dispatcher.stop();
  }

  /** As long as some wait they are still offered, to be answered and ended by the workers that have room. */
  leaveIfNobodyWaits(): void {
    const { dispatcher, pool } = this.#parts;
    if (this.#acceptsNoMore && dispatcher.waiting === 0 && !pool.isRetiring) pool.leave();
  }

  /** Stops accepting when the backlog is empty: the kernel resets those that are still in it. */
  #lastArrivals(): void {
    const { connections } = this.#parts;
    let letsIn = true;
    const stopLimit = afterRunning(LAST_ARRIVALS_MS, () => { letsIn = false; });
    const look = (lastId: number, quietTurns: number): void => {
      if (connections.lastId !== lastId && letsIn) {
        setImmediate(look, connections.lastId, 0);
      } else if (quietTurns < 2) {
        setImmediate(look, connections.lastId, quietTurns + 1);
      } else {
        stopLimit();
        this.#parts.stopAccepting();
        this.#acceptsNoMore = true;
        this.leaveIfNobodyWaits();
      }
    };
    look(connections.lastId, 0);
  }
}
