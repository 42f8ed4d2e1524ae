// Pool: random maps and iterations at the same time, over random sources, with calls that throw, workers that die and
// loops that are left: each item comes once, or an error that says who.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool, ProcessDied } from '../../shared/multiprocessing/index.ts';
import { obey } from '../fixtures/pool-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { until } from '../helpers/processes.ts';
import { randomFrom } from '../helpers/random.ts';
import { seedsOf } from '../helpers/seeds.ts';

const target = { module: moduleUrl('test/fixtures/pool-work.ts'), target: obey };
const RUNS = 12;
const ITERATIONS = 5;
const FATES = ['done', 'done', 'done', 'later', 'thrown'] as const;

type Item = Parameters<typeof obey>[0];

/** What is read of it, and whether it was left. */
interface Source {
  readonly items: readonly Item[];
  readonly isAsync: boolean;
  readonly error: Error | undefined;
  read: number;
  closed: number;
}

function* walk(source: Source): Generator<Item, void, undefined> {
  try {
    for (const item of source.items) {
      source.read++;
      yield item;
    }
    if (source.error !== undefined) throw source.error;
  } finally {
    source.closed++;
  }
}

async function* walkSlowly(source: Source, random: () => number): AsyncGenerator<Item, void, undefined> {
  for (const item of walk(source)) {
    if (random() < 0.5) await new Promise(setImmediate);
    yield item;
  }
}

function randomSource(random: () => number): Source {
  const items = Array.from({ length: Math.floor(random() * 60) }, (_, n): Item => {
    // A death costs a process, which takes long to start.
    const fate = random() < 0.02 ? 'killed' : FATES[Math.floor(random() * FATES.length)]!;
    return { n, fate };
  });
  const error = random() < 0.2 ? new Error('the source ends early') : undefined;
  return { items, isAsync: random() < 0.5, error, read: 0, closed: 0 };
}

/** Takes all, or leaves early, and checks what has come. */
async function iterate(pool: Pool, random: () => number): Promise<void> {
  const source = randomSource(random);
  const isOrdered = random() < 0.5;
  const chunksize = 1 + Math.floor(random() * 5);
  const most = random() < 0.3 ? Math.floor(random() * 40) : Infinity;
  const items = source.isAsync ? walkSlowly(source, random) : walk(source);
  const results = pool[isOrdered ? 'imap' : 'imapUnordered'](target, items, { chunksize });
  const values: number[] = [];
  const errors: Error[] = [];
  let isAtEnd = false;
  for (let taken = 0; taken < most && !isAtEnd; taken++) {
    assert.ok(source.read <= taken + 4 * pool.size * chunksize, 'it is read no further ahead');
    try {
      const { done, value } = await results.next();
      if (done === true) isAtEnd = true;
      else values.push(value);
    } catch (error) {
      errors.push(error as Error);
      if (error === source.error) continue;
      checkError(error as Error, source.items, chunksize);
      if (isOrdered && error instanceof RangeError) assert.equal(error.message, `${taken} is refused`);
    }
    if (isOrdered && values.length + errors.length === taken + 1) {
      assert.ok(values.length === 0 || values.at(-1)! <= taken, 'the results are in order');
    }
  }
  await results.return();
  assert.equal(new Set(values).size, values.length, 'no item comes twice');
  if (isAtEnd) {
    const { items, error } = source;
    assert.equal(values.length + errors.length, items.length + (error === undefined ? 0 : 1), 'no item is missing');
    for (const { n, fate } of items) {
      if (fate === 'thrown' || fate === 'killed') assert.ok(!values.includes(n), `${n} cannot have been done`);
    }
  }
  // One that was being read when the loop was left hears of it when it has answered.
  await until(() => source.read === 0 || source.closed === 1, 'the source is closed');
}

function checkError(error: Error, items: readonly Item[], chunksize: number): void {
  if (error instanceof ProcessDied) {
    assert.match(error.message, /^Pool-\d+:\d+ \(pid \d+\) was ended by SIGKILL: the task that it had was not/);
    assert.ok(items.some(({ fate }) => fate === 'killed'), `a worker died for nothing, in chunks of ${chunksize}`);
  } else {
    assert.match(error.message, /^\d+ is refused$/);
  }
}

/** A map beside them, which nothing of all that concerns. */
async function map(pool: Pool, random: () => number): Promise<void> {
  const items = Array.from({ length: Math.floor(random() * 50) }, (_, n): Item => ({ n, fate: 'done' }));
  const chunksize = random() < 0.5 ? 1 + Math.floor(random() * 9) : undefined;
  assert.deepEqual(await pool.map(target, items, { chunksize }), items.map(({ n }) => n));
}

test('in random runs each item comes once, or an error that says who', { timeout: 240_000 }, async () => {
  const first = Number(process.env['POOL_SEED'] ?? 1);
  const runs = seedsOf(RUNS);
  for (let seed = first; seed < first + runs; seed++) {
    const random = randomFrom(seed);
    const size = 1 + Math.floor(random() * 3);
    const maxTasksPerChild = random() < 0.3 ? 5 + Math.floor(random() * 20) : undefined;
    await using pool = new Pool({ size, maxTasksPerChild });
    const all = Array.from({ length: ITERATIONS }, () => iterate(pool, random));
    try {
      await Promise.all([...all, map(pool, random)]);
      pool.close();
      assert.equal(await pool.join(), true);
      assert.deepEqual([pool.waiting, pool.running], [0, 0]);
    } catch (error) {
      throw new Error(`run ${seed} (POOL_SEED=${seed}) failed: ${String(error)}`, { cause: error });
    }
  }
});
