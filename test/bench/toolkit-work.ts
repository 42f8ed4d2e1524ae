// Targets for the benchmark of the toolkit: each runs in a process of its own. Each warms up for half as long as it is
// measured, since Node compiles what runs often, and what comes before that would be measured with it.
import { currentProcess } from '../../shared/multiprocessing/index.ts';
import type { DictProxy, JoinableQueue, Lock, Queue } from '../../shared/multiprocessing/index.ts';

/** How often something was done, and how long that took, in milliseconds. */
export interface Work {
  readonly count: number;
  readonly ms: number;
}

/** What a getter took: also the sum of all, so that the putter's side can tell whether something is missing. */
export interface Taken extends Work {
  readonly sum: number;
}

/** What goes through a queue: -1 while it warms up, then 0, 1, 2 …, and null for each getter when it is over. */
export type Piece = number | null;

/** So often between two looks at the clock. */
const STRETCH = 10;
/**
 * The same for what takes as long as a look. Each stretch is written out, since a call around a lock would take as long
 * as it.
 */
const LONG_STRETCH = 100;

/** The warm-up before so many milliseconds of measuring, in milliseconds. */
export function warmUpFor(ms: number): number {
  return ms / 2;
}

/** Says that it is ready, and waits for the word to begin. */
async function start(): Promise<void> {
  const parent = currentProcess().parent!;
  const go = new Promise<void>((resolve) => parent.listen(() => {
    parent.listen(undefined);
    resolve();
  }));
  parent.post('ready');
  await go;
}

/** Does it again and again, first to warm up and then for so long, and tells how often. */
async function repeat(ms: number, doIt: (i: number) => Promise<unknown>): Promise<void> {
  await start();
  let done = 0;
  for (const length of [warmUpFor(ms), ms]) {
    const before = done;
    const begun = performance.now();
    while (performance.now() - begun < length) {
      for (let i = 0; i < STRETCH; i++) await doIt(done++);
    }
    if (length === ms) currentProcess().parent!.post({ count: done - before, ms: performance.now() - begun });
  }
}

/** The same for stretches: tells how often what is in them was done. */
async function repeatStretches(ms: number, stretch: () => Promise<void>): Promise<void> {
  await start();
  for (const length of [warmUpFor(ms), ms]) {
    let count = 0;
    const begun = performance.now();
    for (; performance.now() - begun < length; count += LONG_STRETCH) await stretch();
    if (length === ms) currentProcess().parent!.post({ count, ms: performance.now() - begun } satisfies Work);
  }
}

export async function takeLock(lock: Lock, ms: number): Promise<void> {
  await repeatStretches(ms, async () => {
    for (let i = 0; i < LONG_STRETCH; i++) {
      await lock.acquire();
      await lock.release();
    }
  });
}

/** As takeLock; release() has let go when it returns, so nobody need await it. */
export async function takeLockOneAwait(lock: Lock, ms: number): Promise<void> {
  await repeatStretches(ms, async () => {
    for (let i = 0; i < LONG_STRETCH; i++) {
      await lock.acquire();
      void lock.release();
    }
  });
}

const SETTLED = Promise.resolve(true);

/** The least that takeLock can cost in Node: it awaits twice, and there is no lock. */
export async function awaitTwice(_: null, ms: number): Promise<void> {
  await repeatStretches(ms, async () => {
    for (let i = 0; i < LONG_STRETCH; i++) {
      await SETTLED;
      await SETTLED;
    }
  });
}

/** And takeLockOneAwait. */
export async function awaitOnce(_: null, ms: number): Promise<void> {
  await repeatStretches(ms, async () => {
    for (let i = 0; i < LONG_STRETCH; i++) await SETTLED;
  });
}

/** Takes the lock at every millisecond or so, and tells how long it had to wait for it, in milliseconds. */
export async function timeWaits(lock: Lock, ms: number): Promise<void> {
  await start();
  const waits: number[] = [];
  const begun = performance.now();
  while (performance.now() - begun < ms) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const asked = performance.now();
    await lock.acquire();
    waits.push(performance.now() - asked);
    await lock.release();
  }
  currentProcess().parent!.post(waits);
}

/** Puts -1 to warm up, then numbers, and then null for each getter. @returns How many numbers. */
export async function putAll(queue: Queue<Piece>, getters: number, ms: number): Promise<number> {
  let count = 0;
  for (const length of [warmUpFor(ms), ms]) {
    const begun = performance.now();
    while (performance.now() - begun < length) {
      for (let i = 0; i < STRETCH; i++) await queue.put(length === ms ? count++ : -1);
    }
  }
  for (let i = 0; i < getters; i++) await queue.put(null);
  return count;
}

/** Takes all up to null. @param inOrder Whether nobody else takes, so that none may be missing. */
export async function takeAll(queue: Queue<Piece> | JoinableQueue<Piece>, inOrder: boolean): Promise<Taken> {
  let count = 0;
  let sum = 0;
  let begun = 0;
  for (;;) {
    const item = await queue.get();
    if ('taskDone' in queue) await queue.taskDone();
    if (item === null) return { count, sum, ms: performance.now() - begun };
    if (item < 0) continue;
    if (inOrder && item !== count) throw new Error(`item ${count} of a queue came as ${item}`);
    if (count++ === 0) begun = performance.now();
    sum += item;
  }
}

export async function produce(queue: Queue<Piece>, getters: number, ms: number): Promise<void> {
  await start();
  currentProcess().parent!.post(await putAll(queue, getters, ms));
}

export async function consume(queue: Queue<Piece>, inOrder: boolean): Promise<void> {
  await start();
  currentProcess().parent!.post(await takeAll(queue, inOrder));
}

export async function setKeys(dict: DictProxy<number>, ms: number): Promise<void> {
  await repeat(ms, (i) => dict.set('key', i));
}

export async function getKeys(dict: DictProxy<number>, ms: number): Promise<void> {
  await repeat(ms, () => dict.get('key'));
}

export async function incrementKey(dict: DictProxy<number>, ms: number): Promise<void> {
  await repeat(ms, () => dict.increment('key'));
}

export function square(n: number): number {
  return n * n;
}

export function nothing(): void {}
