// What happens to many connections: all counted, told of at most once a second.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tally } from '../../server/connections/statistics.ts';

test('the first is told at once, those of the next second together at its end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const tally = new Tally('refused', (text) => told.push(text));
  tally.count('the line is full');
  assert.deepEqual(told.splice(0), ['1 connection refused: the line is full']);
  for (let i = 0; i < 1000; i++) tally.count('the line is full');
  tally.count('too many', '192.0.2.7');
  tally.count('too many', '192.0.2.8');
  t.mock.timers.tick(999);
  assert.deepEqual(told, []);
  t.mock.timers.tick(1);
  assert.deepEqual(told.splice(0), [
    '1000 connections refused: the line is full', '2 connections refused: too many, the last from 192.0.2.8',
  ]);
  assert.equal(tally.total, 1003);
});

test('after a silence the next is told at once again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const tally = new Tally('refused', (text) => told.push(text));
  tally.count('full');
  t.mock.timers.tick(1000);
  assert.equal(told.splice(0).length, 1, 'nothing happened in that second, and something was told');
  tally.count('full');
  assert.deepEqual(told, ['1 connection refused: full']);
});

test('flush tells what was not told yet, once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const tally = new Tally('refused', (text) => told.push(text));
  for (let i = 0; i < 4; i++) tally.count('full');
  tally.flush();
  tally.flush();
  t.mock.timers.tick(10_000);
  assert.deepEqual(told, ['1 connection refused: full', '3 connections refused: full']);
  assert.equal(tally.total, 4);
});
