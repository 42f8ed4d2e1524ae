// Queue: what goes in comes out, once, in order, in whatever process; and what becomes of it when processes die.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { JoinableQueue, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/queue-work.ts';
import { standsStill, standStill } from '../helpers/faults-proc.ts';
import { queueCrew, startObeying } from '../helpers/obeying.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { startProcess, startProgram } from '../helpers/processes.ts';
import { checkTaken } from '../helpers/queue-taken.ts';

const module = moduleUrl('test/fixtures/queue-work.ts');
/** For a machine that stands still, or has much else to do: nothing here depends on how long it takes. */
const DEADLINE = { timeout: 120_000 };
const full = { name: 'QueueFull', code: 'ERR_QUEUE_FULL' };
const empty = { name: 'QueueEmpty', code: 'ERR_QUEUE_EMPTY' };
const closed = { name: 'QueueClosed', code: 'ERR_QUEUE_CLOSED' };

const crew = queueCrew();
after(() => crew.end());

/** The error that names a dead process. */
function died(how: RegExp) {
  return (error: Error & { code?: string }): boolean => {
    assert.equal(error.name, 'ProcessDied');
    assert.match(error.message, how);
    return true;
  };
}

async function getMany<T>(queue: Queue<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  while (items.length < count) items.push(await queue.get());
  return items;
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Whether it settles without anything new from outside, in two turns of the event loop. */
async function settlesAlone(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => { settled = true; }, () => { settled = true; });
  for (let i = 0; i < 2; i++) await new Promise(setImmediate);
  return settled;
}

