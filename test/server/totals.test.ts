// What is counted since the start: by slot, whatever becomes of workers, and never less than before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Totals } from '../../server/totals.ts';
import type { Work } from '../../server/totals.ts';
import { Random } from '../helpers/faults-random.ts';

const work = (messages: number, linesDropped = 0): Work => (
  { traffic: { messages, bytesIn: 10 * messages, bytesOut: 11 * messages }, linesDropped });

test('a slot keeps what its workers have done, when they are replaced too', () => {
  const totals = new Totals();
  totals.workerStarted(1, 1, 0);
  totals.workerStarted(2, 2, 0);
  totals.workerSaid(1, work(5), 1000);
  totals.workerSaid(2, work(7), 1000);
  totals.workerEnded(1);
  assert.deepEqual(totals.bySlot(), [work(5), work(7)]);
  totals.workerStarted(3, 1, 1500);
  totals.workerSaid(3, work(2), 2000);
  assert.deepEqual(totals.bySlot(), [work(7), work(7)]);
  totals.workerSaid(1, work(100), 2000);
  assert.deepEqual(totals.bySlot(), [work(7), work(7)], 'who is gone says nothing any more');
});

test('what the connections of a worker tell that are gone from it counts, where it has not said so much', () => {
  const totals = new Totals();
  totals.workerStarted(1, 1, 0);
  totals.workerSaid(1, work(2), 1000);
  totals.workerHasEnded(1, work(3).traffic);
  totals.workerHasEnded(1, work(1).traffic);
  assert.deepEqual(totals.bySlot(), [work(4)]);
  totals.workerSaid(1, work(5), 2000);
  assert.deepEqual(totals.bySlot(), [work(5)], 'nothing counts twice');
  totals.workerHasEnded(1, work(2).traffic);
  totals.workerEnded(1);
  assert.deepEqual(totals.traffic, work(6).traffic);
});

test('a slot that never had a worker that said something has done nothing', () => {
  const totals = new Totals();
  totals.workerStarted(9, 3, 0);
  totals.workerSaid(9, work(1, 4), 1000);
  assert.deepEqual(totals.bySlot(), [work(0), work(0), work(1, 4)]);
  totals.workerEnded(9);
  assert.deepEqual(totals.bySlot(), [work(0), work(0), work(1, 4)]);
});

test('no figure ever becomes less, in whatever order workers begin, speak and end', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Random(seed);
    const totals = new Totals();
    const living = new Map<number, number>();
    let before = 0;
    let said = 0;
    for (let step = 1; step <= 200; step++) {
      const worker = 1 + random.between(0, 9) + 10 * Math.floor(step / 100);
      if (!living.has(worker)) {
        totals.workerStarted(worker, 1 + worker % 3, step);
        living.set(worker, 0);
      } else if (random.between(0, 4) === 0) {
        totals.workerEnded(worker);
        living.delete(worker);
      } else {
        const more = random.between(0, 3);
        said += more;
        living.set(worker, living.get(worker)! + more);
        totals.workerSaid(worker, work(living.get(worker)!), step);
      }
      const sum = totals.bySlot().reduce((all, { traffic }) => all + traffic.messages, 0);
      assert.ok(sum >= before, `seed ${seed}, step ${step}: ${before} became ${sum}`);
      assert.equal(sum, said);
      before = sum;
    }
  }
});

test('a rate is what was done since a worker spoke last, and 0 when it is silent', () => {
  const totals = new Totals();
  totals.workerStarted(1, 1, 0);
  totals.workerSaid(1, work(500), 1000);
  assert.equal(totals.ratesOf(1, 1000).messagesPerSecond, 500);
  totals.workerSaid(1, work(600), 1001);
  assert.equal(totals.ratesOf(1, 1001).messagesPerSecond, 500, 'a millisecond makes no rate');
  totals.workerSaid(1, work(1500), 2000);
  assert.deepEqual(totals.ratesOf(1, 2000), {
    messagesPerSecond: 1000, bytesInPerSecond: 10_000, bytesOutPerSecond: 11_000,
  });
  assert.equal(totals.ratesOf(1, 60_000).messagesPerSecond, 0, 'it stands still');
  assert.equal(totals.ratesOf(2, 2000).messagesPerSecond, 0, 'nobody knows it');
});

test('hand-offs are counted by how long they took, each bucket with those before it', () => {
  const totals = new Totals();
  for (const ms of [0.1, 0.5, 0.6, 30, 99_000]) totals.handedOver(ms);
  const { buckets, sum, count } = totals.handoffs;
  assert.equal(count, 5);
  assert.ok(Math.abs(sum - 99.0312) < 1e-9, `${sum} s`);
  assert.deepEqual(buckets.slice(0, 2), [{ le: 0.0005, count: 2 }, { le: 0.001, count: 3 }]);
  assert.deepEqual(buckets.find(({ le }) => le === 0.05), { le: 0.05, count: 4 });
  assert.deepEqual(buckets.at(-1), { le: 10, count: 4 });
});
