// Puts the parts together: what the listener accepts goes to the dispatcher, what the dispatcher decides goes to the
// workers, what the workers report goes back to the dispatcher. Started by main.ts and by tests.
//
// The master keeps a paused copy of every socket from accept to the end. That copy is what lets a connection survive a
// worker that dies before it took it, and move from one worker to another.
import { counted } from '../shared/log/log-format.ts';
import type { Log } from '../shared/log/log.ts';
import { resetConnection } from '../shared/reset.ts';
import { workerOptions } from './config.ts';
import { afterRunning } from '../shared/running-time.ts';
import type { Config } from './config.ts';
import type { Phase } from '../shared/status/status.ts';
import { Admission } from './connections/admission.ts';
import type { Command } from './connections/dispatcher-states.ts';
import { Dispatcher } from './connections/dispatcher.ts';
import { freeDescriptors, HeldConnections, MOST_ADMIN_CONNECTIONS } from './connections/held-connections.ts';
import type { HeldConnection, Refusal } from './connections/held-connections.ts';
import { Listeners } from './connections/listener.ts';
import type { Bound } from './connections/listener.ts';
import { Statistics } from './connections/statistics.ts';
import { TrustedProxies } from './connections/trusted-proxies.ts';
import type { Server, ServerDependencies, ServerParts } from './server-parts.ts';
import { Shutdown } from './shutdown.ts';
import type { WorkerReport } from './worker/messages.ts';
import { Recycling } from './workers/recycling.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/**
 * Starts listening and the workers.
 * @returns When all workers are ready, or one is and the others could not start; or the server was stopped before.
 * @throws ListenError; an Error with the reason when no worker can be started.
 */
export async function startServer(config: Config, dependencies: ServerDependencies): Promise<Server> {
  const server = new EchoServer(config, dependencies);
  dependencies.stop.addEventListener('abort', () => server.stop());
  dependencies.stopNow.addEventListener('abort', () => server.stopNow());
  await server.start();
  return server;
}

