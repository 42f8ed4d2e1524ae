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

test('an end in a task that is never begun is here again', DEADLINE, async () => {
  const echo = { module, target: work.echo };
  for (const how of ['time', 'signal', 'terminate', 'map'] as const) {
    const pool = new Pool(1);
    const [busy, itsOther] = Pipe();
    const begun = pool.apply(echo, [itsOther]).catch((error: unknown) => error);
    await busy.send('are you at it?');
    await busy.recv();
    const [here, there] = Pipe();
    const control = new AbortController();
    const waits = how === 'map' ? pool.map(echo, [there], { signal: control.signal })
      : pool.apply(echo, [there], how === 'time' ? 1 : { signal: control.signal });
    if (how === 'terminate') pool.terminate();
    else if (how !== 'time') control.abort();
    await assert.rejects(waits);
    await checkPipe(here, there);
    pool.terminate();
    assert.ok(await begun instanceof Error);
    assert.equal(await pool.join(), true);
  }
});

test('an end in a task of a worker that is not even ready is here again when the pool ends', DEADLINE, async () => {
  const [here, there] = Pipe();
  const pool = new Pool(1);
  const never = pool.apply({ module, target: work.echo }, [there]);
  pool.terminate();
  await assert.rejects(never, { name: 'WrongUse' });
  assert.equal(await pool.join(), true);
  await checkPipe(here, there);
});

test('an end in a task that fails before it takes its arguments is closed', DEADLINE, async () => {
  await using pool = new Pool(1);
  const { hidden } = { hidden: (_end: Connection): void => {} };
  const [here, there] = Pipe();
  await assert.rejects(pool.apply({ module, target: hidden }, [there]), /does not export/);
  await assert.rejects(here.recv(), { name: 'PipeClosed' });
  const killed = moduleUrl('test/fixtures/kills-itself.ts');
  const [other, its] = Pipe();
  await assert.rejects(pool.apply({ module: killed, target: hidden }, [its]), { name: 'ProcessDied' });
  await assert.rejects(other.recv(), { name: 'PipeClosed' });
});

test('an end in what a call returned that nobody waits for any more is closed', DEADLINE, async () => {
  await using pool = new Pool(1);
  const [here, there] = Pipe();
  const control = new AbortController();
  const late = pool.apply({ module, target: work.returnLate }, [there], { signal: control.signal });
  assert.equal(await here.recv(), 'begun');
  control.abort();
  await assert.rejects(late, { name: 'AbortError' });
  await here.send('go on');
  await assert.rejects(here.recv(), { name: 'PipeClosed' });
});

test('an end that was posted to a child which ends without a look at it is closed, and does not leave for one that has'
  + ' ended', DEADLINE, async () => {
  for (const dies of [true, false]) {
    const child = new Process({ module, target: work.waitForWord, args: [dies] });
    child.start();
    const [here, there] = Pipe();
    child.channel.post('go on');
    child.channel.post({ there });
    await child.join();
    await assert.rejects(here.recv(), { name: dies ? 'ProcessDied' : 'PipeClosed' });
    const [other, late] = Pipe();
    child.channel.post({ late });
    await checkPipe(other, late);
  }
});
