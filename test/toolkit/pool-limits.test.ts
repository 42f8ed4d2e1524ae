// Pool: calls that are given up, errors that keep their reason, and what the types allow.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';
import { Pool, Process, TimedOut } from '../../shared/multiprocessing/index.ts';
import type { PoolOptions } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, isRunning, startProgram, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const square = { module, target: work.square };
const folder = mkdtempSync(join(tmpdir(), 'pool-limits-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

function poolFor(t: TestContext, options: number | PoolOptions): Pool {
  const pool = new Pool(options);
  t.after(async () => {
    pool.terminate();
    await pool.join();
  });
  return pool;
}

/** A task that runs until it is let go. */
function longTask(): { task: Parameters<typeof work.workUntil>[0]; begins(): Promise<void>; letGo(): void } {
  const name = join(folder, `${++files}`);
  const task = { begun: `${name}.begun`, end: `${name}.end` };
  const begins = (): Promise<void> => until(() => existsSync(task.begun), 'the task has begun');
  return { task, begins, letGo: () => writeFileSync(task.end, '') };
}

const longWork = { module, target: work.workUntil };

test('a task that is called off while it waits is never begun, and rejects with the reason', DEADLINE, async (t) => {
  const pool = poolFor(t, 1);
  const first = longTask();
  const second = longTask();
  const running = pool.apply(longWork, [first.task]);
  await first.begins();
  const control = new AbortController();
  const waiting = pool.apply(longWork, [second.task], { signal: control.signal });
  const behind = pool.apply(square, [3]);
  const reason = new Error('no longer wanted');
  control.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(pool.apply(square, [4], { signal: control.signal }), reason, 'an aborted signal at once');
  first.letGo();
  assert.deepEqual(await Promise.all([running, behind]), ['done', 9]);
  assert.equal(existsSync(second.task.begun), false);
});

test('a task that runs is left to run when its time is up, and the error says who is at it', DEADLINE, async (t) => {
  const pool = poolFor(t, 1);
  const { pid } = await pool.apply({ module, target: work.whoAmI });
  const { task, letGo } = longTask();
  const error = await pool.apply(longWork, [task], 50).catch((error: Error) => error);
  assert.ok(error instanceof TimedOut);
  assert.equal(error.code, 'ERR_TIMED_OUT');
  const who = `Pool-\\d+:1 \\(pid ${pid}\\)`;
  assert.match(error.message, new RegExp(`^workUntil was not done within 50 ms: ${who} is still at it$`));
  const waits = { message: /^square was not done within 0 ms: it waits for a worker of Pool-\d+$/ };
  await assert.rejects(pool.apply(square, [1], { timeoutMs: 0 }), waits);
  letGo();
  assert.equal((await pool.apply({ module, target: work.whoAmI })).pid, pid, 'the same worker');
});

test('with kill its worker is replaced', DEADLINE, async (t) => {
  const pool = poolFor(t, 1);
  const { pid } = await pool.apply({ module, target: work.whoAmI });
  const control = new AbortController();
  const stuck = pool.apply({ module, target: work.waitForEver }, [], { signal: control.signal, kill: true });
  control.abort();
  await assert.rejects(stuck, { name: 'AbortError' });
  await until(() => !isRunning(pid), 'the worker is gone');
  assert.notEqual((await pool.apply({ module, target: work.whoAmI })).pid, pid);
  const late = pool.apply({ module, target: work.waitForEver }, [], { timeoutMs: 20, kill: true });
  await assert.rejects(late, /was killed for it/);
  assert.equal(await pool.apply(square, [5]), 25);
});

test('a map is called off as a whole: what was not begun never is', DEADLINE, async (t) => {
  const pool = poolFor(t, 2);
  const tasks = Array.from({ length: 16 }, longTask);
  const control = new AbortController();
  const map = pool.map(longWork, tasks.map(({ task }) => task), { signal: control.signal });
  await Promise.all([tasks[0]!.begins(), tasks[2]!.begins()]);
  control.abort();
  await assert.rejects(map, { name: 'AbortError' });
  for (const { letGo } of tasks) letGo();
  assert.deepEqual(await pool.map(square, [1, 2, 3, 4]), [1, 4, 9, 16]);
  const begun = tasks.map(({ task }) => existsSync(task.begun));
  // Two parts of two had begun. The second of each may still be about to.
  assert.deepEqual([begun[0], begun[2], begun.slice(4).includes(true)], [true, true, false]);
  const late = pool.map({ module, target: work.waitForEver }, [1, 2], { timeoutMs: 20, kill: true });
  await assert.rejects(late, /^TimedOut: the map of waitForEver .* killed for it$/);
});

test('five thousand tasks that are called off at once take no long time and leave nothing', DEADLINE, async (t) => {
  const pool = poolFor(t, 1);
  const { task, begins, letGo } = longTask();
  const running = pool.apply(longWork, [task]);
  await begins();
  const control = new AbortController();
  const { signal } = control;
  const all = Array.from({ length: 5000 }, (_, i) => pool.apply(square, [i], i % 10 === 0 ? undefined : { signal }));
  control.abort();
  const settled = Promise.allSettled(all);
  letGo();
  await running;
  const done = (await settled).flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  assert.deepEqual(done, Array.from({ length: 500 }, (_, i) => (i * 10) ** 2));
});

test('join tells by false that its time was up, and rejects when it is called off', DEADLINE, async (t) => {
  const pool = poolFor(t, 1);
  const { task, begins, letGo } = longTask();
  const running = pool.apply(longWork, [task]);
  await begins();
  pool.close();
  assert.equal(await pool.join(1), false);
  const control = new AbortController();
  const joining = pool.join({ signal: control.signal });
  control.abort();
  await assert.rejects(joining, { name: 'AbortError' });
  letGo();
  assert.equal(await running, 'done');
  assert.equal(await pool.join(), true);
  assert.equal(await pool.join(0), true);
});

test('the join of a process can be called off, and then keeps no program running', DEADLINE, async (t) => {
  const program = startProgram(t, 'process-root.ts', ['gives-up']);
  assert.deepEqual(JSON.parse((await program.line())!), { join: 'AbortError', apply: 'AbortError' });
  assert.equal(await program.ended, 0);
});

test('an uncaught error that ends a worker is the cause of its death', DEADLINE, async (t) => {
  const pool = poolFor(t, { size: 1, stdio: 'ignore' });
  const error = await pool.apply({ module, target: work.throwsElsewhere }).catch((error: Error) => error) as Error;
  assert.equal(error.name, 'ProcessDied');
  assert.match(error.message, /exited with code 1: the task that it had was not finished/);
  const { name, message, code } = error.cause as NodeJS.ErrnoException;
  assert.deepEqual([name, message, code], ['RangeError', 'nobody awaits this', 'ERR_ELSEWHERE']);
  assert.equal(await pool.apply(square, [2]), 4);
});

test('a pool whose workers cannot start says why, to whoever waits and to whoever comes later', DEADLINE, async (t) => {
  const cwd = join(folder, 'nowhere');
  const pool = poolFor(t, { size: 2, cwd, stdio: 'ignore' });
  pool.map(square, [1, 2]).catch(() => {}); // Each worker dies with one of these.
  const failed = { name: 'ProcessDied', message: /Pool-\d+ cannot start its workers/ };
  const refused = (error: Error): boolean => {
    assert.match((error.cause as Error).message, /ENOENT.*nowhere/);
    return error.message.includes('cannot start its workers');
  };
  await until(() => /state: 'terminated'/.test(show(pool)), 'it has given up');
  await assert.rejects(pool.apply(square, [3]), failed);
  await assert.rejects(pool.map(square, [3]), refused);
  assert.equal(await pool.join(), true);
});

test('what need not be said may be left out, and tuples and generic targets fit', DEADLINE, async (t) => {
  const pool = poolFor(t, { size: undefined });
  assert.equal(await pool.apply({ module, target: work.noArguments }), 'none');
  assert.equal(await pool.apply({ module, target: work.optional }), 'hello undefined');
  const greeting = ['hi', 'Ada'] as const;
  assert.equal(await pool.apply({ module, target: work.optional }, greeting), 'hi Ada');
  const frozen: readonly number[] = [1, 2];
  assert.deepEqual(await pool.apply({ module, target: work.together<number> }, [frozen, 3]), [1, 2, 3]);
  assert.deepEqual(await pool.apply({ module, target: work.together }, [['a'], 1]), ['a', 1]);
  const lists: number[][] = await pool.map({ module, target: work.listOf }, [1, 2]);
  assert.deepEqual(lists, [[1], [2]]);
  for await (const list of pool.imap({ module, target: work.listOf }, ['a'])) assert.equal(list[0]!.toUpperCase(), 'A');
  assert.ok([new Process({ module, target: work.listOf, args: [5] }) satisfies Process]);
  const process = new Process({ module, target: work.optional, args: greeting, name: undefined, daemon: undefined });
  process.start();
  await process.join();
  assert.equal(process.exitCode, 0);
  assert.match(process.name, /^Process-\d+$/);
  // @ts-expect-error It takes one.
  assert.ok(new Process({ module, target: work.listOf, args: [5, 6] }));
  // @ts-expect-error It takes numbers.
  await assert.rejects(pool.map({ module, target: work.refuseThree }, ['3', 3]), { name: 'RangeError' });
  const initializer = { module, target: work.refuseThree };
  // @ts-expect-error It needs an argument.
  new Pool({ size: 1, initializer }).terminate();
  // @ts-expect-error It takes a number.
  new Pool({ size: 1, initializer: { ...initializer, args: ['three'] } }).terminate();
  new Pool({ size: 1, initializer: { ...initializer, args: [2] } }).terminate();
  // @ts-expect-error It needs an argument.
  await assert.rejects(pool.apply({ module, target: work.refuseThree }, [3, 4]), { name: 'RangeError' });
  // @ts-expect-error It needs arguments.
  assert.ok(new Process({ module, target: work.dieAt }));
  const wrong = { name: 'WrongUse', message: /an array, not 5/ };
  assert.throws(() => new Process({ module, target: work.square, args: 5 as unknown as [number] }), wrong);
  await assert.rejects(pool.apply(square, 5 as unknown as [number]), wrong);
  const limit = { timeoutMs: '5' as unknown as number };
  await assert.rejects(pool.apply(square, [5], limit), { name: 'WrongUse', message: /'5'/ });
});

function show(pool: Pool): string {
  return inspect(pool);
}
