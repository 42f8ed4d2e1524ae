// Pool: how its workers come and go, by maxTasksPerChild, an initializer, or `await using`; and its figures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Manager, Pool, Queue } from '../../shared/multiprocessing/index.ts';
import type { PoolOptions } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, isRunning, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const square = { module, target: work.square };
const pidOf = { module, target: work.leaveTimer };
const numbers = (length: number): number[] => Array.from({ length }, (_, n) => n);
const squares = (length: number): number[] => numbers(length).map((n) => n * n);

test('a worker that has done its share is replaced, whatever it has left running, and nothing is lost', DEADLINE,
  async () => {
    await using pool = new Pool({ size: 2, maxTasksPerChild: 3 });
    const pids = await Promise.all(numbers(20).map(() => pool.apply(pidOf)));
    const shares = [...new Set(pids)].map((pid) => pids.filter((other) => other === pid).length);
    assert.ok(shares.every((share) => share <= 3) && shares.length >= 7, `${shares}`);
    await until(() => pids.filter(isRunning).length <= 2, 'those before have ended');
    assert.equal(pool.done, 20);
  });

test('a worker for each task does a map and an imap as well, and a pool that is closed ends', DEADLINE, async () => {
  await using pool = new Pool({ size: 2, maxTasksPerChild: 1 });
  assert.deepEqual(await pool.map(square, numbers(6), { chunksize: 2 }), squares(6));
  const results = pool.imap({ module, target: work.whoAmI as () => { name: string } }, numbers(6) as never[]);
  pool.close();
  const names = new Set<string>();
  for await (const { name } of results) names.add(name);
  assert.equal(names.size, 6);
  assert.equal(await pool.join(), true);
});

test('a pool that is closed early still does all, with a worker for each task', DEADLINE, async () => {
  const pool = new Pool({ size: 3, maxTasksPerChild: 1 });
  const called = numbers(6).map((n) => pool.apply({ module, target: work.squareLater }, [n]));
  pool.close();
  assert.equal(await pool.join(), true);
  assert.deepEqual(await Promise.all(called), squares(6));
});

test('an idle worker that has done its share makes place for another before it is needed', DEADLINE, async () => {
  await using pool = new Pool({ size: 1, maxTasksPerChild: 2 });
  const pids = [await pool.apply(pidOf), await pool.apply(pidOf)];
  assert.equal(pids[0], pids[1]);
  await until(() => !isRunning(pids[0]!), 'it has ended');
  assert.notEqual(await pool.apply(pidOf), pids[0]);
});

test('the initializer is called in each worker before its tasks, with what it was given', DEADLINE, async () => {
  const queue = new Queue<string>();
  const initializer = { module, target: work.announce, args: [queue, 'hello'] };
  await using pool = new Pool({ size: 2, maxTasksPerChild: 2, initializer });
  const kept = await Promise.all(numbers(8).map(() => pool.apply({ module, target: work.kept })));
  assert.deepEqual(new Set(kept), new Set(['hello']));
  const announced = await Promise.all(numbers(4).map(() => queue.get()));
  assert.equal(new Set(announced).size, 4, 'each worker once');
  await queue.close();
});

test('an initializer that always fails is not called for ever: who waits learns who and why', DEADLINE, async () => {
  const initializer = { module, target: work.failToStart, args: ['no disk'] };
  await using pool = new Pool({ size: 2, initializer, stdio: 'ignore' });
  const refused = (error: Error): boolean => {
    assert.match(error.message, /^Pool-\d+:\d+ \(pid \d+\) exited with code 1: Pool-\d+ cannot start its workers: /);
    assert.match(error.message, /the initializer failToStart failed: no disk$/);
    const { cause } = error.cause as Error;
    assert.ok(cause instanceof TypeError && (cause as NodeJS.ErrnoException).code === 'ERR_NOT_TODAY');
    return true;
  };
  const results = pool.imap(square, numbers(3));
  const waiting = [pool.apply(square, [1]), pool.map(square, [1, 2]), results.next()];
  for (const wait of waiting) await assert.rejects(wait, refused);
  await assert.rejects(pool.apply(square, [1]), refused);
  assert.throws(() => pool.imap(square, [1]), refused);
  assert.equal(await pool.join(), true);
});

