// What the dispatcher keeps of connections and workers. Every connection is in one ring, always: in one of the two of the line,
// or in that of the one worker that has it. Moving it takes it out of the one and puts it into the other, so it can be neither
// nowhere nor twice somewhere. Used by dispatcher.ts.
import type { ConnectionState, WorkerState } from './dispatcher-states.ts';

export class Connection {
  readonly id: number;
  /** Its place in the order of arrival. */
  readonly age: number;
  state: ConnectionState = 'waiting';
  worker: Worker | undefined;
  wasServed = false;
  /** Served by a worker that died, and not by another since. */
  adopted = false;
  /** Its neighbours in its ring: itself when it is in none. */
  before: Connection = this;
  after: Connection = this;

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

/** A doubly linked list: whatever is put in leaves the ring that it was in, and can be taken out of the middle. */
export class Ring {
  /** Stands between the last and the first, and is older than any connection. */
  readonly #end = new Connection(-1, -1);

  get first(): Connection | undefined {
    return this.#end.after === this.#end ? undefined : this.#end.after;
  }

  append(connection: Connection): void {
    this.#putAfter(this.#end.before, connection);
  }

  /** Puts it before all that are younger. They are looked for from the end: mostly there are none. */
  insertByAge(connection: Connection): void {
    let older = this.#end.before;
    while (older.age > connection.age) older = older.before;
    this.#putAfter(older, connection);
  }

  *[Symbol.iterator](): Generator<Connection> {
    for (let at = this.#end.after; at !== this.#end; at = at.after) yield at;
  }

  #putAfter(older: Connection, connection: Connection): void {
    connection.unlink();
    connection.before = older;
    connection.after = older.after;
    older.after.before = connection;
    older.after = connection;
  }
}

export class Worker {
  readonly id: number;
  state: WorkerState = 'ready';
  /** How many it has of each. */
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
