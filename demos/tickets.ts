// Teaches why what is read and then written needs a lock: a file as the database of a ticket office, and many buyers.
// After both Python tutorials: search() tells how many tickets are left, buy() takes one, and the network is slow.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, Lock, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { ListProxy } from '../shared/multiprocessing/index.ts';
import { buy, putTickets, search } from './stage/buy-ticket.ts';
import { oneForEachCpu, runSteps, WITHOUT_AND_WITH_LOCK } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';
import { inTemporaryFolder } from './stage/temporary-folder.ts';
import { showHalfWritten } from './tickets-half-written.ts';

const BUYERS = 100;
const TICKETS = 1;

export const tickets: Demo = {
  name: 'tickets',
  summary: `${BUYERS} buyers, ${TICKETS} ticket: oversold without a lock`,
  happens: '100 buyers want the one ticket that is left; a file says how many there are.',
  look: 'how many have a ticket in the end? How many were buying at the same time?',
  lookAt: `Each buyer reads the number of tickets left from a file, and if there is one,
writes the number back, less one. Look how many have bought in the end, and in
the timeline how many were between reading and writing at the same time.
Without the lock no process writes before every other has a buyer who has
read, so that you need no luck to see it. With the lock they buy one at a
time.
At the end a writer is killed in the middle of its work: look what is in the
file. Each of the three can be run alone.
The buyers are played by a few processes, each many at a time: a process for
each of ${BUYERS} would take far longer to start than to buy.`,
  workersAre: 'processes that play the buyers',
  fewest: 2,
  usual: oneForEachCpu(2),
  steps: [...WITHOUT_AND_WITH_LOCK, { flag: 'half-written', only: 'the writer that is killed in the middle' }],
  run,
};

const module = import.meta.url;

/** How it went for one buyer. */
interface Trip {
  readonly worker: number;
  /** What search() said before. */
  readonly wasTold: number;
  readonly hasTicket: boolean;
  /** When the buyer read the file to buy, and was done with it. */
  readonly read: number;
  readonly done: number;
}

/** What all processes of one version share. */
interface Office {
  readonly file: string;
  /** Where all processes meet before the first buyer comes. */
  readonly opening: Barrier;
  /** Where those meet who have read. With the lock that is one at a time. */
  readonly haveRead: Barrier;
  readonly trips: ListProxy<Trip>;
}

/** Plays some of the buyers, all at the same time. */
export async function play(worker: number, buyers: number, office: Office, lock: Lock | undefined): Promise<void> {
  let met: Promise<unknown> | undefined;
  await office.opening.wait();
  await Promise.all(Array.from({ length: buyers }, async () => {
    await network(60);
    const wasTold = await search(office.file);
    await lock?.acquire();
    const read = Date.now();
    const hasTicket = await buy(office.file, async (step) => {
      if (step === 'write') return await network(20);
      if (step !== 'compare') return;
      await network(2);
      await (met ??= office.haveRead.wait()); // Until the others have read too.
    });
    const done = Date.now();
    await lock?.release();
    await office.trips.push({ worker, wasTold, hasTicket, read, done });
  }));
}

/** A slow network, which takes up to `ms` milliseconds. */
async function network(ms: number): Promise<void> {
  await sleep(Math.random() * ms);
}

function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  return runSteps(screen, steps, (step) => (
    step === 'half-written' ? showHalfWritten(screen) : sellTickets(screen, workers, step === 'lock')
  ));
}

async function sellTickets(screen: Screen, workers: number, withLock: boolean): Promise<Result> {
  await screen.title(withLock ? 'with the lock' : 'without the lock');
  const lock = withLock ? new Lock() : undefined; // The only difference.
  const { sold, left } = await sell(screen, workers, lock);
  const tooMany = sold - TICKETS;
  return {
    text: `${withLock ? 'with   ' : 'without'} the lock: ${BUYERS} buyers, ${TICKETS} ticket, ${sold} sold: `
      + (tooMany > 0 ? screen.wrong(`${tooMany} too many`) : 'exact'),
    isShown: left === 0 && (withLock ? tooMany === 0 : tooMany > 0),
  };
}

/** @returns How many buyers have a ticket, and what the file says in the end. */
async function sell(screen: Screen, workers: number, lock: Lock | undefined): Promise<{ sold: number; left: number }> {
  return await inTemporaryFolder(async (folder) => {
    const file = join(folder, 'tickets.json');
    await putTickets(file, TICKETS);
    const manager = new Manager();
    const office: Office = {
      file,
      opening: new Barrier(workers),
      haveRead: new Barrier(lock === undefined ? workers : 1), // As many as there can be at a time.
      trips: manager.list<Trip>(),
    };
    const processes = Array.from({ length: workers }, (_, i) => {
      const buyers = Math.floor((BUYERS + i) / workers);
      return new Process({ module, target: play, args: [i + 1, buyers, office, lock] });
    });
    for (const process of processes) process.start();
    for (const process of processes) await process.join();

    const trips = await office.trips.toArray();
    const sold = trips.filter(({ hasTicket }) => hasTicket).length;
    const disappointed = trips.filter(({ hasTicket, wasTold }) => wasTold > 0 && !hasTicket).length;
    const left = await search(file);
    await screen.timeline(processes.map((_, i) => {
      const own = trips.filter(({ worker }) => worker === i + 1);
      own.sort((a, b) => Number(a.hasTicket) - Number(b.hasTicket)); // The others are seen behind those with a ticket.
      return {
        label: `process ${i + 1}`,
        paint: (text: string) => screen.ofWorker(i + 1, text),
        spans: own.map(({ read, done, hasTicket }) => ({ from: read, to: done, mark: hasTicket ? '█' : '░' })),
      };
    }));
    const holds = lock === undefined ? '' : 'holds the lock, ';
    await screen.say(`  █ ${holds}buys a ticket   ░ ${holds}finds none left
  ${trips.length} buyers came; ${sold} with a ticket now; ${left} left, says the file
  ${disappointed} were told of a ticket by search(), and came too late to buy it`);
    return { sold, left };
  });
}
