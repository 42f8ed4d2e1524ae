// Keeps the wanted number of workers alive: starts, replaces and retires them, one at a time. Told by server.ts.
//
// Every event (a death, a signal, a worker ready) is noted in the plan (pool-plan.ts); reconcile() then takes the step
// that the plan names. Nothing else starts or retires a worker.
import { counted } from '../../shared/log/log-format.ts';
import type { Death } from '../../shared/multiprocessing/base/errors.ts';
import { onBeats } from '../../shared/running-time.ts';
import type { Stop } from '../../shared/running-time.ts';
import type { MoveReason } from '../../shared/status/status.ts';
import type { FromWorker, OtherToWorker } from '../worker/messages.ts';
import { DeathNotices } from './death-notices.ts';
import { Heartbeat } from './heartbeat.ts';
import { PoolPlan } from './pool-plan.ts';
import type { Action, WorkerPhase } from './pool-plan.ts';
import { RestartDelay } from './restart-delay.ts';
import type { Stopping, WorkerPoolEvents, WorkerPoolOptions } from './worker-pool-options.ts';
import { WorkerProcess } from './worker-process.ts';
import type { Offer } from './worker-process.ts';

/** How long beyond --grace a retiring worker may be silent, in milliseconds; or --worker-timeout, if longer. */
const RETIRE_LIMIT_MS = 2000;
/** A worker that could not take a connection is tried again after so long, in milliseconds. */
const RELIEF_MS = 1000;
/** How often workers tell of their work, if there is no heartbeat, in milliseconds. */
const WATCH_MS = 1000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #log: WorkerPoolOptions['log'];
  readonly #events: WorkerPoolEvents;
  readonly #plan: PoolPlan;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #deaths: DeathNotices;
  readonly #delay = new RestartDelay();
  readonly #heartbeat: Heartbeat | undefined;
  #stopHeartbeat: Stop = () => {};
  #lastId = 0;
  /** Since the server stops. */
  #stopping: Stopping | undefined;
  #gone = (): void => {};
  /** All were ended at once. */
  #over = false;
  #wasUp = false;

  constructor(options: WorkerPoolOptions, events: WorkerPoolEvents) {
    this.#options = options;
    this.#log = options.log;
    this.#events = events;
    this.#deaths = new DeathNotices(options.log, options.totals);
    this.#plan = new PoolPlan(options.size, options.most);
    const { workerTimeoutMs } = options;
    if (workerTimeoutMs === 0) return;
    this.#heartbeat = new Heartbeat(workerTimeoutMs, {
      ping: (worker) => this.#workers.get(worker)!.post({ type: 'ping' }),
      stalled: (worker) => events.stalled(worker),
      resumed: (worker) => events.resumed(worker),
      lost: (worker) => this.#workers.get(worker)!.giveUp(`has not answered for ${workerTimeoutMs} ms`),
    });
  }

  /** Starts the workers. */
  start(): void {
    const heartbeat = this.#heartbeat;
    if (heartbeat !== undefined) this.#stopHeartbeat = onBeats(heartbeat.intervalMs, () => heartbeat.beat());
    else if (this.#options.isWatched) this.#stopHeartbeat = onBeats(WATCH_MS, () => void this.ask());
    this.#reconcile();
  }

  /** How many workers there should be. */
  get size(): number { return this.#plan.size; }

  /** How many are ready. */
  get ready(): number { return this.#plan.ready; }

  /** And how many there may be at most. */
  get most(): number { return this.#options.most; }

  /** Those that there are, and where each is in its life. */
  list(): { readonly worker: WorkerProcess; readonly phase: WorkerPhase }[] {
    return [...this.#workers.values()].map((worker) => ({ worker, phase: this.#plan.phaseOf(worker.id)! }));
  }

  /** Asks all what they have done. Settles when all have said so, or are late. */
  async ask(): Promise<void> {
    await Promise.all(this.list().map(({ worker, phase }) => phase === 'starting' ? undefined : worker.ask()));
  }

  /** What it gives its connections back for. */
  leavesFor(worker: number): MoveReason {
    return this.#workers.get(worker)?.leavesFor ?? 'other';
  }

  /** What people call the worker. */
  nameOf(worker: number): string {
    return this.#workers.get(worker)?.name ?? 'worker ?';
  }

  /** Sends a connection with its socket. One at a time for each worker, until it has answered. */
  offer(worker: number, offer: Offer): void {
    this.#workers.get(worker)?.offer(offer);
  }

  /** Sends it a message without a socket. */
  post(worker: number, message: OtherToWorker): void {
    this.#workers.get(worker)?.post(message);
  }

  /** Replaces every worker that there is now, one after the other. */
  reload(): void {
    if (this.#delay.isFailing) this.#log.info('reload', 'it begins as soon as every worker is ready');
    this.#plan.reload();
    this.#reconcile();
  }

  /** Replaces one worker. @param why For the log. */
  recycle(worker: number, why: string): void {
    this.#plan.recycle(worker, why);
    this.#reconcile();
  }

  /** One worker more (+1) or less (-1), from 1 to the most allowed. */
  resize(by: 1 | -1): void {
    const resized = this.#plan.resize(by);
    const { size } = this.#plan;
    if (!resized) {
      const { most } = this.#options;
      const text = `${counted(size, 'worker')}, as before: there may be 1 to ${most}`;
      this.#log.warn('resize', text, { workers: size, most });
      return;
    }
    this.#events.resized(size);
    this.#log.info('resize', `the pool is to have ${counted(size, 'worker')}`, { workers: size });
    this.#reconcile();
  }

  /**
   * Lets every worker answer what it has received and end its connections, and all that are still offered to it.
   * Should they all go and some still wait, one more is started. Settles when nobody waits and all processes are gone,
   * for which they need {@link leave}.
   */
  drain(stopping: Stopping): Promise<void> {
    this.#stopping = stopping;
    this.#stopHeartbeat();
    for (const { worker, phase } of this.list()) {
      if (phase !== 'starting') worker.post({ type: 'drain', graceMs: stopping.graceLeftMs() });
      if (phase === 'retiring') worker.leave(false);
    }
    const gone = new Promise<void>((resolve) => { this.#gone = resolve; });
    this.#reconcile();
    return gone;
  }

  /** Whether a worker is about to give connections back. */
  get isRetiring(): boolean {
    return [...this.#workers.keys()].some((worker) => this.#plan.phaseOf(worker) === 'retiring');
  }

  /** While draining: nothing more will be offered, so each worker ends when its last connection has. */
  leave(): void {
    for (const { worker, phase } of this.list()) worker.leave(phase === 'starting');
    this.#reconcile();
  }

  /** Ends every worker at once. */
  killAll(): void {
    this.#over = true;
    this.#delay.cancel();
    for (const worker of this.#workers.values()) worker.kill();
    if (this.#workers.size === 0) this.#gone();
  }

  /** @param waited The time before the next start is over. */
  #reconcile(waited = false): void {
    const stopping = this.#stopping;
    if (this.#workers.size === 0 && (this.#over || stopping?.isAwaited() === false)) this.#gone();
    if (this.#over) return;
    if (stopping === undefined) this.#tellProgress();
    const action = this.#plan.step(stopping?.isAwaited());
    if (action?.kind === 'start') {
      if (waited) this.#fork();
      else this.#delay.wait(() => this.#reconcile(true));
    } else {
      // What was to be started is not wanted any more.
      this.#delay.cancel();
      if (action !== undefined) this.#retire(this.#workers.get(action.worker)!, action);
    }
  }

  #tellProgress(): void {
    if (this.#plan.isUp && !this.#wasUp) {
      this.#wasUp = true;
      this.#events.up();
    }
    if (this.#plan.reloadIsDone()) this.#log.info('reloaded', 'the reload is done: every worker is replaced');
  }

  #fork(): void {
    const id = ++this.#lastId;
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    const slot = Array.from({ length: slots.size + 1 }, (_, i) => i + 1).find((free) => !slots.has(free))!;
    const { worker: options, terminalLock, log } = this.#options;
    const worker = new WorkerProcess(id, { ...options, slot }, terminalLock, log);
    this.#workers.set(id, worker);
    this.#plan.started(id);
    worker.run((message) => this.#receive(worker, message));
    void worker.ended.then((death) => this.#ended(worker, death));
    this.#reconcile();
  }

  #receive(worker: WorkerProcess, message: FromWorker | undefined): void {
    this.#heartbeat?.heard(worker.id);
    switch (message?.type) {
      case undefined: {
        const text = `${worker.name} sent a message that is none of the protocol; it is ignored`;
        this.#log.warn('protocol', text, { worker: worker.slot });
        break;
      }
      case 'ready':
        this.#ready(worker);
        break;
      case 'lines':
        this.#events.print(message.text, message.lines);
        break;
      case 'pong':
        worker.unprinted = message.unprinted;
        this.#options.totals.workerSaid(
          worker.id, { traffic: message.traffic, linesDropped: message.dropped }, worker.heardAt,
        );
        worker.answered();
        break;
      case 'accepted':
      case 'client':
      case 'badHeader':
      case 'unusable':
      case 'givenBack':
      case 'closed':
        if (worker.offerFailed(message)) setTimeout(() => this.#events.relieved(worker.id), RELIEF_MS).unref();
        this.#events.report(worker.id, message);
        break;
    }
  }

  #ready(worker: WorkerProcess): void {
    if (this.#over || !this.#plan.becameReady(worker.id)) return;
    worker.readyAt = performance.now();
    this.#options.totals.workerStarted(worker.id, worker.slot, worker.readyAt);
    this.#delay.started();
    this.#heartbeat?.add(worker.id);
    this.#log.info('worker', `${worker.name} is ready (pid ${worker.pid})`, { worker: worker.slot, pid: worker.pid });
    if (this.#stopping !== undefined) worker.post({ type: 'drain', graceMs: this.#stopping.graceLeftMs() });
    this.#events.ready(worker.id);
    this.#reconcile();
  }

  #retire(worker: WorkerProcess, { reason, why }: Extract<Action, { kind: 'retire' }>): void {
    worker.leavesFor = reason;
    this.#plan.retiring(worker.id);
    const { slot, name, pid } = worker;
    this.#log.info('retire', `${name} gives its connections back and ends (${why})`, { worker: slot, pid, why });
    this.#events.retiring(worker.id);
    const { graceMs, workerTimeoutMs } = this.#options;
    worker.retire(graceMs, Math.max(graceMs + RETIRE_LIMIT_MS, workerTimeoutMs));
  }

  #ended(worker: WorkerProcess, death: Death): void {
    const phase = this.#plan.phaseOf(worker.id);
    this.#plan.ended(worker.id);
    this.#workers.delete(worker.id);
    this.#heartbeat?.remove(worker.id);
    const mayLeave = phase === 'retiring' || (phase === 'ready' && this.#stopping !== undefined);
    if (!this.#over && !worker.isDismissed && !(mayLeave && death.exitCode === 0)) {
      const reason = this.#deaths.died(worker, phase, death);
      if (phase === 'starting') this.#couldNotStart(reason);
      else if (phase === 'ready') this.#delay.died(performance.now() - worker.readyAt);
    } else if (phase === 'retiring') {
      this.#delay.left(performance.now() - worker.readyAt);
    }
    this.#options.totals.workerEnded(worker.id);
    this.#events.died(worker.id);
    this.#reconcile();
  }

  #couldNotStart(reason: string): void {
    this.#delay.failed();
    // A server that ran has clients, who wait with their connections open, and what is wrong may be put right.
    const isFirst = !this.#wasUp && this.#stopping === undefined;
    if (isFirst && this.#workers.size === 0 && this.#delay.hopeless) {
      this.#over = true;
      this.#events.failed(reason);
      return;
    }
    const { waitMs } = this.#delay;
    const isStarted = this.#plan.step(this.#stopping?.isAwaited())?.kind === 'start';
    const isTriedAgain = isStarted && waitMs < (this.#stopping?.graceLeftMs() ?? Infinity);
    this.#deaths.couldNotStart(this.#plan.ready, isTriedAgain ? waitMs : undefined);
  }
}
