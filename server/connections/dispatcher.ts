// Decides which worker gets which connection, and keeps the line of those that wait. Pure: server/server.ts tells it
// what happened and carries out its commands; it knows no socket, no process and no clock.
import { connectionMoves, eventOf, workerMoves } from './dispatcher-states.ts';
import type {
  ConnectionEvent, ConnectionState, CountedEvent, DispatcherCounters, Report, WorkerEvent, WorkerState,
} from './dispatcher-states.ts';
import { Connection, Ring, Worker } from './dispatcher-tables.ts';

export type RefusalReason = 'line full' | 'stopping';

/** What the dispatcher wants done. `cutOff` and `refuse` are the last word on their connection. */
export type Command =
  /** Send it to the worker. `adopted`: a worker that died had served it, so that bytes of it may be lost. */
  | { readonly kind: 'offer'; readonly connection: number; readonly worker: number; readonly adopted: boolean }
  /** Close it: the worker that served it died, and nobody knows what it had answered. */
  | { readonly kind: 'cutOff'; readonly connection: number; readonly worker: number }
  /** Close it: nobody has served it, or its worker gave it back and there is no other. */
  | { readonly kind: 'refuse'; readonly connection: number; readonly reason: RefusalReason };

export interface DispatcherOptions {
  /** How many may wait beyond what the workers can hold (`poolSize * connectionsPerWorker`). */
  readonly waitingLimit: number;
  /** How many a worker may have at a time, offers included. `undefined`: no limit, and so no refusals `line full`. */
  readonly connectionsPerWorker?: number | undefined;
  /** How many offers a worker may have that it has not accepted yet. 1 by default: Node sends one socket at a time. */
  readonly offersInFlight?: number;
  /** Connections of a worker that died: cut off (`reset`, the default), or put back into the line (`adopt`). */
  readonly onCrash?: 'reset' | 'adopt';
}

export interface WorkerSnapshot {
  readonly id: number;
  readonly state: WorkerState;
  readonly offered: readonly number[];
  readonly served: readonly number[];
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
  readonly #waitingLimit: number;
  readonly #connectionsPerWorker: number | undefined;
  readonly #offersInFlight: number;
  readonly #adopts: boolean;

  readonly #connections = new Map<number, Connection>();
  readonly #workers = new Map<number, Worker>();
  /** The line, by age: first those that came back, then those never offered to anybody. */
  readonly #returned = new Ring();
  readonly #arrived = new Ring();
  #waiting = 0;
  #poolSize = 0;
  #stopping = false;
  #turns = 0;

  /** Decided and not delivered yet: from `#delivered` on. */
  readonly #commands: Command[] = [];
  #delivered = 0;
  #delivering = false;

