// Teaches what the server does with its clients when all goes well, and when not: to be watched on its own page.
// After the second Python tutorial's server, of which one sees nothing but what it prints.
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../shared/log/log-format.ts';
import { cpuCount } from '../shared/multiprocessing/index.ts';
import type { Status } from '../shared/status/status.ts';
import type { Demo, Options } from './stage/demo.ts';
import { Guests } from './stage/guests.ts';
import type { Screen } from './stage/screen.ts';
import { startWatchedServer, type Seen, type WatchedServer } from './stage/watched-server.ts';

export const watch: Demo = {
  name: 'watch',
  summary: 'the server on a page: hand-off, full pool, reload, crashes',
  happens: 'Twelve clients talk to the echo server, and its page shows where they are.',
  look: 'open the page. Where does each client go? Who is lost, and by what?',
  lookAt: `The echo server runs with --admin and --admin-actions, and its page shows each
client as a dot. Open it, and look what becomes of the dots: when they are
handed over, when the workers are full, when they are replaced, and when one
of them crashes. At the end the server runs with --on-crash adopt: look who
is lost then. What is said here is checked against GET /status.
It takes a minute; without the page to look at, --quick does.`,
  workersAre: 'workers of the server, one a CPU, 4 at most',
  fewest: 1,
  usual: (cpus) => Math.min(cpus, MOST_WORKERS),
  steps: [],
  switches: [
    { flag: 'quick', help: 'without the pauses in which to look at the page' },
    { flag: 'keep', help: 'goes on at the end, for looking and trying, until Ctrl-C' },
  ],
  run,
};

const CLIENTS = 12;
const FIRST = 4;
const MOST_WORKERS = 4;
/** How long there is to find the page, to read what will happen, and to look what has, in milliseconds. */
const FIND_MS = 6000;
const READ_MS = 2800;
const LOOK_MS = 3000;
const BETWEEN_MS = 300;

/** What the steps have in common. */
interface Stage {
  readonly screen: Screen;
  readonly server: WatchedServer;
  readonly guests: Guests;
  readonly workers: number;
  readonly pause: (ms: number) => Promise<void>;
}

async function run(screen: Screen, { workers: wanted, switches }: Options): Promise<boolean> {
  const workers = Math.min(wanted, MOST_WORKERS, cpuCount());
  const places = Math.ceil(CLIENTS / workers) - 1;
  const pause = async (ms: number): Promise<void> => { if (!switches.includes('quick')) await sleep(ms); };
  const flags = ['--workers', String(workers)];
  const first = await startWatchedServer([...flags, '--connections-per-worker', String(places)]);
  const guests = new Guests({ host: '127.0.0.1', port: first.port });
  await screen.say(`\nOpen ${first.page} in a browser.`);
  await pause(FIND_MS);

  const stage = { screen, server: first, guests, workers, pause };
  const shown = [
    await handOff(stage), await fullPool(stage, workers * places), await reload(stage), await crash(stage),
  ];
  await guests.goHome();
  const isStopped = await first.stop() === 0;

  // The same address: the page finds it again by itself.
  const second = await startWatchedServer([...flags, '--on-crash', 'adopt'], new URL(first.page).port);
  const others = new Guests({ host: '127.0.0.1', port: second.port });
  shown.push(await adopt({ ...stage, server: second, guests: others }));
  const wrong = guests.wrong + others.wrong;
  const right = shown.filter(Boolean).length;
  await screen.say(`\n${right} of ${shown.length} things went as they should; ${wrong} wrong replies`);
  if (switches.includes('keep')) {
    await screen.say(`${second.page} goes on until Ctrl-C.`);
    await new Promise<never>(() => {});
  }
  await others.goHome();
  return await second.stop() === 0 && isStopped && right === shown.length && wrong === 0;
}

async function handOff({ screen, server, guests, pause }: Stage): Promise<boolean> {
  await screen.title('1. hand-off');
  await screen.say(`  ${FIRST} clients come. The master accepts each, and hands it over to a worker.`);
  await pause(READ_MS);
  for (let i = 0; i < FIRST; i++) {
    await guests.come();
    await pause(BETWEEN_MS);
  }
  const seen = await server.see((status) => inWorkers(status) === FIRST && status.line.waiting === 0);
  return await tell({ screen, pause }, seen, `${places(seen.status)}; the line is empty`);
}

async function fullPool({ screen, server, guests, pause }: Stage, room: number): Promise<boolean> {
  await screen.title('2. a full pool');
  await screen.say(`  ${CLIENTS - FIRST} more come. There is room for ${room} in all: the others wait in the line.`);
  await pause(READ_MS);
  for (let i = FIRST; i < CLIENTS; i++) {
    await guests.come();
    await pause(BETWEEN_MS);
  }
  const full = await server.see((status) => inWorkers(status) === room && status.line.waiting === CLIENTS - room);
  await tell({ screen, pause }, full, `${places(full.status)}; ${full.status.line.waiting} wait`);
  await screen.say('  One that is served leaves: the first of the line takes its place.');
  await pause(READ_MS);
  await guests.leave();
  const next = await server.see((status) => (
    status.current === CLIENTS - 1 && inWorkers(status) === room && status.line.waiting === CLIENTS - 1 - room));
  const isShown = await tell({ screen, pause }, next, `${places(next.status)}; ${next.status.line.waiting} wait`);
  await guests.come();
  return full.isSo && isShown;
}

