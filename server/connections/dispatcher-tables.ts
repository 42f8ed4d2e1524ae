// What the dispatcher knows of connections and workers. Every connection is in exactly one ring: one of the two of the
// waiting line, or that of the worker that has it. A move takes it out of the one and puts it into the other, so none
// is lost or listed twice. Used by dispatcher.ts.
import { connectionMoves, workerMoves } from './dispatcher-states.ts';
import type {
  ConnectionEvent, ConnectionState, CountedEvent, DispatcherCounters, WorkerEvent, WorkerReadiness,
} from './dispatcher-states.ts';

/** A worker, and the ids of the connections that it has. */
export interface WorkerSnapshot {
  readonly id: number;
  readonly readiness: WorkerReadiness;
  readonly offered: readonly number[];
  readonly served: readonly number[];
}

export class ConnectionRecord {
  readonly id: number;
  /** Its place in the order of arrival. */
  readonly age: number;
  state: ConnectionState = 'waiting';
  worker: WorkerRecord | undefined;
  wasServed = false;
  /** Served by a worker that died, and not by another since. */
  adopted = false;
  /** Its neighbours in its ring: itself when it is in none. */
  before: ConnectionRecord = this;
  after: ConnectionRecord = this;

  constructor(id: number, age: number) {
    this.id = id;
    this.age = age;
  }

  unlink(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this.after = this;
  }
}

/** A doubly linked list. Whatever is put in leaves the ring that it was in before. */
class Ring {
  /** Stands between the last and the first, and is older than any connection. */
  readonly #end = new ConnectionRecord(-1, -1);

  get first(): ConnectionRecord | undefined {
    return this.#end.after === this.#end ? undefined : this.#end.after;
  }

  append(connection: ConnectionRecord): void {
    this.#putAfter(this.#end.before, connection);
  }

  /** Puts it before all that are younger. They are looked for from the end: mostly there are none. */
  insertByAge(connection: ConnectionRecord): void {
    let older = this.#end.before;
    while (older.age > connection.age) older = older.before;
    this.#putAfter(older, connection);
  }

  *[Symbol.iterator](): Generator<ConnectionRecord> {
    for (let at = this.#end.after; at !== this.#end; at = at.after) yield at;
  }

  #putAfter(older: ConnectionRecord, connection: ConnectionRecord): void {
    connection.unlink();
    connection.before = older;
    connection.after = older.after;
    older.after.before = connection;
    older.after = connection;
  }
}

export class WorkerRecord {
  readonly id: number;
  readiness: WorkerReadiness = 'ready';
  /** How many connections it has of each state. */
  offered = 0;
  served = 0;
  /** When it was last offered a connection, counted in offers. */
  turn = 0;
  /** All that it has. */
  readonly connections = new Ring();

  constructor(id: number) {
    this.id = id;
  }

  get load(): number {
    return this.offered + this.served;
  }
}

export class DispatcherTables {
  readonly connections = new Map<number, ConnectionRecord>();
  readonly workers = new Map<number, WorkerRecord>();
  readonly counters: DispatcherCounters = {
    accepted: 0, served: 0, closed: 0, gone: 0, refused: 0, cutOff: 0,
    reoffered: 0, unusable: 0, givenBack: 0, adopted: 0, strays: 0,
  };
  /** The waiting line, by age: first those that came back, then those never offered to anybody. */
  readonly #returned = new Ring();
  readonly #arrived = new Ring();
  #waiting = 0;

  /** How many connections wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The one that has waited longest. */
  get first(): ConnectionRecord | undefined {
    return this.#returned.first ?? this.#arrived.first;
  }

  /** Those that wait, the next one first. O(waiting) */
  line(): number[] {
    return [...idsOf(this.#returned, 'waiting'), ...idsOf(this.#arrived, 'waiting')];
  }

  /** A new connection waits. @param age Greater than that of any other. */
  add(id: number, age: number): void {
    const connection = new ConnectionRecord(id, age);
    this.connections.set(id, connection);
    this.#arrived.append(connection);
    this.#waiting++;
  }

  /** The one place where a connection changes its state, and with it its ring and its worker's counts. */
  move(connection: ConnectionRecord, event: CountedEvent | 'accept'): void;
  move(connection: ConnectionRecord, event: 'offer', to: WorkerRecord): void;
  move(connection: ConnectionRecord, event: ConnectionEvent, to?: WorkerRecord): void {
    const { id, state, worker } = connection;
    const next = connectionMoves[state][event];
    if (next === undefined) throw new Error(`connection ${id} is ${state}, and ${event} does not lead on from there`);
    if (event !== 'offer' && event !== 'accept') this.counters[event]++;

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
      this.connections.delete(id);
    } else {
      const owner = (to ?? worker)!;
      if (owner !== worker) owner.connections.append(connection);
      connection.worker = owner;
      owner[next]++;
    }
  }

  /** @returns false, and nothing has changed, when the event leads nowhere from the worker's readiness. */
  moveWorker(worker: WorkerRecord, event: WorkerEvent): boolean {
    const next = workerMoves[worker.readiness][event];
    if (next !== undefined) worker.readiness = next;
    return next !== undefined;
  }

  /** All workers and what they have, copied. */
  snapshot(): WorkerSnapshot[] {
    return [...this.workers.values()].map(({ id, readiness, connections }) => ({
      id, readiness, offered: idsOf(connections, 'offered'), served: idsOf(connections, 'served'),
    }));
  }
}

function idsOf(connections: Iterable<ConnectionRecord>, state: ConnectionState): number[] {
  return [...connections].filter((connection) => connection.state === state).map(({ id }) => id);
}
