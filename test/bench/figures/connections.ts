// What many connections cost: the same messages in flight over all of them, and over a hundredth of them.
// One of index.ts.
import { Crowd, roomFor } from '../crowd.ts';
import type { FigureCase, FigureRound } from './figure.ts';

const CONNECTIONS = 10_000;
const IN_FLIGHT = 64;
const FEWER = 100;
/** So long it runs before it counts, as a share of the time: what was allocated for opening is gone by then. */
const WARM_UP = 0.5;

export const connections: FigureCase = {
  title: '64 messages in flight over 10,000 connections, and over 100 (-few)',
  unit: 'messages/s',
  servers: ['ours', 'cluster', 'kept-copy'],

  async measure(servers, { servers: started, seconds, connections: most, now, note }) {
    const room = roomFor(CONNECTIONS, most);
    if (room.note !== undefined) note(room.note);
    const figures = new Map<string, FigureRound>();
    for (const name of servers) {
      const server = await started.running(name);
      for (const [row, count] of [[name, room.count], [`${name}-few`, Math.ceil(room.count / FEWER)]] as const) {
        now(row);
        const crowd = await Crowd.open(server.port, count);
        const warm = await crowd.loadInTotal(IN_FLIGHT, seconds * WARM_UP);
        const { rate, problems } = await crowd.loadInTotal(IN_FLIGHT, seconds);
        figures.set(row, { value: rate, problems: [...new Set([...warm.problems, ...problems])] });
        await crowd.close();
      }
    }
    return figures;
  },
};