async function reload({ screen, server, guests, workers, pause }: Stage): Promise<boolean> {
  await screen.title('3. a reload');
  await screen.say('  Each worker gives its clients back, and ends; a new one takes them on. Nobody is cut off.');
  await pause(READ_MS);
  const before = await settled(server, workers);
  const old = new Set(before.workers.map(({ pid }) => pid));
  await server.post('/reload');
  const seen = await server.see((status) => (
    status.totals.reloads === 1 && isWhole(status, workers) && status.current === CLIENTS
    && status.workers.every(({ pid }) => !old.has(pid)) && inWorkers(status) === inWorkers(before)));
  const { totals } = seen.status;
  const moved = Object.values(totals.moved).reduce((sum, count) => sum + count, 0);
  const isShown = seen.isSo && totals.cutOff === 0 && guests.lost === 0 && moved > 0;
  return await tell({ screen, pause }, { ...seen, isSo: isShown },
    `${counted(moved, 'client')} moved, ${guests.lost} lost; all ${workers} workers are new`);
}

async function crash({ screen, server, guests, workers, pause }: Stage): Promise<boolean> {
  await screen.title('4. a crash');
  const before = await settled(server, workers);
  const victim = before.workers[0]!;
  await screen.say(`  Worker 1 is killed: its ${counted(victim.connections, 'client')} will be cut off at once.`);
  await pause(READ_MS);
  await server.post('/workers/1/kill');
  const seen = await server.see((status) => (
    status.totals.deaths['signal'] === 1 && isWhole(status, workers) && status.workers[0]!.pid !== victim.pid
    && guests.lost === victim.connections));
  const { cutOff } = seen.status.totals;
  const isShown = await tell({ screen, pause }, { ...seen, isSo: seen.isSo && cutOff === victim.connections },
    `${cutOff} cut off; a new worker 1 is there, and those that waited have a place`);
  await screen.say('  They connect again.');
  await guests.comeBack();
  const back = await server.see((status) => status.current === CLIENTS);
  await pause(READ_MS);
  return isShown && back.isSo;
}

async function adopt({ screen, server, guests, workers, pause }: Stage): Promise<boolean> {
  await screen.title('5. a crash, with --on-crash adopt');
  await screen.say(`  The server starts again, and ${CLIENTS} clients come.`);
  for (let i = 0; i < CLIENTS; i++) await guests.come();
  await server.see((status) => inWorkers(status) === CLIENTS);
  const before = await settled(server, workers);
  const victim = before.workers[0]!;
  const its = counted(victim.connections, 'client');
  await screen.say(`  Worker 1 is killed again: its ${its} will stay connected, and be handed to another worker.`);
  await pause(READ_MS);
  // A reply that is under way would be lost with it.
  await guests.fallSilent();
  await server.post('/workers/1/kill');
  const seen = await server.see((status) => (
    status.totals.adopted === victim.connections && isWhole(status, workers) && inWorkers(status) === CLIENTS
    && status.workers[0]!.pid !== victim.pid));
  const answered = seen.isSo ? await guests.allAsk() : 0;
  const { adopted, cutOff } = seen.status.totals;
  return await tell({ screen, pause }, { ...seen, isSo: seen.isSo && cutOff === 0 && answered === CLIENTS },
    `${adopted} adopted, ${cutOff} cut off; ${answered} of ${CLIENTS} are answered as before`);
}

/** Says what /status has, in the colour of what goes wrong if it is not as it should be. */
async function tell(
  { screen, pause }: Pick<Stage, 'screen' | 'pause'>, { isSo }: Seen, sentence: string,
): Promise<boolean> {
  await screen.say(screen.wrong(`  /status: ${sentence}${isSo ? '' : ' (that is not as it should be)'}`, !isSo));
  await pause(LOOK_MS);
  return isSo;
}

/** The status when all workers are there, and nobody is under way. */
async function settled(server: WatchedServer, workers: number): Promise<Status> {
  return (await server.see((status) => isWhole(status, workers) && status.current === CLIENTS)).status;
}

function isWhole({ workers }: Status, count: number): boolean {
  return workers.length === count && workers.every(({ state }) => state === 'ready' || state === 'full');
}

function inWorkers({ workers }: Status): number {
  return workers.reduce((sum, { connections }) => sum + connections, 0);
}

/** `worker 1 has 2, worker 2 has 2`. */
function places({ workers }: Status): string {
  return workers.map(({ slot, connections }) => `worker ${slot} has ${connections}`).join(', ');
}
