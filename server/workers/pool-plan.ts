// What the worker pool should do next: start a worker, retire one, or wait. Pure: worker-pool.ts tells it what happened
// and what is wanted, does what it says, and knows the processes and the clock.
//
// Whatever happens only changes this table; next() then names the one step that brings the pool closer to what is
// wanted. So what is asked for in the middle of a reload is kept, one worker retires at a time, and none is started
// while there are as many as there may be.

import type { MoveReason } from '../../shared/status/status.ts';

/** starting ─▶ ready ─▶ retiring; from each the process may end, and is forgotten. */
export type WorkerPhase = 'starting' | 'ready' | 'retiring';

/** The next step. */
export type Action =
  | { readonly kind: 'start' }
  | { readonly kind: 'retire'; readonly worker: number; readonly reason: MoveReason; readonly why: string };

/** Why a worker is to leave: in a word, and for the log. */
interface Unwanted {
  readonly reason: MoveReason;
  readonly why: string;
}

interface PlannedWorker {
  phase: WorkerPhase;
  /** Why it is to be replaced, as soon as its turn comes. */
  unwanted: Unwanted | undefined;
  /** It was there when a reload was asked for. */
  old: boolean;
}

export class PoolPlan {
  readonly #most: number;
  #size: number;
  /** The oldest first. */
  readonly #workers = new Map<number, PlannedWorker>();
  #reloading = false;
  /** Whether one has ever ended before it was ready. */
  #couldNotStart = false;

  /** @param size How many workers there should be, @param most the most that may ever be wanted. */
  constructor(size: number, most: number) {
    this.#size = size;
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** How many there are, in whatever phase. */
  get count(): number {
    return this.#workers.size;
  }

  phaseOf(worker: number): WorkerPhase | undefined {
    return this.#workers.get(worker)?.phase;
  }

  /** How many are ready. */
  get ready(): number {
    return [...this.#workers.values()].filter(({ phase }) => phase === 'ready').length;
  }

  /** As many as wanted are there, and all of them ready. */
  get isComplete(): boolean {
    return this.count === this.#size && this.ready === this.#size;
  }

  /** Clients can be served, and soon no more of them: it is complete, or those that are missing could not start. */
  get isUp(): boolean {
    return this.isComplete || (this.#couldNotStart && this.ready > 0 && this.ready === this.count);
  }

  /** A worker's process was started. Ids are the caller's; none is used twice. */
  started(worker: number): void {
    this.#workers.set(worker, { phase: 'starting', unwanted: undefined, old: false });
  }

  /** It can serve. @returns false, and nothing has changed, unless it was starting. */
  becameReady(worker: number): boolean {
    const planned = this.#workers.get(worker);
    if (planned?.phase !== 'starting') return false;
    planned.phase = 'ready';
    return true;
  }

  /** It was told to give back what it has, and to end. */
  retiring(worker: number): void {
    const planned = this.#workers.get(worker);
    if (planned !== undefined) planned.phase = 'retiring';
  }

  /** Its process has ended, whatever the reason. */
  ended(worker: number): void {
    if (this.phaseOf(worker) === 'starting') this.#couldNotStart = true;
    this.#workers.delete(worker);
  }

  /** All workers that there are now are to be replaced, also those just starting: they may have loaded old code. */
  reload(): void {
    this.#reloading = true;
    for (const planned of this.#workers.values()) {
      planned.unwanted ??= { reason: 'reload', why: 'reload' };
      planned.old = true;
    }
  }

  /** One worker is to be replaced. */
  recycle(worker: number, why: string): void {
    const planned = this.#workers.get(worker);
    if (planned !== undefined) planned.unwanted ??= { reason: 'recycle', why };
  }

  /** One more (+1) or less (-1). @returns false, and nothing has changed, when there would be none or too many. */
  resize(by: 1 | -1): boolean {
    const size = this.#size + by;
    if (size < 1 || size > this.#most) return false;
    this.#size = size;
    return true;
  }

  /** Whether a reload has ended since this was asked last: no old worker is left, and the pool is complete. */
  reloadIsDone(): boolean {
    if (!this.#reloading || !this.isComplete || [...this.#workers.values()].some(({ old }) => old)) return false;
    this.#reloading = false;
    return true;
  }

  /** The next step. @param isAwaited While the server stops: whether clients wait for a worker. */
  step(isAwaited: boolean | undefined): Action | undefined {
    return isAwaited === undefined ? this.next() : this.last(isAwaited);
  }

  /** While the server stops, in place of {@link next}. @param isAwaited Clients wait for a worker. */
  last(isAwaited: boolean): Action | undefined {
    const isComing = [...this.#workers.values()].some(({ phase }) => phase !== 'retiring');
    return isAwaited && !isComing && this.count < this.#size ? { kind: 'start' } : undefined;
  }

  /** The next step; undefined: there is none until something happens. */
  next(): Action | undefined {
    if (this.count < this.#size) return { kind: 'start' };
    // While one starts or retires, all the others serve: so each can give back to them.
    if (this.ready < this.count) return undefined;
    const workers = [...this.#workers];
    const [worker, planned] = workers.find(([, { unwanted }]) => unwanted !== undefined) ?? workers.at(-1)!;
    if (this.count > this.#size) return { kind: 'retire', worker, reason: 'resize', why: 'one worker less' };
    return planned.unwanted === undefined ? undefined : { kind: 'retire', worker, ...planned.unwanted };
  }
}
