// Which incoming connections are let in. One for which there is no place is not refused before the master has looked
// whether a client has left: until then it is pending. Used by server.ts.
//
// A look frees the places of clients that left while they waited for a worker. The place of one that a worker serves is
// free only when that worker says so, and its client may be back before: so for each such place one connection stays
// pending until the next look. Not for ever, as a worker may keep such a place: for a client that does not read, say.
//
// A look costs something, and a flood of connections must not cost one each: there is a pause after each.
import type { Dispatcher } from './dispatcher.ts';
import { closing, disconnected } from './disconnected.ts';
import type { HeldConnection, HeldConnections, IncomingConnection } from './held-connections.ts';
import type { ProxyClient } from '../worker/messages.ts';
import type { Statistics } from './statistics.ts';

/** The pause after a look is so many times as long as the look: at most a tenth of the time goes to looking. */
const PAUSE = 9;
/** But no longer than this, in milliseconds: a look may have taken long because this process was not let run. */
const LONGEST_PAUSE_MS = 200;
/** So many looks may let one stay; and for its place's worker to have time there is a pause of so many milliseconds */
const MOST_STAYS = 16;
/** at least, after the first of them, and twice as long after each other. */
const FIRST_STAY_MS = 1;
/** How many may be pending: as many as there are descriptors for, within these bounds. */
const MOST_PENDING = 256;
const FEWEST_PENDING = 4;

/** What the queue asks of whoever has the places. */
export interface Places<Incoming> {
  /** Looks for clients that have left, and frees their places. @returns Those pending that are still there. */
  look(pending: readonly Incoming[]): readonly Incoming[];
  /** Whether there is no place for it, but soon one that nobody else stays for. Asked after each look, in order. */
  staysFor(incoming: Incoming): boolean;
  /** Lets it in or refuses it. */
  decide(incoming: Incoming): void;
}

interface Pending<Incoming> {
  readonly incoming: Incoming;
  /** How many looks have let it stay. */
  stays: number;
}

/** Connections that are neither let in nor refused yet, in the order in which they came. */
export class AdmissionQueue<Incoming> {
  readonly #places: Places<Incoming>;
  #pending: Pending<Incoming>[] = [];
  #pausesUntil = -Infinity;
  #nextLook: NodeJS.Timeout | undefined;

  constructor(places: Places<Incoming>) {
    this.#places = places;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** @param most When so many are pending, they are decided on at once. */
  add(incoming: Incoming, most: number): void {
    this.#pending.push({ incoming, stays: 0 });
    if (this.#pending.length >= most) this.decideAll();
    else this.#lookLater();
  }

  /** Lets in those for whom there is a place now, without a look. */
  letIn(hasRoom: (incoming: Incoming) => boolean): void {
    if (!this.isEmpty) this.#pending = this.#decide(this.#pending, ({ incoming }) => !hasRoom(incoming));
  }

  /** Looks now, and decides on all. */
  decideAll(): void {
    this.#look(() => false);
  }

  #lookLater(): void {
    const pauseMs = Math.max(0, this.#pausesUntil - performance.now());
    this.#nextLook ??= setTimeout(() => this.#look((one) => this.#stays(one)), pauseMs);
  }

  #stays(one: Pending<Incoming>): boolean {
    return one.stays < MOST_STAYS && this.#places.staysFor(one.incoming) && ++one.stays > 0;
  }

  #look(stays: (one: Pending<Incoming>) => boolean): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = undefined;
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    const began = performance.now();
    const there = new Set(this.#places.look(pending.map(({ incoming }) => incoming)));
    this.#pending = this.#decide(pending.filter(({ incoming }) => there.has(incoming)), stays);
    const ended = performance.now();
    const fewestStays = this.#pending.reduce((fewest, one) => Math.min(fewest, one.stays), MOST_STAYS);
    const forWorkersMs = this.isEmpty ? 0 : FIRST_STAY_MS * 2 ** (fewestStays - 1);
    this.#pausesUntil = ended + Math.min(LONGEST_PAUSE_MS, Math.max(PAUSE * (ended - began), forWorkersMs));
    if (!this.isEmpty) this.#lookLater();
  }

  /** @returns Those that stay; the others are decided on. */
  #decide(
    pending: readonly Pending<Incoming>[], stays: (one: Pending<Incoming>) => boolean,
  ): Pending<Incoming>[] {
    return pending.filter((one) => {
      if (stays(one)) return true;
      this.#places.decide(one.incoming);
      return false;
    });
  }
}

/** A client of a proxy, which a worker has already, and which waits for the word whether it is served. */
interface Identified extends Pick<HeldConnection, 'socket' | 'host'> {
  readonly connection: HeldConnection;
  readonly client: ProxyClient;
  readonly tell: (admitted: boolean) => void;
}

