// The connections that the master holds, and how many there may be: as many as there are descriptors for, and so many
// from one address. Used by server.ts, admission.ts and shutdown.ts.
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { NO_TRAFFIC, UNTOUCHED } from '../worker/messages.ts';
import type { ConnectionStatus, MoveReason, RefusalKind } from '../../shared/status/status.ts';
import type { Moved, ProxyClient } from '../worker/messages.ts';

/** Kept free for what Node opens meanwhile (a file, a pipe to a new worker, a look-up) and for pending connections. */
const RESERVE = 16;
/** How many the admin address has at a time; more are closed at once. */
export const MOST_ADMIN_CONNECTIONS = 64;
/** What a fresh process has open, where that cannot be counted. */
const USUAL = 32;
/** How long a connection is silent before the system asks whether its other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;
/** To ask for that costs four system calls: it is done this often, in milliseconds, for those that are still there. */
const SHORT_MS = 1000;

/** A connection as the listener accepted it. */
export interface IncomingConnection {
  /** Paused. Whatever becomes of the connection, the master keeps this copy until it ends. */
  readonly socket: Socket;
  /** The client's address, and the same with its port. All clients of a Unix socket have its own: `unix:PATH`. */
  readonly host: string;
  readonly peer: string;
  /** It begins with a PROXY protocol header, which is yet to come: these are the proxy's. */
  readonly proxy: boolean;
}

/** A connection that was admitted. */
export interface HeldConnection extends IncomingConnection {
  readonly id: number;
  host: string;
  peer: string;
  proxy: boolean;
  /** It is one of those that its address has. */
  isCounted: boolean;
  /** When it was let in, on the clock of performance.now(). */
  readonly addedAt: number;
  /** Some worker has had it. */
  wasAccepted: boolean;
  /** What it counts as; null: nothing yet. */
  counts: 'served' | 'refused' | 'gone' | null;
  /** It is on its way from one worker to another: why. */
  moves: MoveReason | 'adopted' | null;
  /** How it came to where it is. */
  how: ConnectionStatus['how'];
  /** How it ended: its worker died. */
  isCutOff: boolean;
  /** What comes along to the next worker. */
  moved: Moved | null;
}

/** Why one more connection cannot be held. */
export interface Refusal {
  readonly kind: RefusalKind;
  readonly reason: string;
  /** The client's address, if the reason lies there. */
  readonly from?: string;
  /** What else there is to say of it. */
  readonly detail?: string;
}

export class HeldConnections {
  readonly #most: number;
  readonly #mostPerAddress: number;
  readonly #connections = new Map<number, HeldConnection>();
  readonly #perAddress = new Map<string, number>();
  #lastId = 0;
  /** The last one of which the system was told that it may be silent for long. */
  #lastKept = 0;
  #keepTimer: NodeJS.Timeout | undefined;

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

  /** How many more the descriptors allow. */
  get descriptorsLeft(): number {
    return this.#most - this.size;
  }

  get(id: number): HeldConnection | undefined {
    return this.#connections.get(id);
  }

  values(): IterableIterator<HeldConnection> {
    return this.#connections.values();
  }

