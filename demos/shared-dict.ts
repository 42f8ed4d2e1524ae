// Teaches data that processes share by a Manager: a list and a dict that five of them fill, and a counter that loses
// what others count between its get and its set. After the second Python tutorial's program on the Manager.
import { Barrier, Lock, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../shared/multiprocessing/index.ts';
import type { Demo, Options } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

export const sharedDict: Demo = {
  name: 'shared-dict',
  summary: 'five processes share a list, a dict and a counter',
  happens: 'Processes fill a list and a dict that they share, and count to the same numbers.',
  look: 'what does the main process see, and when? Which counter loses counts?',
  lookAt: `1. Five processes push their pid to a shared list and set it in a shared dict.
   Look that the main process sees it only after it has joined them.
2. Each of them counts to twenty in the same three counters. get and then set
   loses what others have set in between; with a Lock around both, nothing is
   lost; increment is one message, which nobody can get between, and so needs
   no lock.
Without the lock all read before one of them sets, so that you need no luck to
see it.`,
  workersAre: 'processes',
  fewest: 2,
  usual: () => 5,
  steps: [],
  run,
};

const module = import.meta.url;
const ROUNDS = 20;

interface Shared {
  readonly list: ListProxy<string | number>;
  readonly dict: DictProxy<string | number>;
  readonly counts: DictProxy<number>;
  readonly lock: Lock;
  /** Where all meet between get and set, and where the only one does who has the lock. */
  readonly everybody: Barrier;
  readonly alone: Barrier;
}

export async function work({ list, dict, counts, lock, everybody, alone }: Shared): Promise<void> {
  await list.push(process.pid);
  await dict.set(String(process.pid), process.pid);
  for (let i = 0; i < ROUNDS; i++) await addOne(counts, 'without the lock', undefined, everybody);
  for (let i = 0; i < ROUNDS; i++) await addOne(counts, 'with the lock', lock, alone);
  for (let i = 0; i < ROUNDS; i++) await counts.increment('with increment');
}

async function addOne(counts: DictProxy<number>, key: string, lock: Lock | undefined, haveRead: Barrier) {
  await lock?.acquire(); // The only difference, with its release.
  const count = await counts.get(key) ?? 0;
  await haveRead.wait();
  await counts.set(key, count + 1);
  await lock?.release();
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const manager = new Manager();
  const shared: Shared = {
    list: manager.list<string | number>(['init']),
    dict: manager.dict<string | number>({ name: 'demo' }),
    counts: manager.dict<number>(),
    lock: new Lock(),
    everybody: new Barrier(workers),
    alone: new Barrier(1),
  };
  await screen.title(`1. ${workers} processes fill a list and a dict`);
  const processes = Array.from({ length: workers }, () => new Process({ module, target: work, args: [shared] }));
  for (const process of processes) process.start();
  await screen.say(`  after start(): the list:        ${(await shared.list.toArray()).join(', ')}`);
  for (const process of processes) await process.join();
  const list = await shared.list.toArray();
  const dict = new Map(await shared.dict.entries());
  await screen.say(`  after join():  the list:        ${list.join(', ')}
                 the dict's keys: ${[...dict.keys()].join(', ')}`);

  const wanted = workers * ROUNDS;
  await screen.title(`2. ${workers} processes count to ${ROUNDS} each: that makes ${wanted}`);
  const counts = await shared.counts.toObject();
  const keys = ['without the lock', 'with the lock', 'with increment'];
  await screen.bars(keys.map((key) => ({ label: key, value: counts[key] ?? 0, text: String(counts[key]) })));
  await screen.say('  █ what was counted');

  const pids = processes.map(({ pid }) => pid!);
  const isFull = list.length === workers + 1
    && pids.every((pid) => list.includes(pid) && dict.get(String(pid)) === pid);
  await screen.say(`
${workers} processes: ${list.length - 1} pids in the list, ${dict.size - 1} in the dict
${keys.map((key) => {
    const lost = wanted - (counts[key] ?? 0);
    return `${key.padEnd(16)}: ${counts[key]} of ${wanted} counted, ${screen.wrong(`${lost} lost`, lost > 0)}`;
  }).join('\n')}`);
  const [without, withLock, withIncrement] = keys.map((key) => counts[key]);
  return isFull && without === ROUNDS && withLock === wanted && withIncrement === wanted;
}
