// Ends a connection with a reset. Used by the server, the load generator and the tests.
import type { Socket } from 'node:net';
import { codeOf } from './errors.ts';

/**
 * Resets the connection: the peer sees ECONNRESET, and the port is free at once. After our end() too, as long as the
 * system has not taken all that was written before.
 *
 * Then our FIN is under way, and the peer gets it behind all the rest: so the connection is closed without a reset.
 * libuv refuses one at that moment, and Node then keeps a handle that it can never close: the process spins for ever
 * when it should exit (libp2p/js-libp2p#3597).
 *
 * A Unix socket knows no reset but that of a close before all was read: so it is closed.
 */
export function resetConnection(socket: Socket): void {
  if (socket.writableEnded && socket.writableLength === 0) return void socket.destroy();
  try {
    socket.resetAndDestroy();
  } catch (error) {
    if (codeOf(error) !== 'ERR_INVALID_HANDLE_TYPE') throw error;
    socket.destroy();
  }
}
