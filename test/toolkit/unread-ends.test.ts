// Pipe: an end that is in a value which nobody will read is here again, or closed, so that nobody waits for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pipe, Pool, Process } from '../../shared/multiprocessing/index.ts';
import type { Connection } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pipe-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pipe-work.ts');
const PASSED = { name: 'WrongUse', message: /was passed on/ };

/** Whether values go both ways. */
async function checkPipe(here: Connection, there: Connection): Promise<void> {
  await there.send('from there');
  assert.equal(await here.recv(), 'from there');
  await here.send('from here');
  assert.equal(await there.recv(), 'from here');
}

test('an end in arguments that are refused has not left, and the start can be tried again', DEADLINE, async () => {
  const [here, there] = Pipe();
  const [, gone] = Pipe();
  const [carrier] = Pipe();
  await carrier.send(gone);
  for (const args of [[there, there], [[there, { also: there }]], [there, gone], [there, () => 1]]) {
    const child = new Process({ module, target: work.stay as (...args: unknown[]) => unknown, args });
    const refusal = args[1] instanceof Function ? { name: 'NotCloneable' } : PASSED;
    assert.throws(() => child.start(), refusal);
    assert.throws(() => child.start(), refusal, 'and not, that it was started before');
    assert.equal(child.isAlive(), false);
    await checkPipe(here, there);
  }
});

test('an end in what a pool refuses has not left', DEADLINE, async () => {
  const [here, there] = Pipe();
  await using pool = new Pool(1);
  const echo = { module, target: work.echo };
  const two = { module, target: work.echo as unknown as (...ends: Connection[]) => void };
  await assert.rejects(pool.apply(two, [there, there]), PASSED);
  await checkPipe(here, there);
  await assert.rejects(pool.map(echo, [there, there], { chunksize: 1 }), PASSED);
  await checkPipe(here, there);
  const results = pool.imapUnordered(echo, [there, there], { chunksize: 2 });
  await assert.rejects(results.next(), PASSED);
  await here.send('to the worker, which has the other one');
  assert.equal(await here.recv(), 'to the worker, which has the other one');
  here.close();
  assert.deepEqual(await results.next(), { done: false, value: undefined });
});
