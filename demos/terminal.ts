// Teaches that processes share their terminal: blocks of lines get mixed up, unless a Lock lets one print at a time.
// After the first part of the first Python tutorial: workers say that they run, work a little, and say that it is done.
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, Lock, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { ListProxy } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu, sayResults, WITHOUT_AND_WITH_LOCK } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import { Screen } from './stage/screen.ts';

export const terminal: Demo = {
  name: 'terminal',
  summary: 'workers print blocks: mixed up, or whole with a lock',
  happens: 'Workers print frames of three lines each onto the one terminal that they share.',
  look: 'is each frame whole? In the picture: who prints at the same time?',
  lookAt: `Each worker prints blocks of three lines, which belong together like the parts
of a frame. Look whether each frame is whole, and in the timeline who prints
when.
Without the lock the workers hand over after each line, so that you need no
luck to see what goes wrong. With the lock a worker has the terminal for a
whole block; the price is that the others wait.`,
  workersAre: 'workers',
  fewest: 2,
  usual: oneForEachCpu(2),
  steps: WITHOUT_AND_WITH_LOCK,
  run,
};

const module = import.meta.url;
const BLOCKS = 2;
const BLOCK = ['┌ is running', '│ is working', '└ is done'] as const;
const PAUSE_MS = 10;

/** A line that was printed. */
interface Line {
  readonly worker: number;
  readonly block: number;
}

/** A block's times: when its worker wanted to print, began and was done. */
interface Times {
  readonly worker: number;
  readonly wanted: number;
  readonly began: number;
  readonly done: number;
}

/** What all workers of one version share. */
interface Shared {
  /** Where all meet before the first line. */
  readonly opening: Barrier;
  /** Where those meet who are between their lines. With the lock that is one at a time. */
  readonly handOver: Barrier;
  readonly lines: ListProxy<Line>;
  readonly times: ListProxy<Times>;
}

export async function work(worker: number, { opening, handOver, lines, times }: Shared, lock?: Lock): Promise<void> {
  const screen = new Screen(new Lock()); // Nobody else has that lock: it keeps a line whole, and no more.
  await opening.wait();
  for (let block = 1; block <= BLOCKS; block++) {
    const wanted = Date.now();
    await lock?.acquire();
    const began = Date.now();
    for (const text of BLOCK) {
      await screen.say(screen.ofWorker(worker, `  ${text[0]} worker ${worker}, block ${block}${text.slice(1)}`));
      await lines.push({ worker, block });
      await sleep(PAUSE_MS);
      await handOver.wait();
    }
    const done = Date.now();
    await lock?.release();
    await times.push({ worker, wanted, began, done });
  }
}

async function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  const results: Result[] = [];
  for (const step of steps) {
    const withLock = step === 'lock';
    await screen.title(withLock ? 'with the lock' : 'without the lock');
    const lock = withLock ? new Lock() : undefined; // The only difference.
    const blocks = workers * BLOCKS;
    const torn = await printBlocks(screen, workers, lock);
    results.push({
      text: `${withLock ? 'with   ' : 'without'} the lock: ${blocks} blocks printed, ${torn} torn`,
      isShown: torn === (withLock ? 0 : blocks),
    });
  }
  return await sayResults(screen, results);
}

/** @returns How many blocks had lines of others between their own. */
async function printBlocks(screen: Screen, workers: number, lock: Lock | undefined): Promise<number> {
  const manager = new Manager();
  const shared: Shared = {
    opening: new Barrier(workers),
    handOver: new Barrier(lock === undefined ? workers : 1), // As many as there can be at a time.
    lines: manager.list(),
    times: manager.list(),
  };
  const processes = Array.from({ length: workers }, (_, i) => (
    new Process({ module, target: work, args: [i + 1, shared, lock] })
  ));
  for (const process of processes) process.start();
  for (const process of processes) await process.join();

  const spans = await shared.times.toArray();
  await screen.say('');
  await screen.timeline(processes.map((_, i) => ({
    label: `worker ${i + 1}`,
    paint: (text: string) => screen.ofWorker(i + 1, text),
    spans: spans.filter(({ worker }) => worker === i + 1).flatMap(({ wanted, began, done }) => [
      { from: wanted, to: began, mark: '░' }, { from: began, to: done, mark: '█' },
    ]).filter(({ from, to }) => to > from),
  })));
  await screen.say(lock === undefined ? '  █ prints a block' : '  ░ waits for the lock   █ holds it, and prints');
  return countTorn(await shared.lines.toArray());
}

function countTorn(lines: readonly Line[]): number {
  const places = new Map<string, number[]>();
  lines.forEach(({ worker, block }, place) => {
    const key = `${worker}.${block}`;
    places.set(key, [...places.get(key) ?? [], place]);
  });
  return [...places.values()].filter((own) => own.at(-1)! - own[0]! !== BLOCK.length - 1).length;
}
