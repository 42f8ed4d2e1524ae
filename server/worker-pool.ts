// Keeps the wanted number of workers alive: starts, replaces and retires them, one at a time. Told by server.ts.
//
// Every event (a death, a signal, a worker ready) only notes what has changed; reconcile() then does the one next thing
// that brings what is closer to what is wanted. Nothing else starts or retires a worker, so signals that come while a
// reload is under way are kept, and there are never more processes than the size says.
import type { Socket } from 'node:net';
import { describeDeath, Process } from '../shared/multiprocessing/index.ts';
import type { Death, Lock } from '../shared/multiprocessing/index.ts';
import { Heartbeat } from './heartbeat.ts';
import { readFromWorker } from './messages.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { RestartDelay } from './restart-delay.ts';
import { work } from './worker.ts';
import type { WorkerOptions } from './worker.ts';

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
  message(worker: number, message: FromWorker): void;
  stalled(worker: number): void;
  resumed(worker: number): void;
  retiring(worker: number): void;
  /** Its process is gone, and everything that it said before has been told. */
  died(worker: number): void;
  resized(size: number): void;
  /** All wanted workers are ready. */
  whole(): void;
  /** No worker can be started and none is left. */
  failed(reason: string): void;
  note(event: string, text: string): void;
  trouble(event: string, text: string): void;
}

/** starting ─▶ ready ─▶ retiring; from each the process may end. */
type WorkerState = 'starting' | 'ready' | 'retiring';

interface Worker {
  readonly id: number;
  readonly slot: number;
  readonly process: Process<[WorkerOptions, Lock]>;
  state: WorkerState;
  /** It is to be replaced, or not wanted any more, as soon as its turn comes. */
  unwanted: string | undefined;
  readyAt: number;
}

