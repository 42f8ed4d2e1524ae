// JoinableQueue: work that is done when its worker says so, and what becomes of it when workers die.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { JoinableQueue, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/queue-work.ts';
import { queueCrew, startObeying } from '../helpers/obeying.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/queue-work.ts');

/** For a machine that stands still, or has much else to do: nothing here depends on how long it takes. */
const DEADLINE = { timeout: 120_000 };

const crew = queueCrew();
after(() => crew.end());

function died(how: RegExp) {
  return (error: Error): boolean => {
    assert.equal(error.name, 'ProcessDied');
    assert.match(error.message, how);
    return true;
  };
}

/** Whether it settles without anything new from outside, in two turns of the event loop. */
async function settlesAlone(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => { settled = true; }, () => { settled = true; });
  for (let i = 0; i < 2; i++) await new Promise(setImmediate);
  return settled;
}

async function putAll<T>(queue: Queue<T>, items: readonly T[]): Promise<void> {
  for (const item of items) await queue.put(item);
}

describe('a joinable queue in one process', () => {
  test('is joined when every item is done, and not when it is only taken', DEADLINE, async () => {
    const queue = new JoinableQueue<number>(2);
    await queue.join();
    await putAll(queue, [1, 2]);
    const joined = queue.join();
    assert.deepEqual([await queue.get(), await queue.get()], [1, 2]);
    assert.equal(await queue.empty(), true);
    await queue.taskDone();
    assert.equal(await settlesAlone(joined), false);
    await queue.put(3);
    await queue.taskDone();
    assert.equal(await settlesAlone(joined), false, 'there is a new one');
    await queue.get();
    await queue.taskDone();
    await joined;
    await queue.join();
  });

  test('refuses a taskDone too many in a sentence', DEADLINE, async () => {
    const queue = new JoinableQueue<number>();
    const tooOften = {
      name: 'WrongUse', code: 'ERR_WRONG_USE',
      message: 'taskDone called more often than there were items: MainProcess has taken no item that is not done',
    };
    await assert.rejects(queue.taskDone(), tooOften);
    await queue.put(1);
    await assert.rejects(queue.taskDone(), tooOften, 'it has not been taken');
    await queue.get();
    await queue.taskDone();
    await assert.rejects(queue.taskDone(), tooOften);
    const wrongSize = { name: 'WrongUse', message: /whole number of items, or 0 for no bound, not -2$/ };
    assert.throws(() => new JoinableQueue(-2), wrongSize);
  });

  test('is a queue: bounded, closed, iterated', DEADLINE, async () => {
    const queue = new JoinableQueue<number>(1);
    assert.ok(queue instanceof Queue);
    await queue.put(1);
    await assert.rejects(queue.putNowait(2), { name: 'QueueFull' });
    await queue.close();
    for await (const item of queue) {
      assert.equal(item, 1);
      await queue.taskDone();
    }
    await queue.join();
  });
});

