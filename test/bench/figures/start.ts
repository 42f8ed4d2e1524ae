// How long a server takes from its start to the first right reply. Both under tsx, which `npm start` uses; npm itself,
// the same for both, is left out. One of index.ts.
import { Crowd } from '../crowd.ts';
import { median } from '../median.ts';
import { commandUnderTsx } from '../peers.ts';
import type { FigureCase, FigureRound } from './figure.ts';

/** A start now and then takes much longer: the middle one of so many counts. */
const STARTS = 3;

export const start: FigureCase = {
  title: 'from the start to the first echo, under tsx',
  unit: 'ms',
  servers: ['ours', 'cluster'],

  async measure(servers, { servers: started, now }) {
    const taken = new Map<string, number[]>(servers.map((name) => [name, []]));
    for (let i = 0; i < STARTS; i++) {
      for (const name of servers) {
        now(name);
        const command = commandUnderTsx(name as 'ours' | 'cluster', started.workers);
        const began = performance.now();
        const server = await started.fresh(name, command);
        try {
          const crowd = await Crowd.open(server.port, 1);
          taken.get(name)!.push(performance.now() - began);
          await crowd.close();
        } finally {
          await server.stop();
        }
      }
    }
    return new Map<string, FigureRound>(
      [...taken].map(([name, times]) => [name, { value: median(times), problems: [] }]),
    );
  },
};
