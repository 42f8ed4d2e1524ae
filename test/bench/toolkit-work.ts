// Targets for the benchmark of the toolkit: each runs in a process of its own.
import { currentProcess } from '../../shared/multiprocessing/index.ts';
import type { DictProxy, JoinableQueue, Lock, Queue } from '../../shared/multiprocessing/index.ts';

/** How often something was done, and how long that took, in milliseconds. */
export interface Work {
  readonly count: number;
  readonly ms: number;
}

/** So often between two looks at the clock. */
const STRETCH = 10;

/** Says that it is ready, waits for the word to begin, does it again and again for so long, and tells how often. */
async function repeat(ms: number, doIt: (i: number) => Promise<unknown>): Promise<void> {
  const parent = currentProcess().parent!;
  const go = new Promise<void>((resolve) => parent.listen(() => {
    parent.listen(undefined);
    resolve();
  }));
  parent.post('ready');
  await go;
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < ms) {
    for (let i = 0; i < STRETCH; i++) await doIt(count + i);
    count += STRETCH;
  }
  parent.post({ count, ms: performance.now() - begun } satisfies Work);
}

export async function takeLock(lock: Lock, ms: number): Promise<void> {
  await repeat(ms, async () => {
    await lock.acquire();
    await lock.release();
  });
}

/** Puts numbers, and null when it is done. */
export async function produce(queue: Queue<number | null>, ms: number): Promise<void> {
  await repeat(ms, (i) => queue.put(i));
  await queue.put(null);
}

/** Takes numbers and says of each that it is done, until it gets null. */
export async function consume(queue: JoinableQueue<number | null>): Promise<void> {
  currentProcess().parent!.post('ready');
  let item: number | null;
  do {
    item = await queue.get();
    await queue.taskDone();
  } while (item !== null);
}

export async function setKeys(dict: DictProxy<number>, ms: number): Promise<void> {
  await repeat(ms, (i) => dict.set('key', i));
}

export async function incrementKey(dict: DictProxy<number>, ms: number): Promise<void> {
  await repeat(ms, () => dict.increment('key'));
}

export function square(n: number): number {
  return n * n;
}

export function nothing(): void {}
