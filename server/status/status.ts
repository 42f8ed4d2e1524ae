// What the server says of itself at a moment, looked up in its parts. Loaded when somebody asks: with --admin, or at a
// SIGUSR2.
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import { nameOf, type Flag } from '../../shared/flags/table.ts';
import { MOST_NAMED } from '../../shared/status/status.ts';
import type {
  ConnectionStatus, Notice, Place, Rates, Status, TerminalStatus, Totals, WorkerState, WorkerStatus,
} from '../../shared/status/status.ts';
import { settings } from '../config.ts';
import type { Config } from '../config.ts';
import type { HeldConnection } from '../connections/held-connections.ts';
import type { Server, ServerParts } from '../server-parts.ts';

/** A clock that differs by more was set, or its machine was suspended, in milliseconds. */
const CLOCK_SET_MS = 1000;

/** What is not the server's own. */
export interface StatusDependencies {
  readonly version: string;
  readonly terminalLock: Lock;
  readonly notices: () => readonly Notice[];
  /** Lines of the log that the master had no room for. */
  readonly linesDropped: () => number;
}

export class ServerStatus {
  readonly #server: Pick<Server, 'phase' | 'bound'>;
  readonly #parts: ServerParts;
  readonly #dependencies: StatusDependencies;
  /** What performance.now() is to be added to: the same until the clock is set, so that a time stays what it is. */
  #epoch = Date.now() - performance.now();
  readonly #config: Status['config'];

  constructor(server: Pick<Server, 'phase' | 'bound' | 'parts'>, dependencies: StatusDependencies) {
    this.#server = server;
    this.#parts = server.parts;
    this.#dependencies = dependencies;
    this.#config = configOf(this.#parts.config);
  }

  /** O(workers), and at most 500 connections. */
  now(): Status {
    const { pool, dispatcher, config } = this.#parts;
    const { version, notices } = this.#dependencies;
    const now = Date.now();
    const at = performance.now();
    if (Math.abs(now - at - this.#epoch) > CLOCK_SET_MS) this.#epoch = now - at;
    const workers = this.#workers(at);
    const rate = (of: keyof Rates): number => workers.reduce((sum, worker) => sum + worker[of], 0);
    return {
      version, pid: process.pid, phase: this.#server.phase,
      now, startedAt: this.#time(0), uptimeMs: Math.round(at),
      listening: this.#server.bound.map(({ address }) => address),
      messagesPerSecond: rate('messagesPerSecond'), bytesInPerSecond: rate('bytesInPerSecond'),
      bytesOutPerSecond: rate('bytesOutPerSecond'),
      workers, pool: { size: pool.size, most: pool.most },
      line: { waiting: dispatcher.waiting, limit: config.waiting },
      terminal: this.#terminal(),
      current: dispatcher.size,
      connections: dispatcher.size > MOST_NAMED ? null : this.#connections(),
      totals: this.#totals(),
      notices: notices(),
      config: this.#config, actions: config.adminActions,
    };
  }

  /** The connection of that number, as long as it is here. */
  held(id: number): HeldConnection | undefined {
    return this.#parts.connections.get(id);
  }

  /** @param at Now, by performance.now(): by it a time is never negative, whatever happens to the clock. */
  #workers(at: number): WorkerStatus[] {
    const { pool, dispatcher, totals } = this.#parts;
    const loads = dispatcher.loads();
    return pool.list().map(({ worker, phase }) => {
      const { id, slot, pid = 0, startedAt, heardAt } = worker;
      const load = loads.get(id);
      const state: WorkerState = phase === 'ready' ? load?.readiness ?? phase : phase;
      return {
        slot, pid, state, startedAt: this.#time(startedAt), ageMs: Math.round(at - startedAt),
        heardAt: this.#time(heardAt), lastBeatMs: Math.round(at - heardAt),
        connections: load?.load ?? 0, ...rounded(totals.ratesOf(id, at)),
      };
    }).sort((a, b) => a.slot - b.slot);
  }

  #terminal(): TerminalStatus {
    const held = this.#dependencies.terminalLock.held;
    if (held === undefined) return { holder: null, since: null, waiting: 0 };
    const { holder, sinceMs, waiting } = held;
    const worker = this.#parts.pool.list().find(({ worker: { address } }) => address === holder)?.worker;
    return { holder: worker?.name ?? 'master', since: sinceMs === undefined ? null : this.#time(sinceMs), waiting };
  }

  #connections(): ConnectionStatus[] {
    const { connections, dispatcher, pool } = this.#parts;
    const { waiting, workers } = dispatcher.snapshot();
    const slots = new Map(pool.list().map(({ worker }) => [worker.id, worker.slot]));
    const places: [id: number, at: Place][] = [
      ...waiting.map((id) => [id, 'line'] as [number, Place]),
      ...workers.flatMap(({ id: worker, offered, served }) => [...offered, ...served]
        .map((id) => [id, `worker ${slots.get(worker) ?? 0}`] as [number, Place])),
    ];
    return places.flatMap(([id, at]) => {
      const held = connections.get(id);
      if (held === undefined) return [];
      return [{ id, at, how: dispatcher.isAdopted(id) ? 'adopted' as const : held.how, peer: held.peer }];
    }).sort((a, b) => a.id - b.id);
  }

  #totals(): Totals {
    const { totals } = this.#parts;
    const slots = totals.bySlot();
    const dropped = slots.reduce((sum, { linesDropped }) => sum + linesDropped, 0);
    return {
      connections: totals.connections, served: totals.served, gone: totals.gone, refused: { ...totals.refused },
      ...totals.traffic, messagesBySlot: slots.map(({ traffic }) => traffic.messages),
      moved: { ...totals.moved }, adopted: totals.adopted, cutOff: totals.cutOff, deaths: { ...totals.deaths },
      reloads: totals.reloads, linesDropped: dropped + totals.linesLost + this.#dependencies.linesDropped(),
    };
  }

  #time(at: number): number {
    return Math.round(this.#epoch + at);
  }
}

function rounded({ messagesPerSecond, bytesInPerSecond, bytesOutPerSecond }: Rates): Rates {
  return {
    messagesPerSecond: Math.round(10 * messagesPerSecond) / 10, bytesInPerSecond: Math.round(bytesInPerSecond),
    bytesOutPerSecond: Math.round(bytesOutPerSecond),
  };
}

/** By flag, as people give them: times in seconds. Where it listens is said elsewhere. */
function configOf(config: Config): Status['config'] {
  const values = Object.entries(settings as Readonly<Record<string, Flag>>).flatMap(([key, flag]) => {
    if (!Object.hasOwn(config, key)) return [];
    const value = config[key as keyof Config];
    if (typeof value === 'object') return [];
    const shown = typeof value === 'number' && key.endsWith('Ms') ? value / 1000 : value ?? null;
    return [[`--${nameOf(key, flag)}`, shown] as [string, string | number | boolean | null]];
  });
  return Object.fromEntries(values);
}
