// How much memory a server takes, all its processes together: with many idle connections, and with none. Two of
// index.ts.
import { setTimeout as delay } from 'node:timers/promises';
import { Crowd, roomFor } from '../crowd.ts';
import { memoryOf } from '../process-tree.ts';
import type { FigureCase, FigureRound, Ground } from './figure.ts';

const CONNECTIONS = 8000;
/**
 * After so many seconds without anything to do. What V8 has allocated for opening connections Node 20 gives back only
 * some 10 to 40 seconds later, when it finds that nothing happens any more.
 */
const MOMENTS = [5, 60];
/** With less than that a round, in seconds, the moments come sooner by as much. */
const WHOLE_ROUND = 3;
/** How often it is looked at for the peak. */
const LOOK_MS = 100;
const SERVERS = ['ours', 'cluster', 'kept-copy', 'go', 'c'];

export const memory: FigureCase = {
  title: `all processes, with ${CONNECTIONS.toLocaleString('en-US')} idle connections`,
  unit: 'MB',
  servers: SERVERS,
  rounds: (asked) => Math.ceil(asked / 2), // A minute each, and they differ little.

  async measure(servers, ground) {
    const room = roomFor(CONNECTIONS, ground.connections);
    if (room.note !== undefined) ground.note(room.note);
    return await measureEach(servers, ground, room.count);
  },
};

export const idle: FigureCase = {
  title: 'all processes, without a connection',
  unit: 'MB',
  servers: [...SERVERS, 'kept-copy-modules'],
  rounds: (asked) => Math.ceil(asked / 3),
  measure: async (servers, ground) => await measureEach(servers, ground, 0),
};

/** Each server with so many connections, after each moment; with some also the most that it took. */
async function measureEach(
  names: readonly string[], { servers, seconds, now, note }: Ground, connections: number,
): Promise<ReadonlyMap<string, FigureRound>> {
  const pace = Math.min(1, seconds / WHOLE_ROUND);
  if (pace < 1) note(`Sooner than the names say, by ${pace.toFixed(2)}: --seconds is less than ${WHOLE_ROUND}.`);
  // What other servers share with this one, such as the program that runs them, would not count as this one's.
  await servers.stop();
  const figures = new Map<string, FigureRound>();
  for (const name of names) {
    now(name);
    const server = await servers.fresh(name);
    const scale = new Scale(server.pid);
    try {
      const crowd = connections > 0 ? await Crowd.open(server.port, connections) : undefined;
      const began = performance.now();
      for (const moment of MOMENTS) {
        await delay(began + moment * pace * 1000 - performance.now());
        figures.set(`${name} ${moment} s`, figureOf(scale.look()));
      }
      if (crowd !== undefined) figures.set(`${name} peak`, figureOf(scale.most));
      await crowd?.close();
    } finally {
      scale.end();
      await server.stop();
    }
  }
  return figures;
}

function figureOf(bytes: number): FigureRound {
  return { value: bytes / 1e6, problems: bytes > 0 ? [] : ['This system does not tell.'] };
}

/** Looks again and again. */
class Scale {
  /** In bytes, of all that was seen. */
  most = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** In bytes, now. */
  look(): number {
    const bytes = memoryOf(this.#pid);
    this.most = Math.max(this.most, bytes);
    return bytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
