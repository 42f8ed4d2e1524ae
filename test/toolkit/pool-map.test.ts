// Pool.map: what it takes its items from, and what becomes of the rest when one of them fails.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Manager, Pool, Queue, TimedOut } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const square = { module, target: work.square };
const firstFails = { module, target: work.firstFails };
const folder = mkdtempSync(join(tmpdir(), 'pool-map-'));
after(() => rmSync(folder, { recursive: true }));

let pool: Pool;
before(() => { pool = new Pool(2); });
after(async () => await pool[Symbol.asyncDispose]());

async function* later(...numbers: number[]): AsyncGenerator<number, void, undefined> {
  for (const n of numbers) {
    await new Promise(setImmediate);
    yield n;
  }
}

/** Never gives its first item. */
function neverComing(): AsyncGenerator<number, void, undefined> {
  return (async function* () {
    await new Promise(() => {});
    yield 0;
  })();
}

test('map takes its items from whatever imap does', DEADLINE, async () => {
  assert.deepEqual(await pool.map(square, later(1, 2, 3, 4)), [1, 4, 9, 16]);
  assert.deepEqual(await pool.map(square, later()), []);
  const queue = new Queue<number>();
  for (const n of [5, 6]) await queue.put(n);
  await queue.close();
  assert.deepEqual(await pool.map(square, queue), [25, 36]);
  assert.deepEqual(await pool.map(square, new Manager().list([7, 8])), [49, 64]);
  assert.deepEqual(await pool.map({ module, target: work.identity<string> }, 'ab'), ['a', 'b']);
});

test('map refuses in a sentence what cannot be iterated over', DEADLINE, async () => {
  for (const items of [5, { a: 1 }, null, undefined, { length: 2 }]) {
    await assert.rejects(pool.map(square, items as never), {
      name: 'WrongUse', message: /^the items of map are an iterable or an async iterable, not /,
    });
  }
});

test('map rejects with what its source throws, and with its limits while it reads', DEADLINE, async () => {
  const failure = new Error('no more');
  const failing = async function* (): AsyncGenerator<number> {
    yield 1;
    throw failure;
  };
  await assert.rejects(pool.map(square, failing()), failure);
  const late = await pool.map(square, neverComing(), 5).catch((error: unknown) => error);
  assert.ok(late instanceof TimedOut);
  assert.match(late.message, /^the map of square was not done within 5 ms: its source gives no item$/);
  const control = new AbortController();
  const calledOff = pool.map(square, neverComing(), { signal: control.signal });
  control.abort();
  await assert.rejects(calledOff, { name: 'AbortError' });
});

test('a map that is called off while its source comes to its end leaves the pool as it was', DEADLINE, async () => {
  await using own = new Pool(1);
  let end = (): void => {};
  const ending = async function* (): AsyncGenerator<number> {
    yield 1;
    await new Promise<void>((resolve) => { end = resolve; });
  };
  await assert.rejects(own.map(square, ending(), 5), TimedOut);
  end();
  assert.equal(await own.apply(square, [3]), 9);
  assert.deepEqual([own.waiting, own.running], [0, 0]);
  own.close();
  assert.equal(await own.join(), true);
});

test('a map that is called off closes its source, also one that waits or never does', DEADLINE, async () => {
  let closed = 0;
  const close = async (): Promise<IteratorReturnResult<undefined>> => {
    closed++;
    return { done: true, value: undefined };
  };
  for (const next of [async () => await new Promise<never>(() => {}), async () => ({ done: false, value: 0 })]) {
    const source = { [Symbol.asyncIterator]: () => ({ next, return: close }) };
    await assert.rejects(pool.map(square, source as AsyncIterable<number>, 5), TimedOut);
  }
  assert.equal(closed, 2);
});

test('a map that still reads keeps the workers of a closed pool, and is ended with them', DEADLINE, async () => {
  const closed = new Pool(1);
  const results = closed.map(square, later(1, 2, 3));
  closed.close();
  assert.equal(await closed.join(), true);
  assert.deepEqual(await results, [1, 4, 9]);
  const ended = new Pool(1);
  const reading = ended.map(square, neverComing());
  ended.terminate();
  await assert.rejects(reading, { name: 'WrongUse', message: /was terminated/ });
  assert.equal(await ended.join(), true);
  const left = new Pool(1);
  const given = left.map(square, neverComing(), 5);
  left.close();
  await assert.rejects(given, TimedOut);
  assert.equal(await left.join(), true, 'nobody waits for what it reads any more');
});

test('when a map has failed, none of its parts that wait is begun', DEADLINE, async () => {
  await using one = new Pool(1);
  const file = join(folder, 'waiting');
  const items = Array.from({ length: 50 }, (_, n) => ({ n, file, others: 0 }));
  await assert.rejects(one.map(firstFails, items, { chunksize: 1 }), /^Error: the first has failed$/);
  assert.equal(one.waiting, 0);
  assert.equal(await one.apply(square, [3]), 9);
  assert.equal(readFileSync(file, 'utf8'), '0 ');
});

test('what a failed map has begun can still be called off', DEADLINE, async () => {
  await using two = new Pool(2);
  const file = join(folder, 'begun');
  const items = Array.from({ length: 50 }, (_, n) => ({ n, file, others: 1 }));
  const control = new AbortController();
  const failed = two.map(firstFails, items, { chunksize: 1, kill: true, signal: control.signal });
  await assert.rejects(failed, /^Error: the first has failed$/);
  assert.deepEqual([two.running, two.waiting], [1, 0]);
  control.abort();
  await until(() => two.running === 0, 'the worker that was at it is gone');
  assert.deepEqual(readFileSync(file, 'utf8').trim().split(' ').sort(), ['0', '1']);
});

test('a map of more chunks than fit onto the stack gives all results', DEADLINE, async (t) => {
  // With a whole stack these would be 130,000.
  const execArgv = ['--stack-size=120'];
  const { process } = startProcess(t, { module, target: work.mapOneByOne, args: [16_000], execArgv });
  await process.join();
  assert.equal(process.exitCode, 0);
});
