// Puts the parts together: what the listener accepts goes to the dispatcher, what the dispatcher decides goes to the
// workers, what the workers report goes back to the dispatcher. Started by main.ts and by tests.
//
// The master keeps a paused copy of every socket from accept to the end. That copy is what lets a connection survive a
// worker that dies before it took it, and move from one worker to another.
import type { Socket } from 'node:net';
import type { Lock } from '../shared/multiprocessing/lock/lock.ts';
import { counted } from '../shared/log/log-format.ts';
import type { Log } from '../shared/log/log.ts';
import { resetConnection } from '../shared/reset.ts';
import type { Config } from './config.ts';
import { Connections } from './connections/connections.ts';
import type { Connection, Newcomer } from './connections/connections.ts';
import { departed, ending } from './connections/departures.ts';
import { freeDescriptors } from './connections/descriptors.ts';
import { Dispatcher } from './connections/dispatcher.ts';
import type { Command } from './connections/dispatcher.ts';
import { Door } from './connections/door.ts';
import { listen } from './connections/listener.ts';
import type { Listener } from './connections/listener.ts';
import { NO_TRAFFIC } from './worker/messages.ts';
import type { Traffic, WorkerReport } from './worker/messages.ts';
import { Shutdown } from './shutdown.ts';
import { Tally } from './connections/tally.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** What a running server answers to. */
export interface Server {
  /** `127.0.0.1:8080`, `[::1]:8080`: where it listens. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Whether it still asks the system for its host's address, which cannot be called off. */
  readonly isResolving: boolean;
  /** Settles when the server has ended: with undefined after a clean stop, else with the reason. */
  readonly ended: Promise<string | undefined>;
  /** Replaces every worker, one at a time; connections move to the others. */
  reload(): void;
  /** One worker more (+1) or less (-1). */
  resize(by: 1 | -1): void;
}

