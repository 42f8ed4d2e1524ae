// Thousands of random runs of the model of Queue; a failure names the run, which can be repeated.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../helpers/faults-random.ts';
import { ADDRESSES, MAKER, nameOf, QueueModel } from '../helpers/queue-model.ts';
import type { Member, Options } from '../helpers/queue-model.ts';
import { runSeeds } from '../helpers/seeds.ts';

const STEPS = 250;
/** Without a bound, items are sent ahead and come back, and more can be wrong. */
const RUNS = { unbounded: 80, bounded: 50 };

/**
 * What one process puts comes to another in the order in which it was put, unless it came back from where nobody wants
 * it.
 */
function checkOrder({ address, got }: Member, late: ReadonlySet<string>): void {
  const last = new Map<string, number>();
  for (const item of got) {
    if (late.has(nameOf(item))) continue;
    assert.ok(item.number > (last.get(item.by) ?? 0), `'${address}' got ${nameOf(item)} after ${last.get(item.by)}`);
    last.set(item.by, item.number);
  }
}

function checkBound(model: QueueModel): void {
  const { maxsize, givesUp, deaths } = model.options;
  if (maxsize === 0 || givesUp || deaths) return;
  // What is on its way to a get that waits is out of the queue.
  const waiting = model.members.reduce((sum, { getters }) => sum + getters.size, 0);
  assert.ok(model.inside().length <= maxsize + waiting, 'never more items than places');
}

/** Whatever the process at `still` does, the others have what is free: items that it has not got, and places. */
function checkFreedom(model: QueueModel, still: string | undefined): void {
  const size = model.size();
  const free = model.inside().filter((item) => item.by !== still && model.sentTo.get(nameOf(item)) !== still);
  for (const { address, getters, putters } of model.living()) {
    if (address === still) continue;
    if (free.length > 0) assert.equal(getters.size, 0, `a get in '${address}' waits for ${free.map(nameOf)}`);
    if (model.options.maxsize === 0 ? still === undefined : size < model.options.maxsize) {
      assert.equal(putters.size, 0, `a put in '${address}' waits although there are ${size} items`);
    }
    for (const { now } of [...getters, ...putters]) assert.ok(!now, `'${address}' has its answer`);
  }
}

/** Closes the queue, and goes on to take: the others have not heard it yet. */
function close(model: QueueModel): void {
  const closer = model.random.oneOf(model.living());
  model.do(closer, ({ client }) => client.close());
  for (let i = 0; i < 3; i++) model.do(closer, () => model.startGet(closer, true));
}

/** One of the living takes all that is left, of a queue that is closed before, after that, or never. */
function drain(model: QueueModel): void {
  model.closing = model.random.fraction() < 0.5;
  const isClosed = model.closing && model.random.fraction() < 0.5;
  if (isClosed) close(model);
  model.comeToRest();
  const taker = model.random.oneOf(model.living());
  for (const member of model.living()) {
    if (member === taker || isClosed) continue;
    model.do(member, () => { for (const getter of [...member.getters]) model.abort(member, getter); });
  }
  for (let before = -1; before !== taker.got.length;) {
    model.comeToRest();
    before = taker.got.length;
    for (let i = 0; i < 5; i++) model.do(taker, () => model.startGet(taker));
    model.comeToRest();
  }
  assert.equal(model.size(), 0, 'all can be got');
  if (model.closing && !isClosed) {
    close(model);
    model.comeToRest();
  }
  if (model.closing) for (const { getters } of model.living()) assert.equal(getters.size, 0, 'closed to all');
}

function checkItems(model: QueueModel): void {
  const gotByLiving = model.living().flatMap(({ got }) => got).map(nameOf);
  const got = new Set(gotByLiving);
  assert.equal(got.size, gotByLiving.length, 'nothing comes twice to the living');
  for (const name of got) assert.ok(!model.refused.has(name), `${name} was refused`);
  for (const name of model.put.map(nameOf)) assert.ok(got.has(name) || model.usedByDead.has(name), `${name} is lost`);
}

function run(seed: number, options: Options): void {
  const model = new QueueModel(new Random(seed), options);
  for (let i = 0; i < STEPS; i++) {
    model.step(true);
    checkBound(model);
    if (options.deaths && model.random.fraction() < 0.004) model.crash(model.random.oneOf(ADDRESSES.slice(2)));
  }
  // Somebody stands still; the owner cannot, for the others, nor can what the others get of it come through the dead.
  const still = model.random.oneOf(model.living()).address;
  if (still !== MAKER) {
    model.comeToRest(still);
    if (!options.deaths) checkFreedom(model, still);
  }
  model.comeToRest();
  if (!options.deaths) assert.equal(model.size(), model.inside().length, 'the owner knows what was taken');
  checkFreedom(model, undefined);
  drain(model);
  checkItems(model);
  if (options.insists) assert.equal(model.late.size, 0, 'nothing may come late');
  for (const member of model.members) checkOrder(member, model.late);
}

const KINDS: readonly (readonly [name: string, kind: Partial<Options>])[] = [
  ['and no trouble but that some are slow', {}],
  ['and getters that go on', { insists: true }],
  ['and waits that end', { givesUp: true }],
  ['and processes that die', { deaths: true }],
  ['and all of that', { givesUp: true, deaths: true }],
];

describe('a queue, on any network: all is served in order, what is free is had, nothing is lost', () => {
  for (const [name, maxsize, joinable] of [
    ['without a bound', 0, false], ['with one place', 1, false], ['with five places', 5, false],
    ['without a bound, whose items must be done', 0, true], ['with five places, whose items must be done', 5, true],
  ] as const) {
    for (const [trouble, kind] of KINDS) {
      test(`${name}, ${trouble}`, { timeout: 60_000 }, () => {
        const runs = maxsize === 0 ? RUNS.unbounded : RUNS.bounded;
        runSeeds(runs, 'QUEUE_MODEL_FROM', (seed) => run(seed, { maxsize, joinable, ...kind }));
      });
    }
  }
});
