// How long a server takes from its start to the first right reply. Both under tsx, which `npm start` uses; npm itself,
// the same for both, is left out. One of index.ts.
import { Crowd } from '../crowd.ts';
import { commandUnderTsx } from '../peers.ts';
import type { FigureCase, FigureRound } from './figure.ts';

export const start: FigureCase = {
  title: 'from the start to the first echo, under tsx',
  unit: 'ms',
  servers: ['ours', 'cluster'],

  async measure(servers, { servers: started, now }) {
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      now(name);
      const command = commandUnderTsx(name as 'ours' | 'cluster', started.workers);
      const began = performance.now();
      const server = await started.fresh(name, command);
      try {
        const crowd = await Crowd.open(server.port, 1);
        figures.set(name, { value: performance.now() - began, problems: [] });
        await crowd.close();
      } finally {
        await server.stop();
      }
    }
    return figures;
  },
};
