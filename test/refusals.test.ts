// Refused connections: all counted, told of at most once a second.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusals } from '../server/refusals.ts';

test('the first is told at once, those of the next second together at its end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const refusals = new Refusals((text) => told.push(text));
  refusals.count('the line is full');
  assert.deepEqual(told.splice(0), ['1 connection refused: the line is full']);
  for (let i = 0; i < 1000; i++) refusals.count('the line is full');
  refusals.count('too many', '192.0.2.7');
  refusals.count('too many', '192.0.2.8');
  t.mock.timers.tick(999);
  assert.deepEqual(told, []);
  t.mock.timers.tick(1);
  assert.deepEqual(told.splice(0), [
    '1000 connections refused: the line is full', '2 connections refused: too many, the last from 192.0.2.8',
  ]);
  assert.equal(refusals.total, 1003);
});

test('after a silence the next is told at once again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const refusals = new Refusals((text) => told.push(text));
  refusals.count('full');
  t.mock.timers.tick(1000);
  assert.equal(told.splice(0).length, 1, 'nothing happened in that second, and something was told');
  refusals.count('full');
  assert.deepEqual(told, ['1 connection refused: full']);
});

test('flush tells what was not told yet, once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const refusals = new Refusals((text) => told.push(text));
  for (let i = 0; i < 4; i++) refusals.count('full');
  refusals.flush();
  refusals.flush();
  t.mock.timers.tick(10_000);
  assert.deepEqual(told, ['1 connection refused: full', '3 connections refused: full']);
  assert.equal(refusals.total, 4);
});