  /** Why it cannot be held; undefined: it can. Whom a proxy speaks for is not known yet. */
  refusalFor({ host, proxy }: Pick<IncomingConnection, 'host' | 'proxy'>): Refusal | undefined {
    if (!proxy && this.#isFull(host)) return this.#tooMany(host);
    if (this.descriptorsLeft > 0) return undefined;
    return { kind: 'descriptors', reason: `no descriptors left for more than ${this.#most} (ulimit -n)` };
  }

  add({ socket, host, peer, proxy }: IncomingConnection): HeldConnection {
    const connection = {
      id: ++this.#lastId, socket, host, peer, proxy, isCounted: !proxy, addedAt: performance.now(),
      wasAccepted: false, counts: null, moves: null, how: 'new' as const, isCutOff: false, moved: null,
    };
    if (!proxy) this.#count(host);
    this.#connections.set(connection.id, connection);
    this.#keepTimer ??= setTimeout(() => this.#keepAlive(), SHORT_MS).unref();
    return connection;
  }

  /** Why a client of a proxy, from that address, cannot be served; undefined: it can. A proxy's own check always is. */
  refusalOf(host: string, { isLocal }: ProxyClient): Refusal | undefined {
    return !isLocal && this.#isFull(host) ? this.#tooMany(host) : undefined;
  }

  /**
   * Its PROXY protocol header has come: from now on it is its client's connection, unless that is refused.
   * @returns Why it is.
   */
  identify(connection: HeldConnection, client: ProxyClient): Refusal | undefined {
    connection.peer = client.peer;
    connection.host = client.host ?? connection.host;
    const refusal = this.refusalOf(connection.host, client);
    if (refusal !== undefined) return refusal;
    connection.proxy = false;
    connection.isCounted = !client.isLocal;
    if (connection.isCounted) this.#count(connection.host);
    return undefined;
  }

  /**
   * A worker has it, and what came along: should another adopt the connection, it must not be answered twice.
   * @returns Whether it is the first one.
   */
  accepted(connection: HeldConnection): boolean {
    const { wasAccepted, moved } = connection;
    connection.wasAccepted = true;
    if (moved !== null) connection.moved = { ...moved, unread: UNTOUCHED.unread };
    return !wasAccepted;
  }

  /** Its worker has died, and another goes on with it: the dead one may have greeted it, and read what was unread. */
  adopted(connection: HeldConnection): void {
    const { traffic, greeted } = connection.moved ?? { traffic: NO_TRAFFIC, greeted: 0 };
    connection.moved = { ...UNTOUCHED, traffic, greeted: greeted ?? 0 };
    connection.how = connection.moves = 'adopted';
  }

  /** Forgets it. Its socket is the caller's to end. */
  remove({ id, host, isCounted }: HeldConnection): void {
    if (!this.#connections.delete(id) || !isCounted) return;
    const left = this.#perAddress.get(host)! - 1;
    if (left === 0) this.#perAddress.delete(host);
    else this.#perAddress.set(host, left);
  }

  /** Forgets it, and closes the master's copy of its socket. */
  close(connection: HeldConnection): void {
    this.remove(connection);
    connection.socket.destroy();
  }

  /** What is set for the socket holds in whatever process serves it; on a Unix socket there is nothing to set. */
  #keepAlive(): void {
    this.#keepTimer = undefined;
    while (this.#lastKept < this.#lastId) this.get(++this.#lastKept)?.socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  #tooMany(host: string): Refusal {
    const reason = `more than ${this.#mostPerAddress} from one address (--connections-per-address)`;
    return { kind: 'address', reason, from: host };
  }

  #isFull(host: string): boolean {
    return this.#mostPerAddress > 0 && (this.#perAddress.get(host) ?? 0) >= this.#mostPerAddress;
  }

  #count(host: string): void {
    this.#perAddress.set(host, (this.#perAddress.get(host) ?? 0) + 1);
  }
}

/**
 * How many more descriptors this process may open, without a reserve, the two of each worker (its channel and its exit
 * pipe) and `others` beyond the first listener; at least 1, and Infinity where there is no limit. Workers have the
 * same limit and open fewer. Beyond it (EMFILE) the kernel would drop clients that nobody counts (nodejs/node#45242):
 * so the master refuses them before.
 */
export function freeDescriptors(workers: number, others: number): number {
  const report = process.report.getReport() as unknown as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(report.userLimits?.open_files?.soft); // 'unlimited' gives NaN.
  if (Number.isNaN(limit)) return Infinity;
  return Math.max(1, limit - openDescriptors() - 2 * workers - (others - 1) - RESERVE);
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return USUAL;
  }
}
