// The toolkit's primitives beside Python's multiprocessing: the same work in both, in alternating rounds. Called
// by main.ts.
import { fileURLToPath } from 'node:url';
import { JoinableQueue, Lock, Manager, Pool, Process, Queue } from '../../shared/multiprocessing/index.ts';
import type { ProcessOptions } from '../../shared/multiprocessing/index.ts';
import { run } from './children.ts';
import { median, type Absent } from './compare.ts';
import type { Effort } from './config.ts';
import * as work from './toolkit-work.ts';
import type { Work } from './toolkit-work.ts';

export interface ToolkitCase {
  readonly title: string;
  readonly unit: string;
  /** Python's ways to do it: the name for people, and toolkit.py's. */
  readonly python: Readonly<Record<string, string>>;
  /** Does it for so many milliseconds. @returns How often a second. */
  measure(ms: number): Promise<number>;
}

export interface ToolkitResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Medians of the rounds, and our rate to theirs. */
  readonly servers: readonly ToolkitRates[];
}

export interface ToolkitRates {
  readonly name: string;
  readonly rate: number;
  readonly ratio: number;
  /** The rate in each round. */
  readonly rounds: readonly number[];
}

const module = new URL('./toolkit-work.ts', import.meta.url);
const SCRIPT = fileURLToPath(new URL('./toolkit.py', import.meta.url));
const PYTHON_LIMIT_MS = 30_000;
const POOL_ITEMS = Array.from({ length: 10_000 }, (_, i) => i);

export const TOOLKIT_CASES: Readonly<Record<string, ToolkitCase>> = {
  'lock': {
    title: 'acquire and release, nobody else wants it', unit: 'times/s', python: { 'Python': 'lock' },
    measure: (ms) => inProcesses(1, { module, target: work.takeLock, args: [new Lock(), ms] }),
  },
  'lock-2': {
    title: 'acquire and release, 2 processes', unit: 'times/s', python: { 'Python': 'lock-2' },
    measure: (ms) => inProcesses(2, { module, target: work.takeLock, args: [new Lock(), ms] }),
  },
  'queue': {
    title: 'a Queue from process to process', unit: 'items/s', python: { 'Python': 'queue' },
    measure: (ms) => throughQueue(new Queue(), ms),
  },
  'queue-10': {
    title: 'the same, for 10 items at most', unit: 'items/s', python: { 'Python': 'queue-10' },
    measure: (ms) => throughQueue(new Queue(10), ms),
  },
  'joinable': {
    title: 'a JoinableQueue, every item told to be done', unit: 'items/s', python: { 'Python': 'joinable' },
    measure: throughJoinable,
  },
  'dict-set': {
    title: 'set a key of a Manager\'s dict, one after the other', unit: 'times/s', python: { 'Python': 'dict-set' },
    measure: (ms) => inProcesses(1, { module, target: work.setKeys, args: [new Manager().dict<number>(), ms] }),
  },
  'dict-increment': {
    title: 'increment it; in Python with a lock around', unit: 'times/s', python: { 'Python': 'dict-increment' },
    measure: (ms) => inProcesses(1, { module, target: work.incrementKey, args: [new Manager().dict({ key: 0 }), ms] }),
  },
  'pool': {
    title: 'Pool(2).map of 10,000 numbers', unit: 'items/s', python: { 'Python': 'pool' },
    measure: mapped,
  },
  'process': {
    title: 'start a Process and join it (ours through tsx)', unit: 'times/s',
    python: { 'Python, fork': 'process', 'Python, spawn': 'process-spawn' },
    measure: started,
  },
};

export interface ToolkitEvents {
  absent(absent: Absent): void;
  now(what: string): void;
  done(result: ToolkitResult): void;
}

