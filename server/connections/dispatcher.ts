// Decides which worker gets which connection, and keeps the line of those that wait. Pure: server/server.ts tells it
// what happened and carries out its commands; it knows no socket, no process and no clock.
import { Fifo } from '../../shared/multiprocessing/base/fifo.ts';
import { connectionMoves, eventOf, roomEventOf } from './dispatcher-states.ts';
import type { Command, DispatcherCounters, Report, WorkerEvent, WorkerReadiness } from './dispatcher-states.ts';
import { DispatcherTables, WorkerRecord } from './dispatcher-tables.ts';
import type { ConnectionRecord, WorkerSnapshot } from './dispatcher-tables.ts';

export interface DispatcherOptions {
  /** How many may wait beyond what the workers can hold (`poolSize * connectionsPerWorker`). */
  readonly waitingLimit: number;
  /** How many a worker may have at a time, offers included. `undefined`: no limit, and so no refusals `line full`. */
  readonly connectionsPerWorker?: number | undefined;
  /** How many offers a worker may have that it has not accepted yet. 1 by default: Node sends one socket at a time. */
  readonly offersInFlight?: number;
  /** Connections of a worker that died: cut off (`reset`, the default), or put back into the line (`adopt`). */
  readonly onCrash?: 'reset' | 'adopt';
  /** Whether another worker could go on with it: all can, by default. Others are cut off. */
  readonly canBeAdopted?: (connection: number) => boolean;
}

export interface DispatcherSnapshot {
  readonly stopping: boolean;
  /** The line, the next one first. */
  readonly waiting: readonly number[];
  readonly workers: readonly WorkerSnapshot[];
  readonly counters: Readonly<DispatcherCounters>;
}

/**
 * The state machine behind the hand-off: events in, commands out.
 *
 * Each event changes the tables completely before the first command is delivered, and commands are delivered in the
 * order in which they were decided. So `carryOut` may report the next event itself, at once, when it finds its worker
 * or its socket gone; an offer that such an event has overtaken is not delivered any more.
 *
 * The least loaded worker is offered the oldest connection that waits; among equals they take turns. Connections that
 * come back into the line are older than all that have never left it, so they are before them, in their old order.
 *
 * An event costs O(workers); a worker's death O(n log n) for the n it had. A connection given back after younger ones,
 * which still wait, also costs a step for each of them.
 *
 * Ids are the caller's; none is used twice, and a worker is not reported ready after it was reported dead.
 */
export class Dispatcher {
  readonly #carryOut: (command: Command) => void;
  readonly #options: DispatcherOptions;
  readonly #tables = new DispatcherTables();
  #poolSize = 0;
  #stopping = false;
  #turns = 0;

  /** Decided and not delivered yet. */
  readonly #commands = new Fifo<Command>();
  #delivering = false;

  /** @param carryOut does what a command says. It may report events at once. */
  constructor(options: DispatcherOptions, carryOut: (command: Command) => void) {
    this.#carryOut = carryOut;
    this.#options = options;
  }

  /** How many workers there should be. It bounds the line, also while some of them are still starting. */
  setPoolSize(workers: number): void {
    this.#poolSize = workers;
  }

