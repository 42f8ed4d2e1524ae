import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { activeChildren, Lock, Manager, Pipe, Process } from '../../shared/multiprocessing/index.ts';
import type { DictProxy, ListProxy } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/manager-work.ts';
import { moduleUrl, nodeArgs } from '../helpers/paths.ts';

const module = moduleUrl('test/fixtures/manager-work.ts');
const limit = { timeout: 120_000 };

afterEach(async () => {
  for (const child of activeChildren()) {
    child.kill();
    await child.join();
  }
});

function start<Args extends unknown[]>(target: (...args: Args) => unknown, ...args: Args): Process<Args> {
  const child = new Process<Args>({ module, target, args: args as NoInfer<Args> });
  child.start();
  return child;
}

/** Waits for the next message that the child posts. */
function nextWord(child: Process<never>): Promise<unknown> {
  return new Promise((resolve) => child.channel.listen((word) => {
    child.channel.listen(undefined);
    resolve(word);
  }));
}

/** Runs them all at the same time, to their good end. */
async function joinAll(children: Process<never>[]): Promise<void> {
  for (const child of children) await child.join();
  assert.deepEqual(children.map((child) => child.exitCode), children.map(() => 0));
}

const ownerDied = (error: Error & { code?: string }): boolean => {
  assert.equal(error.code, 'ERR_PROCESS_DIED');
  assert.match(error.message, /^Process-\d+ \(pid \d+\) was ended by SIGKILL: what its manager kept is gone$/);
  return true;
};
const shutDown = { name: 'ManagerClosed', code: 'ERR_MANAGER_CLOSED', message: /was shut down$/ };

test('a dict does in its own process what a Map does', limit, async () => {
  const dict = new Manager().dict<unknown>({ a: 1, b: [2] });
  assert.equal(await dict.get('a'), 1);
  assert.deepEqual(await dict.get('b'), [2]);
  assert.equal(await dict.get('c'), undefined);
  await dict.set('c', undefined);
  assert.deepEqual([await dict.has('c'), await dict.has('d')], [true, false]);
  assert.deepEqual([await dict.delete('a'), await dict.delete('a')], [true, false]);
  await dict.set('a', 'at the end now');
  assert.equal(await dict.size(), 3);
  assert.deepEqual(await dict.keys(), ['b', 'c', 'a']);
  assert.deepEqual(await dict.values(), [[2], undefined, 'at the end now']);
  assert.deepEqual(await dict.entries(), [['b', [2]], ['c', undefined], ['a', 'at the end now']]);
  assert.deepEqual(await dict.toObject(), { b: [2], c: undefined, a: 'at the end now' });
});

test('a child uses a dict and a list with all their methods, and is refused what is wrong', limit, async () => {
  const manager = new Manager();
  const dict = manager.dict<unknown>({ a: 1 });
  const [list, report] = [manager.list<unknown>(['a', 'b']), manager.dict()];
  const wrong = manager.dict<unknown>({ text: 'x', n: 0 });
  const nested = manager.dict<{ list: number[] }>({ value: { list: [1, 2, 3] } });
  const child = start(work.useAll, dict, list, report, wrong, nested);
  assert.deepEqual(await nextWord(child), ['TypeError', 'TypeError', 'TypeError', 'TypeError']);
  await joinAll([child]);
  await checkDict(dict);
  await checkList(list, report);
  await checkErrors(wrong);
  await checkNested(nested);
});

async function checkDict(dict: DictProxy<unknown>): Promise<void> {
  assert.deepEqual(await dict.get('seen'), {
    a: 1, none: undefined, has: [true, false], deleted: [true, false], size: 2, keys: ['b', '__proto__'],
    values: [{ list: [1, 2] }, 'harmless'], entries: [['b', { list: [1, 2] }], ['__proto__', 'harmless']], sum: 2.5,
  });
  const object = await dict.toObject();
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.equal(Object.getOwnPropertyDescriptor(object, '__proto__')?.value, 'harmless');
  const again = new Manager().dict(object);
  assert.equal(await again.get('__proto__'), 'harmless', 'a key like any other');
}

async function checkList(list: ListProxy<unknown>, report: DictProxy<unknown>): Promise<void> {
  assert.deepEqual(await report.get('seen'), {
    pushed: 4, length: 4, first: 'a', last: { d: 1 }, none: [undefined, undefined], all: ['a', 'b', 'c', { d: 1 }],
    set: [undefined, undefined], popped: 'D',
    tooFar: 'RangeError: set needs an index from -3 to 2, and 3 is not: the list has 3 values',
    tooFarBack: 'RangeError: set needs an index from -3 to 2, and -4 is not: the list has 3 values',
  });
  assert.deepEqual(await list.toArray(), ['A', 'b', 'c']);
}

