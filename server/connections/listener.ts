// Accepts connections, and nothing else: each is paused, unread, with its peer's address. Called by server.ts.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { plainAddress, withPort } from '../../shared/address.ts';
import type { IncomingConnection } from './held-connections.ts';

/** Where a server really listens. */
export interface Bound {
  readonly host: string;
  readonly port: number;
  /** Both: `127.0.0.1:8080`, `[::1]:8080`. */
  readonly address: string;
}

export interface Listener extends Bound {
  /** Accepts nothing more. What was accepted is not touched. */
  close(): void;
}

export interface ListenerEvents {
  /** A client has connected. */
  connection(incoming: IncomingConnection): void;
  /** A connection could not be accepted; the listener goes on. */
  failed(error: Error): void;
}

/** How long a connection is silent before the system asks whether its other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;
/** The kernel's own limit, net.core.somaxconn, is usually 4096 as well. Node's default of 511 drops SYNs in a burst. */
const BACKLOG = 4096;

/**
 * Listens on the address. @param port 0: any free port.
 * @throws The system's error (EADDRINUSE, EACCES, ENOTFOUND, …) when it cannot.
 */
export async function listen(host: string, port: number, events: ListenerEvents): Promise<Listener> {
  // Paused on connect, or bytes that arrive before the hand-off are lost (nodejs/node#8353). Half-open, or the client's
  // FIN would be answered by this process. What is set for the socket holds in whatever process serves it.
  const server = createServer({
    pauseOnConnect: true, allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS,
  }, (socket) => {
    // A copy that nobody reads does not fail; if one ever does, it is one connection's affair.
    socket.on('error', () => {});
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined) {
      socket.destroy(); // Reset before it was accepted: nobody is left to be served.
    } else {
      const host = plainAddress(remoteAddress);
      events.connection({ socket, host, peer: withPort(host, remotePort!) });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => events.failed(error));
  const { address, port: actualPort } = server.address() as AddressInfo;
  const plain = plainAddress(address);
  const bound: Bound = { host: plain, port: actualPort, address: withPort(plain, actualPort) };
  // The callback of close() would wait for sockets that are with the workers, for ever (oven-sh/bun#34659).
  return { ...bound, close: () => { server.close(); } };
}
