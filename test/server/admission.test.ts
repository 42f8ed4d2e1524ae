// Connections for which there is no room: how often it is looked for places, and that none is refused without a look.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AdmissionQueue } from '../../server/connections/admission.ts';

const LEFT = 13;

interface Setup {
  readonly queue: AdmissionQueue<number>;
  readonly soonFree: number[];
  /** What happened there. */
  readonly log: () => string[];
}

/** A queue whose look takes 10 ms of a clock that is the test's. */
function newQueue(t: TestContext): Setup {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const tick = t.mock.timers.tick.bind(t.mock.timers);
  t.mock.method(t.mock.timers, 'tick', (ms: number) => {
    now += ms;
    tick(ms);
  });
  t.mock.method(performance, 'now', () => now);
  const log: string[] = [];
  const look = (pending: readonly number[]): readonly number[] => {
    now += 10;
    log.push('look');
    return pending.filter((incoming) => incoming !== LEFT);
  };
  const soonFree: number[] = [];
  const queue = new AdmissionQueue<number>({
    look, staysFor: (incoming) => soonFree.includes(incoming), decide: (incoming) => log.push(`decide ${incoming}`),
  });
  return { queue, soonFree, log: () => log.splice(0) };
}

test('connections that come together share one look, and are decided on in order', (t) => {
  const { queue, log } = newQueue(t);
  for (const incoming of [1, 2, 3]) queue.add(incoming, 100);
  assert.deepEqual(log(), []);
  assert.equal(queue.isEmpty, false);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'decide 1', 'decide 2', 'decide 3']);
  assert.equal(queue.isEmpty, true);
});

test('the next look comes nine times as long after the last as that took, and none is decided on without one', (t) => {
  const { queue, log } = newQueue(t);
  queue.add(1, 100);
  t.mock.timers.tick(1);
  log();
  queue.add(2, 100);
  t.mock.timers.tick(89);
  assert.deepEqual(log(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'decide 2']);
});

test('a client that has left is not decided on', (t) => {
  const { queue, log } = newQueue(t);
  for (const incoming of [1, LEFT, 2]) queue.add(incoming, 3);
  assert.deepEqual(log(), ['look', 'decide 1', 'decide 2']);
});

test('those for whom there is room meanwhile are let in without a look, whoever is before them', (t) => {
  const { queue, log } = newQueue(t);
  for (const incoming of [1, 2, 3, 1]) queue.add(incoming, 100);
  queue.letIn((incoming) => incoming < 3);
  assert.deepEqual(log(), ['decide 1', 'decide 2', 'decide 1']);
  queue.decideAll();
  assert.deepEqual(log(), ['look', 'decide 3']);
  queue.letIn(() => true);
  assert.deepEqual(log(), []);
});

test('when too many are pending it is looked at once', (t) => {
  const { queue, log } = newQueue(t);
  for (const incoming of [1, 2, 3]) queue.add(incoming, 3);
  assert.deepEqual(log(), ['look', 'decide 1', 'decide 2', 'decide 3']);
  t.mock.timers.tick(1000);
  assert.deepEqual(log(), [], 'none is pending');
});

test('deciding on all looks at once, unless none is pending', (t) => {
  const { queue, log } = newQueue(t);
  queue.decideAll();
  assert.deepEqual(log(), []);
  queue.add(1, 100);
  queue.decideAll();
  assert.deepEqual(log(), ['look', 'decide 1']);
});

test('one that stays for a place that is soon free is pending until it has it, or there is none', (t) => {
  const { queue, soonFree, log } = newQueue(t);
  soonFree.push(1, 2);
  for (const incoming of [1, 2, 3]) queue.add(incoming, 100);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'decide 3']);
  queue.letIn((incoming) => incoming === 1);
  assert.deepEqual(log(), ['decide 1']);
  t.mock.timers.tick(90);
  assert.deepEqual(log(), ['look']);
  soonFree.length = 0;
  t.mock.timers.tick(90);
  assert.deepEqual(log(), ['look', 'decide 2']);
  assert.equal(queue.isEmpty, true);
});

test('one for which a place is soon free, and never is, is decided on after sixteen looks all the same', (t) => {
  const { queue, soonFree, log } = newQueue(t);
  soonFree.push(1);
  queue.add(1, 100);
  const seen: string[] = [];
  while (!queue.isEmpty && seen.length < 100) {
    t.mock.timers.tick(200);
    seen.push(...log());
  }
  assert.deepEqual(seen, [...new Array<string>(17).fill('look'), 'decide 1']);
  assert.equal(queue.isEmpty, true);
});

test('none stays when too many are pending, or when all are decided on', (t) => {
  const { queue, soonFree, log } = newQueue(t);
  soonFree.push(1, 2);
  for (const incoming of [1, 2]) queue.add(incoming, 2);
  assert.deepEqual(log(), ['look', 'decide 1', 'decide 2']);
  queue.add(1, 100);
  queue.decideAll();
  assert.deepEqual(log(), ['look', 'decide 1']);
});
