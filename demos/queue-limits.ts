// Teaches the bounds of a Queue: a maxsize, put that waits for a place, putNowait and getNowait that do not, and the
// questions qsize, empty and full. After the second part of the second Python tutorial's section on queues.
import { setTimeout as sleep } from 'node:timers/promises';
import { currentProcess, Process, Queue, QueueEmpty, QueueFull } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu } from './stage/demo.ts';
import type { Demo, Options } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

export const queueLimits: Demo = {
  name: 'queue-limits',
  summary: 'maxsize: put waits, putNowait refuses; qsize, empty, full',
  happens: 'A queue with three places is filled, and emptied again.',
  look: 'what is refused, what waits, and what piles up without a bound?',
  lookAt: `1. A queue for three things: look at qsize, empty and full, and at what is
   refused.
2. put() into a full queue: look that it settles after another process has
   taken a thing, and not before.
3. What a bound is good for: producers that are faster than their consumer
   pile up all they make in memory, or wait for it.`,
  workersAre: 'producers of part 3',
  fewest: 1,
  usual: oneForEachCpu(2),
  steps: [],
  run,
};

const module = import.meta.url;
const MAXSIZE = 3;
const THINGS_A_PRODUCER = 20;
const PATIENCE_MS = 50;

/** Takes one thing out of the queue, when it is told to. */
export async function takeOne(things: Queue<string>, signs: Queue<string>): Promise<void> {
  await signs.get();
  const thing = await things.get();
  await signs.put(thing);
}

/** As fast as it can. */
export async function produce(things: Queue<string>): Promise<void> {
  for (let i = 1; i <= THINGS_A_PRODUCER; i++) await things.put(`${currentProcess().name} ${i}`);
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const refused = await showRefusals(screen);
  const waited = await showPutThatWaits(screen);
  await screen.title(`3. ${workers} fast producers, and a consumer that has not begun yet`);
  const piles = [await pileUp(screen, workers, 0), await pileUp(screen, workers, MAXSIZE)] as const;
  await screen.bars([
    { label: nameOf(0), value: piles[0].most, text: `${piles[0].most} things` },
    { label: nameOf(MAXSIZE), value: piles[1].most, text: `${piles[1].most} things` },
  ]);
  await screen.say('  █ the most things that were in the queue');
  const all = workers * THINGS_A_PRODUCER;
  await screen.say(`
maxsize ${MAXSIZE}: putNowait of thing ${MAXSIZE + 1}: ${refused.put}; getNowait when empty: ${refused.get}
put into the full queue: ${waited ? 'settled only after a get' : screen.wrong('did not wait')}
no bound:  ${screen.wrong(`${piles[0].most} of ${all} things piled up`)}, ${piles[0].got} of ${all} arrived
maxsize ${MAXSIZE}: ${piles[1].most} of ${all} things piled up, ${piles[1].got} of ${all} arrived`);
  return refused.put === 'QueueFull' && refused.get === 'QueueEmpty' && waited
    && piles[0].most === all && piles[0].got === all && piles[1].most === MAXSIZE && piles[1].got === all;
}

async function showRefusals(screen: Screen): Promise<{ put: string; get: string }> {
  await screen.title(`1. new Queue(${MAXSIZE})`);
  const things = new Queue<string>(MAXSIZE);
  await screen.say('  ▣ a thing   □ a free place');
  const look = async (what: string): Promise<void> => {
    const [size, empty, full] = [await things.qsize(), await things.empty(), await things.full()];
    const boxes = '▣'.repeat(size) + '□'.repeat(MAXSIZE - size);
    await screen.say(`  ${what.padEnd(16)}  ${boxes}  qsize ${size}  empty ${String(empty).padEnd(5)}  full ${full}`);
  };
  await look('new');
  for (const thing of ['a', 'b', 'c']) {
    await things.put(thing);
    await look(`put('${thing}')`);
  }
  const put = await outcome(things.putNowait('d'));
  await look("putNowait('d')");
  await screen.say(`      was refused: ${put}`);
  for (let i = 0; i < MAXSIZE; i++) await look(`get() gave '${await things.get()}'`);
  const get = await outcome(things.getNowait());
  await look('getNowait()');
  await screen.say(`      was refused: ${get}`);
  return { put, get };
}

/** @returns Whether put waited for another process's get. */
async function showPutThatWaits(screen: Screen): Promise<boolean> {
  await screen.title('2. put into a full queue');
  const things = new Queue<string>(MAXSIZE);
  const signs = new Queue<string>();
  for (const thing of ['a', 'b', 'c']) await things.put(thing);
  const taker = new Process({ module, target: takeOne, args: [things, signs], name: 'taker' });
  taker.start();
  const impatient = await outcome(things.put('d', PATIENCE_MS));
  await screen.say(`  put('d', ${PATIENCE_MS}): ${impatient} after ${PATIENCE_MS} ms`);
  let isIn = false;
  const putting = things.put('e').then(() => { isIn = true; });
  await sleep(PATIENCE_MS);
  const waitsBefore = !isIn;
  await screen.say(`  put('e') waits: ${waitsBefore ? 'it has not settled' : 'no, it has settled'}`);
  await signs.put('take one');
  await putting;
  await taker.join();
  await screen.say(`  the other process has taken '${await signs.get()}': put('e') has settled`);
  return impatient === 'QueueFull' && waitsBefore && isIn;
}

/** @returns How many things were in the queue at most, and how many the consumer got. */
async function pileUp(screen: Screen, workers: number, maxsize: number): Promise<{ most: number; got: number }> {
  const things = new Queue<string>(maxsize);
  const producers = Array.from({ length: workers }, (_, i) => (
    new Process({ module, target: produce, args: [things], name: `producer ${i + 1}` })
  ));
  for (const producer of producers) producer.start();
  if (maxsize === 0) for (const producer of producers) await producer.join();
  else while (!await things.full() && producers.some((producer) => producer.isAlive())) await sleep(1);
  const waiting = producers.filter((producer) => producer.isAlive()).length;
  const size = await things.qsize();
  await screen.say(`  ${nameOf(maxsize)}: ${size} things are in the queue, ${waiting} of ${workers} producers wait`);
  let most = 0;
  let got = 0;
  for (; got < workers * THINGS_A_PRODUCER; got++) {
    most = Math.max(most, await things.qsize());
    await things.get();
  }
  for (const producer of producers) await producer.join();
  return { most, got };
}

function nameOf(maxsize: number): string {
  return maxsize === 0 ? 'no bound' : `maxsize ${maxsize}`;
}

/** `settled`, or why a queue refused. */
async function outcome(operation: Promise<unknown>): Promise<string> {
  try {
    await operation;
    return 'settled';
  } catch (error) {
    if (error instanceof QueueFull || error instanceof QueueEmpty) return error.name;
    throw error;
  }
}
