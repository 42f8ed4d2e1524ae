// Which signals are one wish to stop, and which are two; and what the server does then.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRunByNpm } from '../../server/signals/job.ts';
import { StopWishes } from '../../server/signals/signals.ts';

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

test('whether npm has run this program is told by the script that it ran', () => {
  const by = (script: string | undefined, program: string): boolean => (
    isRunByNpm({ npm_lifecycle_script: script }, program)
  );
  assert.ok(by('exec node --import ./shared/loader.mjs server/main.ts', '/home/echopool/server/main.ts'));
  assert.ok(by('node ./server/main.ts --port 1', '/home/echopool/server/main.ts'));
  assert.ok(by('echopool-server --port 1', '/home/app/node_modules/.bin/echopool-server'));
  assert.ok(!by('exec node --test build/test/server.test.js', '/home/echopool/build/server/main.js'));
  assert.ok(!by('node build/test/bench/main.js', '/home/echopool/build/server/main.js'));
  assert.ok(!by(undefined, '/home/echopool/server/main.ts'));
  assert.ok(!by('', ''));
});