/** What the server works with and does not make itself. */
export interface Surroundings {
  readonly log: Log;
  /** Prints lines of the log that a worker leaves to the master, and counts so many as dropped if it cannot. */
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
function ignore(): void {}
const LEFT = 'left while waiting';
/** How many may stand at the door: as many as there are descriptors for, and a few even if there are none to spare. */
const MOST_AT_THE_DOOR = 256;
const FEW_AT_THE_DOOR = 4;

/**
 * Starts listening and the workers.
 * @returns When all workers are ready, or the server was stopped before.
 * @throws The system's error when it cannot listen; an Error with the reason when no worker can be started.
 */
export async function startServer(config: Config, surroundings: Surroundings): Promise<Server> {
  const server = new EchoServer(config, surroundings);
  surroundings.stop.addEventListener('abort', () => server.stop());
  surroundings.stopNow.addEventListener('abort', () => server.stopNow());
  await server.start();
  return server;
}

class EchoServer implements Server {
  readonly ended: Promise<string | undefined>;
  readonly #config: Config;
  readonly #log: Log;
  readonly #pool: WorkerPool;
  readonly #dispatcher: Dispatcher;
  readonly #refusals: Tally;
  readonly #bounces: Tally;
  readonly #gone: Tally;
  readonly #door = new Door<Newcomer>({
    look: (standing) => this.#letGo(standing),
    staysFor: (newcomer) => this.#staysFor(newcomer),
    answer: (newcomer) => this.#letIn(newcomer),
  });
  /** Whose places are about to be free, as the last look at the door has found; undefined: nobody has asked since. */
  #ending: Connection[] | undefined;
  readonly #connections: Connections;
  readonly #shutdown: Shutdown;
  readonly #takenBy = new Map<number, number>();
  #listener: Listener | undefined;
  #isResolving = false;
  #traffic: Traffic = NO_TRAFFIC;
  #stopping = false;
  #end: (reason: string | undefined) => void = () => {};
  #complete: () => void = () => {};

  constructor(config: Config, { log, print, color, terminalLock, cpus }: Surroundings) {
    this.#config = config;
    this.#log = log;
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#refusals = new Tally('refused', (text, fields) => log.warn('refused', text, fields));
    this.#bounces = new Tally('offered to another worker', (text, fields) => log.warn('bounced', text, fields));
    this.#gone = new Tally('gone', (text, fields) => log.info('gone', text, fields));
    this.#connections = new Connections(freeDescriptors(cpus), config.connectionsPerAddress);
    const { connectionsPerWorker, onCrash } = config;
    this.#dispatcher = new Dispatcher(
      { waitingLimit: config.waiting, connectionsPerWorker, onCrash }, (command) => this.#carryOut(command),
    );
    this.#dispatcher.setPoolSize(config.workers);
    this.#pool = new WorkerPool({
      size: config.workers, most: cpus, graceMs: config.graceMs, workerTimeoutMs: config.workerTimeoutMs, terminalLock, log,
      worker: { idleTimeoutMs: config.idleTimeoutMs, log: config.log, logFormat: config.logFormat, color },
    }, {
      ready: (worker) => this.#dispatcher.workerReady(worker),
      report: (worker, report) => this.#hear(worker, report),
      relieved: (worker) => this.#dispatcher.workerRelieved(worker),
      print,
      stalled: (worker) => this.#dispatcher.workerStalled(worker),
      resumed: (worker) => this.#dispatcher.workerResumed(worker),
      retiring: (worker) => this.#dispatcher.workerRetiring(worker),
      died: (worker) => {
        this.#takenBy.delete(worker);
        this.#dispatcher.workerDied(worker);
        this.#shutdown.leaveIfNobodyWaits();
      },
      resized: (size) => this.#dispatcher.setPoolSize(size),
      complete: () => this.#complete(),
      failed: (reason) => this.#fail(reason),
    });
    this.#shutdown = new Shutdown({
      log, connections: this.#connections, dispatcher: this.#dispatcher, pool: this.#pool,
      closeTheDoor: () => {
        this.#door.settle();
        this.#listener?.close();
      },
    });
  }

  get address(): string {
    return this.#listener?.address ?? '';
  }

  get isResolving(): boolean {
    return this.#isResolving;
  }

  get host(): string {
    return this.address.slice(0, this.address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
  }

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(':') + 1));
  }

  async start(): Promise<void> {
    // First of all the address: when it is taken there is no reason to fork anything. Nobody waits for a name to be found
    // when the server has ended meanwhile.
    await Promise.race([this.#listen(), this.ended]);
    if (this.#stopping) return;
    const complete = new Promise<void>((resolve) => { this.#complete = resolve; });
    this.#pool.start();
    const failure = await Promise.race([complete, this.ended]);
    if (failure !== undefined) throw new Error(failure);
  }

  async #listen(): Promise<void> {
    this.#isResolving = true;
    const listener = await listen(this.#config.host, this.#config.port, {
      connection: (socket, host, peer) => this.#accept(socket, host, peer),
      failed: (error) => this.#refusals.count(`accept failed: ${error.message}`),
    }).finally(() => { this.#isResolving = false; });
    if (this.#stopping) listener.close();
    else this.#listener = listener;
  }

  /** Stops accepting, answers what was received, ends every connection with a FIN; within the grace. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    void this.#shutdown.run(this.#config.graceMs).then(() => {
      this.#summarize();
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

  #accept(socket: Socket, host: string, peer: string): void {
    // A copy that nobody reads does not fail; if one ever does, it is one connection's affair.
    socket.on('error', ignore);
    const newcomer = { socket, host, peer };
    if (this.#door.isFree && this.#hasRoom(newcomer)) this.#letIn(newcomer);
    else this.#door.stand(newcomer, Math.max(FEW_AT_THE_DOOR, Math.min(MOST_AT_THE_DOOR, this.#connections.spare)));
  }

  #hasRoom({ host }: Newcomer): boolean {
    return !this.#dispatcher.isFull && this.#connections.noRoomFor(host) === undefined;
  }

  #letIn(newcomer: Newcomer): void {
    const none = this.#connections.noRoomFor(newcomer.host);
    if (none === undefined) this.#dispatcher.accept(this.#connections.add(newcomer).id);
    else this.#refuse(newcomer.socket, none.reason, none.from);
  }

  /** Frees the places of those that have left while they waited. @returns Who of those at the door has not. */
  #letGo(standing: readonly Newcomer[]): readonly Newcomer[] {
    this.#ending = undefined;
    const waiting = this.#dispatcher.line().map((id) => this.#connections.get(id)!);
    const gone = new Set<Newcomer>(departed([...waiting, ...standing]));
    for (const connection of waiting) {
      if (!gone.has(connection)) continue;
      this.#lose(connection);
      this.#dispatcher.gone(connection.id);
    }
    return standing.filter((newcomer) => {
      if (!gone.has(newcomer)) return true;
      newcomer.socket.destroy();
      this.#gone.count(LEFT);
      return false;
    });
  }

  /** Whether there is no room, but a place that it can have is free as soon as a worker has said who has left it. */
  #staysFor(newcomer: Newcomer): boolean {
    if (this.#hasRoom(newcomer)) return false;
    if (this.#ending === undefined) {
      const line = new Set(this.#dispatcher.line());
      this.#ending = ending([...this.#connections.values()].filter(({ id }) => !line.has(id)));
    }
    const from = this.#connections.noRoomFor(newcomer.host)?.from;
    const place = this.#ending.findIndex(({ host }) => from === undefined || host === from);
    if (place < 0) return false;
    this.#ending.splice(place, 1);
    return true;
  }

  #refuse(socket: Socket, reason: string, from?: string): void {
    socket.destroy();
    this.#refusals.count(reason, from);
  }

  #carryOut(command: Command): void {
    const connection = this.#connections.get(command.connection);
    if (connection === undefined) return;
    const { id, socket, peer } = connection;
    switch (command.kind) {
      case 'offer':
        if (socket.destroyed) {
          this.#lose(connection);
          this.#dispatcher.closed(command.worker, id);
          break;
        }
        if (command.adopted) this.#log.warn('adopted', `${peer} goes on with ${this.#pool.nameOf(command.worker)}; replies may be lost`, { peer });
        this.#pool.offer(command.worker, { type: 'connection', id, peer, moved: connection.moved }, socket);
        break;
      case 'cutOff':
        this.#connections.remove(connection);
        resetConnection(socket);
        this.#log.warn('cutOff', `${peer} is cut off: its worker died`, { peer });
        break;
      case 'refuse':
        this.#connections.remove(connection);
        this.#refuse(socket, command.reason === 'stopping' ? 'the server is stopping' : 'all workers and the waiting line are full');
        break;
    }
  }

  #hear(worker: number, message: WorkerReport): void {
    const { type, id } = message;
    // A report that the dispatcher does not believe is late, or wrong: it counts it, no more.
    const connection = this.#dispatcher.believes(worker, id, type) ? this.#connections.get(id) : undefined;
    if (connection !== undefined) {
      switch (type) {
        case 'accepted':
          this.#noteTaken(connection, worker);
          break;
        case 'unusable':
          this.#bounces.count(
            `${this.#pool.nameOf(worker)} could not take the socket, it may have no descriptor left (ulimit -n)`,
          );
          break;
        case 'givenBack':
          connection.moved = message.moved;
          break;
        case 'closed':
          this.#close(connection);
          this.#addTraffic(message.traffic);
          break;
      }
    }
    this.#dispatcher[type](worker, id);
    this.#door.letIn((newcomer) => this.#hasRoom(newcomer));
    this.#shutdown.leaveIfNobodyWaits();
  }

  #noteTaken(connection: Connection, worker: number): void {
    const { taken, moved } = connection;
    // What came along is that worker's now; should another adopt the connection, it must not be answered twice.
    if (moved !== null) connection.moved = { traffic: moved.traffic, unread: NOTHING };
    // Only new clients count: those that a recycled worker gave back would else recycle the next one at once.
    if (taken) return;
    connection.taken = true;
    const count = (this.#takenBy.get(worker) ?? 0) + 1;
    this.#takenBy.set(worker, count);
    const most = this.#config.maxConnectionsPerWorker;
    if (most > 0 && count === most) this.#pool.recycle(worker, `${counted(most, 'connection')} served`);
  }

  #addTraffic({ messages, bytesIn, bytesOut }: Traffic): void {
    const sum = this.#traffic;
    this.#traffic = {
      messages: sum.messages + messages, bytesIn: sum.bytesIn + bytesIn, bytesOut: sum.bytesOut + bytesOut,
    };
  }

  /** Its client has left before a worker had it, or had it again. */
  #lose(connection: Connection): void {
    this.#close(connection);
    if (connection.moved !== null) this.#addTraffic(connection.moved.traffic);
    this.#gone.count(LEFT);
  }

  #close(connection: Connection): void {
    this.#connections.remove(connection);
    connection.socket.destroy();
  }

  #fail(reason: string): void {
    this.#stopping = true;
    this.#listener?.close();
    this.#pool.killAll();
    this.#end(reason);
  }

  #summarize(): void {
    for (const tally of [this.#refusals, this.#bounces, this.#gone]) tally.flush();
    const { served, cutOff } = this.#dispatcher.counters;
    const { messages, bytesIn, bytesOut } = this.#traffic;
    const refused = this.#refusals.total;
    this.#log.info('summary',
      `served ${counted(served, 'connection')}, ${counted(messages, 'message')}, ` +
      `${counted(bytesIn, 'byte')} in, ${counted(bytesOut, 'byte')} out; ` +
      `${refused} refused, ${cutOff} cut off`, { served, messages, bytesIn, bytesOut, refused, cutOff });
  }
}
