// The connections that the master holds, and how many there may be: in all, and from one address. Used by server.ts.
import type { Socket } from 'node:net';
import type { Moved } from '../worker/messages.ts';

/** A connection as it was accepted. */
export interface Newcomer {
  /** The paused copy. */
  readonly socket: Socket;
  /** The client's address, and the same with its port. */
  readonly host: string;
  readonly peer: string;
}

export interface Connection extends Newcomer {
  readonly id: number;
  /** Some worker has taken it. */
  taken: boolean;
  /** What comes along to the next worker. */
  moved: Moved | null;
}

/** Why there is no room for another one. */
export interface NoRoom {
  readonly reason: string;
  /** The client's address, if the reason lies there. */
  readonly from?: string;
}

export class Connections {
  readonly #most: number;
  readonly #mostPerAddress: number;
  readonly #connections = new Map<number, Connection>();
  readonly #perAddress = new Map<string, number>();
  #lastId = 0;

  /** @param most How many the descriptors allow, @param mostPerAddress how many from one address; 0: any number. */
  constructor(most: number, mostPerAddress: number) {
    this.#most = most;
    this.#mostPerAddress = mostPerAddress;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** The number of the last one that was added; each has the next number. */
  get lastId(): number {
    return this.#lastId;
  }

  get(id: number): Connection | undefined {
    return this.#connections.get(id);
  }

  values(): IterableIterator<Connection> {
    return this.#connections.values();
  }

  /** Why one more from that address could not be held; undefined: it could. */
  noRoomFor(host: string): NoRoom | undefined {
    if (this.#mostPerAddress > 0 && (this.#perAddress.get(host) ?? 0) >= this.#mostPerAddress) {
      return { reason: `more than ${this.#mostPerAddress} from one address (--connections-per-address)`, from: host };
    }
    return this.spare > 0 ? undefined : { reason: `no descriptors left for more than ${this.#most} (ulimit -n)` };
  }

  /** How many more the descriptors allow. */
  get spare(): number {
    return this.#most - this.size;
  }

  add({ socket, host, peer }: Newcomer): Connection {
    const connection = { id: ++this.#lastId, socket, host, peer, taken: false, moved: null };
    this.#perAddress.set(host, (this.#perAddress.get(host) ?? 0) + 1);
    this.#connections.set(connection.id, connection);
    return connection;
  }

  /** Forgets it. Its socket is the caller's to end. */
  remove({ id, host }: Connection): void {
    if (!this.#connections.delete(id)) return;
    const left = this.#perAddress.get(host)! - 1;
    if (left === 0) this.#perAddress.delete(host);
    else this.#perAddress.set(host, left);
  }
}
