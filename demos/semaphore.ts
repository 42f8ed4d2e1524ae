// Teaches a Semaphore: no more than a certain number at the same time; and that the place of a process that dies is
// free again. Goes on where both Python tutorials end: their lock is for one at a time, and this is for a few.
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, describeDeath, Manager, Process, Semaphore } from '../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu, runSteps } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

const PLACES = 2;

export const semaphore: Demo = {
  name: 'semaphore',
  summary: `a car park with ${PLACES} places: crowded, or one waits`,
  happens: `Some cars, each a process, want to park where there are ${PLACES} places.`,
  look: 'how many are in the car park at the same time?',
  lookAt: `1. Each car drives in when it comes. Look how many are inside at the same time.
2. Each takes a permit of a Semaphore, which has as many as there are places,
   and gives it back when it leaves. Look who waits, and for how long.
3. A car breaks down inside: its process is killed. Look whether its place is
   lost, and what the next car is told.
Without the semaphore no car leaves before all are inside, so that you need no
luck to see it. Each of the three can be run alone.`,
  workersAre: 'cars',
  fewest: PLACES + 1,
  usual: oneForEachCpu(2 * PLACES),
  steps: [
    { flag: 'no-limit', only: 'the version without the semaphore' },
    { flag: 'semaphore', only: 'the version with it' },
    { flag: 'killed', only: 'the car that breaks down' },
  ],
  run,
};

const module = import.meta.url;

interface Visit {
  readonly car: number;
  readonly wanted: number;
  readonly came: number;
  readonly left: number;
  /** How many were inside when it came, with itself. */
  readonly inside: number;
}

/** What all cars of one version share. */
interface CarPark {
  /** Where all meet before the first drives in. */
  readonly opening: Barrier;
  /** Where those meet who are inside. With the semaphore nobody waits there. */
  readonly areInside: Barrier;
  readonly counts: DictProxy<number>;
  readonly visits: ListProxy<Visit>;
}

export async function park(car: number, { opening, areInside, counts, visits }: CarPark, places?: Semaphore) {
  await opening.wait();
  const wanted = Date.now();
  await places?.acquire(); // The only difference, with its release.
  const came = Date.now();
  const inside = await counts.increment('inside');
  await areInside.wait();
  await sleep(30 + Math.random() * 20);
  await counts.increment('inside', -1);
  const left = Date.now();
  await places?.release();
  await visits.push({ car, wanted, came, left, inside });
}

/** Drives in, and never out. */
export async function breakDown(places: Semaphore, isInside: Barrier): Promise<void> {
  await places.acquire();
  await isInside.wait();
  await new Promise(() => setInterval(() => {}, 1000));
}

function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  return runSteps(screen, steps, (step) => (
    step === 'killed' ? loseOne(screen) : open(screen, workers, step === 'semaphore')
  ));
}

async function open(screen: Screen, cars: number, withSemaphore: boolean): Promise<Result> {
  await screen.title(withSemaphore ? 'with the semaphore' : 'without the semaphore');
  const manager = new Manager();
  const carPark: CarPark = {
    opening: new Barrier(cars),
    areInside: new Barrier(withSemaphore ? 1 : cars),
    counts: manager.dict(),
    visits: manager.list(),
  };
  const places = withSemaphore ? new Semaphore(PLACES) : undefined;
  const processes = Array.from({ length: cars }, (_, i) => (
    new Process({ module, target: park, args: [i + 1, carPark, places] })
  ));
  for (const process of processes) process.start();
  for (const process of processes) await process.join();

  const visits = await carPark.visits.toArray();
  visits.sort((a, b) => a.car - b.car);
  await screen.timeline(visits.map(({ car, wanted, came, left }) => ({
    label: `car ${car}`,
    paint: (text: string) => screen.ofWorker(car, text),
    spans: [{ from: wanted, to: came, mark: '░' }, { from: came, to: left, mark: '█' }]
      .filter(({ from, to }) => to > from),
  })));
  await screen.say(withSemaphore ? '  ░ waits for a permit   █ has one, and is inside' : '  ░ drives in   █ is inside');
  const most = Math.max(...visits.map(({ inside }) => inside));
  const tooMany = Math.max(0, most - PLACES);
  return {
    text: `${withSemaphore ? 'with   ' : 'without'} the semaphore: ${cars} cars, ${PLACES} places, `
      + `${most} inside at most: ` + screen.wrong(`${tooMany} too many`, tooMany > 0),
    isShown: visits.length === cars && (withSemaphore ? tooMany === 0 : most === cars),
  };
}

async function loseOne(screen: Screen): Promise<Result> {
  await screen.title('a car breaks down on the only place');
  const [places, isInside] = [new Semaphore(1), new Barrier(2)];
  const car = new Process({ module, target: breakDown, args: [places, isInside], name: 'car 1' });
  car.start();
  await isInside.wait();
  await screen.say(`  ${car.name} is inside: ${await places.value()} places are free`);
  car.kill();
  const got = await places.acquire();
  const death = places.abandonedBy;
  await screen.say(`  car 2 has the place now, and is told: ${death === undefined ? 'nothing' : describeDeath(death)}`);
  await places.release();
  const free = await places.value();
  return {
    text: `a car broke down inside: ${free} of 1 places free in the end; the next car was `
      + `${death === undefined ? 'not ' : ''}told`,
    isShown: got && death?.name === car.name && free === 1,
  };
}
