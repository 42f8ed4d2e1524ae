// Newcomers for whom there is no room: how often it is looked for places, and that nobody is refused without a look.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Door } from '../../server/connections/door.ts';

const LEFT = 13;

/** A door whose look takes 10 ms of a clock that is the test's; and what happened there. */
function newDoor(t: import('node:test').TestContext): { door: Door<number>; soonFree: number[]; log: () => string[] } {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const tick = t.mock.timers.tick.bind(t.mock.timers);
  t.mock.method(t.mock.timers, 'tick', (ms: number) => {
    now += ms;
    tick(ms);
  });
  t.mock.method(performance, 'now', () => now);
  const log: string[] = [];
  const look = (standing: readonly number[]): readonly number[] => {
    now += 10;
    log.push('look');
    return standing.filter((newcomer) => newcomer !== LEFT);
  };
  const soonFree: number[] = [];
  const door = new Door<number>({
    look, staysFor: (newcomer) => soonFree.includes(newcomer), answer: (newcomer) => log.push(`answer ${newcomer}`),
  });
  return { door, soonFree, log: () => log.splice(0) };
}

test('those that come together share one look, and are answered in order', (t) => {
  const { door, log } = newDoor(t);
  for (const newcomer of [1, 2, 3]) door.stand(newcomer, 100);
  assert.deepEqual(log(), []);
  assert.equal(door.isFree, false);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'answer 1', 'answer 2', 'answer 3']);
  assert.equal(door.isFree, true);
});

test('the next look comes nine times as long after the last as that took, and nobody is answered without one', (t) => {
  const { door, log } = newDoor(t);
  door.stand(1, 100);
  t.mock.timers.tick(1);
  log();
  door.stand(2, 100);
  t.mock.timers.tick(89);
  assert.deepEqual(log(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'answer 2']);
});

test('who has left the door is not answered', (t) => {
  const { door, log } = newDoor(t);
  for (const newcomer of [1, LEFT, 2]) door.stand(newcomer, 3);
  assert.deepEqual(log(), ['look', 'answer 1', 'answer 2']);
});

test('those for whom there is room meanwhile are let in without a look, whoever stands before them', (t) => {
  const { door, log } = newDoor(t);
  for (const newcomer of [1, 2, 3, 1]) door.stand(newcomer, 100);
  door.letIn((newcomer) => newcomer < 3);
  assert.deepEqual(log(), ['answer 1', 'answer 2', 'answer 1']);
  door.settle();
  assert.deepEqual(log(), ['look', 'answer 3']);
  door.letIn(() => true);
  assert.deepEqual(log(), []);
});

test('when too many stand there it is looked at once', (t) => {
  const { door, log } = newDoor(t);
  for (const newcomer of [1, 2, 3]) door.stand(newcomer, 3);
  assert.deepEqual(log(), ['look', 'answer 1', 'answer 2', 'answer 3']);
  t.mock.timers.tick(1000);
  assert.deepEqual(log(), [], 'nobody is there to be looked for');
});

test('whoever settles it looks at once, unless nobody is there', (t) => {
  const { door, log } = newDoor(t);
  door.settle();
  assert.deepEqual(log(), []);
  door.stand(1, 100);
  door.settle();
  assert.deepEqual(log(), ['look', 'answer 1']);
});

test('who stays for a place that is soon free is looked for again and again, until it has it or there is none', (t) => {
  const { door, soonFree, log } = newDoor(t);
  soonFree.push(1, 2);
  for (const newcomer of [1, 2, 3]) door.stand(newcomer, 100);
  t.mock.timers.tick(1);
  assert.deepEqual(log(), ['look', 'answer 3']);
  door.letIn((newcomer) => newcomer === 1);
  assert.deepEqual(log(), ['answer 1']);
  t.mock.timers.tick(90);
  assert.deepEqual(log(), ['look']);
  soonFree.length = 0;
  t.mock.timers.tick(90);
  assert.deepEqual(log(), ['look', 'answer 2']);
  assert.equal(door.isFree, true);
});

test('nobody stays when too many stand there, or when it is settled', (t) => {
  const { door, soonFree, log } = newDoor(t);
  soonFree.push(1, 2);
  for (const newcomer of [1, 2]) door.stand(newcomer, 2);
  assert.deepEqual(log(), ['look', 'answer 1', 'answer 2']);
  door.stand(1, 100);
  door.settle();
  assert.deepEqual(log(), ['look', 'answer 1']);
});