test('an initializer that ends its worker, or is not there, is given up as well', DEADLINE, async () => {
  const { hidden } = { hidden: () => {} };
  for (const [target, failed] of [
    [work.leave, /exited with code 7: .* cannot start/], [hidden, /does not export a function 'hidden'/],
  ] as const) {
    await using pool = new Pool({ size: 1, initializer: { module, target, args: [7] }, stdio: 'ignore' });
    await assert.rejects(pool.apply(square, [1]), failed);
  }
});

test('a task of a worker that could not be started is done by the next', DEADLINE, async () => {
  await using manager = new Manager();
  const starts = manager.dict<Record<string, number>>();
  const initializer = { module, target: work.failTwice, args: [starts] };
  await using pool = new Pool({ size: 1, initializer, stdio: 'ignore' });
  assert.deepEqual(await Promise.all([pool.apply(square, [3]), pool.map(square, [4, 5])]), [9, [16, 25]]);
});

test('options that have no meaning are refused in a sentence', () => {
  const wrong = (options: object, message: RegExp): void => {
    assert.throws(() => new Pool(options as PoolOptions), { name: 'WrongUse', message });
  };
  for (const maxTasksPerChild of [0, -1, 1.5, NaN, '3', null]) wrong({ maxTasksPerChild }, /maxTasksPerChild/);
  for (const initializer of [work.announce, null, 5]) wrong({ initializer }, /initializer/);
  wrong({ initializer: { module, target: (() => () => {})() } }, /initializer of a Pool must be an exported/);
  wrong({ initializer: { module, target: work.announce, args: 5 } }, /args of the initializer .* must be an array/);
  const args = [() => {}];
  const initializer = { module, target: work.announce, args };
  assert.throws(() => new Pool({ size: 1, initializer }), { name: 'NotCloneable' });
});

test('the figures tell how many tasks wait, run and have ended', DEADLINE, async () => {
  await using pool = new Pool(2);
  const figures = (): object => {
    const { size, waiting, running, done } = pool;
    return { size, waiting, running, done };
  };
  assert.deepEqual(figures(), { size: 2, waiting: 0, running: 0, done: 0 });
  const stuck = { module, target: work.waitForEver };
  const control = new AbortController();
  const limits = { signal: control.signal, kill: true };
  await pool.map(square, [1, 2], { chunksize: 1 }); // Both have started.
  const called = Promise.allSettled(numbers(3).map(() => pool.apply(stuck, [], limits)));
  const quick = pool.map(square, numbers(6), { chunksize: 3 });
  assert.deepEqual(figures(), { size: 2, waiting: 3, running: 2, done: 2 });
  assert.match(inspect(pool), /^Pool \{[^}]*state: 'open',[^}]*waiting: 3,\s+running: 2,\s+done: 2\s+\}$/);
  control.abort();
  assert.ok((await called).every(({ status }) => status === 'rejected'));
  assert.deepEqual(await quick, squares(6));
  // The two that were killed have ended; the one that was never begun has not.
  assert.deepEqual(figures(), { size: 2, waiting: 0, running: 0, done: 6 });
});

test('await using terminates the pool with the block, however that ends, and waits for its workers', DEADLINE,
  async () => {
    let pid = 0;
    let kept!: Pool;
    await assert.rejects(async () => {
      await using pool = new Pool(1);
      kept = pool;
      pid = await pool.apply(pidOf);
      throw new RangeError('in the block');
    }, { message: 'in the block' });
    assert.equal(isRunning(pid), false);
    await assert.rejects(kept.apply(square, [1]), { name: 'WrongUse', message: /is terminated/ });
    await kept[Symbol.asyncDispose]();
  });
