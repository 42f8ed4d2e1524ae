// Teaches a Queue between processes, and how a consumer learns that it is over: by a sentinel, or because it is closed.
// After the programs 41 to 44 of the second Python tutorial, of which the first two never end.
import { setTimeout as sleep } from 'node:timers/promises';
import { currentProcess, Process, Queue } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Span } from './stage/drawing.ts';
import type { Screen } from './stage/screen.ts';

export const producerConsumer: Demo = {
  name: 'producer-consumer',
  summary: 'a Queue, and how a consumer learns that it is over',
  happens: 'A producer puts ten things into a queue, and consumers take them.',
  look: 'does everybody learn that it is over? Who is through last?',
  lookAt: `A producer makes ten things, 0 to 9, and puts them into a queue; consumers
take them.
Each digit in the timelines is the thing that is made or used; ░ is waiting.
1. Nobody tells the consumers that it is over: look how they wait for ever.
2. A sentinel for each of them does. But the main process is through before
   the others.
3. The main process joins the others, and is through last.
4. Closing the queue tells all consumers at once: nobody need know how many
   there are.`,
  workersAre: 'consumers',
  fewest: 1,
  usual: oneForEachCpu(2),
  steps: [],
  run,
};

const module = import.meta.url;
const THINGS = 10;
const PATIENCE_MS = 200;

/** Stands in the queue behind the last thing. */
const SENTINEL = null;
type Things = Queue<number | typeof SENTINEL>;

/** From when to when somebody made or used a thing. */
interface Note {
  readonly who: string;
  readonly thing: number;
  readonly from: number;
  readonly to: number;
}

async function workOn(thing: number, atMostMs: number, notes: Queue<Note>): Promise<void> {
  const from = Date.now();
  await sleep(5 + Math.random() * atMostMs);
  await notes.put({ who: currentProcess().name, thing, from, to: Date.now() });
}

/** @param sentinels How many to put behind the things. */
export async function produce(things: Things, notes: Queue<Note>, sentinels: number, closes: boolean): Promise<void> {
  for (let thing = 0; thing < THINGS; thing++) {
    await workOn(thing, 10, notes);
    await things.put(thing);
  }
  for (let i = 0; i < sentinels; i++) await things.put(SENTINEL);
  if (closes) await things.close();
}

/** Ends at a sentinel; without one, never. */
export async function consume(things: Things, notes: Queue<Note>): Promise<void> {
  for (let thing = await things.get(); thing !== SENTINEL; thing = await things.get()) await workOn(thing, 40, notes);
}

/** Ends when the queue is closed and empty. */
export async function consumeUntilClosed(things: Queue<number>, notes: Queue<Note>): Promise<void> {
  for await (const thing of things) await workOn(thing, 40, notes);
}

interface Program {
  readonly title: string;
  readonly tells: 'nobody' | 'sentinels' | 'close';
  /** Whether the main process waits for the others before it is through. */
  readonly joins: boolean;
}

const programs: readonly Program[] = [
  { title: 'nobody tells', tells: 'nobody', joins: false },
  { title: 'sentinels', tells: 'sentinels', joins: false },
  { title: 'sentinels, join', tells: 'sentinels', joins: true },
  { title: 'close, join', tells: 'close', joins: true },
];

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const results: Result[] = [];
  for (const program of programs) {
    await screen.title(`${results.length + 1}. ${program.title}`);
    const { used, ended, alive } = await runProgram(screen, program, workers);
    const text = `${program.title.padEnd(15)}: ${used} of ${THINGS} used, ${ended} of ${workers} consumers ended, `;
    results.push(program.tells === 'nobody' ? {
      text: text + screen.wrong(`${workers - ended} still waiting`),
      isShown: used === THINGS && ended === 0,
    } : {
      text: text + screen.wrong(alive > 0 ? `main left ${alive} behind` : 'main was last', alive > 0),
      isShown: used === THINGS && ended === workers && (alive === 0) === program.joins,
    });
  }
  await screen.say(`\n${results.map(({ text }) => text).join('\n')}`);
  return results.every(({ isShown }) => isShown);
}

interface Outcome {
  readonly used: number;
  readonly ended: number;
  /** How many of the others were alive when the main process was through. */
  readonly alive: number;
}

async function runProgram(screen: Screen, { tells, joins }: Program, workers: number): Promise<Outcome> {
  const things: Things = new Queue();
  const notes = new Queue<Note>();
  const sentinels = tells === 'sentinels' ? workers : 0;
  const producer = new Process({
    module, target: produce, args: [things, notes, sentinels, tells === 'close'], name: 'producer',
  });
  const consumers = Array.from({ length: workers }, (_, i) => new Process({
    module,
    target: tells === 'close' ? consumeUntilClosed : consume,
    args: [things as Queue<number>, notes],
    name: `consumer ${i + 1}`,
  }));
  const all = [producer, ...consumers];
  for (const process of all) process.start();
  if (joins) for (const process of all) await process.join();
  const alive = all.filter((process) => process.isAlive()).length;
  const through = Date.now();

  await producer.join();
  const done: Note[] = [];
  for (let i = 0; i < 2 * THINGS; i++) done.push(await notes.get()); // Each thing is made once and used once.
  const ends = await Promise.all(consumers.map(async (consumer) => ({
    hasEnded: await consumer.join(tells === 'nobody' ? PATIENCE_MS : undefined), time: Date.now(),
  })));
  if (tells === 'nobody') {
    await screen.say(`  all things are used, and ${PATIENCE_MS} ms later no consumer has ended: nobody told it`);
    for (const consumer of consumers) consumer.terminate();
    for (const consumer of consumers) await consumer.join();
  }

  const marks = (name: string): Span[] => done.filter(({ who }) => who === name)
    .map(({ thing, from, to }) => ({ from, to, mark: String(thing) }));
  await screen.timeline([
    { label: 'producer', spans: marks('producer') },
    ...consumers.map(({ name }, i) => {
      const used = marks(name);
      const from = Math.min(ends[i]!.time, ...used.map((span) => span.from));
      const spans = [{ from, to: ends[i]!.time, mark: '░' }, ...used];
      return { label: name, spans, paint: (text: string) => screen.ofWorker(i + 1, text) };
    }),
    ...(tells === 'nobody' ? [] : [{ label: 'main', spans: [{ from: through, to: through, mark: '▲' }] }]),
  ]);
  const main = tells === 'nobody' ? '' : '   ▲ the main process is through';
  await screen.say(`  0 to 9 that thing is made, or used   ░ waits${main}`);
  const used = new Set(done.filter(({ who }) => who !== 'producer').map(({ thing }) => thing)).size;
  return { used, ended: ends.filter(({ hasEnded }) => hasEnded).length, alive };
}
