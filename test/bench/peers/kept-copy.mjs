// The smallest program that keeps what ours keeps: the parent accepts, sends each socket to a child, in turn, and holds its
// own paused copy until the child has said `accepted` and, at the end, `closed`. No waiting line, no log, no drain: how fast
// can it be with net.Socket and fork channels? With `log` it also writes a line for each message to its standard output, a
// file, as the smallest program would: no lock, no escapes, no bound. At SIGHUP each worker is replaced, one after the other, and
// there are never more of them. With MODULES, URLs with commas between, the parent loads the first, each child the second, and
// nobody uses them: what does it take that there are so many?
// kept-copy.mjs WORKERS [none|log [PORT [MODULES MODULES]]]
import { fork } from 'node:child_process';
import { write } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const load = async (modules = '') => {
  for (const url of modules.split(',')) if (url !== '') await import(url);
};

if (process.send === undefined) {
  const [, , count, what = 'none', port = '0', ours, theirs = ''] = process.argv;
  await load(ours);
  const copies = new Map();
  const begin = () => {
    const worker = fork(fileURLToPath(import.meta.url), [what, theirs]);
    return worker.on('message', ([what, id]) => {
      if (what !== 'closed') return;
      copies.get(id).destroy();
      copies.delete(id);
    });
  };
  const workers = Array.from({ length: Number(count) }, begin);
  let next = 0;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
    const id = ++next;
    socket.on('error', () => {});
    copies.set(id, socket);
    workers[id % workers.length].send([id, socket.remoteAddress], socket, { keepOpen: true });
  });
  server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
  const replace = (i) => {
    const old = workers[i];
    if (old === undefined) return;
    workers[i] = workers[(i + 1) % workers.length];
    old.send(['end']);
    old.once('exit', () => {
      workers[i] = begin().once('message', () => replace(i + 1));
    });
  };
  process.on('SIGHUP', () => replace(0));
} else {
  process.on('disconnect', () => process.exit());
  await load(process.argv[3]);
  const logs = process.argv[2] === 'log';
  let lines = '';
  if (logs) setInterval(() => {
    if (lines !== '') write(1, lines, () => {});
    lines = '';
  }, 40);
  process.send(['ready']);
  process.on('message', ([id, peer], socket) => {
    if (id === 'end') process.channel.unref(); // It ends when its last connection has.
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