describe('a queue in one process', () => {
  test('gives back clones of what was put, in that order', DEADLINE, async () => {
    const queue = new Queue<unknown>();
    const item = { list: [1, { deep: 2 }], at: new Date(0) };
    await queue.put(item);
    item.list.push(3);
    const others = [undefined, null, 0, -0, NaN, '', 'ß', 10n, new Map([[1, 'é']]), new Uint8Array(3)];
    for (const value of others) await queue.put(value);
    assert.equal(await queue.qsize(), 11);
    assert.deepEqual(await getMany(queue, 11), [{ list: [1, { deep: 2 }], at: new Date(0) }, ...others]);
    assert.equal(await queue.empty(), true);
  });

  test('serves those who wait in the order in which they asked, whatever they wait for', DEADLINE, async () => {
    const queue = new Queue<number>(1);
    const gets = [queue.get(), queue.get(), queue.get()];
    for (const item of [1, 2, 3]) await queue.put(item);
    assert.deepEqual(await Promise.all(gets), [1, 2, 3]);
    const puts = [4, 5, 6].map((item) => queue.put(item));
    assert.deepEqual(await getMany(queue, 3), [4, 5, 6]);
    await Promise.all(puts);
  });

  test('holds maxsize items, and then puts wait', DEADLINE, async () => {
    const queue = new Queue<number>(2);
    await queue.put(1);
    assert.equal(await queue.full(), false);
    await queue.put(2);
    assert.equal(await queue.full(), true);
    const third = queue.put(3);
    assert.equal(await settlesAlone(third), false);
    assert.equal(await queue.qsize(), 2);
    assert.equal(await queue.get(), 1);
    await third;
    assert.deepEqual(await getMany(queue, 2), [2, 3]);
    assert.equal(await new Queue().full(), false, 'never, without a bound');
  });

  test('says so when there is no place or no item, at once or when the time is over', DEADLINE, async () => {
    const queue = new Queue<string>(1);
    await assert.rejects(queue.getNowait(), { ...empty, message: 'the queue is empty' });
    await assert.rejects(queue.get(0), empty);
    await assert.rejects(queue.get(20), { ...empty, message: 'the queue stayed empty for 20 ms' });
    await queue.putNowait('one');
    await assert.rejects(queue.putNowait('two'), { ...full, message: 'the queue is full: its maxsize is 1' });
    await assert.rejects(queue.put('two', 0), full);
    const tooLate = { ...full, message: 'the queue stayed full for 20 ms: its maxsize is 1' };
    await assert.rejects(queue.put('two', 20), tooLate);
    const inTime = queue.put('three', 10_000);
    assert.deepEqual([await queue.getNowait(), await queue.get(10_000)], ['one', 'three']);
    await inTime;
    await assert.rejects(queue.getNowait(), empty, 'what was refused is not in the queue');
  });

  test('when it is closed, refuses puts, gives out what it holds, and ends', DEADLINE, async () => {
    const queue = new Queue<number>(2);
    for (const item of [1, 2]) await queue.put(item);
    const isClosed = { ...closed, message: 'the queue is closed: nothing more can be put into it' };
    const waiting = assert.rejects(queue.put(3), isClosed);
    await queue.close();
    await queue.close();
    await waiting;
    await assert.rejects(queue.put(4), closed);
    await assert.rejects(queue.putNowait(4), closed);
    assert.deepEqual(await work.drain(queue), [1, 2]);
    await assert.rejects(queue.get(), { ...closed, message: 'the queue is closed, and no item is left in it' });
    await assert.rejects(queue.getNowait(), closed);
    await assert.rejects(queue.get(0), closed);
    await assert.rejects(queue.get(10_000), closed);
    const other = new Queue();
    const pending = assert.rejects(other.get(), closed);
    await other.close();
    await pending;
  });

  test('when it is closed and others hold it, says that it is closed, not that it is empty', DEADLINE, async (t) => {
    const [unbounded, bounded] = [new Queue<unknown>(), new Queue<unknown>(1)];
    const children = await Promise.all([unbounded, unbounded, bounded].map((queue) => crew.lend(t, queue)));
    for (const queue of [unbounded, bounded]) {
      await queue.close();
      await assert.rejects(queue.getNowait(), closed);
    }
    for (const child of children) await assert.rejects(child.tell('getNowait'), { name: 'QueueClosed' });
  });

  test('settles any number of puts at once, however large', DEADLINE, async () => {
    // Also more than one call may have arguments.
    for (const [count, item] of [
      [6, Buffer.alloc(1 << 20)], [2000, 'x'.repeat(2000)], [150_000, 1], [2, Buffer.alloc(3 << 20)],
    ] as const) {
      const queue = new Queue<unknown>();
      await Promise.all(Array.from({ length: count }, () => queue.put(item)));
      assert.equal(await queue.qsize(), count);
      assert.deepEqual(await queue.get(), item);
    }
  });

  test('serves lines of 3,000 who wait, gets and puts, also when as many give up', DEADLINE, async () => {
    const MANY = 3000; // Too many for the stack, if each were served from within the one before.
    const [unbounded, bounded] = [new Queue<number>(), new Queue<number>(1)];
    const controller = new AbortController();
    for (const queue of [unbounded, bounded]) {
      const gets = numbers(0, MANY).map(() => queue.get());
      await Promise.all(numbers(0, MANY).map((i) => queue.put(i)));
      assert.deepEqual(await Promise.all(gets), numbers(0, MANY));
    }
    const puts = numbers(0, MANY).map((i) => bounded.put(i));
    assert.deepEqual(await getMany(bounded, MANY), numbers(0, MANY));
    await Promise.all(puts);
    const few = { signal: controller.signal };
    const aborted = numbers(0, 10).map(() => assert.rejects(unbounded.get(few), /enough/));
    const last = unbounded.get();
    const lapsed = numbers(0, MANY).map(() => assert.rejects(unbounded.get(1), empty));
    controller.abort(new Error('enough'));
    await Promise.all([...aborted, ...lapsed]);
    await unbounded.put(7);
    assert.equal(await last, 7);
  });

  test('takes nothing for a get that is aborted, and puts nothing for a put', DEADLINE, async () => {
    const queue = new Queue<string>(1);
    const reason = new Error('not any more');
    const isReason = (error: unknown): boolean => error === reason;
    await assert.rejects(queue.get({ signal: AbortSignal.abort(reason) }), isReason);
    const gets = new AbortController();
    const get = assert.rejects(queue.get({ signal: gets.signal, timeoutMs: 10_000 }), isReason);
    gets.abort(reason);
    await get;
    await queue.put('one');
    const puts = new AbortController();
    const put = assert.rejects(queue.put('two', { signal: puts.signal }), isReason);
    puts.abort(reason);
    await put;
    assert.equal(await queue.get(), 'one');
    await assert.rejects(queue.getNowait(), empty);
  });

  test('lets everything else go on while a loop puts and gets', DEADLINE, async () => {
    const queue = new Queue<number>();
    let goesOn = true;
    setTimeout(() => { goesOn = false; }, 5);
    let count = 0;
    for (; goesOn; count++) {
      await queue.put(count);
      assert.equal(await queue.get(), count);
    }
    assert.ok(count > 0);
  });

  test('refuses wrong use in a sentence', DEADLINE, async () => {
    for (const maxsize of [-1, 1.5, NaN, Infinity, '3']) {
      assert.throws(() => new Queue(maxsize as number), {
        name: 'WrongUse', code: 'ERR_WRONG_USE',
        message: /^the maxsize of a queue is a whole number of items, or 0 for no bound, not /,
      });
    }
    const queue = new Queue<unknown>(1);
    await assert.rejects(queue.put(() => {}), {
      name: 'NotCloneable', message: 'the item put into a queue cannot be sent to another process: it is a function',
    });
    const notCloneable = { name: 'NotCloneable', message: /^the item put into a queue / };
    await assert.rejects(queue.put({ deep: [Symbol('s')] }), notCloneable);
    const wrongTime = { name: 'WrongUse', message: /milliseconds, or by .*, not by 'soon'$/ };
    await assert.rejects(queue.get('soon' as unknown as number), wrongTime);
    assert.equal(await queue.qsize(), 0);
    await queue.put(1);
    assert.equal(await queue.get(), 1);
  });
});

