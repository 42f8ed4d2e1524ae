// How much memory a server takes, all its processes together, that has many idle connections. One of index.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { Crowd, roomFor } from '../crowd.ts';
import { memoryOf } from '../process-tree.ts';
import type { FigureCase, FigureRound } from './figure.ts';

const CONNECTIONS = 8000;
/**
 * How long they are idle before, as a multiple of the time: with two seconds, half a minute. What V8 has allocated for
 * opening them Node 20 gives back only some 10 to 40 seconds later, when it finds that nothing happens any more.
 */
const IDLE = 15;

export const memory: FigureCase = {
  title: `all processes, with ${CONNECTIONS.toLocaleString('en-US')} idle connections`,
  unit: 'MB',
  servers: ['ours', 'cluster', 'kept-copy', 'go', 'c'],

  async measure(servers, { servers: started, seconds, connections, now, note }) {
    const room = roomFor(CONNECTIONS, connections);
    if (room.note !== undefined) note(room.note);
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      now(name);
      const server = await started.fresh(name);
      try {
        const crowd = await Crowd.open(server.port, room.count);
        await delay(IDLE * seconds * 1000);
        const bytes = memoryOf(server.pid);
        figures.set(name, { value: bytes / 1e6, problems: bytes > 0 ? [] : ['This system does not tell.'] });
        await crowd.close();
      } finally {
        await server.stop();
      }
    }
    return figures;
  },
};
