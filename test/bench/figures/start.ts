// How long a server takes from its start to the first right reply, and from SIGHUP until a successor of a worker
// serves. All run as `npm start` runs ours; npm itself, the same for all, is left out. One of index.ts.
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { resetConnection } from '../../../shared/reset.ts';
import { clientPortsOf } from '../../helpers/faults-proc.ts';
import type { RunningServer } from '../children.ts';
import { commandAsStarted } from '../peers.ts';
import { treeOf } from '../process-tree.ts';
import type { FigureCase, FigureRound } from './figure.ts';

/**
 * Ports that no system hands out to those who ask for any: nobody takes one between its choice and the server's start.
 */
const PORTS = { first: 20_000, count: 10_000 };
const RELOAD_LIMIT_MS = 20_000;
const LOOK_MS = 2;
const REPLY_LIMIT_MS = 5000;

export const start: FigureCase = {
  title: 'to the first echo, and from SIGHUP to a successor\'s, as npm start runs it',
  unit: 'ms',
  servers: ['ours', 'cluster', 'kept-copy', 'kept-copy-modules'],

  async measure(servers, { servers: started, now }) {
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      now(name);
      const port = await choosePort();
      const command = commandAsStarted(name, started.workers, port);
      const began = performance.now();
      const server = await started.freshBy(name, command, port, async () => resetConnection(await echoed(port)));
      figures.set(`${name} start`, { value: performance.now() - began, problems: [] });
      try {
        await untilAllServe(server, started.workers);
        figures.set(`${name} reload`, await reload(server));
      } finally {
        await server.quit(); // Node keeps what it has compiled for the next start when it exits.
      }
    }
    return figures;
  },
};

async function reload(server: RunningServer): Promise<FigureRound> {
  const before = new Set(treeOf(server.pid));
  const began = performance.now();
  process.kill(server.pid, 'SIGHUP');
  for (let took = 0; took < RELOAD_LIMIT_MS; await delay(LOOK_MS)) {
    const socket = await echoed(server.port).catch(() => undefined);
    took = performance.now() - began;
    const worker = socket === undefined ? undefined : workerOf(server, socket);
    if (socket !== undefined) resetConnection(socket);
    if (worker !== undefined && !before.has(worker)) return { value: took, problems: [] };
  }
  return { value: NaN, problems: ['No successor served.'] };
}

/** Until so many workers have answered: they take turns. @throws Error when they do not. */
async function untilAllServe(server: RunningServer, workers: number): Promise<void> {
  const seen = new Set<number>();
  for (const deadline = performance.now() + RELOAD_LIMIT_MS; seen.size < workers; await delay(LOOK_MS)) {
    const socket = await echoed(server.port);
    const worker = workerOf(server, socket);
    if (worker !== undefined) seen.add(worker);
    resetConnection(socket);
    if (performance.now() > deadline) throw new Error(`only ${seen.size} of ${workers} workers serve`);
  }
}

/** The process that has the other end of a connection, besides the server's first one. */
function workerOf({ pid, port }: RunningServer, { localPort }: Socket): number | undefined {
  return treeOf(pid).find((worker) => worker !== pid && clientPortsOf(worker, port).has(localPort!));
}

/** A connection on which a message was answered. @throws Error when none is. */
async function echoed(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => {}); // It is heard below, while something is awaited.
  socket.setTimeout(REPLY_LIMIT_MS, () => socket.destroy(new Error('no reply')));
  await once(socket, 'connect');
  socket.setEncoding('utf8').write('hello');
  let text = '';
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    text += piece;
    if (text === 'HELLO') return socket;
  }
  throw new Error(`no reply, but ${JSON.stringify(text)}`);
}

/** A port on which nobody listens. */
async function choosePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
