// Teaches what a pool of processes does for a server: so many clients are served, the others wait, and nobody is lost.
// After the second Python tutorial's server, whose fault is a process for every client, without any limit.
import { setTimeout as sleep } from 'node:timers/promises';
import { EchoClient } from '../client/echo-client.ts';
import { oneForEachCpu } from './stage/demo.ts';
import type { Demo, Options } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';
import { startServerProcess } from './stage/server-process.ts';
import type { LogLine } from './stage/server-process.ts';

export const clients: Demo = {
  name: 'clients',
  summary: 'more clients than workers: who is served, who waits',
  happens: 'More clients come than the echo server has workers, each for one at a time.',
  look: 'who waits, and which worker serves whom? Is anybody lost?',
  lookAt: `The echo server runs as a process of its own with --connections-per-worker 1:
each worker serves one client at a time. Three times as many clients as
workers connect at once. Look who waits and which worker serves each in the
end: there are never more digits one below the other than there are workers.`,
  workersAre: 'workers of the server, one a CPU at most',
  fewest: 1,
  usual: oneForEachCpu(1),
  steps: [],
  run,
};

const CLIENTS_A_WORKER = 3;
const MESSAGES = 3;
const PAUSE_MS = 25;

/** A client's times, and how many right replies it had. */
interface Visit {
  readonly name: string;
  readonly connected: number;
  readonly served: number;
  readonly left: number;
  readonly replies: number;
}

async function run(screen: Screen, { workers: wanted }: Options): Promise<boolean> {
  const server = await startServerProcess(['--workers', String(wanted), '--connections-per-worker', '1']);
  const { port, workers } = server;
  const count = workers * CLIENTS_A_WORKER;
  await screen.title(`${count} clients, ${workers} workers, --connections-per-worker 1`);

  const endpoint = { host: '127.0.0.1', port };
  const connections = await Promise.all(Array.from({ length: count }, () => EchoClient.connect(endpoint)));
  let served = 0;
  let allServe!: () => void;
  const allWorkersServe = new Promise<void>((resolve) => { allServe = resolve; });
  const visits = Promise.all(connections.map((connection, i) => visit(connection, `client ${i + 1}`, async () => {
    if (++served === workers) allServe();
    await allWorkersServe; // Whoever is served stays until all workers have somebody to serve.
  })));
  await Promise.race([allWorkersServe, visits]);
  await screen.say(`  all ${count} are connected; ${served} have a reply, and the other ${count - served} wait`);
  const done = await visits;
  const exitCode = await server.stop();

  await draw(screen, done, server.log);
  const atOnce = mostAtOnce(done);
  const replies = done.reduce((sum, one) => sum + one.replies, 0);
  const lost = done.filter((one) => one.replies < MESSAGES).length;
  const said = server.log.find(({ event }) => event === 'summary');
  await screen.say(`  the server says: ${said?.served} served, ${said?.refused} refused, ${said?.cutOff} cut off

${count} clients, ${workers} workers: never more than ${atOnce} served at once, ${count - workers} had to wait
${count * MESSAGES} messages, ${replies} right replies: ${lost} clients lost`);
  return atOnce <= workers && replies === count * MESSAGES && said?.served === count && exitCode === 0;
}

/** Sends messages and checks the replies. @param stay Is called at the first reply, and settles when it may go on. */
async function visit(connection: EchoClient, name: string, stay: () => Promise<void>): Promise<Visit> {
  const connected = Date.now();
  let replies = 0;
  let served = NaN;
  for (let message = 1; message <= MESSAGES; message++) {
    const reply = await connection.send(`${name} says ${message}`);
    if (reply === `${name} says ${message}`.toUpperCase()) replies++;
    if (message === 1) {
      served = Date.now();
      await stay();
    }
    await sleep(PAUSE_MS);
  }
  const left = Date.now();
  await connection.close();
  return { name, connected, served, left, replies };
}

async function draw(screen: Screen, visits: readonly Visit[], log: readonly LogLine[]): Promise<void> {
  await screen.timeline(visits.map(({ name, connected, served, left }) => {
    const worker = log.find(({ preview }) => preview?.startsWith(`${name} `))?.worker ?? 0;
    return {
      label: name,
      paint: (text: string) => screen.ofWorker(worker, text),
      spans: [{ from: connected, to: served, mark: '░' }, { from: served, to: left, mark: String(worker % 10) }],
    };
  }));
  await screen.say('  ░ waits   1, 2 … is served by the worker of that number');
}

/** How many clients were served at the same time, at most. */
function mostAtOnce(visits: readonly Visit[]): number {
  const servedAt = (time: number): number => visits.filter(({ served, left }) => served <= time && time < left).length;
  return Math.max(...visits.map(({ served }) => servedAt(served)));
}
