// Teaches an Event: a process waits until something is so, in place of guessing how long that will take.
// Goes on where both Python tutorials end: their programs sleep for a while where they wait for others.
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, Event, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu, runSteps } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

export const event: Demo = {
  name: 'event',
  summary: 'guests wait until dinner is ready: a pause, or an event',
  happens: 'A cook makes dinner for some guests, each of whom is a process.',
  look: 'how many guests sit down before there is anything to eat?',
  lookAt: `1. Each guest guesses how long the cook will take, and sleeps for so long. Look
   how many find nothing on the table.
2. Each waits for an Event, which the cook sets when dinner is ready. Look that
   all of them sit down at that very moment, however long it takes.
Without the event the cook is never ready before all the guests have looked,
so that you need no luck to see it.`,
  workersAre: 'guests',
  fewest: 1,
  usual: oneForEachCpu(2),
  steps: [
    { flag: 'no-event', only: 'the version in which the guests guess' },
    { flag: 'event', only: 'the version with the event' },
  ],
  run,
};

const module = import.meta.url;
const COOKING_MS = 80;
const GUESS_MS = 40;

/** How it went for a guest. */
interface Dinner {
  readonly guest: number;
  readonly came: number;
  readonly sat: number;
  readonly plates: number;
}

/** What the cook and the guests of one version share. */
interface House {
  /** Where all meet before the cook begins. */
  readonly opening: Barrier;
  /** Where the cook waits for the guests to look. With the event there is nobody to wait for. */
  readonly haveLooked: Barrier;
  readonly table: DictProxy<number>;
  readonly dinners: ListProxy<Dinner>;
}

export async function cook({ opening, haveLooked, table }: House, guests: number, ready?: Event): Promise<void> {
  await opening.wait();
  await table.set('began', Date.now());
  await sleep(COOKING_MS);
  await haveLooked.wait();
  await table.set('done', Date.now());
  await table.set('plates', guests);
  await ready?.set();
}

export async function dine(guest: number, house: House, ready?: Event): Promise<void> {
  await house.opening.wait();
  const came = Date.now();
  if (ready === undefined) await sleep(GUESS_MS);
  else await ready.wait(); // The only difference.
  const sat = Date.now();
  const plates = await house.table.get('plates') ?? 0;
  if (ready === undefined) await house.haveLooked.wait();
  await house.dinners.push({ guest, came, sat, plates });
}

function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  return runSteps(screen, steps, (step) => serve(screen, workers, step === 'event'));
}

async function serve(screen: Screen, guests: number, withEvent: boolean): Promise<Result> {
  await screen.title(withEvent ? 'the guests wait for the event' : `the guests guess: ${GUESS_MS} ms will do`);
  const manager = new Manager();
  const house: House = {
    opening: new Barrier(guests + 1),
    haveLooked: new Barrier(withEvent ? 1 : guests + 1),
    table: manager.dict(),
    dinners: manager.list(),
  };
  const ready = withEvent ? new Event() : undefined;
  const processes = [
    new Process({ module, target: cook, args: [house, guests, ready], name: 'cook' }),
    ...Array.from({ length: guests }, (_, i) => new Process({ module, target: dine, args: [i + 1, house, ready] })),
  ];
  for (const process of processes) process.start();
  for (const process of processes) await process.join();

  const dinners = await house.dinners.toArray();
  dinners.sort((a, b) => a.guest - b.guest);
  const { began = NaN, done = NaN } = await house.table.toObject();
  await screen.timeline([{ label: 'cook', spans: [{ from: began, to: done, mark: '█' }] },
    ...dinners.map(({ guest, came, sat, plates }) => ({
      label: `guest ${guest}`,
      paint: (text: string) => screen.ofWorker(guest, text),
      spans: [{ from: came, to: sat, mark: '░' }, { from: sat, to: sat, mark: plates > 0 ? '▣' : '▲' }],
    })),
  ]);
  const hungry = dinners.filter(({ plates }) => plates === 0).length;
  await screen.say(`  █ cooks   ${withEvent ? '░ waits for the event   ▣ sits down, and eats'
    : '░ sleeps   ▲ sits down, and finds nothing'}`);
  return {
    text: `${withEvent ? 'with   ' : 'without'} the event: ${guests} guests, `
      + screen.wrong(`${hungry} found nothing`, hungry > 0),
    isShown: dinners.length === guests && hungry === (withEvent ? 0 : guests),
  };
}
