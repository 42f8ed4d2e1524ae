// Keeps the wanted number of workers alive: starts, replaces and retires them, one at a time. Told by server.ts.
//
// Every event (a death, a signal, a worker ready) is noted in the plan (pool-plan.ts); reconcile() then does what the plan
// says is next. Nothing else starts or retires a worker.
import type { Socket } from 'node:net';
import { counted } from '../../shared/log/log-format.ts';
import { describeDeath } from '../../shared/multiprocessing/base/errors.ts';
import type { Death } from '../../shared/multiprocessing/base/errors.ts';
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import { Process } from '../../shared/multiprocessing/process/process.ts';
import { afterRunning, afterSilence, onBeats } from '../../shared/running-time.ts';
import type { Stop } from '../../shared/running-time.ts';
import { Heartbeat } from './heartbeat.ts';
import { readFromWorker } from '../worker/messages.ts';
import type { ToWorker, WorkerReport } from '../worker/messages.ts';
import { PoolPlan } from './pool-plan.ts';
import { RestartDelay } from './restart-delay.ts';
import { work } from '../worker/entry.ts';
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
}

/** What the pool tells the server. Workers are named by ids, each used once; `slot` is the worker's name for people. */
export interface WorkerPoolEvents {
  ready(worker: number): void;
  message(worker: number, message: WorkerReport): void;
  /** It could not take a connection a while ago: it may be tried again. */
  relieved(worker: number): void;
  /** Lines of the log that a worker leaves to the master, and how many are lost with them if they are. */
  print(text: string, lines: number): void;
  stalled(worker: number): void;
  resumed(worker: number): void;
  retiring(worker: number): void;
  /** Its process is gone, and everything that it said before has been told. */
  died(worker: number): void;
  resized(size: number): void;
  /** All wanted workers are ready. */
  whole(): void;
  /** No worker can be started, and none ever was. */
  failed(reason: string): void;
  /** For the log: what happened, in a word, in a sentence, and the figures in it. */
  note(event: string, text: string, fields?: object): void;
  trouble(event: string, text: string, fields?: object): void;
}

interface Worker {
  readonly id: number;
  readonly slot: number;
  readonly process: Process<[WorkerOptions, Lock]>;
  readyAt: number;
  /** How often anything came from it. */
  heard: number;
  /** How many lines of the log it had not printed when it answered last. */
  unprinted: number;
  /** The connection that it was offered and has not answered for, and what will ask about it. */
  offered: number | undefined;
  doubt: NodeJS.Timeout | undefined;
}

