// What a long-lived program may not keep for ever: primitives that it has forgotten, and lines that grow.
import assert from 'node:assert/strict';
import { once, EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Barrier, Event, Lock, Manager, Pipe, Process, Queue, Semaphore } from '../../shared/multiprocessing/index.ts';
import { encode } from '../../shared/multiprocessing/values/codec.ts';
import { LockClient } from '../../shared/multiprocessing/lock/lock-client.ts';
import { expectClosed, heapAfterGc, heapBelow, keepInQueue } from '../fixtures/forgotten-work.ts';
import { useAndForget, useLater } from '../fixtures/forgotten-work.ts';
import type { Things } from '../fixtures/forgotten-work.ts';
import { moduleUrl } from '../helpers/paths.ts';

const DEADLINE = { timeout: 60_000 };
const module = moduleUrl('test/fixtures/forgotten-work.ts');
const MANY = 1000;
/** A primitive that is kept takes 2,000 bytes and more. */
const FEW_BYTES = 400;
/** So many kinds are passed on together. */
const KINDS = 6;

/** Makes and forgets many, after as many that warm up code and caches. @returns How many bytes each of them left. */
async function left(make: () => void): Promise<number> {
  for (let i = 0; i < MANY; i++) make();
  const before = await heapAfterGc();
  for (let i = 0; i < MANY; i++) make();
  return (await heapBelow(before + FEW_BYTES * MANY) - before) / MANY;
}

/** The next message of a child. */
async function mailFrom(process: Process<never[]>): Promise<unknown> {
  const came = new EventEmitter();
  process.channel.listen((message) => came.emit('message', message));
  const [message] = await once(came, 'message') as [unknown];
  process.channel.listen(undefined);
  return message;
}

describe('what is made, passed on and forgotten leaves nothing behind', () => {
  for (const [name, make] of Object.entries({
    'a Lock': () => encode(new Lock(), 'it'),
    'an Event': () => encode(new Event(), 'it'),
    'a Semaphore': () => encode(new Semaphore(2), 'it'),
    'a Barrier': () => encode(new Barrier(2, { timeoutMs: 10 }), 'it'),
    'a Queue': () => encode(new Queue(), 'it'),
    'a Queue that was closed': () => {
      const queue = new Queue();
      encode(queue, 'it');
      void queue.close();
    },
    'a Pipe that was closed': () => {
      for (const end of Pipe()) end.close();
    },
    'a dict and a list of a Manager that was shut down': () => {
      const manager = new Manager();
      encode([manager.dict(), manager.list()], 'it');
      manager.shutdown();
    },
  })) {
    test(name, DEADLINE, async () => {
      const bytes = await left(make);
      assert.ok(bytes <= FEW_BYTES, `${bytes} bytes each`);
    });
  }

  test('a dict of a Manager that lives on, if it never left the process', DEADLINE, async () => {
    const manager = new Manager();
    const bytes = await left(() => void manager.dict({ text: 'x'.repeat(1000) + Math.random() }));
    assert.ok(bytes <= FEW_BYTES, `${bytes} bytes each`);
    manager.shutdown();
  });
});

test('a process that was passed many primitives, used and forgot them, keeps nothing of them', DEADLINE, async () => {
  const [here, there] = Pipe<Things | number | null>();
  const child = new Process({ module, target: useAndForget, args: [there, KINDS * FEW_BYTES], daemon: true });
  child.start();
  const count = 250;
  for (let i = 0; i < count; i++) {
    const manager = new Manager();
    await here.send({
      lock: new Lock(), queue: new Queue<number>(), dict: manager.dict<number>(),
      event: new Event(), semaphore: new Semaphore(1), barrier: new Barrier(1),
    });
    await here.recv();
    manager.shutdown();
  }
  await here.send(null);
  const bytes = await here.recv() as number / (count - 100);
  assert.ok(bytes <= KINDS * FEW_BYTES, `${bytes} bytes for each of them all`);
  await child.join();
});

test('a lock and a queue that their maker forgot still work in the process that has them', DEADLINE, async () => {
  const child = (() => {
    const child = new Process({ module, target: useLater, args: [new Lock(), new Queue<string>(1)] });
    child.start();
    return child;
  })();
  assert.equal(await mailFrom(child), 'ready');
  await heapAfterGc();
  child.channel.post('go');
  assert.equal(await mailFrom(child), 'after all');
  await child.join();
});

test('a queue and a dict that came after they were closed, and forgotten, say so', DEADLINE, async () => {
  const child = new Process({ module, target: expectClosed, args: [] });
  child.start();
  assert.equal(await mailFrom(child), 'ready');
  const manager = new Manager();
  const dict = manager.dict<number>();
  await (async () => {
    const queue = new Queue<number>();
    await queue.close();
    manager.shutdown();
    child.channel.post([queue, dict]);
  })();
  assert.deepEqual(await mailFrom(child), ['QueueClosed', 'QueueClosed', 'ManagerClosed']);
  await child.join();
});

test('what its maker forgot is as it was when it comes out of a queue', DEADLINE, async () => {
  const child = new Process({ module, target: keepInQueue, args: [] });
  child.start();
  const queue = await mailFrom(child) as Queue<[Event, Semaphore, Barrier, Barrier]>;
  let acted = 0;
  await (async () => {
    const acts = new Barrier(1, { action: () => acted++ });
    const things: [Event, Semaphore, Barrier, Barrier] = [new Event(), new Semaphore(3), new Barrier(1), acts];
    await things[0].set();
    await things[1].release();
    await things[2].abort();
    await queue.put(things);
  })();
  await heapAfterGc();
  const [event, semaphore, barrier, acts] = await queue.get();
  assert.deepEqual([await event.isSet(), await semaphore.value(), await barrier.broken()], [true, 4, true]);
  await assert.rejects(barrier.wait(), { name: 'BrokenBarrierError' });
  assert.deepEqual([await acts.wait(), acted], [0, 1]);
  child.kill();
  await child.join();
});

// With an array's shift() each would cost as much as the line is long: most of a minute. The client is where the line
// is; as many promises would take longer than all the other tests.
test('a line of 200,000 who wait for a lock is served in time', DEADLINE, async () => {
  const client = new LockClient(true);
  assert.ok(client.take());
  let served = 0;
  for (let i = 0; i < 200_000; i++) client.wait(false, () => served++, assert.fail);
  while (client.release()) if (served % 1000 === 0) await setImmediate(); // Else the deadline could not strike.
  assert.equal(served, 200_000);
});

test('a line of 10,000 tasks that wait for a lock is served', DEADLINE, async () => {
  const lock = new Lock();
  await lock.acquire();
  let served = 0;
  const line = Array.from({ length: 10_000 }, async () => {
    await lock.acquire();
    served++;
    void lock.release();
  });
  await lock.release();
  await Promise.all(line);
  assert.equal(served, 10_000);
});