describe('a queue between processes', { concurrency: 2 }, () => {
  test('brings every kind of item there and back', DEADLINE, async (t) => {
    const [there, back] = [new Queue<unknown>(3), new Queue<unknown>()];
    const { process } = startProcess(t, { module, target: work.echo, args: [there, back] });
    const big = Buffer.alloc(2 << 20, 'ß');
    const items = [
      undefined, null, -0, 10n, 'ﬁ 漢字 🏳️‍🌈 \u{d800}', '', [, 1], { a: undefined }, new Date(1),
      new Map([[{}, new Set([1])]]), new Error('e'), Buffer.from('é'), new Float64Array([0.5]), big,
      /x/g, 'after the big one',
    ];
    for (const item of items) await there.put(item);
    await there.close();
    assert.deepEqual(await getMany(back, items.length), items);
    await process.join();
    assert.equal(process.exitCode, 0);
  });

  test('brings 20,000 items out of a child and into it, each once and in order', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    const puts = child.tell('putMany', 0, 20_000);
    assert.deepEqual(await getMany(queue, 20_000), numbers(0, 20_000));
    await puts;
    const gets = child.tell('getMany', 20_000);
    await work.putNumbers(queue, 0, 20_000);
    assert.deepEqual(await gets, numbers(0, 20_000));
    assert.equal(await queue.empty(), true);
  });

  test('waits for a slow consumer: never more items than maxsize', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(3);
    const child = await crew.lend(t, queue);
    const puts = child.tell('putMany', 0, 200);
    for (let i = 0; i < 200; i++) {
      assert.equal(await queue.get(), i);
      if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.ok(await queue.qsize() <= 3);
    }
    await puts;
  });

  test('brings what several put to several, each item once, and in its putter\'s order', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(20);
    const names = ['a', 'b', 'c'];
    const putters = await Promise.all(names.map(() => crew.lend(t, queue)));
    const getters = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    const takings = Promise.all([...getters.map((getter) => getter.tell('drain')), work.drain(queue)]);
    await Promise.all(putters.map((putter, i) => putter.tell('putNamed', names[i]!, 400)));
    await queue.close();
    const taken = await takings as [string, number][][];
    checkTaken(taken, names, 400);
  });

  test('lives where it was made, and is one object in each process', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    await queue.put(queue);
    assert.equal(await child.tell('same'), true);
    await child.tell('startChild');
    const answers = new Queue<unknown>();
    await queue.put(answers);
    assert.equal(await answers.get(), 'a child\'s child');
    await child.tell('makeQueue');
    const made = await queue.get() as Queue<unknown>;
    await made.put('into the child\'s');
    assert.equal(await child.tell('get'), 'into the child\'s');
    await made.put(made);
    assert.equal(await child.tell('same'), true, 'it is known where it was made');
    await child.tell('put', 'out of it');
    assert.equal(await made.get(), 'out of it');
    await made.put(0);
    await assert.rejects(made.putNowait(1), full);
    assert.deepEqual([await made.full(), await made.qsize(), await made.empty()], [true, 1, false]);
  });

  test('travels through another queue, from one child to another', DEADLINE, async (t) => {
    const requests = new Queue<Queue<unknown>>();
    const maker = await crew.lend(t, requests);
    await maker.tell('makeQueue');
    startProcess(t, { module, target: work.answerInside, args: [requests, 'the answer'] });
    assert.equal(await maker.tell('get'), 'the answer');
  });

  test('answers a child at once that does not want to wait', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(1);
    const child = await crew.lend(t, queue);
    await assert.rejects(child.tell('getNowait'), { name: 'QueueEmpty', message: 'the queue is empty' });
    await assert.rejects(child.tell('get', 20), { name: 'QueueEmpty', message: 'the queue stayed empty for 20 ms' });
    await child.tell('putNowait', 'one');
    const state = [await child.tell('qsize'), await child.tell('full'), await child.tell('empty')];
    assert.deepEqual(state, [1, true, false]);
    const noPlace = { name: 'QueueFull', message: 'the queue is full: its maxsize is 1' };
    await assert.rejects(child.tell('putNowait', 'two'), noPlace);
    await assert.rejects(child.tell('put', 'two', 20), { name: 'QueueFull' });
    await assert.rejects(queue.putNowait('two'), full);
    assert.equal(await child.tell('getNowait'), 'one');
    await queue.putNowait('three');
    assert.equal(await child.tell('get', 10_000), 'three');
  });

  test('settles any number of puts at once elsewhere too, however large', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    for (const items of [Array(6).fill('x'.repeat(1 << 20)), Array(1000).fill('x'.repeat(2000)), numbers(0, 5000)]) {
      await child.tell('putAll', items);
      assert.equal(await queue.qsize(), items.length);
      const gets = child.tell('getAll', items.length);
      assert.deepEqual(await gets, items);
    }
  });

  test('a get that was aborted elsewhere takes nothing, also when its item is on the way', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const [one, other] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    await assert.rejects(one.tell('getAborted'), { message: 'enough' });
    await queue.put('one');
    assert.equal(await one.tell('getNowait'), 'one');
    for (let i = 0; i < 50; i++) {
      const aborted = one.tell('getAborted').catch((error: Error) => error.message);
      while (i % 2 === 0 && await queue.qsize() > 0) await new Promise(setImmediate);
      const put = other.tell('put', i);
      const outcome = await aborted;
      await put;
      if (outcome === 'enough') assert.equal(await other.tell('get'), i);
      else assert.equal(outcome, i);
    }
    assert.equal(await queue.qsize(), 0);
  });

  test('a get that lost a race and was aborted keeps no process running', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.loseRace, args: [new Queue<unknown>()] });
    assert.equal(await mail.next(), 'lost');
    await process.join();
    assert.equal(process.exitCode, 0);
  });

  test('ignores messages that are none of its own', DEADLINE, async (t) => {
    const [queue, bounded] = [new Queue<unknown>(), new Queue<unknown>(1)];
    const child = startProcess(t, { module, target: work.postNonsense, args: [queue, bounded] });
    assert.equal(await child.mail.next(), 'done');
    assert.equal(await queue.get(), 'after all');
    assert.equal(await bounded.get(), 'after all');
    await child.process.join();
    assert.equal(child.process.exitCode, 0);
  });

  test('with one place, lets them through one by one', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(1);
    const child = await crew.lend(t, queue);
    const puts = child.tell('putMany', 0, 300);
    assert.deepEqual(await getMany(queue, 300), numbers(0, 300));
    await puts;
    const gets = child.tell('getMany', 300);
    await work.putNumbers(queue, 0, 300);
    assert.deepEqual(await gets, numbers(0, 300));
  });

  test('has a place as soon as an item is taken, however busy its getter is then', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(1);
    const child = await startObeying(t, queue);
    child.start('getAndStandStill');
    await work.putNumbers(queue, 0, 2);
    assert.equal(await queue.get(), 1);
  });

  test('when it is closed, refuses a put that waits elsewhere', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(1);
    await queue.put('the last');
    const child = await crew.lend(t, queue);
    const refused = assert.rejects(child.tell('put', 'too late'), { name: 'QueueClosed' });
    await child.tell('qsize'); // It was asked after the put, so the put waits by now.
    await queue.close();
    await refused;
    assert.deepEqual(await work.drain(queue), ['the last']);
    await assert.rejects(child.tell('put', 1), { name: 'QueueClosed' });
    await assert.rejects(child.tell('get'), { name: 'QueueClosed' });
  });

  test('is closed for all by any of them', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(2);
    const [one, other] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    const drained = other.tell('drain');
    await one.tell('putMany', 0, 20);
    await one.tell('close');
    assert.deepEqual(await drained, numbers(0, 20));
    await assert.rejects(queue.put(1), closed);
    await assert.rejects(queue.get(), closed);
    const late = await crew.lend(t, queue);
    await assert.rejects(late.tell('put', 1), { name: 'QueueClosed' });
    await assert.rejects(late.tell('get'), { name: 'QueueClosed' });
  });

  test('gives what lies unused in one process to another that waits', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    await work.putNumbers(queue, 0, 1000);
    const [quick, hungry] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    assert.deepEqual(await quick.tell('getMany', 150), numbers(0, 150));
    assert.deepEqual(await hungry.tell('getMany', 850), numbers(150, 1000));
    assert.equal(await queue.qsize(), 0);
    await queue.put('new');
    assert.equal(await quick.tell('get'), 'new');
  });

  test('goes on without a process that is too busy to give back what it has', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const [busy, hungry] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    await work.putNumbers(queue, 0, 3000);
    await busy.tell('getMany', 150);
    await standStill(busy.process.pid!);
    const items = await hungry.tell('getMany', 1800) as number[];
    process.kill(busy.process.pid!, 'SIGCONT');
    items.push(...await busy.tell('getMany', 3000 - 150 - 1800) as number[]);
    assert.deepEqual(items.sort((a, b) => a - b), numbers(150, 3000));
  });

  test('brings an item at once when its putter has no time to turn its event loop', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const [maker, getter] = await Promise.all([startObeying(t, queue), startObeying(t, queue)]);
    maker.start('putAndStandStill', 'out of a busy process');
    assert.equal(await queue.get(), 'out of a busy process');
    await getter.tell('makeQueue');
    const made = await queue.get() as Queue<unknown>;
    const taken = made.get();
    await made.qsize(); // The get waits by now.
    getter.start('putAndStandStill', 'out of the busy process in which the queue lives');
    assert.equal(await taken, 'out of the busy process in which the queue lives');
  });

  test('stops a putter when too much is on the way, in items and in bytes', DEADLINE, async (t) => {
    const through = new Queue<unknown>();
    const { process: owner } = startProcess(t, { module, target: work.lendQueue, args: [through] });
    const queue = await through.get() as Queue<unknown>;
    for (const [item, count, most] of [['small', 3000, 1024], [Buffer.alloc(100_000), 30, 11]] as const) {
      await queue.put('first');
      assert.equal(await queue.get(), 'first');
      await standStill(owner.pid!);
      let settled = 0;
      const puts: Promise<void>[] = [];
      for (let i = 0; i < count; i++) {
        puts.push(queue.put(item).then(() => { settled++; }));
        if (i % 200 === 0) await new Promise(setImmediate);
      }
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
      if (!standsStill(owner.pid!)) return t.skip('something has let the stopped process go on');
      assert.ok(settled >= most * 0.9 && settled <= most, `${settled} items on the way`);
      process.kill(owner.pid!, 'SIGCONT');
      await Promise.all(puts);
      assert.deepEqual(await getMany(queue, count), Array(count).fill(item));
    }
  });
});

