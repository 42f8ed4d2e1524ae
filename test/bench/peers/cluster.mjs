// node:cluster, the usual way: the primary accepts and hands each connection over, in turn; at SIGHUP each worker is replaced,
// one after the other. cluster.mjs WORKERS [PORT]
import cluster from 'node:cluster';
import { createServer } from 'node:net';

const [, , workers, port = 0] = process.argv.map(Number);
if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('listening', (_worker, address) => {
    if (++listening === workers) console.log(`listening on 127.0.0.1:${address.port}`);
  });
  process.on('SIGHUP', () => {
    const old = Object.values(cluster.workers);
    const replace = () => {
      if (old.length === 0) return;
      old.shift().disconnect();
      cluster.fork().once('listening', replace);
    };
    replace();
  });
} else {
  createServer({ noDelay: true }, (socket) => {
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text) => socket.write(text.toUpperCase()));
  }).listen({ port, host: '127.0.0.1', backlog: 4096 });
}
