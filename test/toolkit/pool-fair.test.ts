// Pool: what one item, one source or one message does that it should not, or not yet, is nothing to the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activeChildren, Pool } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const square = { module, target: work.square };

/** The pool, too, knows of its end. */
async function isGone(worker: number): Promise<void> {
  await until(() => activeChildren().every(({ pid }) => pid !== worker), 'the worker has ended');
  await new Promise(setImmediate);
}

test('an item that never ends holds up none behind it, however quick those before it were', DEADLINE, async () => {
  for (const imap of ['imap', 'imapUnordered'] as const) {
    await using pool = new Pool(2);
    const quick = Array.from({ length: 30 }, (_, n) => n + 2);
    // Ordered, all behind it wait to be taken; they are done all the same.
    const behind = [100, 101, 102, 103];
    const results = pool[imap]({ module, target: work.slowForOne }, [...quick, 1, ...behind]);
    const given: number[] = [];
    const expected = imap === 'imap' ? quick : [...quick, ...behind];
    while (given.length < expected.length) given.push((await results.next()).value!);
    assert.deepEqual(given.sort((a, b) => a - b), expected);
    await until(() => pool.done === quick.length + behind.length, 'all but that one are done');
    assert.deepEqual([pool.running, pool.waiting], [1, 0]);
  }
});

test('a closed pool is not joined before its iterations are at their ends, though it has no worker just now', DEADLINE,
  async () => {
    const pool = new Pool({ size: 1, maxTasksPerChild: 1 });
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => { open = resolve; });
    async function* slowly(): AsyncGenerator<never, void, undefined> {
      yield 0 as never;
      await gate;
      yield 1 as never;
    }
    const results = pool.imap({ module, target: work.leaveTimer as () => number }, slowly());
    const first = (await results.next()).value!;
    pool.close();
    await isGone(first);
    assert.equal(await pool.join(0), false);
    const joined = pool.join();
    open();
    assert.notEqual((await results.next()).value, first);
    assert.equal((await results.next()).done, true);
    assert.equal(await joined, true);
  });

test('what is left in a closed pool without a worker lets go who joins it', DEADLINE, async () => {
  for (const leave of [true, false]) {
    const pool = new Pool({ size: 1, maxTasksPerChild: 1 });
    let end = (): void => {};
    const source = async function* source(): AsyncGenerator<never, void, undefined> {
      yield 0 as never;
      await new Promise<void>((resolve) => { end = resolve; });
    };
    const results = pool.imap({ module, target: work.leaveTimer as () => number }, source());
    const first = (await results.next()).value!;
    pool.close();
    await isGone(first);
    const joined = pool.join();
    if (leave) await results.return();
    else end();
    assert.equal(await joined, true);
    end();
    assert.equal((await results.next()).done, true);
  }
});

test('what a task posts in the form of an answer ends tasks of its own worker at most', DEADLINE, async () => {
  await using pool = new Pool(1);
  await using other = new Pool(1);
  for (const imap of ['imap', 'imapUnordered'] as const) {
    const results = pool[imap]({ module, target: work.postsAnswers }, [1, 2]);
    for (let item = 0; item < 2; item++) {
      await assert.rejects(results.next(), { code: 'ERR_WRONG_USE', message: /^Pool-\d+:1 \(pid \d+\) answered/ });
    }
    assert.equal((await results.next()).done, true);
  }
  await assert.rejects(pool.map({ module, target: work.postsAnswers }, [1]), { code: 'ERR_WRONG_USE' });
  assert.equal(await other.apply(square, [3]), 9);
});

test('a source that itself leaves, or calls off, the iteration is closed too', DEADLINE, async () => {
  await using pool = new Pool(1);
  for (const way of ['leaves', 'calls off'] as const) {
    let closed = 0;
    const control = new AbortController();
    function* source(): Generator<number, void, undefined> {
      try {
        for (let n = 0; ; n++) {
          // Behind what is read ahead, so that there are results to leave.
          if (n === 6 && way === 'calls off') control.abort(new RangeError('that is enough'));
          else if (n === 6) void results.return();
          yield n;
        }
      } finally {
        closed++;
      }
    }
    const results = pool.imap(square, source(), { signal: control.signal });
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => results.next()));
    assert.equal(closed, 1);
    assert.equal(outcomes.some(({ status }) => status === 'rejected'), way === 'calls off');
    assert.equal((await results.next()).done, true);
  }
  assert.equal(await pool.apply(square, [3]), 9);
});