  readonly #counters: DispatcherCounters = {
    accepted: 0, served: 0, closed: 0, gone: 0, refused: 0, cutOff: 0,
    reoffered: 0, unusable: 0, givenBack: 0, adopted: 0, strays: 0,
  };

  /** @param carryOut does what a command says. It may report events at once. */
  constructor(options: DispatcherOptions, carryOut: (command: Command) => void) {
    this.#carryOut = carryOut;
    this.#waitingLimit = options.waitingLimit;
    this.#connectionsPerWorker = options.connectionsPerWorker;
    this.#offersInFlight = options.offersInFlight ?? 1;
    this.#adopts = options.onCrash === 'adopt';
  }

  /** How many workers there should be. It bounds the line, also while some of them are still starting. */
  setPoolSize(workers: number): void {
    this.#poolSize = workers;
  }

  /** A new worker can be offered connections. */
  workerReady(worker: number): void {
    if (this.#workers.has(worker)) return this.#stray();
    this.#workers.set(worker, new Worker(worker));
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
    const dead = this.#workers.get(worker);
    if (dead === undefined) return this.#stray();
    this.#workers.delete(worker);
    // By age, so that each that goes back into the line belongs right behind the one before.
    for (const connection of [...dead.connections].sort((a, b) => a.age - b.age)) {
      if (connection.state === 'offered') {
        this.#move(connection, 'reoffered');
      } else if (this.#adopts && !this.#stopping) {
        connection.adopted = true;
        this.#move(connection, 'adopted');
      } else {
        this.#move(connection, 'cutOff');
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
    if (this.#connections.has(connection)) throw new Error(`connection ${connection} is already here`);
    const age = this.#counters.accepted++;
    if (this.#stopping || this.isFull) {
      this.#counters.refused++;
      this.#commands.push({ kind: 'refuse', connection, reason: this.#stopping ? 'stopping' : 'line full' });
    } else {
      const arrived = new Connection(connection, age);
      this.#connections.set(connection, arrived);
      this.#arrived.append(arrived);
      this.#waiting++;
    }
    this.#settle();
  }

  /**
   * Whether such a report from that worker would be believed now. If not, it is late, repeated or about the connection of
   * another: reported all the same, it changes nothing and is counted as a stray.
   */
  believes(worker: number, connection: number, report: Report): boolean {
    const found = this.#connections.get(connection);
    return found?.worker?.id === worker && connectionMoves[found.state][eventOf[report]] !== undefined;
  }

  /** A worker has the connection that it was offered, and serves it. */
  accepted(worker: number, connection: number): void {
    const taken = this.#report(worker, connection, 'accepted');
    if (taken === undefined) return;
    taken.adopted = false;
    if (!taken.wasServed) this.#counters.served++;
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

  /** The client left while the connection waited. */
  gone(connection: number): void {
    const waiting = this.#connections.get(connection);
    if (waiting?.state !== 'waiting') return this.#stray();
    this.#move(waiting, 'gone');
    this.#settle();
  }

  /** No more offers: all that wait, and all that come or come back later, are refused. Workers keep what they have. */
  stop(): void {
    this.#stopping = true;
    this.#settle();
  }

  get counters(): Readonly<DispatcherCounters> {
    return this.#counters;
  }

  /** How many connections there are: waiting, offered and served. */
  get size(): number {
    return this.#connections.size;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Whether the next one would be refused for want of room. */
  get isFull(): boolean {
    return this.#connections.size >= this.#limit();
  }

  /** Those that wait, the next one first. O(waiting) */
  line(): number[] {
    return [...idsOf(this.#returned, 'waiting'), ...idsOf(this.#arrived, 'waiting')];
  }

  /** How many connections a worker has, offers included; 0 for one that is not known. */
  load(worker: number): number {
    return this.#workers.get(worker)?.load ?? 0;
  }

  /** Everything at this moment, copied: for tests and for the status. O(connections). */
  snapshot(): DispatcherSnapshot {
    return {
      stopping: this.#stopping,
      waiting: this.line(),
      workers: [...this.#workers.values()].map(({ id, state, connections }) => ({
        id, state, offered: idsOf(connections, 'offered'), served: idsOf(connections, 'served'),
      })),
      counters: { ...this.#counters },
    };
  }

  #stray(): void {
    this.#counters.strays++;
  }

  /** How many connections there may be before the next one is refused. */
  #limit(): number {
    if (this.#connectionsPerWorker === undefined) return Infinity;
    return this.#poolSize * this.#connectionsPerWorker + this.#waitingLimit;
  }

  #moveWorker(id: number, event: WorkerEvent): void {
    const worker = this.#workers.get(id);
    const next = worker && workerMoves[worker.state][event];
    if (worker === undefined || next === undefined) return this.#stray();
    worker.state = next;
    this.#settle();
  }

  /** What a report says of the worker's room. */
  #noteRoom(worker: Worker, report: Report): void {
    if (report === 'accepted') return;
    worker.state = workerMoves[worker.state][report === 'unusable' ? 'filled' : 'relieved'] ?? worker.state;
  }

  /** Moves a connection at the word of the worker that has it; `undefined` when it was a stray report. */
  #report(worker: number, id: number, report: Report): Connection | undefined {
    if (!this.believes(worker, id, report)) {
      this.#stray();
      return undefined;
    }
    const connection = this.#connections.get(id)!;
    this.#noteRoom(connection.worker!, report);
    this.#move(connection, eventOf[report]);
    return connection;
  }

  /** The one place where a connection changes its state, and with it its ring and its worker's counts. */
  #move(connection: Connection, event: CountedEvent | 'accept'): void;
  #move(connection: Connection, event: 'offer', to: Worker): void;
  #move(connection: Connection, event: ConnectionEvent, to?: Worker): void {
    const { id, state, worker } = connection;
    const next = connectionMoves[state][event];
    if (next === undefined) throw new Error(`connection ${id} is ${state}, and ${event} does not lead on from there`);
    if (event !== 'offer' && event !== 'accept') this.#counters[event]++;

    if (state === 'waiting') this.#waiting--;
    else if (state !== 'ended' && worker !== undefined) worker[state]--;

    connection.state = next;
    if (next === 'waiting') {
      connection.worker = undefined;
      this.#returned.insertByAge(connection);
      this.#waiting++;
    } else if (next === 'ended') {
      connection.worker = undefined;
      connection.unlink();
      this.#connections.delete(id);
    } else {
      const owner = (to ?? worker)!;
      if (owner !== worker) owner.connections.append(connection);
      connection.worker = owner;
      owner[next]++;
    }
  }

  /** Offers what waits to whoever has room, or refuses it when stopping, and delivers all that was decided. */
  #settle(): void {
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      if (this.#stopping) {
        this.#move(first, 'refused');
        this.#commands.push({ kind: 'refuse', connection: first.id, reason: 'stopping' });
        continue;
      }
      const worker = this.#leastLoaded();
      if (worker === undefined) break;
      worker.turn = ++this.#turns;
      this.#move(first, 'offer', worker);
      this.#commands.push({ kind: 'offer', connection: first.id, worker: worker.id, adopted: first.adopted });
    }
    this.#deliver();
  }

  #first(): Connection | undefined {
    return this.#returned.first ?? this.#arrived.first;
  }

  /** Of the workers that can be offered a connection now, the one with the fewest; of these, the longest not chosen. */
  #leastLoaded(): Worker | undefined {
    let best: Worker | undefined;
    for (const worker of this.#workers.values()) {
      if (worker.state !== 'ready' || worker.offered >= this.#offersInFlight) continue;
      if (this.#connectionsPerWorker !== undefined && worker.load >= this.#connectionsPerWorker) continue;
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
      for (;;) {
        const command = this.#commands[this.#delivered];
        if (command === undefined) break;
        this.#delivered++;
        if (this.#stands(command)) this.#carryOut(command);
      }
      this.#commands.length = 0;
      this.#delivered = 0;
    } finally {
      // When carryOut throws, the commands after it are kept for the next event: none is lost.
      this.#delivering = false;
    }
  }

  /** False for an offer that was overtaken by an event reported while commands before it were delivered. */
  #stands(command: Command): boolean {
    if (command.kind !== 'offer') return true;
    const connection = this.#connections.get(command.connection);
    return connection?.state === 'offered' && connection.worker?.id === command.worker;
  }
}

function idsOf(connections: Iterable<Connection>, state: ConnectionState): number[] {
  return [...connections].filter((connection) => connection.state === state).map(({ id }) => id);
}