  /** A new worker can be offered connections. */
  workerReady(worker: number): void {
    if (this.#tables.workers.has(worker)) return this.stray();
    this.#tables.workers.set(worker, new WorkerRecord(worker));
    this.#settle();
  }

  /** A worker does not answer: it keeps what it has, and is offered nothing until it resumes. */
  workerStalled(worker: number): void {
    this.#moveWorker(worker, 'stalled');
  }

  /** A stalled worker answers again. */
  workerResumed(worker: number): void {
    this.#moveWorker(worker, 'resumed');
  }

  /** A full worker may be tried again. It may also without this, as soon as a connection of it ends or comes back. */
  workerRelieved(worker: number): void {
    this.#moveWorker(worker, 'relieved');
  }

  /** A worker is to go: it is offered nothing more, and gives back or closes what it has. */
  workerRetiring(worker: number): void {
    this.#moveWorker(worker, 'retiring');
  }

  /**
   * A worker's process is gone, whatever state it was in. What it was offered goes back into the line; what it served
   * is cut off, or adopted. Report it when nothing more can arrive from that worker: a report read later is a stray.
   */
  workerDied(worker: number): void {
    const dead = this.#tables.workers.get(worker);
    if (dead === undefined) return this.stray();
    this.#tables.workers.delete(worker);
    const { onCrash, canBeAdopted = () => true } = this.#options;
    // By age, so that each that goes back into the line belongs right behind the one before.
    for (const connection of [...dead.connections].sort((a, b) => a.age - b.age)) {
      if (connection.state === 'offered') {
        this.#tables.move(connection, 'reoffered');
      } else if (onCrash === 'adopt' && !this.#stopping && canBeAdopted(connection.id)) {
        connection.adopted = true;
        this.#tables.move(connection, 'adopted');
      } else {
        this.#tables.move(connection, 'cutOff');
        this.#commands.push({ kind: 'cutOff', connection: connection.id, worker });
      }
    }
    this.#settle();
  }

  /**
   * A client has connected.
   * @throws Error when the id is that of a connection that is still here
   */
  accept(connection: number): void {
    if (this.#tables.connections.has(connection)) throw new Error(`connection ${connection} is already here`);
    const age = this.#tables.counters.accepted++;
    if (this.#stopping || this.isFull) {
      this.#tables.counters.refused++;
      this.#commands.push({ kind: 'refuse', connection, reason: this.#stopping ? 'stopping' : 'line full' });
    } else {
      this.#tables.add(connection, age);
    }
    this.#settle();
  }

  /** Whether such a report from that worker is believed: not if it is late, repeated, or about another's connection. */
  believes(worker: number, connection: number, report: Report): boolean {
    const found = this.#tables.connections.get(connection);
    return found?.worker?.id === worker && connectionMoves[found.state][eventOf[report]] !== undefined;
  }

  /** A worker has the connection that it was offered, and serves it. */
  accepted(worker: number, connection: number): void {
    const taken = this.#report(worker, connection, 'accepted');
    if (taken === undefined) return;
    taken.adopted = false;
    if (!taken.wasServed) this.#tables.counters.served++;
    taken.wasServed = true;
    this.#settle();
  }

  /** An offer failed: the socket did not arrive. Another worker gets it; this one is full until it has room again. */
  unusable(worker: number, connection: number): void {
    if (this.#report(worker, connection, 'unusable') !== undefined) this.#settle();
  }

  /** A worker returns a connection, served or just offered, that another is to serve. */
  givenBack(worker: number, connection: number): void {
    if (this.#report(worker, connection, 'givenBack') !== undefined) this.#settle();
  }

  /** A worker has closed the connection. */
  closed(worker: number, connection: number): void {
    if (this.#report(worker, connection, 'closed') !== undefined) this.#settle();
  }

  /** A report was not believed: it is counted, no more. */
  stray(): void {
    this.#tables.counters.strays++;
  }

  /** The client left while the connection waited. */
  gone(connection: number): void {
    const waiting = this.#tables.connections.get(connection);
    if (waiting?.state !== 'waiting') return this.stray();
    this.#tables.move(waiting, 'gone');
    this.#settle();
  }

  /** No more offers: all that wait, and all that come or come back later, are refused. Workers keep what they have. */
  stop(): void {
    this.#stopping = true;
    this.#settle();
  }

  get counters(): Readonly<DispatcherCounters> {
    return this.#tables.counters;
  }

  /** How many connections there are: waiting, offered and served. */
  get size(): number {
    return this.#tables.connections.size;
  }

  get waiting(): number {
    return this.#tables.waiting;
  }

  /** Whether the next one would be refused for want of room. */
  get isFull(): boolean {
    const { connectionsPerWorker, waitingLimit } = this.#options;
    if (connectionsPerWorker === undefined) return false;
    return this.#tables.connections.size >= this.#poolSize * connectionsPerWorker + waitingLimit;
  }

  /** Those that wait, the next one first. O(waiting) */
  line(): number[] {
    return this.#tables.line();
  }

  /** Whether the last worker that served it has died. */
  isAdopted(connection: number): boolean {
    return this.#tables.connections.get(connection)?.adopted === true;
  }

  /** How many connections each worker has, and whether it is offered more, by its id. O(workers) */
  loads(): ReadonlyMap<number, { readonly load: number; readonly readiness: WorkerReadiness }> {
    return this.#tables.workers;
  }

  /** Everything at this moment, copied. O(connections) */
  snapshot(): DispatcherSnapshot {
    return {
      stopping: this.#stopping,
      waiting: this.line(),
      workers: this.#tables.snapshot(),
      counters: { ...this.#tables.counters },
    };
  }

  #moveWorker(id: number, event: WorkerEvent): void {
    const worker = this.#tables.workers.get(id);
    if (worker === undefined || !this.#tables.moveWorker(worker, event)) return this.stray();
    this.#settle();
  }

  /** Moves a connection at the word of the worker that has it; `undefined` when it was a stray report. */
  #report(worker: number, id: number, report: Report): ConnectionRecord | undefined {
    if (!this.believes(worker, id, report)) {
      this.stray();
      return undefined;
    }
    const connection = this.#tables.connections.get(id)!;
    const room = roomEventOf[report];
    if (room !== undefined) this.#tables.moveWorker(connection.worker!, room);
    this.#tables.move(connection, eventOf[report]);
    return connection;
  }

  /** Offers what waits to whoever has room, or refuses it when stopping, and delivers all that was decided. */
  #settle(): void {
    for (let first = this.#tables.first; first !== undefined; first = this.#tables.first) {
      if (this.#stopping) {
        this.#tables.move(first, 'refused');
        this.#commands.push({ kind: 'refuse', connection: first.id, reason: 'stopping' });
        continue;
      }
      const worker = this.#leastLoaded();
      if (worker === undefined) break;
      worker.turn = ++this.#turns;
      this.#tables.move(first, 'offer', worker);
      this.#commands.push({ kind: 'offer', connection: first.id, worker: worker.id, adopted: first.adopted });
    }
    this.#deliver();
  }

  /** Of the workers that can be offered a connection now, the one with the fewest; of these, the longest not chosen. */
  #leastLoaded(): WorkerRecord | undefined {
    const { connectionsPerWorker = Infinity, offersInFlight = 1 } = this.#options;
    let best: WorkerRecord | undefined;
    for (const worker of this.#tables.workers.values()) {
      const hasRoom = worker.load < connectionsPerWorker && worker.offered < offersInFlight;
      if (worker.readiness !== 'ready' || !hasRoom) continue;
      if (best === undefined || worker.load < best.load || (worker.load === best.load && worker.turn < best.turn)) {
        best = worker;
      }
    }
    return best;
  }

  #deliver(): void {
    // Reported from within carryOut: the loop further up the stack delivers what this event has added.
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let command = this.#commands.shift(); command !== undefined; command = this.#commands.shift()) {
        if (this.#stillStands(command)) this.#carryOut(command);
      }
    } finally {
      // When carryOut throws, the commands after it are kept for the next event: none is lost.
      this.#delivering = false;
    }
  }

  /** False for an offer that was overtaken by an event reported while commands before it were delivered. */
  #stillStands(command: Command): boolean {
    if (command.kind !== 'offer') return true;
    const connection = this.#tables.connections.get(command.connection);
    return connection?.state === 'offered' && connection.worker?.id === command.worker;
  }
}
