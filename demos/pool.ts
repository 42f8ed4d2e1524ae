// Teaches why there should be as many processes as CPUs: more of them bring no speed, and each costs time and memory.
// After the second Python tutorial's thought on its server: several processes are for the use of several CPUs.
import { cpuCount, Pool } from '../shared/multiprocessing/index.ts';
import type { Demo, Options } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

export const pool: Demo = {
  name: 'pool',
  summary: 'the same work on 1, 2 ... CPUs-many workers and far more',
  happens: 'The same search for primes is done by pools of more and more workers.',
  look: 'where does the time stop falling? What goes on growing?',
  lookAt: `The same numbers are searched for primes by pools of different sizes. Look
where the time stops falling: at the number of CPUs, as work that only
computes cannot run on more of them than there are. What goes on growing is
the time until all workers have started, and the memory that they take.
The times are those of this moment; only the results are checked, which must
be equal.`,
  workersAre: 'size of the largest pool',
  fewest: 1,
  usual: (cpus) => Math.min(4 * cpus, Math.max(32, 2 * cpus)),
  steps: [],
  run,
};

const module = import.meta.url;
const TASKS = 64;
const NUMBERS_A_TASK = 25_000;

/** How it went with a pool of one size. Times in milliseconds, memory in bytes. */
interface Measurement {
  readonly size: number;
  readonly start: number;
  readonly time: number;
  readonly memory: number;
  readonly primes: number;
}

/** Work that only computes: counts the primes of one stretch of numbers, in a plain way. */
export function countPrimes(task: number): number {
  let count = 0;
  for (let n = Math.max(2, task * NUMBERS_A_TASK); n < (task + 1) * NUMBERS_A_TASK; n++) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor !== 0) divisor++;
    if (divisor * divisor > n) count++;
  }
  return count;
}

/** What a worker takes, in bytes. Its answer says that it has started. */
export function memory(): number {
  return process.memoryUsage.rss();
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const cpus = cpuCount();
  const last = TASKS * NUMBERS_A_TASK;
  await screen.title(`the primes below ${last}, in ${TASKS} tasks, on ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`);
  const all: Measurement[] = [];
  for (const size of sizes(cpus, workers)) all.push(await measure(size));

  const single = all[0]!.time;
  const speedUp = ({ time }: Measurement): string => `× ${(single / time).toFixed(1)}`;
  const draw = (value: (one: Measurement) => number, text: (one: Measurement) => string): Promise<void> => (
    screen.bars(all.map((one) => ({ label: label(one.size, cpus), value: value(one), text: text(one) })))
  );
  await screen.say('  █ time for the work, with all workers started');
  await draw(({ time }) => time, ({ time }) => `${Math.round(time)} ms`);
  await screen.say('\n  █ speed-up: how many times as fast as one worker');
  await draw(({ time }) => single / time, speedUp);
  await screen.say('\n  █ before that: time until all workers have started; behind it their memory');
  await draw(({ start }) => start, ({ start, memory }) => `${Math.round(start)} ms, ${megabytes(memory)}`);

  const most = all.at(-1)!;
  const best = all.reduce((a, b) => (a.time <= b.time ? a : b));
  const isEqual = all.every(({ primes }) => primes === most.primes);
  await screen.say(`
${isEqual ? `${most.primes} primes with every pool` : screen.wrong('the results differ')}
fastest: ${label(best.size, cpus).trim()}, ${speedUp(best)}; `
    + `the most: ${most.size}, ${speedUp(most)} with ${megabytes(most.memory)} of memory`);
  return isEqual;
}

/** 1, 2, 4 … up to the CPUs, and `largest`. */
function sizes(cpus: number, largest: number): number[] {
  const doubled = Array.from({ length: Math.ceil(Math.log2(cpus)) }, (_, i) => 2 ** i);
  return [...doubled, cpus, largest].filter((size, i, list) => size <= largest && list.indexOf(size) === i);
}

function label(size: number, cpus: number): string {
  return `${String(size).padStart(3)} ${size === 1 ? 'worker' : 'workers'}${size === cpus ? ' = CPUs' : ''}`;
}

async function measure(size: number): Promise<Measurement> {
  const begun = performance.now();
  const pool = new Pool(size);
  // As all workers are free, each of them gets one of these.
  const memories = await Promise.all(Array.from({ length: size }, () => pool.apply({ module, target: memory }, [])));
  const started = performance.now();
  const tasks = Array.from({ length: TASKS }, (_, task) => task);
  const counts = await Promise.all(tasks.map((task) => pool.apply({ module, target: countPrimes }, [task])));
  const done = performance.now();
  pool.close();
  await pool.join();
  return { size, start: started - begun, time: done - started, memory: sum(memories), primes: sum(counts) };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
