// Ends a connection with a reset. Used by the server, the load generator and the tests.
import type { Socket } from 'node:net';
import { codeOf } from './errors.ts';

/**
 * Resets the connection: the peer sees ECONNRESET, and the port is free at once.
 *
 * After our FIN was sent it is closed without a reset. libuv refuses to reset while the FIN is under way, and Node then
 * keeps a handle that it can never close: the process spins for ever when it should exit (libp2p/js-libp2p#3597).
 *
 * A Unix socket knows no reset but that of a close before all was read: so it is closed.
 */
export function resetConnection(socket: Socket): void {
  if (socket.writableEnded) return void socket.destroy();
  try {
    socket.resetAndDestroy();
  } catch (error) {
    if (codeOf(error) !== 'ERR_INVALID_HANDLE_TYPE') throw error;
    socket.destroy();
  }
}
