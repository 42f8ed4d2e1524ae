// The smallest Node programs that do what a primitive must: nothing but fork, send and 'message'. What they cannot do
// faster, the toolkit cannot either, unless it does it otherwise. Measured beside it by toolkit-ways.ts; forks itself.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { warmUpFor } from './toolkit-work.ts';

interface Rate {
  readonly rate: number;
}

const SELF = fileURLToPath(import.meta.url);

/** A message and its answer, from a child: what a call of a shared dict is. @returns How many a second. */
export async function roundTrips(ms: number): Promise<number> {
  const child = begin(ms);
  child.on('message', (message) => { if (message === 'ask') child.send('answer'); });
  return await rateOf(child);
}

/** A lock with which each acquire is a message, and its grant one back. Two processes want it. */
export async function messageEach(ms: number): Promise<number> {
  const line: ChildProcess[] = [];
  const children = [begin(ms), begin(ms)];
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

function begin(ms: number): ChildProcess {
  return fork(SELF, [String(ms)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function rateOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.on('message', (message) => { if (typeof message === 'object') resolve((message as Rate).rate); });
    child.once('exit', () => reject(new Error('a bare child ended too soon')));
  });
}

/** The child: asks, and asks again when the answer has come. */
async function ask(ms: number): Promise<void> {
  let answered = (): void => {};
  process.on('message', () => answered());
  const done = async (): Promise<void> => {
    const answer = new Promise<void>((resolve) => { answered = resolve; });
    process.send!('ask');
    await answer;
    process.send!('release');
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

if (process.argv[1] === SELF && process.send !== undefined) await ask(Number(process.argv[2]));