describe('a joinable queue between processes', { concurrency: 4 }, () => {
  test('is joined when 20,000 items are done elsewhere', DEADLINE, async (t) => {
    const queue = new JoinableQueue<unknown>();
    const child = await crew.lend(t, queue);
    const doing = child.tell('getAndDo', 20_000);
    await work.putNumbers(queue, 0, 20_000);
    await queue.join();
    assert.equal(await queue.qsize(), 0);
    await doing;
  });

  test('has each item done once by one of several, and any process can join', DEADLINE, async (t) => {
    const jobs = new JoinableQueue<number>(5);
    const results = new Queue<number>();
    const workers = ['', ''].map(() => startProcess(t, { module, target: work.work, args: [jobs, results] }).process);
    const other = await crew.lend(t, jobs);
    await putAll(jobs, Array.from({ length: 100 }, (_, i) => i));
    await Promise.all([jobs.join(), other.tell('join')]);
    assert.equal(await results.qsize(), 100);
    await jobs.close();
    await results.close();
    const done = await work.drain(results) as number[];
    assert.deepEqual(done.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
    for (const worker of workers) {
      await worker.join();
      assert.equal(worker.exitCode, 0);
    }
  });

  test('lets a process mark only what it took itself', DEADLINE, async (t) => {
    const queue = new JoinableQueue<unknown>();
    const child = await crew.lend(t, queue);
    await queue.put('work');
    await queue.get();
    await assert.rejects(child.tell('taskDone'), {
      name: 'WrongUse',
      message: 'taskDone called more often than there were items: '
        + `${child.process.name} has taken no item that is not done`,
    });
    const joined = child.tell('join');
    await queue.taskDone();
    await joined;
  });

  test('what a process had not done when it is killed, another does; join waits for that', DEADLINE, async (t) => {
    const queue = new JoinableQueue<unknown>();
    const [one, other] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    await work.putNumbers(queue, 0, 10);
    assert.deepEqual(await one.tell('getMany', 4), [0, 1, 2, 3]);
    await one.tell('taskDone');
    await other.tell('getNowait');
    await other.tell('taskDone');
    await assert.rejects(other.tell('taskDone'), { name: 'WrongUse' });
    const joined = queue.join();
    await one.kill();
    assert.equal(await settlesAlone(joined), false);
    assert.deepEqual(await other.tell('getMany', 8), [1, 2, 3, 5, 6, 7, 8, 9]);
    for (let i = 0; i < 7; i++) await other.tell('taskDone');
    assert.equal(await settlesAlone(joined), false);
    await other.tell('taskDone');
    await joined;
  });

  test('when nobody is left to work, join is refused; the items stay, for somebody new', DEADLINE, async (t) => {
    const queue = new JoinableQueue<number>();
    const [consumer, putter] = await Promise.all([crew.lend(t, queue), crew.lend(t, queue)]);
    await putter.tell('putMany', 0, 3);
    await consumer.tell('getMany', 2);
    await consumer.tell('taskDone');
    const { name } = consumer.process;
    const message = new RegExp(
      `^${name} \\(pid \\d+\\) was ended by SIGKILL: `
      + '2 items are unfinished, and nobody is left who takes items from the queue$',
    );
    const refused = [queue.join(), putter.tell('join')].map((join) => assert.rejects(join, died(message)));
    await putter.tell('qsize'); // Both wait by now.
    await consumer.kill();
    await Promise.all(refused);
    await assert.rejects(queue.join(), died(message), 'nor later');
    const { process: starting } = startProcess(t, { module, target: work.work, args: [queue, new Queue<number>()] });
    await queue.join();
    await queue.close();
    await starting.join();
    assert.equal(starting.exitCode, 0);
  });

  test('waits for a consumer that has only just been started', DEADLINE, async (t) => {
    const queue = new JoinableQueue<number>();
    const consumer = await startObeying(t, queue);
    await queue.put(1);
    await consumer.tell('get');
    const { process: starting } = startProcess(t, { module, target: work.work, args: [queue, new Queue<number>()] });
    const joined = queue.join();
    await consumer.kill();
    await joined;
    await queue.close();
    await starting.join();
  });

  test('waits for the joining process when that one consumes', DEADLINE, async (t) => {
    const queue = new JoinableQueue<unknown>();
    const consumer = await crew.lend(t, queue);
    await work.putNumbers(queue, 0, 2);
    await queue.get();
    await consumer.tell('get');
    const joined = queue.join();
    await consumer.kill();
    assert.equal(await settlesAlone(joined), false);
    await queue.taskDone();
    assert.equal(await queue.get(), 1);
    await queue.taskDone();
    await joined;
  });

  for (const [how, order, exitCode] of [
    ['throws', ['throw'], 1], ['exits with code 3', ['exit', 3], 3],
    ['ends well', ['end'], 0], ['exits with code 0', ['exit', 0], 0],
  ] as const) {
    test(`when a consumer ${how} with work undone, the work comes back and join is refused`, DEADLINE, async (t) => {
      const queue = new JoinableQueue<unknown>();
      const consumer = await crew.lend(t, queue);
      await work.putNumbers(queue, 0, 3);
      await consumer.tell('getMany', 2);
      await consumer.tell('taskDone');
      const message = new RegExp(`exited with code ${exitCode}: 2 items are unfinished`);
      const refused = assert.rejects(queue.join(), died(message));
      await consumer.start(...order).join();
      await refused;
      assert.deepEqual([await queue.get(), await queue.get()], [1, 2]);
    });
  }

  test('when a consumer ends well and has done its work, join goes on waiting for others', DEADLINE, async (t) => {
    const queue = new JoinableQueue<unknown>();
    const consumer = await crew.lend(t, queue);
    await work.putNumbers(queue, 0, 2);
    await consumer.tell('getAndDo', 1);
    const joined = queue.join();
    await consumer.start('end').join();
    assert.equal(await settlesAlone(joined), false);
    assert.equal(await queue.get(), 1);
    await queue.taskDone();
    await joined;
  });

  test('when the process in which it lives dies, join is refused, and so is everything else', DEADLINE, async (t) => {
    const through = new Queue<unknown>();
    const { process: owner } = startProcess(t, { module, target: work.lendWork, args: [through] });
    const queue = await through.get() as JoinableQueue<unknown>;
    assert.ok(queue instanceof JoinableQueue);
    assert.equal(await queue.get(), 'work');
    const gone = died(/was ended by SIGKILL: the queue that lived in it is gone$/);
    const refused = assert.rejects(queue.join(), gone);
    owner.kill();
    await refused;
    await assert.rejects(queue.join(), gone);
    await assert.rejects(queue.get(), gone);
  });
});
