// Which signals are one wish to stop, and which are two. What the server then does is in server-signals.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StopWishes } from '../server/signals.ts';

/** What the signals ask for, one after the other; `later` lets a while pass. */
function askedBy(echoes: boolean, ...came: ('SIGINT' | 'SIGTERM' | 'later' | 'go on')[]): string[] {
  const asked: string[] = [];
  const whiles: (() => void)[] = [];
  const wishes = { stop: () => asked.push('stop'), stopNow: () => asked.push('stop now') };
  const stops = new StopWishes(wishes, echoes, (done) => whiles.push(done));
  for (const signal of came) {
    if (signal === 'later') for (const done of whiles.splice(0)) done();
    else if (signal === 'go on') stops.goOn();
    else stops.came(signal);
  }
  return asked;
}

test('a second signal is a second wish', () => {
  assert.deepEqual(askedBy(false, 'SIGTERM'), ['stop']);
  assert.deepEqual(askedBy(false, 'SIGTERM', 'later', 'SIGTERM'), ['stop', 'stop now']);
  assert.deepEqual(askedBy(false, 'SIGINT', 'later', 'SIGTERM', 'later', 'SIGINT'), ['stop', 'stop now', 'stop now']);
});

test('signals that come together are one', () => {
  assert.deepEqual(askedBy(false, 'SIGTERM', 'SIGTERM', 'SIGINT'), ['stop']);
  assert.deepEqual(askedBy(false, 'SIGTERM', 'SIGTERM', 'later', 'SIGTERM', 'SIGTERM'), ['stop', 'stop now']);
});

test('what npm passes on of a Ctrl-C is no second wish, however late it comes', () => {
  assert.deepEqual(askedBy(true, 'SIGINT', 'later', 'SIGINT'), ['stop']);
  assert.deepEqual(askedBy(true, 'SIGINT', 'SIGINT', 'later', 'SIGINT'), ['stop', 'stop now']);
  assert.deepEqual(askedBy(true, 'SIGINT', 'later', 'SIGINT', 'later', 'SIGINT'), ['stop', 'stop now']);
  assert.deepEqual(askedBy(true, 'SIGTERM', 'later', 'SIGTERM'), ['stop', 'stop now'], 'a terminal sends no SIGTERM');
});

test('after the job was stopped and continued, another signal is another wish', () => {
  assert.deepEqual(askedBy(false, 'SIGTERM', 'go on', 'SIGTERM'), ['stop', 'stop now']);
});
