import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Pool, cpuCount } from '../../shared/multiprocessing/index.ts';
import {
  dieAt, leave, lengthOf, listensItself, noteOrDie, postsItsOwn, refuseThree, returnFunction, square, squareLater,
  waitForEver, whoAmI,
} from '../fixtures/pool-work.ts';
import { moduleUrl, nodeArgs } from '../helpers/paths.ts';
import { DEADLINE } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/pool-work.ts');
const limit = DEADLINE;

async function withPool(size: number, use: (pool: Pool) => Promise<void>): Promise<void> {
  const pool = new Pool(size);
  try {
    await use(pool);
  } finally {
    pool.terminate();
    await pool.join();
  }
}

/** For tests that leave its two workers as they were. */
let shared: Pool;
before(() => { shared = new Pool(2); });
after(async () => {
  shared.terminate();
  await shared.join();
});

test('what a task posts to its parent is not taken for an answer', DEADLINE, async () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  assert.deepEqual(await shared.map({ module, target: postsItsOwn }, items), items);
});

test('a task that listens to its parent takes nothing away from its worker', limit, async () => {
  await withPool(1, async (pool) => {
    for (const n of [1, 2, 3]) assert.equal(await pool.apply({ module, target: listensItself }, [n]), n);
  });
});

test('map gives the results in the order of the items, from several processes', limit, async () => {
  const items = Array.from({ length: 1000 }, (_, i) => i);
  assert.deepEqual(await shared.map({ module, target: squareLater }, items), items.map((n) => n * n));
  assert.deepEqual(await shared.map({ module, target: square }, new Set([3, 4])), [9, 16]);
  assert.deepEqual(await shared.map({ module, target: square }, []), []);
});

test('as many processes as the pool is big do the work, and they are daemons', limit, async () => {
  const who = await Promise.all(Array.from({ length: 20 }, () => shared.apply({ module, target: whoAmI }, [])));
  assert.equal(new Set(who.map(({ pid }) => pid)).size, 2);
  assert.ok(who.every(({ pid, daemon, name }) => pid !== process.pid && daemon && /^Pool-\d+:\d+$/.test(name)));
});

test('without a size there is a worker for each CPU', limit, async () => {
  const pool = new Pool();
  const who = await Promise.all(Array.from({ length: 50 }, () => pool.apply({ module, target: whoAmI }, [])));
  pool.close();
  await pool.join();
  assert.equal(new Set(who.map(({ pid }) => pid)).size, cpuCount());
});

test('what a task throws arrives with its name, code and own stack, and the pool goes on', limit, async () => {
  await assert.rejects(shared.map({ module, target: refuseThree }, [1, 2, 3, 4]), (error: NodeJS.ErrnoException) => {
    assert.equal(error.name, 'RangeError');
    assert.equal(error.message, 'three is refused');
    assert.equal(error.code, 'ERR_THREE');
    assert.match(error.stack ?? '', /refuseThree.*pool-work.*\n[^]*in Pool-\d+:\d \(pid \d+\)/);
    return true;
  });
  assert.equal(await shared.apply({ module, target: square }, [5]), 25);
});

test('the task of a killed worker rejects with who died and how; others finish; the pool is whole', limit, async () => {
  await withPool(2, async (pool) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) => pool.apply({ module, target: dieAt }, [n, 5])),
    );
    const failed = outcomes.flatMap((outcome, n) => (
      outcome.status === 'rejected' ? [[n, outcome.reason] as const] : []
    ));
    assert.deepEqual(failed.map(([n]) => n), [5]);
    assert.match(String(failed[0]![1]), /^ProcessDied: Pool-\d+:\d+ \(pid \d+\) was ended by SIGKILL: the task/);
    const who = await Promise.all(Array.from({ length: 30 }, () => pool.apply({ module, target: whoAmI }, [])));
    assert.equal(new Set(who.map(({ pid }) => pid)).size, 2);
  });
});

test('a task that ends its process rejects with the exit code', limit, async () => {
  await withPool(1, async (pool) => {
    await assert.rejects(pool.apply({ module, target: leave }, [3]), /exited with code 3/);
    assert.equal(await pool.apply({ module, target: square }, [6]), 36);
  });
});

test('what cannot be cloned is refused in a sentence, on the way there and on the way back', limit, async () => {
  const target = square as unknown as (n: unknown) => number;
  const there = shared.apply({ module, target }, [() => 1]);
  await assert.rejects(there, { name: 'NotCloneable', message: /^an argument of square cannot .*: it is a function/ });
  const back = shared.apply({ module, target: returnFunction }, []);
  await assert.rejects(back, { name: 'NotCloneable', message: /^what returnFunction returned cannot .*: it is a f/ });
  assert.equal(await shared.apply({ module, target: square }, [2]), 4);
});

test('a target that its module does not export is named', limit, async () => {
  const { hidden } = { hidden: (n: number) => n };
  await assert.rejects(shared.apply({ module, target: hidden }, [1]), /does not export a function 'hidden'/);
  const unnamed = (() => (n: number) => n)();
  await assert.rejects(shared.apply({ module, target: unnamed }, [1]), /exported function with a name/);
  await assert.rejects(shared.apply({ module: new URL('./none.ts', module), target: square }, [1]), /none\.ts/);
});

test('twenty megabytes go to a worker', limit, async () => {
  assert.equal(await shared.apply({ module, target: lengthOf }, [new Uint8Array(20_000_000)]), 20_000_000);
});

test('close lets what was given finish, takes nothing more, and join waits for the end', limit, async () => {
  const pool = new Pool(2);
  const results = pool.map({ module, target: squareLater }, [1, 2, 3, 4, 5, 6]);
  await assert.rejects(pool.join(), { name: 'WrongUse', message: /must be closed or terminated/ });
  pool.close();
  await assert.rejects(pool.apply({ module, target: square }, [1]), { name: 'WrongUse', message: /is closed/ });
  await pool.join();
  assert.deepEqual(await results, [1, 4, 9, 16, 25, 36]);
});

test('terminate rejects what is running and what waits, and leaves no process', limit, async () => {
  const pool = new Pool(1);
  const { pid } = await pool.apply({ module, target: whoAmI }, []);
  const outcomes = Promise.allSettled([
    pool.apply({ module, target: waitForEver }, []), pool.apply({ module, target: square }, [1]),
  ]);
  pool.terminate();
  await pool.join();
  const [running, waiting] = await outcomes;
  assert.match(String((running as PromiseRejectedResult).reason), /was ended by SIGKILL/);
  assert.match(String((waiting as PromiseRejectedResult).reason), /was terminated before the task was begun/);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('a pool of no workers, or of half a one, is refused', () => {
  for (const size of [0, -1, 1.5, Number.NaN, '3', null]) {
    assert.throws(() => new Pool(size as number), { name: 'WrongUse' }, String(size));
  }
});

test('a program that forgets to close its pool still ends', limit, async () => {
  const child = spawn(process.execPath, nodeArgs('test/fixtures/forgotten-pool.ts'), {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('what a worker that dies was given ahead of a map is never begun, as the rest that waits', limit, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'echopool-pool-'));
  const file = join(folder, 'done');
  try {
    const pool = new Pool(1);
    // Four parts of three: the death in the second is that part's alone, whoever had the third already.
    const items = Array.from({ length: 12 }, (_, n) => ({ file, n, fatal: 4 }));
    await assert.rejects(pool.map({ module, target: noteOrDie }, items), { name: 'ProcessDied' });
    pool.close();
    await pool.join();
    assert.equal(readFileSync(file, 'utf8').trim(), '0 1 2 3');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
