// Teaches a Barrier: nobody goes on before all are there, round after round; and that it is broken when one of them
// dies. Goes on where both Python tutorials end: they join processes at their end, and never in the middle.
//
// The other demos use it too. A race that shows by luck teaches nothing on the day it does not show: so where a program
// reads, and later writes what it made of that, all meet at a barrier when they have read.
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../shared/multiprocessing/index.ts';
import { messageOf } from '../shared/errors.ts';
import { oneForEachCpu, runSteps } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

const ROUNDS = 3;

export const barrier: Demo = {
  name: 'barrier',
  summary: 'workers build floor by floor: nobody before the others',
  happens: `Workers build a house of ${ROUNDS} floors; each lays a stone of each floor, and looks.`,
  look: 'who finds stones of the others missing, and goes on all the same?',
  lookAt: `1. Each lays its stone, and looks whether the floor is whole. Look how often
   stones are missing: the others are not as fast.
2. Between the stone and the look each waits at a Barrier until all have come.
   Look that all of them go on at the same moment.
3. A worker is killed on its way to the barrier. Look what the others are told,
   who would wait for ever in Python.
Without the barrier the first worker always looks before the others lay their
stones, so that you need no luck to see it. Each of the three can be run
alone.`,
  workersAre: 'workers',
  fewest: 2,
  usual: oneForEachCpu(2),
  steps: [
    { flag: 'no-barrier', only: 'the version without the barrier' },
    { flag: 'barrier', only: 'the version with it' },
    { flag: 'killed', only: 'the worker that is killed on its way' },
  ],
  run,
};

const module = import.meta.url;

interface Floor {
  readonly worker: number;
  readonly began: number;
  readonly laid: number;
  readonly looked: number;
  /** How many stones it found. */
  readonly found: number;
}

/** What all workers of one version share. */
interface Site {
  /** Where all meet before the first stone. */
  readonly opening: Barrier;
  /** Where the others wait until the first has looked. With the barrier nobody waits there. */
  readonly firstHasLooked: Barrier;
  readonly stones: DictProxy<number>;
  readonly floors: ListProxy<Floor>;
}

export async function build(worker: number, site: Site, everybody?: Barrier): Promise<void> {
  const { opening, firstHasLooked, stones, floors } = site;
  await opening.wait();
  for (let floor = 1; floor <= ROUNDS; floor++) {
    const began = Date.now();
    await sleep(5 + Math.random() * 25);
    if (worker > 1) await firstHasLooked.wait();
    await stones.increment(`floor ${floor}`);
    const laid = Date.now();
    await everybody?.wait(); // The only difference.
    const looked = Date.now();
    const found = await stones.get(`floor ${floor}`) ?? 0;
    if (worker === 1) await firstHasLooked.wait();
    await floors.push({ worker, began, laid, looked, found });
  }
}

/** Waits for the others, and notes what becomes of that. */
export async function waitForOthers(opening: Barrier, everybody: Barrier, told: ListProxy<string>): Promise<void> {
  await opening.wait();
  await everybody.wait().catch((error: unknown) => told.push(messageOf(error)));
}

/** Is on its way for ever. */
export async function neverCome(opening: Barrier, _everybody: Barrier): Promise<void> {
  await opening.wait();
  await new Promise(() => setInterval(() => {}, 1000));
}

function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  return runSteps(screen, steps, (step) => (
    step === 'killed' ? loseOne(screen, workers) : buildAll(screen, workers, step === 'barrier')
  ));
}

async function buildAll(screen: Screen, workers: number, withBarrier: boolean): Promise<Result> {
  await screen.title(withBarrier ? 'with the barrier' : 'without the barrier');
  const manager = new Manager();
  const site: Site = {
    opening: new Barrier(workers),
    firstHasLooked: new Barrier(withBarrier ? 1 : workers),
    stones: manager.dict(),
    floors: manager.list(),
  };
  const everybody = withBarrier ? new Barrier(workers) : undefined;
  const processes = Array.from({ length: workers }, (_, i) => (
    new Process({ module, target: build, args: [i + 1, site, everybody] })
  ));
  for (const process of processes) process.start();
  for (const process of processes) await process.join();

  const floors = await site.floors.toArray();
  await screen.timeline(processes.map((_, i) => ({
    label: `worker ${i + 1}`,
    paint: (text: string) => screen.ofWorker(i + 1, text),
    spans: floors.filter(({ worker }) => worker === i + 1).flatMap(({ began, laid, looked, found }) => [
      { from: began, to: laid, mark: '█' }, { from: laid, to: looked, mark: '░' },
      { from: looked, to: looked, mark: found < workers ? '▲' : '▣' },
    ]),
  })));
  const missing = floors.filter(({ found }) => found < workers).length;
  await screen.say(withBarrier ? '  █ lays a stone   ░ waits for the others   ▣ finds the floor whole'
    : '  █ lays a stone   ░ looks   ▲ finds stones missing   ▣ finds the floor whole');
  return {
    text: `${withBarrier ? 'with   ' : 'without'} the barrier: ${floors.length} looks, `
      + screen.wrong(`${missing} found stones missing`, missing > 0),
    isShown: floors.length === workers * ROUNDS && (withBarrier ? missing === 0 : missing >= ROUNDS),
  };
}

async function loseOne(screen: Screen, workers: number): Promise<Result> {
  await screen.title('a worker is killed on its way');
  const [opening, everybody] = [new Barrier(workers + 1), new Barrier(workers)];
  const told = new Manager().list<string>();
  const others = Array.from({ length: workers - 1 }, () => (
    new Process({ module, target: waitForOthers, args: [opening, everybody, told] })
  ));
  const killed = new Process({ module, target: neverCome, args: [opening, everybody], name: 'last worker' });
  for (const process of [...others, killed]) process.start();
  await opening.wait();
  killed.kill();
  for (const process of others) await process.join();
  const sentences = await told.toArray();
  await screen.say(sentences.map((sentence) => `  ${sentence}`).join('\n'));
  const right = sentences.filter((sentence) => /last worker \(pid \d+\) was ended by SIGKILL/.test(sentence)).length;
  return {
    text: `a worker killed on its way: ${right} of ${others.length} others were told who died`,
    isShown: right === others.length,
  };
}
