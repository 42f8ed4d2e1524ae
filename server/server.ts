// Puts the parts together: what the listener accepts goes to the dispatcher, what the dispatcher decides goes to the
// workers, what the workers report goes back to the dispatcher. Started by main.ts and by tests.
//
// The master keeps a paused copy of every socket from accept to the end. That copy is what lets a connection survive a
// worker that dies before it took it, and move from one worker to another.
import { counted } from '../shared/log/log-format.ts';
import type { Log } from '../shared/log/log.ts';
import type { Lock } from '../shared/multiprocessing/lock/lock.ts';
import { resetConnection } from '../shared/reset.ts';
import type { Config } from './config.ts';
import { Admission } from './connections/admission.ts';
import type { Command } from './connections/dispatcher-states.ts';
import { Dispatcher } from './connections/dispatcher.ts';
import { freeDescriptors, HeldConnections } from './connections/held-connections.ts';
import type { HeldConnection } from './connections/held-connections.ts';
import { listen } from './connections/listener.ts';
import type { Bound, Listener } from './connections/listener.ts';
import { Statistics } from './connections/statistics.ts';
import { Shutdown } from './shutdown.ts';
import type { WorkerReport } from './worker/messages.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** What a running server answers to. */
export interface Server {
  /** Where it listens; undefined when it was stopped before it did. */
  readonly bound: Bound | undefined;
  /** Whether it still asks the system for the address of its host, which cannot be cancelled. */
  readonly isResolving: boolean;
  /** Settles when the server has ended: with undefined after a clean stop, else with the reason. */
  readonly ended: Promise<string | undefined>;
  /** Replaces every worker, one at a time; connections move to the others. */
  reload(): void;
  /** One worker more (+1) or less (-1). */
  resize(by: 1 | -1): void;
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
  /** When it aborts, the server stops, even while it is still starting. */
  readonly stop: AbortSignal;
  /** When it aborts, the server ends at once, whatever is under way. */
  readonly stopNow: AbortSignal;
}

const NOTHING = new Uint8Array();

/**
 * Starts listening and the workers.
 * @returns When all workers are ready, or the server was stopped before.
 * @throws The system's error when it cannot listen; an Error with the reason when no worker can be started.
 */
export async function startServer(config: Config, dependencies: ServerDependencies): Promise<Server> {
  const server = new EchoServer(config, dependencies);
  dependencies.stop.addEventListener('abort', () => server.stop());
  dependencies.stopNow.addEventListener('abort', () => server.stopNow());
  await server.start();
  return server;
}

class EchoServer implements Server {
  readonly ended: Promise<string | undefined>;
  readonly #config: Config;
  readonly #log: Log;
  readonly #pool: WorkerPool;
  readonly #connections: HeldConnections;
  readonly #dispatcher: Dispatcher;
  readonly #statistics: Statistics;
  readonly #admission: Admission;
  readonly #shutdown: Shutdown;
  /** How many clients each worker was the first to serve, by its id. */
  readonly #clientsOf = new Map<number, number>();
  #listener: Listener | undefined;
  isResolving = false;
  #stopping = false;
  #end: (reason: string | undefined) => void = () => {};
  #complete: () => void = () => {};