/** A worker that has not said `ready` after so long never will, in milliseconds. */
const START_LIMIT_MS = 30_000;
/** How long after --grace a retiring worker may take to end, in milliseconds. */
const RETIRE_LIMIT_MS = 2000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #events: WorkerPoolEvents;
  readonly #workers = new Map<number, Worker>();
  readonly #delay = new RestartDelay();
  readonly #heartbeat: Heartbeat | undefined;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #size: number;
  #lastId = 0;
  #stopping = false;
  #wasWhole = false;
  #reloading = false;
  readonly #emptied: (() => void)[] = [];

  constructor(options: WorkerPoolOptions, events: WorkerPoolEvents) {
    this.#options = options;
    this.#events = events;
    this.#size = options.size;
    if (options.workerTimeoutMs > 0) this.#heartbeat = this.#makeHeartbeat();
  }

  /** Starts the workers. */
  start(): void {
    const heartbeat = this.#heartbeat;
    if (heartbeat !== undefined) {
      this.#heartbeatTimer = setInterval(() => heartbeat.tick(performance.now()), heartbeat.intervalMs);
    }
    this.#reconcile();
  }

  /** How many worker processes there are, in whatever state. */
  get count(): number {
    return this.#workers.size;
  }

  /** What people call the worker. */
  nameOf(worker: number): string {
    return `worker ${this.#workers.get(worker)?.slot ?? '?'}`;
  }

  /** Posts a message to a worker. It is lost if that worker is gone; `died` tells. */
  post(worker: number, message: ToWorker): void {
    this.#workers.get(worker)?.process.channel.post(message);
  }

  /** Sends a connection with its socket. One at a time for each worker, until it has said `accepted`. */
  offer(worker: number, message: ToWorker & { type: 'connection' }, socket: Socket): void {
    void this.#workers.get(worker)?.process.channel.sendSocket(message, socket);
  }

  /** Replaces every worker that there is now, one after the other. */
  reload(): void {
    this.#reloading = true;
    for (const worker of this.#workers.values()) worker.unwanted ??= 'reload';
    this.#reconcile();
  }

  /** Replaces one worker. @param why For the log. */
  recycle(worker: number, why: string): void {
    const found = this.#workers.get(worker);
    if (found === undefined || found.unwanted !== undefined) return;
    found.unwanted = why;
    this.#reconcile();
  }

  /** One worker more (+1) or less (-1), from 1 to the most allowed. */
  resize(by: 1 | -1): void {
    const size = this.#size + by;
    if (size < 1 || size > this.#options.most) {
      this.#events.trouble('resize', `${this.#size} workers stay: there may be 1 to ${this.#options.most}`);
      return;
    }
    this.#size = size;
    this.#events.resized(size);
    this.#events.note('resize', `the pool is to have ${count(size)}`);
    this.#reconcile();
  }

  /** Lets every worker answer what it has received, and end. Settles when all processes are gone. */
  async drain(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#startTimer);
    clearInterval(this.#heartbeatTimer);
    for (const worker of this.#workers.values()) {
      if (worker.state === 'starting') worker.process.kill();
      else worker.process.channel.post({ type: 'drain' } satisfies ToWorker);
    }
    if (this.#workers.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
  }

  /** Ends every worker at once. @returns How many there were. */
  killAll(): number {
    this.#stopping = true;
    for (const worker of this.#workers.values()) worker.process.kill();
    return this.#workers.size;
  }

  #reconcile(): void {
    if (this.#stopping) return;
    const workers = [...this.#workers.values()];
    if (workers.length < this.#size) {
      this.#startOne();
    } else if (workers.every(({ state }) => state === 'ready')) {
      this.#beWhole();
      const next = workers.find(({ unwanted }) => unwanted !== undefined);
      if (workers.length > this.#size) this.#retire(workers.at(-1)!, 'one worker less');
      else if (next !== undefined) this.#retire(next, next.unwanted!);
    }
  }

  #beWhole(): void {
    if (!this.#wasWhole) {
      this.#wasWhole = true;
      this.#events.whole();
    }
    if (this.#reloading && ![...this.#workers.values()].some(({ unwanted }) => unwanted === 'reload')) {
      this.#reloading = false;
      this.#events.note('reloaded', `the reload is done: ${count(this.#size)} replaced`);
    }
  }

  #startOne(): void {
    if (this.#startTimer !== undefined) return;
    const delayMs = this.#delay.next();
    if (delayMs === 0) {
      this.#fork();
      this.#reconcile();
      return;
    }
    this.#startTimer = setTimeout(() => {
      this.#startTimer = undefined;
      this.#fork();
      this.#reconcile();
    }, delayMs);
  }

  #fork(): void {
    const id = ++this.#lastId;
    const slots = new Set([...this.#workers.values()].map(({ slot }) => slot));
    let slot = 1;
    while (slots.has(slot)) slot++;
    const { worker: options, terminalLock } = this.#options;
    const process = new Process({
      module: new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url), target: work,
      args: [{ ...options, slot }, terminalLock], name: `worker ${slot}`,
    });
    const worker: Worker = { id, slot, process, state: 'starting', unwanted: undefined, readyAt: 0 };
    this.#workers.set(id, worker);
    process.start();
    process.channel.listen((message) => this.#hear(worker, message));
    const limit = setTimeout(() => {
      if (worker.state === 'starting') process.kill();
    }, START_LIMIT_MS);
    void process.ended.then((death) => {
      clearTimeout(limit);
      this.#ended(worker, death);
    });
  }

  #hear(worker: Worker, unread: unknown): void {
    const message = readFromWorker(unread);
    this.#heartbeat?.heard(worker.id, performance.now());
    if (message === undefined) {
      this.#events.trouble('protocol', `${worker.process.name} sent a message that is none of the protocol; it is ignored`);
    } else if (message.type === 'ready') {
      this.#ready(worker);
    } else if (message.type !== 'pong') {
      this.#events.message(worker.id, message);
    }
  }

  #ready(worker: Worker): void {
    if (worker.state !== 'starting' || this.#stopping) return;
    worker.state = 'ready';
    worker.readyAt = performance.now();
    this.#delay.started();
    this.#heartbeat?.add(worker.id, worker.readyAt);
    this.#events.note('worker', `${worker.process.name} is ready (pid ${worker.process.pid})`);
    this.#events.ready(worker.id);
    this.#reconcile();
  }

  #retire(worker: Worker, why: string): void {
    worker.state = 'retiring';
    this.#events.note('retire', `${worker.process.name} gives its connections back and ends (${why})`);
    this.#events.retiring(worker.id);
    const { graceMs } = this.#options;
    worker.process.channel.post({ type: 'retire', graceMs } satisfies ToWorker);
    const limit = setTimeout(() => worker.process.kill(), graceMs + RETIRE_LIMIT_MS);
    void worker.process.ended.then(() => clearTimeout(limit));
  }

  #ended(worker: Worker, death: Death): void {
    this.#workers.delete(worker.id);
    this.#heartbeat?.remove(worker.id);
    const { error } = worker.process;
    if (!this.#stopping && (worker.state !== 'retiring' || death.exitCode !== 0)) {
      const how = describeDeath(death);
      const reason = error === undefined ? how : `${how}: ${error.message}`;
      if (worker.state === 'starting') this.#couldNotStart(reason);
      else if (worker.state === 'ready') this.#delay.died(performance.now() - worker.readyAt);
      this.#events.trouble('worker', reason);
    }
    this.#events.died(worker.id);
    this.#reconcile();
    if (this.#workers.size === 0) for (const resolve of this.#emptied.splice(0)) resolve();
  }

  #couldNotStart(reason: string): void {
    this.#delay.failed();
    const serving = [...this.#workers.values()].filter(({ state }) => state === 'ready').length;
    if (serving > 0) {
      this.#events.trouble('start', `a worker could not start; ${count(serving)} go on serving, and it is tried again`);
    } else if (this.#delay.hopeless) {
      this.#stopping = true;
      this.#events.failed(reason);
    }
  }

  #makeHeartbeat(): Heartbeat {
    return new Heartbeat(this.#options.workerTimeoutMs, {
      ping: (worker) => this.post(worker, { type: 'ping' }),
      stalled: (worker) => this.#events.stalled(worker),
      resumed: (worker) => this.#events.resumed(worker),
      lost: (worker) => {
        this.#events.trouble('hung', `${this.nameOf(worker)} has not answered for ${this.#options.workerTimeoutMs} ms and is ended`);
        this.#workers.get(worker)?.process.kill();
      },
    });
  }
}

function count(workers: number): string {
  return workers === 1 ? '1 worker' : `${workers} workers`;
}
