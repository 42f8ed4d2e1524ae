// node:cluster, the usual way: the primary accepts and hands each connection over, in turn. cluster.mjs WORKERS [PORT]
import cluster from 'node:cluster';
import { createServer } from 'node:net';

const [, , workers, port = 0] = process.argv.map(Number);
if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('listening', (_worker, address) => {
    if (++listening === workers) console.log(`listening on 127.0.0.1:${address.port}`);
  });
} else {
  createServer({ noDelay: true }, (socket) => {
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text) => socket.write(text.toUpperCase()));
  }).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
