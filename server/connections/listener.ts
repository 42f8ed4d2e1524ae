// Accepts connections, and nothing else: each is paused, unread, with its peer's address. Called by server.ts.
import { createServer } from 'node:net';
import type { ListenOptions, Server, Socket } from 'node:net';
import { plainAddress, withPort } from '../../shared/address.ts';
import { codeOf, messageOf } from '../../shared/errors.ts';
import type { BindAddress, Place } from './bind-address.ts';
import type { IncomingConnection } from './held-connections.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** Where a server really listens. */
export interface Bound {
  /** As people read it: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/echo.sock`. */
  readonly address: string;
  /** The same for programs; a Unix socket of an unknown path has neither. */
  readonly fields: { readonly host: string; readonly port: number } | { readonly path?: string };
  /** Each client begins with a PROXY protocol header. */
  readonly proxy: boolean;
}

export interface Listener extends Bound {
  /** Accepts nothing more, and removes the file of a Unix socket. What was accepted is not touched. */
  close(): void;
}

export interface ListenerEvents {
  /** A client has connected. */
  connection(incoming: IncomingConnection): void;
  /** One has been closed that would begin with a PROXY protocol header, and comes from where none is taken. */
  untrusted(host: string): void;
  /** A connection could not be accepted; the listener goes on. */
  failed(error: Error): void;
}

/** Where it cannot listen, and by its `code` why not: the system's EADDRINUSE, EACCES, ENOTFOUND, … */
export class ListenError extends Error {
  override name = 'ListenError';
  readonly where: BindAddress;
  readonly code: string | undefined;

  constructor(where: BindAddress, cause: unknown) {
    super(messageOf(cause), { cause });
    this.where = where;
    this.code = codeOf(cause);
  }
}

/** The kernel's own limit, net.core.somaxconn, is usually 4096 as well. Node's default of 511 drops SYNs in a burst. */
const BACKLOG = 4096;

/** All places where a server listens. */
export class Listeners {
  readonly #addresses: readonly BindAddress[];
  readonly #proxies: Pick<TrustedProxies, 'trusts'>;
  readonly #events: ListenerEvents;
  readonly #open: Listener[] = [];
  #isClosed = false;
  /** Whether the system is asked for the address of a host, which cannot be cancelled. */
  isResolving = false;

  constructor(addresses: readonly BindAddress[], proxies: Pick<TrustedProxies, 'trusts'>, events: ListenerEvents) {
    this.#addresses = addresses;
    this.#proxies = proxies;
    this.#events = events;
  }

  get bound(): readonly Bound[] {
    return this.#open;
  }

  /** Listens in all places, one after the other. @throws ListenError when it cannot in one: then it does in none. */
  async open(): Promise<void> {
    try {
      for (const where of this.#addresses) {
        this.isResolving = where.kind === 'tcp';
        this.#open.push(await listen(where, this.#proxies, this.#events));
        if (this.#isClosed) return this.close();
      }
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.isResolving = false;
    }
  }

  /** Accepts nothing more, and what is still being opened is closed at once. */
  close(): void {
    this.#isClosed = true;
    for (const listener of this.#open.splice(0)) listener.close();
  }
}

/** Listens there. @throws ListenError */
export async function listen(
  where: BindAddress, proxies: Pick<TrustedProxies, 'trusts'>, events: ListenerEvents,
): Promise<Listener> {
  // Paused on connect, or bytes that arrive before the hand-off are lost (nodejs/node#8353). Half-open, or the client's
  // FIN would be answered by this process. What is set for the socket holds in whatever process serves it.
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  const { proxy } = where;
  const { unbind, ...place } = await bindServer(server, where);
  const bound: Bound = { ...place, proxy };
  let isClosed = false;
  // In the turn of the event loop in which it began to listen: nobody has come yet.
  server.on('connection', (socket) => {
    // A copy that nobody reads does not fail; if one ever does, it is one connection's affair.
    socket.on('error', ignore);
    const peer = isClosed ? undefined : peerOf(socket, bound);
    if (peer === undefined) {
      socket.destroy(); // Reset before it was accepted: nobody is left to be served.
    } else if (proxy && !proxies.trusts(socket.remoteAddress)) {
      socket.destroy();
      events.untrusted(peer.host);
    } else {
      events.connection({ socket, ...peer, proxy });
    }
  });
  server.on('error', (error) => events.failed(error));
  return {
    ...bound,
    close: () => {
      isClosed = true;
      unbind();
    },
  };
}

/** Where a server has been bound, and how it is let go. */
export interface BoundServer extends Omit<Bound, 'proxy'> {
  /** Accepts nothing more, and removes the file of a Unix socket. */
  unbind(): void;
}

/**
 * Has the server listen there.
 * @param mode Who may come to a Unix socket. Default: its owner and group.
 * @throws ListenError
 */
export async function bindServer(
  server: Server, where: BindAddress | Place & { readonly givenBy?: string }, mode: 'owner' | 'group' = 'group',
): Promise<BoundServer> {
  try {
    if (where.kind === 'tcp') {
      await started(server, { host: where.host, port: where.port });
      return { ...boundOf(server, where), unbind: () => void server.close() };
    }
    const { FOR_GROUP, FOR_OWNER, pathOfSocket, SocketFile } = await import('./unix-socket.ts');
    if (where.kind === 'fd') {
      await started(server, { fd: where.fd });
      return { ...boundOf(server, where, pathOfSocket(where.fd)), unbind: () => void server.close() };
    }
    const { path } = where;
    const umask = mode === 'owner' ? FOR_OWNER : FOR_GROUP;
    const file = await SocketFile.bind(path, () => started(server, { path }), umask);
    return {
      ...boundOf(server, where, path),
      unbind: () => {
        // Whoever has put a socket of its own in our file's place has the path now: close() would remove that. And no
        // client comes to ours by it any more, so that it may stay open until this process ends.
        if (file.isTaken) server.unref();
        // The callback of close() would wait for sockets that are with the workers, for ever (oven-sh/bun#34659).
        else server.close();
      },
    };
  } catch (error) {
    throw new ListenError('proxy' in where ? where : { proxy: false, ...where }, error);
  }
}

function ignore(): void {}

function started(server: Server, options: ListenOptions & { fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** @param path Of a Unix socket, if it is known. */
function boundOf(server: Server, where: Place, path?: string): Omit<Bound, 'proxy'> {
  const own = server.address();
  if (typeof own === 'object' && own !== null) {
    const host = plainAddress(own.address);
    return { address: withPort(host, own.port), fields: { host, port: own.port } };
  }
  if (path !== undefined) return { address: `unix:${path}`, fields: { path } };
  return { address: where.kind === 'fd' ? `fd:${where.fd}` : 'unix:', fields: {} };
}

/** Those who come to a Unix socket have no address: they are all one. Undefined: it is gone already. */
function peerOf(
  { remoteAddress, remotePort }: Socket, { address, fields }: Bound,
): { host: string; peer: string } | undefined {
  if (!('host' in fields)) return { host: address, peer: address };
  if (remoteAddress === undefined) return undefined;
  const host = plainAddress(remoteAddress);
  return { host, peer: withPort(host, remotePort!) };
}