/** Wrong use rejects with a sentence, in the process that made the call. */
async function checkErrors(dict: DictProxy<unknown>): Promise<void> {
  const expected = [
    ['WrongUse', 'ERR_WRONG_USE', /^increment needs a number, and the value of 'text' is of type string$/],
    ['WrongUse', 'ERR_WRONG_USE', /^increment adds a number, not '1'$/],
    ['WrongUse', 'ERR_WRONG_USE', /^a key of a shared dict is a string, not 5$/],
    ['NotCloneable', 'ERR_NOT_CLONEABLE', /^the value of 'f' cannot be sent to another process: it is a function$/],
  ] as const;
  const errors = await dict.get('errors') as [string, string, string][];
  assert.equal(errors.length, expected.length);
  expected.forEach(([name, code, message], i) => {
    assert.deepEqual(errors[i]!.slice(0, 2), [name, code]);
    assert.match(errors[i]![2], message);
  });
  await assert.rejects(dict.increment('text'), { code: 'ERR_WRONG_USE' });
  assert.equal(await dict.get('text'), 'x');
  assert.throws(() => new Manager().dict({ f: () => 1 }), { code: 'ERR_NOT_CLONEABLE' });
  assert.throws(() => start((_m: Manager) => {}, new Manager()), { code: 'ERR_WRONG_USE' });
}

/** Changing what get returned throws, and never changes the shared value. */
async function checkNested(dict: DictProxy<{ list: number[] }>): Promise<void> {
  const value = (await dict.get('value'))!;
  assert.throws(() => value.list.push(4), TypeError);
  assert.deepEqual(await dict.get('value'), { list: [1, 2, 3] });
  const [own] = [await dict.toObject()];
  own.value = { list: [] };
  assert.deepEqual(await dict.values(), [{ list: [1, 2, 3] }]);
}
test('a list does in its own process what an array does', limit, async () => {
  const list = new Manager().list<unknown>();
  assert.equal(await list.pop(), undefined);
  const isEmpty = { name: 'RangeError', message: 'set needs an index, and 0 is none: the list is empty' };
  await assert.rejects(list.set(0, 1), isEmpty);
  assert.equal(await list.push(), 0);
  assert.equal(await list.push(1, [2], undefined), 3);
  assert.deepEqual(await list.get(-2), [2]);
  await list.set(-3, 'one');
  assert.deepEqual(await list.toArray(), ['one', [2], undefined]);
  const notWhole = { code: 'ERR_WRONG_USE', message: /^an index of a shared list is a whole number, not / };
  for (const index of [1.5, Number.NaN, '1' as never]) await assert.rejects(list.get(index), notWhole);
  const notCloneable = { code: 'ERR_NOT_CLONEABLE', message: /^value 2 to push cannot be sent/ };
  await assert.rejects(list.push(1, () => 2), notCloneable);
  assert.equal(await list.length(), 3);
});

test('a list and a dict can be walked: what is in them when the walk begins', limit, async () => {
  const manager = new Manager();
  const list = manager.list([1, 2, 3]);
  const values: number[] = [];
  for await (const value of list) {
    values.push(value);
    await list.push(value * 10);
  }
  assert.deepEqual(values, [1, 2, 3]);
  assert.equal(await list.length(), 6);
  const entries: [string, number][] = [];
  for await (const entry of manager.dict({ a: 1, b: 2 })) entries.push(entry);
  assert.deepEqual(entries, [['a', 1], ['b', 2]]);
  manager.shutdown();
  await assert.rejects(async () => {
    for await (const value of list) assert.fail(String(value));
  }, { code: 'ERR_MANAGER_CLOSED' });
});

test('three processes increment and lose nothing; when they get and set, all but one are lost', limit, async () => {
  const dict = new Manager().dict({ n: 0, m: 0 });
  const children = [1, 2, 3].map(() => start(work.incrementThenGetAndSet, dict, 300));
  await Promise.all(children.map(nextWord));
  for (const child of children) child.channel.post('set now');
  await joinAll(children);
  assert.deepEqual(await dict.toObject(), { n: 900, m: 1 });
});

test('several processes push and pop, and each value is taken once', limit, async () => {
  const manager = new Manager();
  const [list, dict] = [manager.list<number>(), manager.dict<number>()];
  const children = [0, 300].map((first) => start(work.pushThenPop, list, dict, first, 300));
  await Promise.all(children.map(nextWord));
  const numbers = await list.toArray();
  assert.deepEqual(numbers.filter((n) => n < 300), Array.from({ length: 300 }, (_, i) => i));
  for (const child of children) child.channel.post('pop now');
  await joinAll(children);
  assert.deepEqual(await dict.toObject(), { sum: 599 * 300, count: 600 });
});

