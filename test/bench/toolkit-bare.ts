// The smallest Node programs that do what a primitive must: nothing but fork, send and 'message'. What they cannot do
// faster, the toolkit cannot either, unless it does it otherwise. Measured beside it by toolkit-ways.ts; forks itself.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { warmUpFor } from './toolkit-work.ts';

/** What such a program sends at least: items with a number, and how many of them were taken. */
interface Asked {
  readonly type: 'items';
  readonly id: number;
  readonly items: readonly number[];
}

interface Answer {
  readonly type: 'taken';
  readonly id: number;
  readonly count: number;
}

interface Release {
  readonly type: 'release';
}

interface Rate {
  readonly type: 'rate';
  readonly rate: number;
}

/** What a child does. */
type Job = 'ask' | 'ask and release' | 'echo';

const SELF = fileURLToPath(import.meta.url);

/**
 * A message with so many items and its answer, from a child: a call of a shared dict, or a Queue with so many places.
 */
export async function roundTrips(items: number, ms: number): Promise<number> {
  const child = begin(ms, 'ask', items);
  child.on('message', (message: Asked | Rate) => { if ('items' in message) child.send(answerTo(message)); });
  return await rateOf(child);
}

/**
 * Messages to two children at a time, and the next ones when both have answered: what a bounded Queue from one child to
 * another is, of which each has one half, the places or the items. @returns How many times a second.
 */
export async function bothAtOnce(items: number, ms: number): Promise<number> {
  return await withEchoes(2, items, ms, async (echoes) => {
    await Promise.all(echoes.map((echo) => echo()));
  });
}

/** A message to one of several children, and when it has answered to the next: a bounded Queue with several getters. */
export async function oneAfterTheOther(count: number, items: number, ms: number): Promise<number> {
  let turn = 0;
  return await withEchoes(count, items, ms, async (echoes) => {
    turn = (turn + 1) % count;
    await echoes[turn]!();
  });
}

/** Does it again and again with so many children that answer. @returns How many times a second. */
async function withEchoes(
  count: number, items: number, ms: number, work: (echoes: readonly (() => Promise<void>)[]) => Promise<void>,
): Promise<number> {
  const children = Array.from({ length: count }, () => begin(ms, 'echo'));
  const echoes = children.map((child) => async () => {
    const answer = once(child, 'message');
    child.send(nextQuestion(items));
    await answer;
  });
  for (const echo of echoes) await echo(); // They run.
  await repeated(warmUpFor(ms), () => work(echoes));
  const rate = await repeated(ms, () => work(echoes));
  for (const child of children) child.kill();
  return rate;
}

/** A lock with which each acquire is a message, and its grant one back. Two processes want it. */
export async function messageEach(ms: number): Promise<number> {
  const line: ChildProcess[] = [];
  const children = [begin(ms, 'ask and release'), begin(ms, 'ask and release')];
  for (const child of children) {
    child.on('message', ({ type }: Asked | Release | Rate) => {
      if (type === 'rate' || (type === 'items' && line.push(child) > 1)) return;
      if (type === 'release') line.shift();
      line[0]?.send({ type: 'granted' });
    });
  }
  const rates = await Promise.all(children.map(rateOf));
  return rates.reduce((sum, rate) => sum + rate);
}

function begin(ms: number, job: Job, items = 0): ChildProcess {
  return fork(SELF, [job, String(ms), String(items)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function rateOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.on('message', (message: Asked | Rate) => { if ('rate' in message) resolve(message.rate); });
    child.once('exit', () => reject(new Error('a bare child ended too soon')));
  });
}

/** Does it for so long, one after the other. @returns How many times a second. */
async function repeated(ms: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  let count = 0;
  for (; performance.now() - begun < ms; count++) await work();
  return count / (performance.now() - begun) * 1000;
}

let lastId = 0;

function nextQuestion(items: number): Asked {
  return { type: 'items', id: ++lastId, items: Array.from({ length: items }, (_, i) => lastId + i) };
}

function answerTo({ id, items }: Asked): Answer {
  return { type: 'taken', id, count: items.length };
}

function echo(): void {
  process.on('message', (message: Asked) => process.send!(answerTo(message)));
}

/** The child: asks, and asks again when the answer has come. */
async function ask(ms: number, items: number, releases: boolean): Promise<void> {
  let answered = (): void => {};
  process.on('message', () => answered());
  const done = async (): Promise<void> => {
    const answer = new Promise<void>((resolve) => { answered = resolve; });
    process.send!(nextQuestion(items));
    await answer;
    if (releases) process.send!({ type: 'release' } satisfies Release);
  };
  await repeated(warmUpFor(ms), done);
  const rate = await repeated(ms, done);
  process.send!({ type: 'rate', rate } satisfies Rate, () => process.disconnect());
}

if (process.argv[1] === SELF && process.send !== undefined) {
  const [, , job, ms, items] = process.argv;
  if (job === 'echo') echo();
  else await ask(Number(ms), Number(items), job === 'ask and release');
}