/** Measures each case, ours and Python's in turn. */
export async function compareToolkit({ cases, rounds, seconds }: Effort, events: ToolkitEvents): Promise<void> {
  const hasPython = (await run(['python3', '--version'], PYTHON_LIMIT_MS)).code === 0;
  if (!hasPython) events.absent({ name: 'Python', why: 'python3 is not installed' });
  for (const name of cases) {
    const { title, unit, python, measure } = TOOLKIT_CASES[name]!;
    const others = hasPython ? python : {};
    const rates = new Map<string, number[]>(['ours', ...Object.keys(others)].map((server) => [server, []]));
    for (let round = 1; round <= rounds; round++) {
      events.now(`${name}, round ${round} of ${rounds}`);
      rates.get('ours')!.push(await measure(seconds * 1000));
      for (const [other, itsCase] of Object.entries(others)) {
        rates.get(other)!.push(await measurePython(itsCase, seconds));
      }
    }
    const ours = rates.get('ours')!;
    events.done({
      name, title, unit,
      servers: [...rates].map(([server, own]) => ({
        name: server, rate: median(own), ratio: median(own.map((rate, i) => ours[i]! / rate)), rounds: own,
      })),
    });
  }
}

async function measurePython(name: string, seconds: number): Promise<number> {
  const command = ['python3', SCRIPT, name, String(seconds)];
  const { code, stdout, stderr } = await run(command, seconds * 1000 + PYTHON_LIMIT_MS);
  const rate = Number(stdout);
  if (code === 0 && rate > 0) return rate;
  throw new Error(`toolkit.py ${name} failed: ${stderr.trim().split('\n').at(-1) || 'it did not end'}`);
}

/** Runs the same target in so many processes, which begin together. @returns How often a second they did it in all. */
async function inProcesses<Args extends unknown[]>(
  count: number, options: ProcessOptions<Args>,
): Promise<number> {
  const processes = Array.from({ length: count }, () => new Process(options));
  const mails = processes.map((process) => {
    process.start();
    return mailOf(process);
  });
  for (const mail of mails) await mail.next();
  for (const { channel } of processes) channel.post('go');
  const results = await Promise.all(mails.map((mail) => mail.next() as Promise<Work>));
  for (const process of processes) await process.join();
  return results.reduce((sum, { count, ms }) => sum + count / ms * 1000, 0);
}

async function throughQueue(queue: Queue<number | null>, ms: number): Promise<number> {
  const producer = new Process({ module, target: work.produce, args: [queue, ms] });
  producer.start();
  const mail = mailOf(producer);
  await mail.next();
  producer.channel.post('go');
  let count = 0;
  let item = await queue.get();
  const begun = performance.now();
  for (; item !== null; count++) item = await queue.get();
  const took = performance.now() - begun;
  await producer.join();
  return count / took * 1000;
}

async function throughJoinable(ms: number): Promise<number> {
  const queue = new JoinableQueue<number | null>();
  const consumer = new Process({ module, target: work.consume, args: [queue] });
  consumer.start();
  await mailOf(consumer).next();
  await queue.put(0);
  await queue.join();
  const begun = performance.now();
  let count = 0;
  for (; performance.now() - begun < ms; count++) await queue.put(count);
  await queue.put(null);
  await queue.join();
  const took = performance.now() - begun;
  await consumer.join();
  return count / took * 1000;
}

async function mapped(ms: number): Promise<number> {
  const pool = new Pool(2);
  const target = { module, target: work.square };
  await pool.map(target, POOL_ITEMS);
  const begun = performance.now();
  let count = 0;
  for (; performance.now() - begun < ms; count += POOL_ITEMS.length) await pool.map(target, POOL_ITEMS);
  const took = performance.now() - begun;
  pool.close();
  await pool.join();
  return count / took * 1000;
}

async function started(ms: number): Promise<number> {
  const begun = performance.now();
  let count = 0;
  for (; performance.now() - begun < ms; count++) {
    const process = new Process({ module, target: work.nothing, args: [] });
    process.start();
    await process.join();
  }
  return count / (performance.now() - begun) * 1000;
}

/** What a process posts, one after the other; when it ends instead, that is an error. */
function mailOf(process: Process<never[]>): { next(): Promise<unknown> } {
  const came: unknown[] = [];
  let wake: () => void = () => {};
  let hasEnded = false;
  process.channel.listen((message) => {
    came.push(message);
    wake();
  });
  void process.ended.then(() => {
    hasEnded = true;
    wake();
  });
  return {
    next: async () => {
      while (came.length === 0) {
        if (hasEnded) throw process.error ?? new Error(`${process.name} ended too soon`);
        await new Promise<void>((resolve) => { wake = resolve; });
      }
      return came.shift();
    },
  };
}
