// What a server needs, what it answers to, and what it is made of. Types alone: whoever imports them loads nothing.
import type { Log } from '../shared/log/log.ts';
import type { Lock } from '../shared/multiprocessing/lock/lock.ts';
import type { Phase } from '../shared/status/status.ts';
import type { Config } from './config.ts';
import type { Dispatcher } from './connections/dispatcher.ts';
import type { HeldConnections } from './connections/held-connections.ts';
import type { Bound } from './connections/listener.ts';
import type { Totals } from './totals.ts';
import type { WorkerPool } from './workers/worker-pool.ts';

/** What a running server answers to. */
export interface Server {
  /** Where it listens: in each place that it was told, unless it was stopped before. */
  readonly bound: readonly Bound[];
  /** How far it is between its start and its end: what whoever asks whether it is ready wants to know. */
  readonly phase: Phase;
  /** Whether it still asks the system for the address of a host, which cannot be cancelled. */
  readonly isResolving: boolean;
  /** For those who watch it (status/): to be looked at only. */
  readonly parts: ServerParts;
  /** Settles when the server has ended: with undefined after a clean stop, else with the reason. */
  readonly ended: Promise<string | undefined>;
  /** Replaces every worker, one at a time; connections move to the others. */
  reload(): void;
  /** One worker more (+1) or less (-1). */
  resize(by: 1 | -1): void;
}

/** What a server is made of, for server/status/. */
export interface ServerParts {
  readonly config: Config;
  readonly totals: Totals;
  readonly pool: WorkerPool;
  readonly dispatcher: Dispatcher;
  readonly connections: HeldConnections;
}

/** What the server works with and does not make itself. */
export interface ServerDependencies {
  readonly log: Log;
  /** Prints lines of the log that a worker leaves to the master; `lines` count as lost if it cannot. */
  readonly print: (text: string, lines: number) => void;
  /** Whether the log's reader is a terminal that shows colours. */
  readonly color: boolean;
  /** The lock around the shared terminal. */
  readonly terminalLock: Lock;
  /** The most workers there may be: the number of usable CPUs. */
  readonly cpus: number;
  /** When it aborts, the server stops after --stop-delay; at once while it is still starting. */
  readonly stop: AbortSignal;
  /** Called when it listens, before workers are started. When this fails, the start does. */
  readonly opened?: ((server: Server) => Promise<void>) | undefined;
  /** Called when the grace begins. */
  readonly stopping: () => void;
  /** When it aborts, the server ends at once, whatever is under way. */
  readonly stopNow: AbortSignal;
}
