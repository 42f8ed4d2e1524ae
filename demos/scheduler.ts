// Teaches what a race is by making you the scheduler, who decides which process goes on: the bad order that needs luck
// elsewhere is yours to choose here, and with a lock there is none. After both Python tutorials' ticket office: its
// processes are those of tickets.ts, held before each step.
import { playRound } from './scheduler/round.ts';
import type { Stage } from './scheduler/round.ts';
import { TICKETS } from './scheduler/model.ts';
import { newReader } from './scheduler/reader.ts';
import { times } from './scheduler/telling.ts';
import { WITHOUT_AND_WITH_LOCK } from './stage/demo.ts';
import type { Demo, Options, Result } from './stage/demo.ts';
import type { Screen } from './stage/screen.ts';

/** With more of them the picture, and the number of orders, grow beyond use. */
const MOST = 4;

export const scheduler: Demo = {
  name: 'scheduler',
  summary: 'you say who goes on: sell one ticket twice, if you can',
  happens: 'Processes want the one ticket that is left, and you say which of them goes on.',
  look: 'can you sell it twice? And with the lock?',
  lookAt: `The processes of the demo tickets, each held before each of its steps: it reads
from a file how many tickets are left, compares that with 0, and writes one
less. You are the scheduler: a key says which process does its next step.
Sell the one ticket twice; then try the same with the lock.
Before that it asks what you think. A process cannot go back: for a step back
the processes are ended, and new ones do all but the last of your choices.
Without a terminal it plays by itself, each process a step in turn.`,
  workersAre: 'processes',
  fewest: 2,
  most: MOST,
  usual: () => 2,
  steps: WITHOUT_AND_WITH_LOCK,
  run,
};

const LEFT = Symbol('the reader leaves');

async function run(screen: Screen, { workers, steps }: Options): Promise<boolean> {
  const over = new AbortController();
  const reader = newReader(over.signal, () => over.abort(LEFT));
  try {
    return await playAll({ screen, reader, players: workers, over }, steps);
  } catch (error) {
    const why: unknown = over.signal.aborted ? over.signal.reason : error;
    if (why === LEFT) return true;
    throw why;
  } finally {
    reader.close();
  }
}

async function playAll(stage: Stage, steps: readonly string[]): Promise<boolean> {
  const { screen, reader } = stage;
  if (!reader.isThere) await screen.say('There is no terminal for your keys: it plays by itself, each a step in turn.');
  const results: Result[] = [];
  for (const step of steps) {
    const withLock = step === 'lock';
    const sold = await playRound(stage, withLock);
    const isShown = withLock ? sold === TICKETS : sold > TICKETS || reader.isThere;
    const version = withLock ? 'with   ' : 'without';
    results.push({ text: `${version} the lock: ${TICKETS} ticket, sold ${times(sold)}`, isShown });
  }
  await screen.say(`\n${results.map(({ text }) => text).join('\n')}`);
  return results.every(({ isShown }) => isShown);
}