const WORKER_ENTRY = new URL(import.meta.url.endsWith('.ts') ? '../worker/entry.ts' : '../worker/entry.js', import.meta.url);
/** A worker that has not said `ready` after so long never will, in milliseconds. */
const START_LIMIT_MS = 30_000;
/** How long beyond --grace a retiring worker may be silent, in milliseconds; or --worker-timeout, if that is longer. */
const RETIRE_LIMIT_MS = 2000;
/** An offer that has no answer after so long, in milliseconds, is asked about. */
const DOUBT_MS = 200;
/** A worker that could not take a connection is tried again after so long, in ms: its limit may have been raised. */
const RELIEF_MS = 1000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #events: WorkerPoolEvents;
  readonly #plan: PoolPlan;
  readonly #workers = new Map<number, Worker>();
  readonly #delay = new RestartDelay();
  readonly #heartbeat: Heartbeat | undefined;
  #stopHeartbeat: Stop = () => {};
  #startTimer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #stopping = false;
  #wasWhole = false;
  readonly #emptied: (() => void)[] = [];

  constructor(options: WorkerPoolOptions, events: WorkerPoolEvents) {
    this.#options = options;
    this.#events = events;
    this.#plan = new PoolPlan(options.size, options.most);
    if (options.workerTimeoutMs > 0) this.#heartbeat = this.#makeHeartbeat();
  }

  /** Starts the workers. */
  start(): void {
    const heartbeat = this.#heartbeat;
    if (heartbeat !== undefined) this.#stopHeartbeat = onBeats(heartbeat.intervalMs, () => heartbeat.beat());
    this.#reconcile();
  }

  /** What people call the worker. */
  nameOf(worker: number): string {
    return `worker ${this.#workers.get(worker)?.slot ?? '?'}`;
  }

  /** Sends a connection with its socket. One at a time for each worker, until it has said `accepted`. */
  offer(worker: number, message: ToWorker & { type: 'connection' }, socket: Socket): void {
    const found = this.#workers.get(worker);
    if (found === undefined) return;
    void found.process.channel.sendSocket(message, socket);
    // When the worker has no descriptor left, Node drops the message with the socket and tells neither side. Whatever is
    // posted now arrives after it, or after it was dropped.
    found.offered = message.id;
    found.doubt = setTimeout(() => this.#post(found, { type: 'check', id: message.id }), DOUBT_MS);
  }

  /** Replaces every worker that there is now, one after the other. */
  reload(): void {
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
      this.#events.trouble('resize', `${counted(size, 'worker')}, as before: there may be 1 to ${most}`, { workers: size, most });
      return;
    }
    this.#events.resized(size);
    this.#events.note('resize', `the pool is to have ${counted(size, 'worker')}`, { workers: size });
    this.#reconcile();
  }

  /**
   * Lets every worker answer what it has received and end its connections, and all that are still offered to it.
   * Settles when all processes are gone, for which they need {@link leave}.
   */
  async drain(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#startTimer);
    this.#stopHeartbeat();
    for (const worker of this.#workers.values()) {
      const state = this.#plan.stateOf(worker.id);
      if (state === 'starting') worker.process.kill();
      else this.#post(worker, { type: 'drain', graceMs: this.#options.graceMs });
      if (state === 'retiring') this.#post(worker, { type: 'leave' });
    }
    if (this.#workers.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  /** Whether a worker is about to give connections back. */
  get isRetiring(): boolean {
    return [...this.#workers.keys()].some((worker) => this.#plan.stateOf(worker) === 'retiring');
  }

  /** While draining: nothing more will be offered, so each worker ends when its last connection has. */
  leave(): void {
    for (const worker of this.#workers.values()) this.#post(worker, { type: 'leave' });
  }

  /** Ends every worker at once. @returns How many there were. */
  killAll(): number {
    this.#stopping = true;
    for (const worker of this.#workers.values()) worker.process.kill();
    return this.#workers.size;
  }

  /** @param waited The time before the next start is over. */
  #reconcile(waited = false): void {
    if (this.#stopping) return;
    if (this.#plan.isWhole && !this.#wasWhole) {
      this.#wasWhole = true;
      this.#events.whole();
    }
    if (this.#plan.reloadIsDone()) this.#events.note('reloaded', 'the reload is done: every worker is replaced');
    const action = this.#plan.next();
    if (action?.kind === 'start') {
      if (this.#startTimer !== undefined) return;
      const delayMs = waited ? 0 : this.#delay.next();
      if (delayMs === 0) this.#fork();
      else this.#startTimer = setTimeout(() => this.#startTimeIsUp(), delayMs);
    } else {
      // What was to be started is not wanted any more.
      clearTimeout(this.#startTimer);
      this.#startTimer = undefined;
      if (action !== undefined) this.#retire(this.#workers.get(action.worker)!, action.why);
    }
  }

  #startTimeIsUp(): void {
    this.#startTimer = undefined;
    this.#reconcile(true);
  }

  #fork(): void {
    const id = ++this.#lastId;
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    let slot = 1;
    while (slots.has(slot)) slot++;
    const { worker: options, terminalLock } = this.#options;
    const process = new Process({
      module: WORKER_ENTRY, target: work,
      args: [{ ...options, slot }, terminalLock], name: `worker ${slot}`,
    });
    const worker: Worker = { id, slot, process, readyAt: 0, heard: 0, unprinted: 0, offered: undefined, doubt: undefined };
    this.#workers.set(id, worker);
    this.#plan.started(id);
    process.start();
    process.channel.listen((message) => this.#hear(worker, message));
    const stopLimit = afterRunning(START_LIMIT_MS, () => {
      if (this.#plan.stateOf(id) === 'starting') this.#giveUp(worker, `was not ready within ${START_LIMIT_MS} ms`);
    });
    void process.ended.then((death) => {
      stopLimit();
      this.#ended(worker, death);
    });
    this.#reconcile();
  }

  #post(worker: Worker, message: ToWorker): void {
    worker.process.channel.post(message);
  }

  #hear(worker: Worker, unread: unknown): void {
    const message = readFromWorker(unread);
    worker.heard++;
    this.#heartbeat?.heard(worker.id);
    if (message === undefined) {
      this.#events.trouble('protocol', `${worker.process.name} sent a message that is none of the protocol; it is ignored`, { worker: worker.slot });
    } else if (message.type === 'ready') {
      this.#ready(worker);
    } else if (message.type === 'lines') {
      this.#events.print(message.text, message.lines);
    } else if (message.type === 'pong') {
      worker.unprinted = message.unprinted;
    } else {
      if (message.id === worker.offered && (message.type === 'accepted' || message.type === 'unusable')) {
        clearTimeout(worker.doubt);
        worker.offered = undefined;
        if (message.type === 'unusable') setTimeout(() => this.#relieve(worker.id), RELIEF_MS).unref();
      }
      this.#events.message(worker.id, message);
    }
  }

  #relieve(worker: number): void {
    if (this.#workers.has(worker)) this.#events.relieved(worker);
  }

  #ready(worker: Worker): void {
    if (this.#stopping || !this.#plan.becameReady(worker.id)) return;
    worker.readyAt = performance.now();
    this.#delay.started();
    this.#heartbeat?.add(worker.id);
    const { slot, process: { name, pid } } = worker;
    this.#events.note('worker', `${name} is ready (pid ${pid})`, { worker: slot, pid });
    this.#events.ready(worker.id);
    this.#reconcile();
  }

  #retire(worker: Worker, why: string): void {
    this.#plan.retiring(worker.id);
    const { slot, process: { name, pid } } = worker;
    this.#events.note('retire', `${name} gives its connections back and ends (${why})`, { worker: slot, pid, why });
    this.#events.retiring(worker.id);
    const { graceMs } = this.#options;
    this.#post(worker, { type: 'retire', graceMs });
    // While it answers it is about to end: it has a grace of its own, which does not run on while it stands still.
    const limitMs = Math.max(graceMs + RETIRE_LIMIT_MS, this.#options.workerTimeoutMs);
    const stopLimit = afterSilence(limitMs, () => worker.heard, () => {
      this.#giveUp(worker, `has not ended, and has said nothing for ${limitMs} ms`);
    });
    void worker.process.ended.then(stopLimit);
  }

  #giveUp({ slot, process }: Worker, why: string): void {
    this.#events.trouble('hung', `${process.name} ${why} and is ended`, { worker: slot, pid: process.pid });
    process.kill();
  }

  #ended(worker: Worker, death: Death): void {
    const state = this.#plan.stateOf(worker.id);
    this.#plan.ended(worker.id);
    this.#workers.delete(worker.id);
    this.#heartbeat?.remove(worker.id);
    clearTimeout(worker.doubt);
    const { error } = worker.process;
    if (!this.#stopping && (state !== 'retiring' || death.exitCode !== 0)) {
      const how = describeDeath(death);
      const reason = error === undefined ? how : `${how}: ${error.message}`;
      const { slot, unprinted, process: { pid } } = worker;
      const lost = unprinted === 0 ? '' : `; about ${counted(unprinted, 'line')} of its log ${unprinted === 1 ? 'is' : 'are'} lost`;
      this.#events.trouble('worker', reason + lost, {
        worker: slot, pid, exitCode: death.exitCode, error: error?.message, ...(unprinted === 0 ? {} : { linesLost: unprinted }),
      });
      if (state === 'starting') this.#couldNotStart(reason);
      else if (state === 'ready') this.#delay.died(performance.now() - worker.readyAt);
    }
    this.#events.died(worker.id);
    this.#reconcile();
    if (this.#workers.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  #couldNotStart(reason: string): void {
    this.#delay.failed();
    const { ready } = this.#plan;
    // A server that ran has clients, who wait with their connections open, and what is wrong may be put right.
    if (!this.#wasWhole && this.#workers.size === 0 && this.#delay.hopeless) {
      this.#stopping = true;
      this.#events.failed(reason);
      return;
    }
    const waitMs = this.#delay.next();
    const serving = ready === 0 ? 'none is serving, clients wait for it' : `${counted(ready, 'worker')} still serving`;
    this.#events.trouble('start', `a worker could not start; ${serving}, and it is tried again in ${waitMs} ms`, { workers: ready, waitMs });
  }

  #makeHeartbeat(): Heartbeat {
    return new Heartbeat(this.#options.workerTimeoutMs, {
      ping: (worker) => this.#post(this.#workers.get(worker)!, { type: 'ping' }),
      stalled: (worker) => this.#events.stalled(worker),
      resumed: (worker) => this.#events.resumed(worker),
      lost: (worker) => {
        this.#giveUp(this.#workers.get(worker)!, `has not answered for ${this.#options.workerTimeoutMs} ms`);
      },
    });
  }
}
