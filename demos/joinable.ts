// Teaches the difference between "taken" and "done": taskDone() and join() of a JoinableQueue, with consumers that are
// daemons. After program 45 of the second Python tutorial, whose producer waits until all it made has been dealt with.
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, currentProcess, JoinableQueue, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu, sayResults } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import { haveEnded } from './stage/running.ts';
import type { Screen } from './stage/screen.ts';

export const joinable: Demo = {
  name: 'joinable',
  summary: 'taskDone and join: what is taken is not yet done',
  happens: 'Ten things go through a queue, to consumers that never end by themselves.',
  look: 'how many things are done when the producer stops waiting?',
  lookAt: `A producer puts ten things into a queue, for consumers that never end by
themselves: they are daemons, and end with the program that started them.
1. The producer waits until the queue is empty. Then everything is taken, but
   not all of it is done: look how many things are when the producer stops
   waiting.
2. It waits with join(), which counts the calls of taskDone(): now everything
   is done before the program comes to its end, and its daemons with it.`,
  workersAre: 'consumers',
  fewest: 1,
  usual: oneForEachCpu(2),
  steps: [],
  run,
};

const module = import.meta.url;
const THINGS = 10;

type Way = 'empty' | 'join';

interface Note {
  readonly who: string;
  readonly mark: string;
  readonly from: number;
  readonly to: number;
}

/** What those of a program write down for the demo to show. */
interface Notebook {
  readonly notes: ListProxy<Note>;
  readonly pids: ListProxy<number>;
  /** `done`: how many things are done; `seen`: how many were when the producer stopped waiting. */
  readonly counts: DictProxy<number>;
}

/** The program of the tutorial. It waits for its producer, and not for its daemons. */
export async function program(way: Way, consumers: number, book: Notebook): Promise<void> {
  const things = new JoinableQueue<number>();
  const looked = new Barrier(way === 'empty' ? 2 : 1);
  const producer = new Process({ module, target: produce, args: [things, way, looked, book], name: 'producer' });
  producer.start();
  for (let i = 1; i <= consumers; i++) {
    new Process({ module, target: consume, args: [things, looked, book], name: `consumer ${i}`, daemon: true }).start();
  }
  await producer.join();
}

export async function produce(things: JoinableQueue<number>, way: Way, looked: Barrier, book: Notebook): Promise<void> {
  const { notes, counts } = book;
  for (let thing = 0; thing < THINGS; thing++) {
    const from = Date.now();
    await sleep(Math.random() * 10);
    await things.put(thing);
    await notes.push({ who: 'producer', mark: String(thing), from, to: Date.now() });
  }
  const from = Date.now();
  if (way === 'join') await things.join(); // The only difference.
  else while (!await things.empty()) await sleep(1);
  await counts.set('seen', await counts.get('done') ?? 0);
  await notes.push({ who: 'producer', mark: '░', from, to: Date.now() });
  await looked.wait();
}

/** @param looked Where the one with the last thing lets the producer look. With join there is nobody to wait for. */
export async function consume(things: JoinableQueue<number>, looked: Barrier, book: Notebook): Promise<void> {
  const { notes, pids, counts } = book;
  const { name, pid } = currentProcess();
  await pids.push(pid);
  for (;;) {
    const thing = await things.get();
    const from = Date.now();
    await sleep(5 + Math.random() * 40);
    if (thing === THINGS - 1) await looked.wait();
    await counts.increment('done');
    await notes.push({ who: name, mark: String(thing), from, to: Date.now() });
    await things.taskDone();
  }
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const results: Result[] = [];
  for (const [way, title] of [['empty', 'until the queue is empty'], ['join', 'with join']] as const) {
    await screen.title(`${results.length + 1}. the producer waits ${title}`);
    const manager = new Manager();
    const book: Notebook = { notes: manager.list(), pids: manager.list(), counts: manager.dict() };
    const main = new Process({ module, target: program, args: [way, workers, book], name: 'program' });
    main.start();
    await main.join();
    const areGone = await haveEnded(await book.pids.toArray());
    const notes = await book.notes.toArray();
    await screen.timeline([
      { label: 'producer', spans: notes.filter(({ who }) => who === 'producer') },
      ...Array.from({ length: workers }, (_, i) => ({
        label: `consumer ${i + 1}`,
        paint: (text: string) => screen.ofWorker(i + 1, text),
        spans: notes.filter(({ who }) => who === `consumer ${i + 1}`),
      })),
    ]);
    await screen.say('  0 to 9 that thing is made, or worked on   ░ the producer waits');
    const seen = await book.counts.get('seen') ?? 0;
    await screen.say(`  the producer stopped waiting when ${seen} of ${THINGS} things were done`);
    results.push({
      text: `waits ${title}: ${seen} of ${THINGS} things done, `
        + screen.wrong(`${THINGS - seen} not done`, seen < THINGS) + `; ${areGone ? 'no' : 'a'} daemon left`,
      isShown: areGone && main.exitCode === 0 && (way === 'join' ? seen === THINGS : seen < THINGS),
    });
  }
  return await sayResults(screen, results);
}
