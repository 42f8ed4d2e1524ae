// How long the pool waits before it starts the next worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestartDelay } from '../../server/workers/restart-delay.ts';

test('a worker that dies in its prime is replaced at once, however many do', () => {
  const delay = new RestartDelay();
  for (let i = 0; i < 100; i++) {
    delay.started();
    delay.died(60_000);
    assert.equal(delay.next(), 0);
  }
  assert.equal(delay.hopeless, false);
});

test('workers that cannot start are waited for longer each time, to a limit, and soon there is no hope', () => {
  const delay = new RestartDelay();
  const waits = [];
  const hope = [];
  for (let i = 0; i < 9; i++) {
    delay.failed();
    waits.push(delay.next());
    hope.push(!delay.hopeless);
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.deepEqual(hope.slice(0, 4), [true, true, false, false]);
});

test('one that started ends the waiting, and brings hope back', () => {
  const delay = new RestartDelay();
  for (let i = 0; i < 5; i++) delay.failed();
  delay.started();
  assert.equal(delay.next(), 0);
  assert.equal(delay.hopeless, false);
  delay.failed();
  assert.equal(delay.next(), 100);
});

test('a few that die young are bad luck; more of them in a row are waited for, but not for long', () => {
  const delay = new RestartDelay();
  const waits = [];
  for (let i = 0; i < 8; i++) {
    delay.started();
    delay.died(10);
    waits.push(delay.next());
  }
  assert.deepEqual(waits, [0, 0, 0, 100, 200, 400, 500, 500]);
  assert.equal(delay.hopeless, false);
  // One that lived is the end of the row.
  delay.started();
  delay.died(60_000);
  assert.equal(delay.next(), 0);
  delay.died(10);
  assert.equal(delay.next(), 0);
});

test('asking changes nothing', () => {
  const delay = new RestartDelay();
  delay.failed();
  assert.deepEqual([delay.next(), delay.next(), delay.next()], [100, 100, 100]);
});

test('one that lived and left as it was to ends the bad luck, and one that hardly lived does not', () => {
  const delay = new RestartDelay();
  for (let i = 0; i < 5; i++) delay.died(1);
  assert.equal(delay.next(), 200);
  delay.left(1);
  assert.equal(delay.next(), 200);
  delay.left(60_000);
  assert.equal(delay.next(), 0);
});

test('one start at a time is waited for, for as long as is told', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const now = performance.now();
  const clock = t.mock.method(performance, 'now', () => now);
  const delay = new RestartDelay();
  let starts = 0;
  delay.failed();
  delay.wait(() => { starts++; });
  delay.failed();
  delay.wait(() => { starts++; });
  clock.mock.mockImplementation(() => now + 30);
  assert.equal(delay.waitMs, 70, 'of the first one that could not start');
  t.mock.timers.tick(100);
  assert.equal(starts, 1);
  assert.equal(delay.waitMs, 200);
  delay.wait(() => { starts++; });
  delay.cancel();
  t.mock.timers.tick(1000);
  assert.equal(starts, 1);
});