describe('when a process ends that uses a queue', { concurrency: 4 }, () => {
  test('what it put without waiting is in the queue', DEADLINE, async (t) => {
    const [unbounded, bounded] = [new Queue<unknown>(), new Queue<unknown>(2)];
    const items = numbers(0, 1500); // More than are on the way without an answer.
    for (const queue of [unbounded, bounded]) {
      const { process } = startProcess(t, { module, target: work.putAndLeave, args: [queue, items] });
      assert.deepEqual(await getMany(queue, 1500), items);
      await process.join();
      assert.equal(process.exitCode, 0);
    }
  });

  test('a program that waits for an item that never comes ends with its children', DEADLINE, async (t) => {
    const program = startProgram(t, 'queue-work.ts', []);
    assert.equal(await program.line(), 'the only one');
    assert.equal(await program.ended, 0);
    assert.equal(await program.line(), undefined);
    assert.equal(program.errors(), '');
  });

  for (const [how, order] of [
    ['ends', ['end']], ['calls process.exit(0)', ['exit', 0]],
  ] as const) {
    test(`and ${how}: what it took is used, and what it had not taken comes back`, DEADLINE, async (t) => {
      const queue = new Queue<unknown>();
      await work.putNumbers(queue, 0, 300);
      const child = await crew.lend(t, queue);
      assert.deepEqual(await child.tell('getMany', 50), numbers(0, 50));
      await child.start(...order).join();
      assert.equal(child.process.exitCode, 0);
      assert.deepEqual(await getMany(queue, 250), numbers(50, 300));
      assert.equal(await queue.qsize(), 0);
    });
  }

  for (const [how, order, exitCode] of [
    ['is killed', undefined, -9], ['exits with code 3', ['exit', 3], 3],
    ['throws', ['throw'], 1], ['throws later', ['throwLater'], 1],
  ] as const) {
    test(`and ${how}: what it took last comes back, with what it had not taken`, DEADLINE, async (t) => {
      const queue = new Queue<unknown>();
      await work.putNumbers(queue, 0, 300);
      const child = await crew.lend(t, queue);
      assert.deepEqual(await child.tell('getMany', 50), numbers(0, 50));
      if (order === undefined) await child.kill();
      else await child.start(...order).join();
      assert.equal(child.process.exitCode, exitCode);
      assert.deepEqual(await getMany(queue, 251), numbers(49, 300));
    });
  }

  test('what several had comes back in the order in which it was put', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const children = await Promise.all(['', '', ''].map(() => crew.lend(t, queue)));
    await work.putNumbers(queue, 0, 6);
    for (const child of children) await child.tell('get');
    const [left, ...killed] = children.reverse();
    for (const child of killed) await child.kill();
    assert.deepEqual(await left!.tell('getMany', 5), [0, 1, 3, 4, 5]);
  });

  test('and is killed on the way with an item, the item comes back', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    const never = child.tell('get');
    await child.tell('qsize'); // The get waits by now.
    await standStill(child.process.pid!);
    await queue.put('in flight');
    await new Promise(setImmediate);
    await child.kill();
    assert.equal(await queue.get(), 'in flight');
    assert.equal(await settlesAlone(never), false);
  });

  test('what it puts while its listeners of "exit" run is in the queue, however much it is', DEADLINE, async (t) => {
    const [queue, joinable, bounded] = [new Queue<unknown>(), new JoinableQueue<unknown>(), new Queue<unknown>(2)];
    const queues = [queue, joinable, bounded];
    const { process } = startProcess(t, { module, target: work.putAtExit, args: [queues, 3000] });
    await process.join();
    assert.equal(process.exitCode, 0);
    const all = Array.from({ length: 3001 }, (_, i) => i);
    for (const each of queues) assert.deepEqual(await getMany(each, 3001), all);
  });

  test('after the queue was closed: it comes back all the same, for who gets then', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    await queue.put('work');
    assert.equal(await child.tell('get'), 'work');
    await queue.close();
    await assert.rejects(queue.get(), closed);
    await child.kill();
    while (await queue.qsize() === 0);
    assert.equal(await queue.get(), 'work');
    await assert.rejects(queue.get(), closed);
  });

  test('and is killed in the middle of putting: each item is in it whole, or not at all', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    for (const bytes of [10, 200_000]) {
      const { process } = startProcess(t, { module, target: work.putForEver, args: [queue, bytes] });
      const items = await getMany(queue, 5) as { number: number; data: Buffer }[];
      process.kill();
      await process.join();
      items.push(...await getMany(queue, await queue.qsize()) as typeof items);
      items.forEach(({ number, data }, i) => {
        assert.equal(number, i);
        assert.ok(data.length === bytes && data.equals(Buffer.alloc(bytes, i)));
      });
    }
    const child = await crew.lend(t, queue);
    await child.tell('put', 'the queue goes on');
    assert.equal(await queue.get(), 'the queue goes on');
  });

  test('and the queue lives in it, all that waits for it is refused, and whatever comes later', DEADLINE, async (t) => {
    const through = new Queue<unknown>();
    const [owner, other] = await Promise.all([crew.lend(t, through), crew.lend(t, through)]);
    await owner.tell('makeQueue');
    const queue = await through.get() as Queue<unknown>;
    await through.put(queue);
    await other.tell('same');
    const gone = died(/^Process-\d+ \(pid \d+\) was ended by SIGKILL: the queue that lived in it is gone$/);
    const getting = assert.rejects(queue.get(), gone);
    process.kill(owner.process.pid!, 'SIGSTOP');
    const asking = [queue.qsize(), queue.empty(), queue.full(), queue.putNowait(1), queue.put(2)];
    const refused = asking.map((operation) => assert.rejects(operation, gone));
    await owner.kill();
    await Promise.all([getting, ...refused]);
    await assert.rejects(queue.get(), gone);
    await assert.rejects(queue.getNowait(), gone);
    await assert.rejects(queue.put(1), gone);
    await assert.rejects(queue.qsize(), gone);
    await assert.rejects(queue.close(), gone);
    await assert.rejects(work.drain(queue), gone);
  });

  test('and nobody is left to put, gets are refused until somebody new holds the queue', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const child = await crew.lend(t, queue);
    const waiting = queue.get();
    await child.tell('put', 'one');
    assert.equal(await waiting, 'one');
    const name = child.process.name;
    const alone = died(new RegExp(
      `^${name} \\(pid \\d+\\) was ended by SIGKILL: nobody is left to put an item into the empty queue$`,
    ));
    const refused = assert.rejects(queue.get(), alone);
    await child.kill();
    await refused;
    await assert.rejects(queue.get(), alone);
    await assert.rejects(queue.get(10_000), alone);
    await assert.rejects(queue.getNowait(), empty);
    await queue.put('own');
    assert.equal(await queue.get(), 'own');
    const next = await crew.lend(t, queue);
    const answered = queue.get();
    assert.equal(await settlesAlone(answered), false);
    await next.tell('put', 'two');
    assert.equal(await answered, 'two');
  });

  test('and nobody is left to take, a put that waits is refused, and later ones', DEADLINE, async (t) => {
    const queue = new Queue<unknown>(1);
    const child = await crew.lend(t, queue);
    await queue.put('one');
    const alone = died(/was ended by SIGKILL: nobody is left to take an item from the full queue$/);
    const refused = assert.rejects(queue.put('two'), alone);
    await child.kill();
    await refused;
    await assert.rejects(queue.put('two'), alone);
    await assert.rejects(queue.putNowait('two'), full);
    assert.equal(await queue.get(), 'one');
  });

  test('and was the last that could put, but ended well, nobody is refused', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const waiting = queue.get();
    const { process } = startProcess(t, { module, target: work.nothing, args: [queue] });
    await process.join();
    assert.equal(await settlesAlone(waiting), false);
    await queue.put('own');
    assert.equal(await waiting, 'own');
  });

  test('while another still holds it, those who wait go on waiting', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const [one, other] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    const waiting = queue.get();
    await one.kill();
    assert.equal(await settlesAlone(waiting), false);
    const refused = assert.rejects(waiting, died(new RegExp(`^${one.process.name} .* SIGKILL: nobody is left`)));
    await other.start('end').join();
    await refused;
  });

  test('and never got so far as to use it, it counts all the same', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const waiting = assert.rejects(queue.get(), died(/^Process-\d+ \(pid \d+\) exited with code 1: nobody is left/));
    const broken = 'data:text/javascript,throw 1';
    const { process } = startProcess(t, { module: broken, target: work.nothing, args: [queue] });
    await waiting;
    await process.join();
  });

  test('with a request that holds the queue for its answer, another answers', DEADLINE, async (t) => {
    const requests = new Queue<Queue<unknown>>();
    const [asker, worker] = await Promise.all([crew.lend(t, requests), crew.lend(t, requests)]);
    await asker.tell('makeQueue');
    const answered = asker.tell('get');
    assert.equal(await worker.tell('same'), false); // It has the queue now.
    await worker.kill();
    startProcess(t, { module, target: work.answerInside, args: [requests, 'the answer'] });
    assert.equal(await answered, 'the answer');
  });

  test('with a request that it had used, and had not answered, the asker is refused', DEADLINE, async (t) => {
    const requests = new Queue<Queue<unknown>>();
    const [asker, worker] = await Promise.all([crew.lend(t, requests), crew.lend(t, requests)]);
    await asker.tell('makeQueue');
    const byWorker = new RegExp(`^${worker.process.name} .* SIGKILL: nobody is left`);
    const refused = assert.rejects(asker.tell('get'), died(byWorker));
    assert.equal(await worker.tell('same'), false);
    await assert.rejects(worker.tell('getNowait'), { name: 'QueueEmpty' }); // So it has used it.
    await worker.kill();
    await refused;
  });

  test('a child that waits is refused as well, when all the others wait', DEADLINE, async (t) => {
    const queue = new Queue<unknown>();
    const [one, other] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    const refused = [other.tell('get'), queue.get()].map((get) => assert.rejects(get, { name: 'ProcessDied' }));
    await other.tell('qsize');
    await one.kill();
    await Promise.all(refused);
  });
});
