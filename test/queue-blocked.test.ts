// Queue when processes compute, or stand still, in any order: what each getter sees is in order, and what is free is had.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Queue } from '../shared/multiprocessing/index.ts';
import * as work from './fixtures/queue-work.ts';
import { startObeying } from './helpers/obeying.ts';
import { moduleUrl } from './helpers/paths.ts';
import { startProcess } from './helpers/processes.ts';
import type { Cleaner } from './helpers/processes.ts';
import { checkTaken } from './helpers/queue-taken.ts';

const module = moduleUrl('test/fixtures/queue-work.ts');
const PUTTERS = ['a', 'b', 'c'];
const ITEMS = 150;
/** For whole machines that stand still; what is awaited here takes a second or two. */
const LONG = { timeout: 120_000 };

/** Three put and three get, and all block now and then. @returns For each queue, what each getter got. */
async function throughBlocked(t: Cleaner, queues: Queue<unknown>[], seed: number, mostMs: number): Promise<[string, number][][][]> {
  const results = new Queue<[string, number][][]>();
  const getters = [1, 2, 3].map((i) => (
    startProcess(t, { module, target: work.getAndBlock, args: [queues, results, 100 * seed + i, mostMs] }).process
  ));
  const putters = PUTTERS.map((name, i) => (
    startProcess(t, { module, target: work.putAndBlock, args: [queues, name, ITEMS, 100 * seed + 10 + i] }).process
  ));
  for (const putter of putters) await putter.join();
  for (const queue of queues) await queue.close();
  const taken = [await results.get(), await results.get(), await results.get()];
  for (const getter of getters) await getter.join();
  return queues.map((_, i) => taken.map((all) => all[i]!));
}

describe('each getter sees each putter\'s items in their order', { concurrency: 4 }, () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    test(`when getters and putters of four queues block, run ${seed}`, LONG, async (t) => {
      const queues = [new Queue(), new Queue(), new Queue(1), new Queue(20)];
      for (const taken of await throughBlocked(t, queues, seed, seed === 1 ? 400 : 150)) checkTaken(taken, PUTTERS, ITEMS);
    });
  }

  for (const seed of [31, 32]) {
    test(`when the queues' owner blocks too, run ${seed}`, LONG, async (t) => {
      const through = new Queue<unknown>();
      const { process: owner } = startProcess(t, { module, target: work.ownAndBlock, args: [through, seed] });
      const queues = [await through.get(), await through.get()] as Queue<unknown>[];
      for (const taken of await throughBlocked(t, queues, seed, 150)) checkTaken(taken, PUTTERS, ITEMS);
      owner.channel.post('end');
      await owner.join();
    });
  }

  test('when one alone took items ahead, and then others come', LONG, async (t) => {
    const queue = new Queue<unknown>();
    const [one, other] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    await other.tell('put', -1);
    await work.putNumbers(queue, 0, 5000);
    const first = await one.tell('getMany', 1000) as number[];
    const takings = await Promise.all([one.tell('getMany', 2000), other.tell('getMany', 2001)]) as number[][];
    for (const items of [[...first, ...takings[0]!], takings[1]!]) {
      assert.deepEqual(items, [...items].sort((a, b) => a - b));
    }
    assert.equal(new Set([...first, ...takings.flat()]).size, 5001);
    assert.equal(await queue.qsize(), 0);
  });
});

describe('what is free is had, whatever another process computes', { concurrency: 4 }, () => {
  test('a place, when another has put half of what fits, and computes', LONG, async (t) => {
    const queue = new Queue<unknown>(100);
    const [busy, other] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    await busy.tell('putMany', 0, 40);
    busy.start('putManyAndStandStill', 11);
    while (await queue.qsize() < 51) await new Promise(setImmediate);
    await other.tell('putMany', 0, 49);
    assert.equal(await queue.full(), true);
    await assert.rejects(other.tell('putNowait', 1), { name: 'QueueFull' });
  });

  test('the last places, at once, when another has put the rest', LONG, async (t) => {
    const queue = new Queue<unknown>(16);
    const [busy, other] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    busy.start('putManyAndStandStill', 13);
    while (await queue.qsize() < 13) await new Promise(setImmediate);
    for (let i = 0; i < 3; i++) await other.tell('putNowait', i);
    await assert.rejects(queue.putNowait(1), { name: 'QueueFull' });
    assert.equal(await queue.qsize(), 16);
  });

  test('all items but those that a burst was for, when the one who took alone so far computes', LONG, async (t) => {
    const queue = new Queue<unknown>();
    const [busy, other] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    await other.tell('put', -1);
    await work.putNumbers(queue, 0, 3000);
    await busy.tell('getMany', 500);
    busy.start('getAndStandStill');
    // Its get is in the line before these, or behind them: it takes one or none of these.
    const items = await other.tell('getMany', 2500) as number[];
    assert.deepEqual(items, [...items].sort((a, b) => a - b));
  });
});
