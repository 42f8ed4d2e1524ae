// Pool.imap and imapUnordered: results one after the other, of a source that is read only as far as they are taken.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { after, before, test } from 'node:test';
import { Pool } from '../../shared/multiprocessing/index.ts';
import { heapAfterGc } from '../fixtures/forgotten-work.ts';
import * as work from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const square = { module, target: work.square };
const squareLater = { module, target: work.squareLater };
const obey = { module, target: work.obey };
const SIZE = 2;
/** So many chunks are read ahead. */
const AHEAD = 4 * SIZE;

let pool: Pool;
before(() => { pool = new Pool(SIZE); });
after(async () => await pool[Symbol.asyncDispose]());

/** Counts what is read of it, and says how it was left. */
class Source {
  read = 0;
  closed = 0;

  readonly items: number;
  readonly error: Error | undefined;

  constructor(items: number, error?: Error) {
    this.items = items;
    this.error = error;
  }

  *[Symbol.iterator](): Generator<number, void, undefined> {
    try {
      for (let n = 0; n < this.items; n++) {
        this.read++;
        yield n;
      }
      if (this.error !== undefined) throw this.error;
    } finally {
      this.closed++;
    }
  }

  async *slowly(): AsyncGenerator<number, void, undefined> {
    for (const n of this) {
      await new Promise(setImmediate);
      yield n;
    }
  }
}

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const result of results) list.push(result);
  return list;
}

const numbers = (length: number): number[] => Array.from({ length }, (_, n) => n);
const squares = (length: number): number[] => numbers(length).map((n) => n * n);
const sorted = (list: number[]): number[] => list.sort((a, b) => a - b);

test('imap gives all results in order, whatever the source and the chunks are', DEADLINE, async () => {
  for (const options of [{}, { chunksize: 1 }, { chunksize: 53 }, { chunksize: 5000 }]) {
    assert.deepEqual(await all(pool.imap(squareLater, numbers(300), options)), squares(300));
    assert.deepEqual(await all(pool.imap(square, new Source(300), options)), squares(300));
    assert.deepEqual(await all(pool.imap(square, new Source(300).slowly(), options)), squares(300));
    assert.deepEqual(sorted(await all(pool.imapUnordered(squareLater, new Source(300), options))), squares(300));
    assert.deepEqual(sorted(await all(pool.imapUnordered(square, new Source(300).slowly(), options))), squares(300));
  }
});

test('next gives one result after the other, also when asked before they are there, and then the end', DEADLINE,
  async () => {
    const results = pool.imap(square, numbers(10));
    const asked = Array.from({ length: 12 }, () => results.next());
    const given = await Promise.all(asked);
    assert.deepEqual(given.map(({ value }) => value), [...squares(10), undefined, undefined]);
    assert.deepEqual(given.map(({ done }) => done), [...Array<boolean>(10).fill(false), true, true]);
  });

test('nothing to do is done at once', DEADLINE, async () => {
  assert.deepEqual(await all(pool.imap(square, [])), []);
  assert.deepEqual(await all(pool.imapUnordered(square, new Source(0).slowly(), { chunksize: 3 })), []);
  assert.deepEqual(await pool.map(square, [], { chunksize: 1 }), []);
});

test('a source without end is read only so far ahead of what is taken', DEADLINE, async () => {
  for (const chunksize of [1, 7]) {
    for (const imap of ['imap', 'imapUnordered'] as const) {
      for (const kind of ['sync', 'async']) {
        const source = new Source(Infinity);
        const results = pool[imap](square, kind === 'sync' ? source : source.slowly(), { chunksize });
        for (let taken = 1; taken <= 3 * AHEAD * chunksize; taken++) {
          assert.equal((await results.next()).done, false);
          assert.ok(source.read <= taken + AHEAD * chunksize, `${source.read} were read when ${taken} were taken`);
        }
        const most = 4 * AHEAD * chunksize;
        await until(() => source.read === most && pool.running + pool.waiting === 0, 'all that was read is done');
        await new Promise(setImmediate);
        assert.deepEqual([source.read, source.closed], [most, 0]);
        await results.return();
        assert.equal(source.closed, 1);
      }
    }
  }
});

test('a loop that is left, by break or by an error, closes its source and drops what waits', DEADLINE, async () => {
  const broken = new Source(Infinity);
  for await (const result of pool.imap(square, broken.slowly())) if (result === 9) break;
  const thrown = new Source(Infinity);
  await assert.rejects(async () => {
    for await (const result of pool.imapUnordered(square, thrown)) throw new Error(`left at ${result}`);
  }, /left at/);
  await until(() => broken.closed + thrown.closed === 2, 'both sources are closed');
  await until(() => pool.running + pool.waiting === 0, 'what was begun is done');
  const { done } = pool;
  await new Promise(setImmediate);
  assert.equal(pool.done, done);
  const results = pool.imap(square, new Source(5));
  const early = results.next();
  await results.return();
  assert.deepEqual([await early, await results.next()].map(({ done }) => done), [true, true]);
});

