// The plain hand-off: the parent accepts and sends each socket to a child, in turn, and keeps nothing of it.
// A connection on its way to a child that dies is lost. hand-off.mjs WORKERS
import { fork } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

if (process.send === undefined) {
  const workers = Array.from({ length: Number(process.argv[2]) }, () => fork(fileURLToPath(import.meta.url)));
  let next = 0;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    workers[next++ % workers.length].send('socket', socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
} else {
  process.on('disconnect', () => process.exit());
  process.on('message', (_message, socket) => {
    if (socket === undefined) return;
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text) => socket.write(text.toUpperCase()));
    socket.resume();
  });
}