  constructor(config: Config, { log, print, color, terminalLock, cpus }: ServerDependencies) {
    this.#config = config;
    this.#log = log;
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#statistics = new Statistics(log);
    this.#connections = new HeldConnections(freeDescriptors(cpus), config.connectionsPerAddress);
    const { connectionsPerWorker, onCrash } = config;
    this.#dispatcher = new Dispatcher(
      { waitingLimit: config.waiting, connectionsPerWorker, onCrash }, (command) => this.#carryOut(command),
    );
    this.#dispatcher.setPoolSize(config.workers);
    this.#admission = new Admission(this.#connections, this.#dispatcher, this.#statistics);
    this.#pool = new WorkerPool({
      size: config.workers, most: cpus, graceMs: config.graceMs, workerTimeoutMs: config.workerTimeoutMs,
      terminalLock, log,
      worker: { idleTimeoutMs: config.idleTimeoutMs, log: config.log, logFormat: config.logFormat, color },
    }, {
      ready: (worker) => this.#dispatcher.workerReady(worker),
      report: (worker, report) => this.#receive(worker, report),
      relieved: (worker) => this.#dispatcher.workerRelieved(worker),
      print,
      stalled: (worker) => this.#dispatcher.workerStalled(worker),
      resumed: (worker) => this.#dispatcher.workerResumed(worker),
      retiring: (worker) => this.#dispatcher.workerRetiring(worker),
      died: (worker) => {
        this.#clientsOf.delete(worker);
        this.#dispatcher.workerDied(worker);
        this.#shutdown.leaveIfNobodyWaits();
      },
      resized: (size) => this.#dispatcher.setPoolSize(size),
      complete: () => this.#complete(),
      failed: (reason) => this.#fail(reason),
    });
    this.#shutdown = new Shutdown({
      log, connections: this.#connections, dispatcher: this.#dispatcher, pool: this.#pool,
      stopAccepting: () => {
        this.#admission.decideAll();
        this.#listener?.close();
      },
    });
  }

  get bound(): Bound | undefined {
    return this.#listener;
  }

  async start(): Promise<void> {
    // First of all the address: when it is taken there is no reason to fork anything. A server that is stopped while it
    // looks for a name does not wait for the answer.
    await Promise.race([this.#listen(), this.ended]);
    if (this.#stopping) return;
    const complete = new Promise<void>((resolve) => { this.#complete = resolve; });
    this.#pool.start();
    const failure = await Promise.race([complete, this.ended]);
    if (failure !== undefined) throw new Error(failure);
  }

  async #listen(): Promise<void> {
    this.isResolving = true;
    const listener = await listen(this.#config.host, this.#config.port, {
      connection: (incoming) => this.#admission.arrived(incoming),
      failed: (error) => this.#statistics.refused.count(`accept failed: ${error.message}`),
    }).finally(() => { this.isResolving = false; });
    if (this.#stopping) listener.close();
    else this.#listener = listener;
  }

  /** Stops accepting, answers what was received, ends every connection with a FIN; within the grace. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    void this.#shutdown.run(this.#config.graceMs).then(() => {
      this.#statistics.summarize(this.#dispatcher.counters);
      this.#end(undefined);
    });
  }

  stopNow(): void {
    this.#fail('stopped at once');
  }

  reload(): void {
    if (this.#stopping) return;
    this.#log.info('reload', 'reload: every worker is replaced, one at a time');
    this.#pool.reload();
  }

  resize(by: 1 | -1): void {
    if (!this.#stopping) this.#pool.resize(by);
  }

  #carryOut(command: Command): void {
    const connection = this.#connections.get(command.connection);
    if (connection === undefined) return;
    const { socket, peer } = connection;
    switch (command.kind) {
      case 'offer':
        this.#offer(connection, command.worker, command.adopted);
        break;
      case 'cutOff':
        this.#connections.remove(connection);
        resetConnection(socket);
        this.#log.warn('cutOff', `${peer} is cut off: its worker died`, { peer });
        break;
      case 'refuse':
        this.#connections.close(connection);
        this.#statistics.refused.count(
          command.reason === 'stopping' ? 'the server is stopping' : 'all workers and the waiting line are full',
        );
        break;
    }
  }

  #offer(connection: HeldConnection, worker: number, adopted: boolean): void {
    const { id, socket, peer, moved } = connection;
    if (socket.destroyed) {
      this.#connections.close(connection);
      this.#statistics.left(moved);
      this.#dispatcher.closed(worker, id);
      return;
    }
    if (adopted) {
      this.#log.warn('adopted', `${peer} goes on with ${this.#pool.nameOf(worker)}; replies may be lost`, { peer });
    }
    this.#pool.offer(worker, { type: 'connection', id, peer, moved }, socket);
  }

  #receive(worker: number, report: WorkerReport): void {
    const { type, id } = report;
    const connection = this.#dispatcher.believes(worker, id, type) ? this.#connections.get(id) : undefined;
    if (connection === undefined) return this.#dispatcher.stray();
    switch (report.type) {
      case 'accepted':
        this.#noteServed(connection, worker);
        this.#dispatcher.accepted(worker, id);
        break;
      case 'unusable':
        this.#statistics.bounced.count(
          `${this.#pool.nameOf(worker)} could not take the socket, it may have no descriptor left (ulimit -n)`,
        );
        this.#dispatcher.unusable(worker, id);
        break;
      case 'givenBack':
        connection.moved = report.moved;
        this.#dispatcher.givenBack(worker, id);
        break;
      case 'closed':
        this.#connections.close(connection);
        this.#statistics.add(report.traffic);
        this.#dispatcher.closed(worker, id);
        break;
      default:
        report satisfies never;
    }
    this.#admission.letIn();
    this.#shutdown.leaveIfNobodyWaits();
  }

  #noteServed(connection: HeldConnection, worker: number): void {
    const { wasServed, moved } = connection;
    // What came along is that worker's now; should another adopt the connection, it must not be answered twice.
    if (moved !== null) connection.moved = { traffic: moved.traffic, unread: NOTHING };
    // Only new clients count: those that a recycled worker gave back would else recycle the next one at once.
    if (wasServed) return;
    connection.wasServed = true;
    const count = (this.#clientsOf.get(worker) ?? 0) + 1;
    this.#clientsOf.set(worker, count);
    const most = this.#config.maxConnectionsPerWorker;
    if (most > 0 && count === most) this.#pool.recycle(worker, `${counted(most, 'connection')} served`);
  }

  #fail(reason: string): void {
    this.#stopping = true;
    this.#listener?.close();
    this.#pool.killAll();
    this.#end(reason);
  }
}
