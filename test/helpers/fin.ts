// How a client of the tests tells a FIN from a reset.
import type { Socket } from 'node:net';

/**
 * Calls back when the other side has sent a FIN. libuv also reports the end of the stream when the last bytes and a
 * reset have come by the time it reads: so the connection is asked, by a write of nothing, and then has an 'error'.
 * @param socket One with allowHalfOpen: otherwise Node has ended our side by then, and nothing can be written.
 */
export function onFin(socket: Socket, came: () => void): void {
  socket.on('end', () => {
    // What waits to be sent asks by itself; after our own FIN nobody can ask; and a Unix socket does not tell.
    const isUnix = socket.localAddress === undefined;
    if (socket.writableEnded || socket.writableLength > 0 || isUnix) return came();
    socket.write('', (error) => {
      if (error === undefined || error === null) came();
    });
  });
}