test('leaving waits for no source that is silent, and passes on what one throws at its end', DEADLINE, async () => {
  const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}), return: () => left() }) };
  let isTold = false;
  const left = (): Promise<never> => {
    isTold = true;
    return new Promise(() => {});
  };
  const results = pool.imap(square, silent);
  const waiting = results.next();
  await results.return();
  assert.deepEqual([await waiting, isTold], [{ done: true, value: undefined }, true]);
  function* loud(): Generator<number, void, undefined> {
    try {
      for (;;) yield 1;
    } finally {
      throw new RangeError('not like this');
    }
  }
  await assert.rejects(async () => {
    for await (const _ of pool.imap(square, loud())) break;
  }, { message: 'not like this' });
});

test('an error of the source comes behind all that was read before, once, and then the end', DEADLINE, async () => {
  for (const [items, chunksize] of [[0, 1], [3, 1], [7, 2], [7, 4]] as const) {
    for (const kind of ['sync', 'async']) {
      for (const imap of ['imap', 'imapUnordered'] as const) {
        const source = new Source(items, new RangeError('no more'));
        const results = pool[imap](square, kind === 'sync' ? source : source.slowly(), { chunksize });
        const given: number[] = [];
        for (let n = 0; n < items; n++) given.push((await results.next()).value!);
        assert.deepEqual(sorted(given), squares(items));
        await assert.rejects(results.next(), source.error);
        assert.deepEqual(await results.next(), { done: true, value: undefined });
      }
    }
  }
});

test('a failed call rejects one next, and those behind it go on, in chunks as well', DEADLINE, async () => {
  for (const chunksize of [1, 4]) {
    const items = numbers(10).map((n) => ({ n, fate: n === 3 ? 'thrown' as const : 'done' as const }));
    const results = pool.imap(obey, items, { chunksize });
    const outcomes = await Promise.allSettled(Array.from({ length: 11 }, () => results.next()));
    const values = outcomes.map((one) => (one.status === 'fulfilled' ? one.value.value : one.reason.message));
    assert.deepEqual(values, [0, 1, 2, '3 is refused', 4, 5, 6, 7, 8, 9, undefined]);
    const { reason } = outcomes[3] as PromiseRejectedResult;
    assert.ok(reason instanceof RangeError);
    assert.equal((reason as NodeJS.ErrnoException).code, 'ERR_REFUSED');
    assert.match(reason.stack!, /obey.*pool-work.*\n[^]*in Pool-\d+:\d+ \(pid \d+\)/);
  }
});

test('what cannot be sent, there or back, rejects the next of its item alone', DEADLINE, async () => {
  const items: unknown[] = [1, () => 2, 3];
  const target = work.identity as (item: unknown) => unknown;
  for (const chunksize of [1, 3]) {
    const there = pool.imap({ module, target }, items, { chunksize });
    assert.equal((await there.next()).value, 1);
    await assert.rejects(there.next(), { name: 'NotCloneable', message: /an item of identity/ });
    assert.deepEqual([await there.next(), await there.next()].map(({ value }) => value), [3, undefined]);
    const back = pool.imap({ module, target: work.functionForTwo }, [1, 2, 3], { chunksize });
    assert.equal((await back.next()).value, 1);
    await assert.rejects(back.next(), { name: 'NotCloneable', message: /what functionForTwo returned/ });
    assert.deepEqual([await back.next(), await back.next()].map(({ value }) => value), [3, undefined]);
  }
});

test('imapUnordered lets no item wait for a slow one before it', DEADLINE, async () => {
  await using two = new Pool(2);
  const slow = { module, target: work.slowForOne };
  const first = two.imapUnordered(slow, [1, 2, 3, 4, 5]);
  assert.deepEqual(await Promise.all(numbers(4).map(async () => (await first.next()).value)), [2, 3, 4, 5]);
  await first.return();
});

test('an abort ends it with the reason, once; what was not begun never is, and the source is closed', DEADLINE,
  async () => {
    const source = new Source(Infinity);
    const control = new AbortController();
    const { signal } = control;
    const results = pool.imap(square, source, { signal });
    assert.equal((await results.next()).value, 0);
    const stuck = pool.imap({ module, target: work.waitForEver }, [[], [], []] as never[], { signal, kill: true });
    const waiting = stuck.next();
    const reason = new Error('no longer wanted');
    control.abort(reason);
    const { read } = source;
    await assert.rejects(waiting, reason);
    assert.deepEqual(await stuck.next(), { done: true, value: undefined });
    await assert.rejects(results.next(), reason);
    assert.deepEqual(await results.next(), { done: true, value: undefined });
    assert.deepEqual([source.read, source.closed], [read, 1]);
    assert.throws(() => pool.imap(square, source, { signal }), reason);
    assert.equal(await pool.apply(square, [5]), 25);
  });

