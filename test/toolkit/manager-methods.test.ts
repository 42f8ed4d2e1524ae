// What a Manager's dicts and lists can do. What CPython's own tests of them assert is among this.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lock, Manager, Pipe, Queue } from '../../shared/multiprocessing/index.ts';
import type { Connection, DictProxy, ListProxy } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/manager-methods-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/manager-methods-work.ts');
const closed = { code: 'ERR_PIPE_CLOSED', message: 'the other end of the pipe was closed' };

async function isAlive(end: Connection, other: Connection): Promise<void> {
  await end.send('alive');
  assert.equal(await other.recv(), 'alive');
}

describe('a list', { concurrency: 4 }, () => {
  test('does what an array does, call by call, also for another process', DEADLINE, async (t) => {
    const manager = new Manager();
    await work.compareWithArray(manager.list(), 1, 2000);
    const { process } = startProcess(t, { module, target: work.compareWithArray, args: [manager.list([1]), 2, 2000] });
    await process.join();
    assert.equal(process.error, undefined);
    assert.equal(process.exitCode, 0);
  });

  test('is filled, read in parts, turned around and emptied', DEADLINE, async () => {
    const manager = new Manager();
    const list = manager.list(new Set([5]));
    assert.equal(await list.indexOf(5), 0);
    assert.equal(await list.extend([7]), 2);
    assert.equal(await list.extend(await list.toArray()), 4);
    assert.deepEqual(await list.slice(), [5, 7, 5, 7]);
    assert.deepEqual(await list.slice(2, 10), [5, 7]);
    await list.sort();
    await list.reverse();
    assert.deepEqual(await list.toArray(), [7, 7, 5, 5]);
    assert.deepEqual([await list.pop(0), await list.pop(-2), await list.pop(2)], [7, 5, undefined]);
    assert.equal(await list.insert(-99, 1), 3);
    assert.equal(await list.insert(99, 9), 4);
    assert.deepEqual(await list.toArray(), [1, 7, 5, 9]);
    await list.clear();
    assert.equal(await list.length(), 0);
    const many = Array.from({ length: 300_000 }, (_, i) => i);
    assert.equal(await list.extend(many), many.length);
    assert.equal(await list.get(-1), 299_999);
  });

  test('sorts numbers by their size and strings by their units, and refuses what has no order', DEADLINE, async () => {
    const manager = new Manager();
    const sorted = async (values: unknown[], options?: { reverse: boolean }): Promise<unknown[]> => {
      const list = manager.list(values);
      await list.sort(options);
      return await list.toArray();
    };
    assert.deepEqual(await sorted([10, 9, NaN, -1, 5n, 1e300, NaN, 0]), [-1, 0, 5n, 9, 10, 1e300, NaN, NaN]);
    assert.deepEqual(await sorted([2, 3, 1], { reverse: true }), [3, 2, 1]);
    assert.deepEqual(await sorted(['b', 'ä', 'B', '', '10', '9']), ['', '10', '9', 'B', 'b', 'ä']);
    assert.deepEqual(await sorted([]), []);
    const needs = 'sort needs a list of numbers alone or of strings alone: ';
    for (const [values, why] of [
      [[1, 'a'], 'value 1 is of type number, and value 2 of type string'],
      [['a', 'b', null], 'value 1 is of type string, and value 3 null'],
      [[{ n: 1 }, { n: 2 }], 'value 1 is of type object'],
      [[undefined], 'value 1 is of type undefined'],
      [[3, 1, true], 'value 1 is of type number, and value 3 of type boolean'],
    ] as const) {
      const list = manager.list<unknown>(values);
      await assert.rejects(list.sort(), { code: 'ERR_WRONG_USE', message: `${needs}${why}` });
      assert.deepEqual(await list.toArray(), values, 'as before');
    }
    await assert.rejects(manager.list([2, 1]).sort(((a: number, b: number) => a - b) as never), {
      code: 'ERR_WRONG_USE', message: /^sort takes \{ reverse \}, and no function that compares, not \[Function/,
    });
  });

  test('finds values by what is in them', DEADLINE, async () => {
    const values = [0, NaN, { id: 1, tags: ['a'] }, new Map([['k', 1]]), new Date(0), Buffer.from('b'), new Error('e')];
    const list = new Manager().list<unknown>(values);
    for (const [i, value] of values.entries()) assert.equal(await list.indexOf(value), i);
    assert.equal(await list.indexOf(-0), 0, 'as === does');
    assert.equal(await list.includes({ tags: ['a'], id: 1 }), true, 'in whatever order');
    assert.equal(await list.includes({ id: 1 }), false);
    assert.equal(await list.includes('0'), false);
    assert.equal(await list.remove({ id: 1, tags: ['a'] }), true);
    assert.equal(await list.remove({ id: 1, tags: ['a'] }), false);
    assert.equal(await list.length(), values.length - 1);
  });

  test('does not touch the ends of pipes that are in it when it looks for something', DEADLINE, async () => {
    const [here, there] = Pipe();
    const list = new Manager().list<unknown>([{ end: there }, new Lock(), undefined]);
    assert.equal(await list.indexOf({ end: null }), -1);
    assert.equal(await list.remove(undefined), true);
    const { end } = await list.get(0) as { end: Connection };
    await isAlive(end, here);
    const [left, gone] = Pipe();
    await list.push({ end: gone });
    assert.equal(await list.includes({ end: null }), false);
    await list.clear();
    await assert.rejects(left.recv(), closed);
    const [own, mate] = Pipe();
    const message = /^the value to look for cannot be .*: a\.0 is a primitive of the toolkit$/;
    const refused = { code: 'ERR_NOT_CLONEABLE', message };
    for (const find of [list.indexOf({ a: [own] }), list.includes({ a: [own] }), list.remove({ a: [own] })]) {
      await assert.rejects(find, refused);
    }
    await assert.rejects(list.includes(new Queue()), { message: /: it is a primitive of the toolkit$/ });
    await isAlive(own, mate);
  });

  test('refuses a wrong index and a wrong source in a sentence', DEADLINE, async () => {
    const list = new Manager().list([1]);
    const notWhole = { code: 'ERR_WRONG_USE', message: /^an index of a shared list is a whole number, not / };
    for (const use of [list.pop(0.5), list.insert('0' as never, 1), list.slice(NaN), list.slice(0, Infinity)]) {
      await assert.rejects(use, notWhole);
    }
    await assert.rejects(list.extend(5 as never), {
      code: 'ERR_WRONG_USE', message: 'extend needs an array or another iterable, not 5',
    });
    await assert.rejects(list.extend([2, () => 3] as never), { message: /^value 2 to extend with cannot be sent/ });
    assert.deepEqual(await list.toArray(), [1]);
  });
});

describe('a dict', { concurrency: 4 }, () => {
  test('does what a Map does, call by call, also for another process', DEADLINE, async (t) => {
    const manager = new Manager();
    await work.compareWithMap(manager.dict(), 3, 2000);
    const args = [manager.dict({ a: 1 }), 4, 2000] as [DictProxy<unknown>, number, number];
    const { process } = startProcess(t, { module, target: work.compareWithMap, args });
    await process.join();
    assert.equal(process.error, undefined);
    assert.equal(process.exitCode, 0);
  });

  test('is filled from an object, a Map or entries, and gives back its entries', DEADLINE, async () => {
    const manager = new Manager();
    const dict = manager.dict([['foo', 5]]);
    await dict.update({ bar: 6 });
    await dict.update(new Map([['baz', 7], ['foo', 8]]));
    assert.deepEqual(await dict.toObject(), { foo: 8, bar: 6, baz: 7 });
    assert.deepEqual(await dict.popItem(), ['baz', 7]);
    assert.equal(await dict.setDefault('bar', 0), 6);
    assert.equal(await dict.setDefault('new', 0), 0);
    assert.equal(await dict.pop('bar'), 6);
    assert.equal(await dict.pop('bar'), undefined);
    await dict.clear();
    assert.deepEqual([await dict.size(), await dict.popItem()], [0, undefined]);
    assert.deepEqual(await manager.dict(new Map([['a', [1]]])).toObject(), { a: [1] });
    assert.equal(await manager.dict(Object.create(null) as Record<string, never>).size(), 0);
  });

  test('refuses to be filled from what has no entries, and then nothing is set', DEADLINE, async () => {
    const dict = new Manager().dict<unknown>({ n: 1 });
    const from = /^a shared dict is filled from an object's properties or from entries, not from /;
    const other = new Manager().dict({ a: 1 });
    for (const source of [5, null, 'ab', ['a'], new Set([1]), Promise.resolve({ a: 1 }), other]) {
      await assert.rejects(dict.update(source as never), { code: 'ERR_WRONG_USE', message: from });
    }
    const key = { code: 'ERR_WRONG_USE', message: 'a key of a shared dict is a string, not 1' };
    await assert.rejects(dict.update([['a', 1], [1, 2]] as never), key);
    for (const use of [dict.pop(1 as never), dict.setDefault(1 as never, 2)]) await assert.rejects(use, key);
    await assert.rejects(dict.update({ a: 1, f: () => 2 }), { message: /^the value of 'f' cannot be sent/ });
    assert.deepEqual(await dict.toObject(), { n: 1 });
  });

  test('and a list serve two processes that want the same: one gets each thing', DEADLINE, async (t) => {
    const manager = new Manager();
    const dict = manager.dict<number>();
    const all = Array.from({ length: 400 }, (_, i) => i);
    const args: [DictProxy<number>, ListProxy<number>] = [dict, manager.list(all)];
    const started = [1, 2].map(() => startProcess(t, { module, target: work.takeWhatOthersWant, args }));
    await Promise.all(started.map(({ mail }) => mail.next()));
    for (const { process } of started) process.channel.post('go');
    const words = await Promise.all(started.map(({ mail }) => mail.next())) as [number, number[]][];
    assert.equal(words[0]![0], words[1]![0], 'both have the same owner');
    assert.ok(started.some(({ process }) => process.pid === words[0]![0]));
    const taken = words.flatMap(([, numbers]) => numbers);
    assert.deepEqual(taken.sort((a, b) => a - b), all);
  });
});

describe('a dict and a list that hold primitives', { concurrency: 4 }, () => {
  test('may hold each other, a queue, and themselves', DEADLINE, async () => {
    const manager = new Manager();
    const pets = manager.dict({ ferrets: 2 });
    const list = manager.list<unknown>([pets, new Queue<number>(), [88, 99]]);
    const outer = manager.dict<unknown>({ pets, list });
    const inner = await outer.get('pets') as DictProxy<number>;
    await inner.update({ marmots: 1 });
    assert.deepEqual(await pets.toObject(), { ferrets: 2, marmots: 1 });
    const queue = await list.get(1) as Queue<number>;
    await queue.put(123);
    assert.equal(await (await list.get(1) as Queue<number>).get(), 123);
    assert.deepEqual(await list.get(2), [88, 99]);
    await outer.clear();
    assert.equal(await pets.get('ferrets'), 2);
    await list.push(list);
    assert.equal(await list.get(-1), list);
  });

  test('close the ends of pipes that nobody can take any more, and no others', DEADLINE, async () => {
    const manager = new Manager();
    const dict = manager.dict<unknown>({ kept: 1 });
    const list = manager.list<unknown>();
    const drops: ((end: Connection) => Promise<unknown>)[] = [
      async (end) => [await dict.set('end', end), await dict.clear()],
      async (end) => [await dict.update({ end }), await dict.update({ end: 2 })],
      async (end) => [await dict.set('end', 1), await dict.setDefault('end', end)],
      async (end) => [await list.insert(0, end), await list.clear()],
    ];
    for (const drop of drops) {
      const [here, there] = Pipe();
      await drop(there);
      await assert.rejects(here.recv(), closed);
    }
    const takes: ((end: Connection) => Promise<unknown>)[] = [
      async (end) => (await dict.update({ end }), await dict.pop('end')),
      async (end) => (await dict.set('last', end), (await dict.popItem())![1]),
      async (end) => (await list.extend([0, end, 2]), await list.pop(1)),
    ];
    for (const take of takes) {
      const [here, there] = Pipe();
      await isAlive(await take(there) as Connection, here);
    }
  });

  test('keep the ends of pipes that a process gave them which was killed then', DEADLINE, async (t) => {
    const manager = new Manager();
    const [dict, list] = [manager.dict<unknown>(), manager.list<unknown>()];
    const pipes = Array.from({ length: 4 }, () => Pipe());
    const args: Parameters<typeof work.giveEnds> = [dict, list, pipes.map(([, there]) => there)];
    const { process } = startProcess(t, { module, target: work.giveEnds, args });
    await process.join();
    assert.equal(process.exitCode, -9);
    const kept = [await dict.pop('a'), await dict.get('b'), ...await list.slice()].flat() as Connection[];
    for (const [i, end] of kept.entries()) await isAlive(end, pipes[i]![0]);
    assert.equal(kept.length, 4);
  });

  test('say so at the other ends of pipes when a process dies that was to get them', DEADLINE, async (t) => {
    const manager = new Manager();
    const pipes = Array.from({ length: 3 }, () => Pipe());
    const [first, second, third] = pipes.map(([, there]) => there);
    const dict = manager.dict<unknown>({ end: second, last: [third] });
    const list = manager.list<unknown>([{ first }]);
    const maker = startProcess(t, { module, target: work.pushAndRead, args: [list] });
    assert.equal(await maker.mail.next(), 'pushed');
    await list.reverse();
    const { process, mail } = startProcess(t, { module, target: work.popAndBlock, args: [dict, list] });
    assert.equal(await mail.next(), 'asked');
    assert.deepEqual([await dict.size(), await list.length()], [0, 0]);
    process.kill();
    const died = `${process.name} (pid ${process.pid}) was ended by SIGKILL: the other end of the pipe is gone with it`;
    assert.equal(await maker.mail.next(), died, 'in a process that never had to do with it');
    for (const [here] of pipes) await assert.rejects(here.recv(), { code: 'ERR_PROCESS_DIED' });
  });

  test('leave an end of a pipe at home when what was to come with it cannot be sent', DEADLINE, async () => {
    const manager = new Manager();
    const [dict, list] = [manager.dict<unknown>(), manager.list<unknown>()];
    const [here, there] = Pipe();
    const fails = (): never => assert.fail('called');
    for (const add of [list.push(there, fails), list.extend([there, fails]), dict.update({ there, fails })]) {
      await assert.rejects(add, { code: 'ERR_NOT_CLONEABLE' });
    }
    assert.throws(() => manager.list([there, fails]), { code: 'ERR_NOT_CLONEABLE' });
    assert.throws(() => manager.dict({ there, fails }), { code: 'ERR_NOT_CLONEABLE' });
    await isAlive(there, here);
  });

  test('refuse every call after shutdown, and close the ends that came with it', DEADLINE, async () => {
    const manager = new Manager();
    const [dict, list] = [manager.dict<unknown>({ a: 1 }), manager.list<unknown>([1])];
    manager.shutdown();
    const calls = [
      dict.update({ a: 1 }), dict.setDefault('a', 1), dict.pop('a'), dict.popItem(), dict.clear(), list.extend([1]),
      list.insert(0, 1), list.pop(0), list.remove(1), list.clear(), list.indexOf(1), list.includes(1), list.reverse(),
      list.sort(), list.slice(),
    ];
    for (const call of calls) await assert.rejects(call, { code: 'ERR_MANAGER_CLOSED' });
    const brings = [
      (end: Connection) => dict.update({ end }), (end: Connection) => dict.setDefault('end', end),
      (end: Connection) => list.insert(0, end), (end: Connection) => list.extend([end]),
    ];
    for (const bring of brings) {
      const [here, there] = Pipe();
      await assert.rejects(bring(there), { code: 'ERR_MANAGER_CLOSED' });
      await assert.rejects(here.recv(), closed);
    }
  });
});
