// How long a server takes from its start to the first right reply. Both under tsx, which `npm start` uses; npm itself,
// the same for both, is left out. One of index.ts.
import { createServer } from 'node:net';
import { once } from 'node:events';
import { Crowd } from '../crowd.ts';
import { commandUnderTsx } from '../peers.ts';
import type { FigureCase, FigureRound } from './figure.ts';

/**
 * Ports that no system hands out to those who ask for any: nobody takes one between its choice and the server's start.
 */
const PORTS = { first: 20_000, count: 10_000 };

export const start: FigureCase = {
  title: 'from the start to the first echo, under tsx',
  unit: 'ms',
  servers: ['ours', 'cluster'],

  async measure(servers, { servers: started, now }) {
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      now(name);
      const port = await choosePort();
      const command = commandUnderTsx(name as 'ours' | 'cluster', started.workers, port);
      let took = 0;
      const began = performance.now();
      const server = await started.freshBy(name, command, port, async () => {
        const crowd = await Crowd.open(port, 1);
        took = performance.now() - began;
        await crowd.close();
      });
      await server.stop();
      figures.set(name, { value: took, problems: [] });
    }
    return figures;
  },
};

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
