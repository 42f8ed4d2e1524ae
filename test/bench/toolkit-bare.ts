// The smallest Node programs that do what a primitive must: nothing but fork, send and 'message'. What they cannot do
// faster, the toolkit cannot either, unless it does it otherwise. Measured beside it by toolkit-ways.ts; forks itself.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { warmUpFor } from './toolkit-work.ts';

interface Rate {
  readonly rate: number;
}

/** What a child does. */
type Job = 'ask' | 'ask and release' | 'echo';

const SELF = fileURLToPath(import.meta.url);

/** A message and its answer, from a child: what a call of a shared dict is. @returns How many a second. */
export async function roundTrips(ms: number): Promise<number> {
  const child = begin(ms, 'ask');
  child.on('message', (message) => { if (message === 'ask') child.send('answer'); });
  return await rateOf(child);
}

/**
 * What one child sends goes to another one, whose answer goes back to the first: what a bounded Queue between two
 * children is when all its places travel together. @returns How many a second go all the way round.
 */
export async function relays(ms: number): Promise<number> {
  const echo = fork(SELF, ['echo' satisfies Job], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const child = begin(ms, 'ask');
  child.on('message', (message) => { if (message === 'ask') echo.send(message); });
  echo.on('message', () => child.send('answer'));
  const rate = await rateOf(child);
  echo.kill();
  return rate;
}

/** A lock with which each acquire is a message, and its grant one back. Two processes want it. */
export async function messageEach(ms: number): Promise<number> {
  const line: ChildProcess[] = [];
  const children = [begin(ms, 'ask and release'), begin(ms, 'ask and release')];
  for (const child of children) {
    child.on('message', (message) => {
      if (message === 'ask' && line.push(child) > 1 || message !== 'ask' && message !== 'release') return;
      if (message === 'release') line.shift();
      line[0]?.send('answer');
    });
  }
  const rates = await Promise.all(children.map(rateOf));
  return rates.reduce((sum, rate) => sum + rate);
}

function begin(ms: number, job: Job): ChildProcess {
  return fork(SELF, [job, String(ms)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function rateOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.on('message', (message) => { if (typeof message === 'object') resolve((message as Rate).rate); });
    child.once('exit', () => reject(new Error('a bare child ended too soon')));
  });
}

function echo(): void {
  process.on('message', (message) => process.send!(message));
}

/** The child: asks, and asks again when the answer has come. */
async function ask(ms: number, releases: boolean): Promise<void> {
  let answered = (): void => {};
  process.on('message', () => answered());
  const done = async (): Promise<void> => {
    const answer = new Promise<void>((resolve) => { answered = resolve; });
    process.send!('ask');
    await answer;
    if (releases) process.send!('release');
  };
  const measure = async (length: number): Promise<number> => {
    const begun = performance.now();
    let count = 0;
    for (; performance.now() - begun < length; count++) await done();
    return count / (performance.now() - begun) * 1000;
  };
  await measure(warmUpFor(ms));
  const rate = await measure(ms);
  process.send!({ rate } satisfies Rate, () => process.disconnect());
}

if (process.argv[1] === SELF && process.send !== undefined) {
  const [, , job, ms] = process.argv;
  if (job === 'echo') echo();
  else await ask(Number(ms), job === 'ask and release');
}
