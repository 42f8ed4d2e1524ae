// Faults of the soak that come together: what ends and replaces workers, while the log's reader reads in fits and
// starts or the whole group stands still now and then.
import { setTimeout as sleep } from 'node:timers/promises';
import { kill, killDuringReload, reload, resize } from './faults.ts';
import type { Fault } from './faults.ts';
import type { Stage } from './stage.ts';
import type { Figure } from './table.ts';

type Run = Fault['run'];

/** `trouble` over and over, until `run` is done. */
async function during(stage: Stage, run: Run, trouble: (stage: Stage) => Promise<void>): Promise<Figure[]> {
  let isDone = false;
  const running = run(stage).finally(() => { isDone = true; });
  running.catch(() => {}); // Awaited below.
  while (!isDone) await trouble(stage);
  return await running;
}

/** The reader of the log reads for a moment, and then not. */
async function pauseReader({ server, random }: Stage): Promise<void> {
  server.process.stdout!.pause();
  await sleep(random.between(100, 800));
  server.process.stdout!.resume();
  await sleep(random.between(5, 50));
}

async function standStill({ server, random }: Stage): Promise<void> {
  const master = server.process.pid!;
  process.kill(-master, 'SIGSTOP');
  await sleep(random.between(20, 400));
  process.kill(-master, 'SIGCONT');
  await sleep(random.between(100, 600));
}

const whileReaderPauses = (run: Run): Run => (stage) => during(stage, run, pauseReader);
const whileAllStandStill = (run: Run): Run => (stage) => during(stage, run, standStill);

/**
 * Not resizing while the group stands still: SIGCONT throws a SIGTTOU away. Nor a kill: it must have its victim stand
 * still.
 */
export const combinedFaults: readonly Fault[] = [
  {
    name: 'SIGHUP while the reader of the log pauses', mustHold: 'the same clients connected',
    run: whileReaderPauses(reload),
  },
  { name: 'SIGTTOU, SIGTTIN while it pauses', mustHold: '0 errors', run: whileReaderPauses(resize) },
  {
    name: 'SIGKILL a worker while it pauses', mustHold: 'its clients cut off, others: 0 errors',
    run: whileReaderPauses(kill),
  },
  {
    name: 'SIGKILL a worker during a reload while it pauses', mustHold: 'its clients cut off, others: 0 errors',
    run: whileReaderPauses(killDuringReload),
  },
  {
    name: 'SIGHUP while the whole group stands still now and then', mustHold: 'the same clients connected',
    run: whileAllStandStill(reload),
  },
  {
    name: 'SIGHUP while it does, and the reader of the log pauses', mustHold: 'the same clients connected',
    run: whileReaderPauses(whileAllStandStill(reload)),
  },
];