const STOPPING: Refusal = { kind: 'stopping', reason: 'the server is stopping' };
const UNTRUSTED: Refusal = { kind: 'untrusted', reason: 'no PROXY header is taken from there (--proxy-from)' };
const FULL: Refusal = { kind: 'full', reason: 'all workers and the waiting line are full' };

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
  readonly #recycling: Recycling;
  readonly #tellStopping: () => void;
  readonly #opened: ServerDependencies['opened'];
  readonly #listeners: Listeners;
  phase: Phase = 'starting';
  #end: (reason: string | undefined) => void = () => {};
  #up: () => void = () => {};

  constructor(config: Config, { log, print, color, terminalLock, cpus, opened, stopping }: ServerDependencies) {
    this.#config = config;
    this.#tellStopping = stopping;
    this.#opened = opened;
    this.#log = log;
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#statistics = new Statistics(log);
    this.#recycling = new Recycling(config.maxConnectionsPerWorker);
    const { addresses, connectionsPerAddress, connectionsPerWorker, onCrash } = config;
    const others = addresses.length + (config.admin === undefined ? 0 : 1 + MOST_ADMIN_CONNECTIONS);
    this.#connections = new HeldConnections(freeDescriptors(cpus, others), connectionsPerAddress);
    this.#dispatcher = new Dispatcher(
      {
        waitingLimit: config.waiting, connectionsPerWorker, onCrash,
        // Of a header that has not come whole the dead worker may have read a part.
        canBeAdopted: (id) => this.#connections.get(id)?.proxy === false,
      }, (command) => this.#carryOut(command),
    );
    this.#dispatcher.setPoolSize(config.workers);
    this.#admission = new Admission(this.#connections, this.#dispatcher, this.#statistics);
    this.#listeners = new Listeners(addresses, new TrustedProxies(config.proxyFrom), {
      connection: (incoming) => this.#admission.arrived(incoming),
      untrusted: (from) => {
        this.#statistics.arrived();
        this.#statistics.refuse({ ...UNTRUSTED, from });
      },
      failed: (error) => this.#statistics.refuse({ kind: 'accept', reason: `accept failed: ${error.message}` }),
    });
    this.#pool = new WorkerPool({
      size: config.workers, most: cpus, graceMs: config.graceMs, workerTimeoutMs: config.workerTimeoutMs,
      terminalLock, log, totals: this.#statistics.totals, isWatched: config.admin !== undefined,
      worker: { ...workerOptions(config), color },
    }, {
      ready: (worker) => {
        this.#dispatcher.workerReady(worker);
        this.#shutdown.leaveIfNobodyWaits();
      },
      report: (worker, report) => this.#receive(worker, report),
      relieved: (worker) => this.#dispatcher.workerRelieved(worker),
      print,
      stalled: (worker) => this.#dispatcher.workerStalled(worker),
      resumed: (worker) => this.#dispatcher.workerResumed(worker),
      retiring: (worker) => this.#dispatcher.workerRetiring(worker),
      died: (worker) => {
        this.#recycling.forget(worker);
        this.#dispatcher.workerDied(worker);
        this.#shutdown.leaveIfNobodyWaits();
      },
      resized: (size) => this.#dispatcher.setPoolSize(size),
      up: () => this.#up(),
      failed: (reason) => this.#fail(reason),
    });
    this.#shutdown = new Shutdown({
      log, connections: this.#connections, dispatcher: this.#dispatcher, pool: this.#pool,
      stopAccepting: () => {
        this.#admission.decideAll();
        this.#listeners.close();
      },
    });
  }

  get parts(): ServerParts {
    return {
      config: this.#config, totals: this.#statistics.totals, pool: this.#pool, dispatcher: this.#dispatcher,
      connections: this.#connections,
    };
  }

  get bound(): readonly Bound[] {
    return this.#listeners.bound;
  }

  get isResolving(): boolean {
    return this.#listeners.isResolving;
  }

  async start(): Promise<void> {
    // First of all the addresses: when one is taken there is no reason to fork anything. A server that is stopped while
    // it looks for a name does not wait for the answer.
    await Promise.race([this.#listeners.open(), this.ended]);
    if (this.#isStopping) return;
    await this.#opened?.(this).catch((error: unknown) => {
      this.#listeners.close();
      throw error;
    });
    if (this.#isStopping) return;
    const up = new Promise<void>((resolve) => { this.#up = resolve; });
    this.#pool.start();
    const failure = await Promise.race([up, this.ended]);
    if (failure !== undefined) throw new Error(failure);
    if (this.phase === 'starting') this.phase = 'ready';
  }

  get #isStopping(): boolean {
    return this.phase === 'stopping';
  }

  /** Lets clients in for --stop-delay more; then accepts no more, answers what was received, and ends all in grace. */
  stop(): void {
    const delayMs = this.#config.stopDelayMs;
    // No client comes to one that is not ready yet.
    if (this.phase !== 'ready' || delayMs === 0) return this.#stop();
    this.phase = 'leaving';
    this.#log.info('leaving', `stopping in ${delayMs} ms; clients are let in until then`, { delayMs });
    afterRunning(delayMs, () => this.#stop());
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.phase = 'stopping';
    this.#tellStopping();
    void this.#shutdown.run(this.#config.graceMs).then(() => {
      this.#statistics.summarize();
      this.#end(undefined);
    });
  }

  stopNow(): void {
    this.#fail('stopped at once');
  }

  reload(): void {
    if (this.#isStopping) return;
    this.#log.info('reload', 'reload: every worker is replaced, one at a time');
    this.#statistics.totals.reloads++;
    this.#pool.reload();
  }

  resize(by: 1 | -1): void {
    if (!this.#isStopping) this.#pool.resize(by);
  }

  #carryOut(command: Command): void {
    const connection = this.#connections.get(command.connection);
    if (connection === undefined) return;
    switch (command.kind) {
      case 'offer':
        this.#offer(connection, command.worker, command.adopted);
        break;
      case 'cutOff':
        this.#cutOff(connection, this.#shutdown.isOver ? 'the grace is over' : 'its worker died');
        break;
      case 'refuse':
        // A worker had it, and there is no other: it may be owed a reply.
        if (connection.counts === 'served') return this.#cutOff(connection, 'the server is stopping');
        this.#connections.close(connection);
        this.#statistics.refuse(command.reason === 'stopping' ? STOPPING : FULL, connection);
        break;
    }
  }

  #cutOff(connection: HeldConnection, why: string): void {
    const { socket, peer } = connection;
    this.#connections.remove(connection);
    connection.isCutOff = true;
    this.#statistics.cutOff(connection);
    resetConnection(socket);
    this.#log.warn('cutOff', `${peer} is cut off: ${why}`, { peer });
  }

  #offer(connection: HeldConnection, worker: number, adopted: boolean): void {
    const { id, socket, peer } = connection;
    if (socket.destroyed) {
      this.#connections.close(connection);
      this.#statistics.left(connection);
      this.#dispatcher.closed(worker, id);
      return;
    }
    if (adopted) {
      this.#connections.adopted(connection);
      this.#log.warn('adopted', `${peer} goes on with ${this.#pool.nameOf(worker)}; replies may be lost`, { peer });
    }
    this.#pool.offer(worker, connection);
  }

  #receive(worker: number, report: WorkerReport): void {
    const { type, id } = report;
    const says = type === 'client' || type === 'badHeader' ? 'closed' : type;
    const connection = this.#dispatcher.believes(worker, id, says) ? this.#connections.get(id) : undefined;
    if (connection === undefined) return this.#dispatcher.stray();
    switch (report.type) {
      case 'accepted':
        this.#noteAccepted(connection, worker);
        this.#dispatcher.accepted(worker, id);
        break;
      case 'unusable':
        this.#statistics.bounced.count(
          `${this.#pool.nameOf(worker)} could not take the socket, it may have no descriptor left (ulimit -n)`,
        );
        this.#dispatcher.unusable(worker, id);
        break;
      case 'givenBack':
        this.#statistics.hasLeft(worker, connection, report.moved.traffic);
        connection.moved = report.moved;
        connection.how = 'given back';
        connection.moves = this.#pool.leavesFor(worker);
        this.#dispatcher.givenBack(worker, id);
        break;
      case 'client':
        this.#admission.identified(connection, report, (admitted) => (
          this.#pool.post(worker, { type: 'verdict', id, admitted })));
        break;
      case 'badHeader':
        this.#admission.badHeader(connection, report.kind, report.reason);
        this.#dispatcher.closed(worker, id);
        break;
      case 'closed':
        this.#connections.close(connection);
        this.#statistics.hasLeft(worker, connection, report.traffic);
        this.#statistics.closed(connection, report.reason);
        this.#dispatcher.closed(worker, id);
        break;
      default:
        report satisfies never;
    }
    this.#admission.letIn();
    this.#shutdown.leaveIfNobodyWaits();
  }

  #noteAccepted(connection: HeldConnection, worker: number): void {
    if (!connection.proxy) this.#statistics.served(connection);
    this.#statistics.totals.hasMoved(connection.moves);
    connection.moves = null;
    if (!this.#connections.accepted(connection)) return;
    this.#statistics.totals.handedOver(performance.now() - connection.addedAt);
    if (!this.#recycling.isDue(worker)) return;
    this.#pool.recycle(worker, `${counted(this.#config.maxConnectionsPerWorker, 'connection')} served`);
  }

  #fail(reason: string): void {
    this.phase = 'stopping';
    this.#listeners.close();
    this.#pool.killAll();
    // Nobody may take what was cut off for the whole.
    for (const { socket } of this.#connections.values()) resetConnection(socket);
    this.#end(reason);
  }
}