type Arrival = IncomingConnection | Identified;

export class Admission {
  readonly #connections: HeldConnections;
  readonly #dispatcher: Dispatcher;
  readonly #statistics: Statistics;
  readonly #queue = new AdmissionQueue<Arrival>({
    look: (pending) => this.#look(pending),
    staysFor: (incoming) => this.#staysFor(incoming),
    decide: (incoming) => this.#decide(incoming),
  });
  /** Whose places are soon free and nobody stays for, since the last look; undefined: nobody has asked since. */
  #closing: HeldConnection[] | undefined;

  constructor(connections: HeldConnections, dispatcher: Dispatcher, statistics: Statistics) {
    this.#connections = connections;
    this.#dispatcher = dispatcher;
    this.#statistics = statistics;
  }

  /** A client has connected. */
  arrived(incoming: IncomingConnection): void {
    this.#statistics.arrived();
    if (this.#queue.isEmpty && this.#hasRoom(incoming)) this.#decide(incoming);
    else this.#wait(incoming);
  }

  /** The PROXY protocol header of a connection has come. @param tell Tells its worker whether it is served. */
  identified(connection: HeldConnection, client: ProxyClient, tell: (admitted: boolean) => void): void {
    const { socket, host } = connection;
    const identified = { socket, host: client.host ?? host, connection, client, tell };
    if (this.#hasRoom(identified)) this.#decide(identified);
    else this.#wait(identified);
  }

  /** No such header has come, and its worker has closed the connection. */
  badHeader(connection: HeldConnection, kind: string, reason: string): void {
    const what = `a bad PROXY protocol header (${kind})`;
    this.#statistics.refuse({ kind: 'header', reason: what, from: connection.peer, detail: reason }, connection);
    this.#connections.close(connection);
  }

  /** Places may be free. */
  letIn(): void {
    this.#queue.letIn((incoming) => this.#hasRoom(incoming));
  }

  /** Lets in or refuses all that are pending. */
  decideAll(): void {
    this.#queue.decideAll();
  }

  #wait(arrival: Arrival): void {
    const most = Math.min(MOST_PENDING, this.#connections.descriptorsLeft);
    this.#queue.add(arrival, Math.max(FEWEST_PENDING, most));
  }

  #hasRoom(arrival: Arrival): boolean {
    if ('client' in arrival) return this.#connections.refusalOf(arrival.host, arrival.client) === undefined;
    return !this.#dispatcher.isFull && this.#connections.refusalFor(arrival) === undefined;
  }

  #decide(incoming: Arrival): void {
    if ('client' in incoming) return this.#decideOnClient(incoming);
    const refusal = this.#connections.refusalFor(incoming);
    if (refusal === undefined) return this.#dispatcher.accept(this.#connections.add(incoming).id);
    incoming.socket.destroy();
    this.#statistics.refuse(refusal);
  }

  #decideOnClient({ connection, client, tell }: Identified): void {
    if (this.#connections.get(connection.id) !== connection) return; // It has ended meanwhile.
    const refusal = this.#connections.identify(connection, client);
    if (refusal === undefined) this.#statistics.served(connection);
    else this.#statistics.refuse(refusal, connection);
    tell(refusal === undefined);
  }

  #look(pending: readonly Arrival[]): readonly Arrival[] {
    this.#closing = undefined;
    const waiting = this.#dispatcher.line().map((id) => this.#connections.get(id)!);
    const gone = new Set<Pick<Arrival, 'socket'>>(disconnected([...waiting, ...pending]));
    for (const connection of waiting) {
      if (!gone.has(connection)) continue;
      this.#connections.close(connection);
      this.#statistics.left(connection);
      this.#dispatcher.gone(connection.id);
    }
    return pending.filter((incoming) => {
      // Its worker has a client of a proxy, and tells when that has left.
      if (!gone.has(incoming) || 'client' in incoming) return true;
      incoming.socket.destroy();
      this.#statistics.left(null);
      return false;
    });
  }

  #staysFor(incoming: Arrival): boolean {
    if (this.#hasRoom(incoming)) return false;
    if (this.#closing === undefined) {
      const line = new Set(this.#dispatcher.line());
      this.#closing = closing([...this.#connections.values()].filter(({ id }) => !line.has(id)));
    }
    const from = 'client' in incoming ? incoming.host : this.#connections.refusalFor(incoming)?.from;
    const place = this.#closing.findIndex(({ host }) => from === undefined || host === from);
    if (place < 0) return false;
    this.#closing.splice(place, 1);
    return true;
  }
}
