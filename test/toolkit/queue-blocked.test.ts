// Queue when processes compute, or stand still, in any order: what each getter sees is in order, and what is free is
// had.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/queue-work.ts';
import { startObeying } from '../helpers/obeying.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { startProcess } from '../helpers/processes.ts';
import type { Cleaner } from '../helpers/processes.ts';
import { checkTaken } from '../helpers/queue-taken.ts';

const module = moduleUrl('test/fixtures/queue-work.ts');
const PUTTERS = ['a', 'b'];
/**
 * For each putter, in the first queue of a seed, which has no bound and may send items ahead, and in those that have
 * one.
 */
const ITEMS = [50, 15, 15];
/** For whole machines that stand still, or have much else to do; what is awaited here takes some seconds. */
const LONG = { timeout: 170_000 };

/**
 * Two put and three get, and all block now and then: of what one getter gives back, the others differ in whether they
 * have taken something younger. They go on from the queues of one seed to those of the next.
 */
async function throughBlocked(t: Cleaner, rounds: work.Round[]): Promise<void> {
  const results = new Queue<[string, number][][][]>();
  const getters = [1, 2, 3].map((i) => (
    startProcess(t, { module, target: work.getAndBlock, args: [rounds, results, i] })
  ));
  const putters = PUTTERS.map((name, i) => (
    startProcess(t, { module, target: work.putAndBlock, args: [rounds, name, ITEMS, 10 + i] })
  ));
  for (const { seed, queues } of rounds) {
    for (const { mail } of putters) assert.equal(await mail.next(), seed);
    for (const queue of queues) await queue.close();
  }
  const taken = [await results.get(), await results.get(), await results.get()];
  for (const { process } of [...putters, ...getters]) await process.join();
  rounds.forEach(({ queues }, round) => {
    queues.forEach((_, queue) => checkTaken(taken.map((all) => all[round]![queue]!), PUTTERS, ITEMS[queue]!));
  });
}

describe('each getter sees each putter\'s items in their order', { concurrency: 4 }, () => {
  test('when getters and putters block, with 10 seeds', LONG, async (t) => {
    const rounds = Array.from({ length: 10 }, (_, i) => (
      { seed: 1 + i, queues: [new Queue(), new Queue(1), new Queue(20)] }
    ));
    await throughBlocked(t, rounds);
  });

  test('when the queues\' owner blocks too, with 10 seeds more', LONG, async (t) => {
    const through = new Queue<work.Round>();
    const seeds = Array.from({ length: 10 }, (_, i) => 31 + i);
    const { process: owner } = startProcess(t, { module, target: work.ownAndBlock, args: [through, seeds] });
    const rounds: work.Round[] = [];
    while (rounds.length < seeds.length) rounds.push(await through.get());
    await throughBlocked(t, rounds);
    owner.channel.post('end');
    await owner.join();
  });

  test('when one alone took items ahead, and then others come', LONG, async (t) => {
    const queue = new Queue<unknown>();
    const [one, other] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    await other.tell('put', -1);
    await work.putNumbers(queue, 0, 2500);
    const first = await one.tell('getMany', 700) as number[];
    const takings = await Promise.all([one.tell('getMany', 900), other.tell('getMany', 901)]) as number[][];
    for (const items of [[...first, ...takings[0]!], takings[1]!]) {
      assert.deepEqual(items, [...items].sort((a, b) => a - b));
    }
    assert.equal(new Set([...first, ...takings.flat()]).size, 2501);
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
    await work.putNumbers(queue, 0, 1500);
    await busy.tell('getMany', 500);
    busy.start('getAndStandStill');
    // Its get is in the line before these, or behind them: it takes one or none of these.
    const items = await other.tell('getMany', 1000) as number[];
    assert.deepEqual(items, [...items].sort((a, b) => a - b));
  });
});
