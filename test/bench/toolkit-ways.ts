// How the toolkit is measured: each function starts the processes, lets them work together, checks what came of it, and
// tells how often a second it was done. Called by toolkit.ts.
import assert from 'node:assert/strict';
import { JoinableQueue, Lock, Manager, Pool, Process, Queue } from '../../shared/multiprocessing/index.ts';
import type { DictProxy, ProcessOptions } from '../../shared/multiprocessing/index.ts';
import { moduleUrl } from '../helpers/paths.ts';
import * as work from './toolkit-work.ts';
import type { Piece, Taken, Work } from './toolkit-work.ts';

const module = moduleUrl('test/bench/toolkit-work.ts');
const POOL_ITEMS = Array.from({ length: 10_000 }, (_, i) => i);
const SQUARES = POOL_ITEMS.map((n) => n * n);

/** The same target in so many processes, with a lock for all of them; null where there is none. */
export async function withLock(
  count: number, target: (lock: never, ms: number) => Promise<void>, ms: number, lock: Lock | null = new Lock(),
): Promise<number> {
  const crew = await Crew.of(count, { module, target, args: [lock as never, ms] });
  return rateOf(await crew.work<Work>());
}

/**
 * How long a process waits at most for a lock that another takes again and again, in milliseconds. @returns The wait
 * that is longer than 99 of 100: the very longest are those in which the system let another program run.
 */
export async function longWait(ms: number): Promise<number> {
  const lock = new Lock();
  const holder = await Crew.of(1, { module, target: work.takeLock, args: [lock, ms] });
  const waiter = await Crew.of(1, { module, target: work.timeWaits, args: [lock, ms] });
  const [, [waits]] = await Promise.all([holder.work<Work>(), waiter.work<number[]>()]);
  return waits!.toSorted((a, b) => a - b)[Math.floor(waits!.length * 0.99)]!;
}

/** @param getters How many processes take; 0: this one does. @param putsHere Whether this one puts. */
export async function throughQueue(
  queue: Queue<Piece>, { getters = 0, putsHere = false }, ms: number,
): Promise<number> {
  const inOrder = getters <= 1;
  const takers = await Crew.of(getters, { module, target: work.consume, args: [queue, inOrder] });
  const putter = await Crew.of(putsHere ? 0 : 1, { module, target: work.produce, args: [queue, getters || 1, ms] });
  const taken = getters > 0 ? takers.work<Taken>() : work.takeAll(queue, inOrder).then((own) => [own]);
  const put = putsHere ? work.putAll(queue, getters || 1, ms) : putter.work<number>().then(([count]) => count!);
  const results = await taken;
  const total = await put;
  if (queue instanceof JoinableQueue) await queue.join();
  const counted = results.reduce((sum, { count }) => sum + count, 0);
  const sum = results.reduce((sum, taken) => sum + taken.sum, 0);
  assert.deepEqual({ counted, sum }, { counted: total, sum: total * (total - 1) / 2 }, 'an item is missing');
  return total / Math.max(...results.map(({ ms }) => ms)) * 1000;
}

/** @param check Whether the dict is as it must be after so many calls. */
export async function withDict(
  target: (dict: DictProxy<number>, ms: number) => Promise<void>, change: 'last' | 'sum' | 'none', ms: number,
): Promise<number> {
  const manager = new Manager();
  const dict = manager.dict({ key: 0 });
  const crew = await Crew.of(1, { module, target, args: [dict, ms] });
  const results = await crew.work<Work>();
  const value = await dict.get('key') as number;
  const least = { last: results[0]!.count - 1, sum: results[0]!.count, none: 0 }[change];
  assert.ok(value >= least, `the dict has ${value} after ${results[0]!.count} calls`);
  manager.shutdown();
  return rateOf(results);
}

export async function mapped(ms: number): Promise<number> {
  const pool = new Pool(2);
  const target = { module, target: work.square };
  let rate = 0;
  for (const length of [work.warmUpFor(ms), ms]) {
    const begun = performance.now();
    let count = 0;
    let squares: number[] = [];
    for (; performance.now() - begun < length; count += POOL_ITEMS.length) squares = await pool.map(target, POOL_ITEMS);
    rate = count / (performance.now() - begun) * 1000;
    assert.deepEqual(squares, SQUARES);
  }
  pool.close();
  await pool.join();
  return rate;
}

export async function started(ms: number): Promise<number> {
  const begun = performance.now();
  let count = 0;
  for (; performance.now() - begun < ms; count++) {
    const process = new Process({ module, target: work.nothing, args: [] });
    process.start();
    await process.join();
    assert.equal(process.exitCode, 0);
  }
  return count / (performance.now() - begun) * 1000;
}

function rateOf(results: readonly Work[]): number {
  return results.reduce((sum, { count, ms }) => sum + count / ms * 1000, 0);
}

/** Processes that are ready, and begin together when they are told. */
class Crew {
  readonly #processes: readonly Process<never[]>[];
  readonly #mails: readonly { next(): Promise<unknown> }[];

  private constructor(processes: readonly Process<never[]>[]) {
    this.#processes = processes;
    this.#mails = processes.map(mailOf);
  }

  /** Starts so many, and waits until all are ready. */
  static async of<Args extends unknown[]>(count: number, options: ProcessOptions<Args>): Promise<Crew> {
    const processes = Array.from({ length: count }, () => new Process(options));
    for (const process of processes) process.start();
    const crew = new Crew(processes as unknown as Process<never[]>[]);
    for (const mail of crew.#mails) await mail.next();
    return crew;
  }

  /** Lets them work to the end. @returns What each tells at last. */
  async work<Result>(): Promise<Result[]> {
    for (const { channel } of this.#processes) channel.post('go');
    const results = await Promise.all(this.#mails.map((mail) => mail.next() as Promise<Result>));
    for (const process of this.#processes) await process.join();
    return results;
  }
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