test('when its time is up a next says who is at it, and it is over', DEADLINE, async () => {
  await using own = new Pool(1);
  const source = new Source(Infinity);
  const stuck = own.imap({ module, target: work.slowForOne }, source, { timeoutMs: 5000, kill: true });
  assert.equal((await stuck.next()).value, 0);
  const late = own.imap({ module, target: work.slowForOne }, source, 20);
  await assert.rejects(late.next(), /^TimedOut: the next result of slowForOne did not come within 20 ms: it waits for/);
  const silent = own.imap(square, { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }, 20);
  await assert.rejects(silent.next(), /within 20 ms: its source gives no item$/);
  assert.deepEqual(await silent.next(), { done: true, value: undefined });
  await stuck.return();
});

test('a pool that is closed does what it was given by an imap, and then its workers end', DEADLINE, async () => {
  const own = new Pool(2);
  const results = own.imap(square, new Source(100).slowly());
  own.close();
  assert.throws(() => own.imap(square, []), { name: 'WrongUse', message: /is closed/ });
  assert.deepEqual(await all(results), squares(100));
  assert.equal(await own.join(), true);
});

test('a loop that an error has ended keeps no closed pool; who comes back gets the rest', DEADLINE, async () => {
  const own = new Pool(2);
  const items = numbers(50).map((n) => ({ n, fate: n === 3 ? 'thrown' as const : 'done' as const }));
  const results = own.imap(obey, items);
  await assert.rejects(all(results), /3 is refused/);
  own.close();
  assert.equal(await own.join(), true);
  const rest = await all(results);
  assert.deepEqual(rest, numbers(50).slice(4));
});

test('terminate ends each imap with a sentence, and closes its source', DEADLINE, async () => {
  const own = new Pool(1);
  const source = new Source(Infinity);
  const results = own.imap({ module, target: work.slowForOne }, source);
  assert.equal((await results.next()).value, 0);
  own.terminate();
  assert.equal(source.closed, 1);
  const outcomes = await Promise.allSettled(Array.from({ length: AHEAD + 2 }, () => results.next()));
  const errors = outcomes.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
  assert.match(errors[0]!, /^ProcessDied: .*SIGKILL: the task that it had/);
  assert.ok(errors.slice(1).every((error) => /^WrongUse: Pool-\d+ was terminated before/.test(error)), errors.join());
  assert.deepEqual(await results.next(), { done: true, value: undefined });
  await own.join();
});

test('await using closes the source, however the block ends', DEADLINE, async () => {
  const source = new Source(Infinity);
  await assert.rejects(async () => {
    await using results = pool.imap({ module, target: work.refuseThree }, source);
    for await (const _ of results);
  }, /three is refused/);
  assert.equal(source.closed, 1);
});

test('results that are forgotten after an error close their source', DEADLINE, async () => {
  const source = new Source(Infinity);
  await assert.rejects(all(pool.imap({ module, target: work.refuseThree }, source)), /three is refused/);
  assert.equal(source.closed, 0, 'the caller might come back');
  for (let rounds = 0; rounds < 100 && source.closed === 0; rounds++) await heapAfterGc();
  assert.equal(source.closed, 1);
});

test('an iteration that has come to its end listens to no signal any more', DEADLINE, async () => {
  const { signal } = new AbortController();
  for (const source of [new Source(5), new Source(5, new Error('early')), new Source(Infinity)]) {
    const results = pool.imap(square, source, { signal, timeoutMs: 1e9 });
    for (let taken = 0; taken < 5; taken++) await results.next();
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    if (source.error !== undefined) await assert.rejects(results.next(), source.error);
    if (source.items === Infinity) await results.return();
    else await results.next();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  }
});

test('a map of a source that throws rejects with that, and the pool goes on', DEADLINE, async () => {
  for (const chunksize of [undefined, 1, 3]) {
    const source = new Source(3, new RangeError('early'));
    await assert.rejects(pool.map(square, source, { chunksize }), source.error);
  }
  assert.deepEqual(await pool.map(square, new Source(9), { chunksize: 2 }), squares(9));
  await assert.rejects(pool.map(square, [1], { chunksize: 0 }), { name: 'WrongUse', message: /chunksize.*not 0$/ });
});

test('what is no iterable, and a chunk of no items, is refused at once', () => {
  for (const items of [5, null, undefined, {}, { [Symbol.iterator]: 3 }]) {
    assert.throws(() => pool.imap(square, items as never), { name: 'WrongUse', message: /iterable/ });
  }
  for (const chunksize of [0, -1, 1.5, '3', null]) {
    const options = { chunksize: chunksize as number };
    assert.throws(() => pool.imap(square, [1], options), { name: 'WrongUse', message: /chunksize/ });
    assert.throws(() => pool.imapUnordered(square, [1], options), { name: 'WrongUse' });
  }
});