test('maps, sets and dates refuse to change; bytes are copies of one\'s own', limit, async () => {
  const nested = new Map([['inner', { n: 1 }]]);
  const dict = new Manager().dict<unknown>({
    map: nested, set: new Set([1]), date: new Date(0), bytes: Buffer.from('abc'),
  });
  const [map, set, date, bytes] = await dict.values() as [typeof nested, Set<number>, Date, Buffer];
  const refused = { name: 'TypeError', message: /would change a copy of a shared (Map|Set|Date): set a new one/ };
  const changes = [
    () => map.set('x', { n: 2 }), () => map.delete('inner'), () => { map.clear(); }, () => set.add(2),
    () => date.setTime(1),
  ];
  for (const change of changes) assert.throws(change, refused);
  assert.throws(() => { map.get('inner')!.n = 2; }, TypeError);
  bytes[0] = 0;
  assert.equal(String(await dict.get('bytes')), 'abc');
  assert.deepEqual(await dict.get('map'), nested);
  await dict.set('map', new Map([...map, ['x', { n: 2 }]]));
  assert.equal((await dict.get('map') as typeof nested).size, 2);
  await dict.set('again', [map, date]);
  assert.deepEqual(await dict.get('again'), [nested, new Date(0)]);
});

test('a dict may hold a lock, another dict, and a list', limit, async () => {
  const manager = new Manager();
  const lock = new Lock();
  const list = manager.list([1]);
  const dict = manager.dict<unknown>({ lock, n: 0, inner: { list } });
  await joinAll([1, 2, 3].map(() => start(work.countUnderLock, dict, 30)));
  assert.equal(await dict.get('n'), 90);
  assert.equal(await dict.get('lock'), lock);
  await (await dict.get('inner') as { list: ListProxy<number> }).list.push(2);
  assert.deepEqual(await list.toArray(), [1, 2]);
});

test('when the manager\'s process is killed, calls that wait and later ones reject at once', limit, async () => {
  const [here, there] = Pipe<unknown>();
  const maker = start(work.makeManagerAndBlock, there);
  const dict = await here.recv() as DictProxy<number>;
  assert.equal(await dict.get('a'), 1);
  maker.channel.post('block');
  const calls = [dict.get('a'), dict.set('a', 2), dict.increment('a'), dict.toObject()];
  const waiting = calls.map((call) => assert.rejects(call, ownerDied));
  maker.kill();
  await Promise.all(waiting);
  await assert.rejects(dict.get('a'), ownerDied);
  await maker.join();
});

test('a process that got the dict in a message hears of its owner\'s death too', limit, async () => {
  const [here, there] = Pipe<unknown>();
  const maker = start(work.makeManager, there);
  const [dict, list] = await here.recv() as [DictProxy<number>, ListProxy<number>];
  const child = start(work.callUntilRefused, dict);
  await nextWord(child);
  const word = nextWord(child);
  maker.kill();
  assert.match(String(await word), /^ProcessDied: Process-\d+ \(pid \d+\) was ended by SIGKILL: what its manager kept/);
  await assert.rejects(list.length(), ownerDied);
});

test('a caller that is killed in the middle of its calls leaves the dict whole', limit, async () => {
  const dict = new Manager().dict({ n: 0 });
  const children = [1, 2].map(() => start(work.callAndCall, dict));
  await Promise.all(children.map(nextWord));
  while ((await dict.get('n'))! < 1000);
  for (const child of children) {
    child.kill();
    await child.join();
  }
  const n = (await dict.get('n'))!;
  assert.equal(await dict.increment('n'), n + 1);
});

test('after shutdown every call rejects with a sentence, and nothing new can be made', limit, async () => {
  const manager = new Manager();
  const [dict, list] = [manager.dict({ n: 0 }), manager.list([1])];
  const child = start(work.callUntilRefused, dict);
  await nextWord(child);
  const word = nextWord(child);
  manager.shutdown();
  manager.shutdown();
  assert.equal(await word, 'ManagerClosed: the manager of this dict was shut down');
  const calls = [dict.get('n'), dict.increment('n'), list.push(2), list.toArray()];
  for (const call of calls) await assert.rejects(call, shutDown);
  assert.throws(() => manager.dict(), shutDown);
  assert.throws(() => manager.list(), shutDown);
});

test('many calls at once are answered in their order, each with its own answer', limit, async () => {
  const [here, there] = Pipe<unknown>();
  start(work.makeManager, there);
  const [dict] = await here.recv() as [DictProxy<number>];
  const sums = await Promise.all(Array.from({ length: 2000 }, () => dict.increment('a')));
  assert.deepEqual(sums, Array.from({ length: 2000 }, (_, i) => i + 2));
  const [, got] = await Promise.all([dict.set('b', 7), dict.get('b')]);
  assert.equal(got, 7);
});

test('a program that leaves a manager and a daemon behind comes to its end', limit, async () => {
  const argv = nodeArgs('test/fixtures/manager-work.ts');
  const program = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  program.stdout.on('data', (text) => { output += text; });
  assert.deepEqual(await once(program, 'close'), [0, null]);
  assert.equal(output, '2\n');
});
