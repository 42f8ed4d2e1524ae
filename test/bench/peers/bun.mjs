// Bun's own TCP server, one process.
const server = Bun.listen({
  hostname: '127.0.0.1', port: 0,
  socket: {
    open(socket) {
      socket.data = { decoder: new TextDecoder(), unsent: [] };
    },
    data(socket, bytes) {
      send(socket, Buffer.from(socket.data.decoder.decode(bytes, { stream: true }).toUpperCase()));
    },
    drain(socket) {
      for (const bytes of socket.data.unsent.splice(0)) send(socket, bytes);
    },
    error() {},
  },
});
console.log(`listening on 127.0.0.1:${server.port}`);

/** Bun writes what the system has room for, and leaves the rest to the caller. */
function send(socket, bytes) {
  const { unsent } = socket.data;
  const written = unsent.length > 0 ? 0 : socket.write(bytes);
  if (written < bytes.length) unsent.push(bytes.subarray(written));
}
