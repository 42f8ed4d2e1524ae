// The smallest program that keeps what ours keeps: the parent accepts, sends each socket to a child, in turn, and holds its
// own paused copy until the child has said `accepted` and, at the end, `closed`. No waiting line, no log, no drain: how fast
// can it be with net.Socket and fork channels? With `log` it also writes a line for each message to its standard output, a
// file, as the smallest program would: no lock, no escapes, no bound. kept-copy.mjs WORKERS [log]
import { fork } from 'node:child_process';
import { write } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

if (process.send === undefined) {
  const workers = Array.from({ length: Number(process.argv[2]) }, () => fork(fileURLToPath(import.meta.url), process.argv.slice(3)));
  const copies = new Map();
  for (const worker of workers) {
    worker.on('message', ([what, id]) => {
      if (what !== 'closed') return;
      copies.get(id).destroy();
      copies.delete(id);
    });
  }
  let next = 0;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    const id = ++next;
    socket.on('error', () => {});
    copies.set(id, socket);
    workers[id % workers.length].send([id, socket.remoteAddress], socket, { keepOpen: true });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
} else {
  process.on('disconnect', () => process.exit());
  const logs = process.argv[2] === 'log';
  let lines = '';
  if (logs) setInterval(() => {
    if (lines !== '') write(1, lines, () => {});
    lines = '';
  }, 40);
  process.on('message', ([id, peer], socket) => {
    if (socket === undefined) return;
    process.send(['accepted', id]);
    socket.allowHalfOpen = true;
    socket.on('error', () => {});
    socket.on('close', () => process.send(['closed', id]));
    socket.on('end', () => socket.end());
    socket.setEncoding('utf8');
    socket.on('data', (text) => {
      if (logs) lines += `${new Date().toISOString()} ${process.pid} ${peer} ${text.length} ${JSON.stringify(text.slice(0, 40))}\n`;
      socket.write(text.toUpperCase());
    });
    socket.resume();
  });
}
