// `await using`: what can be closed is closed with the block, however that ends.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as toolkit from '../../shared/multiprocessing/index.ts';
import { JoinableQueue, Manager, Pipe, Process, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/dispose-work.ts';
import { idle } from '../fixtures/process-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/dispose-work.ts');

/** Something that can be closed, and a check that it is. */
interface Case {
  readonly object: AsyncDisposable;
  checkClosed(): Promise<void>;
}

const CASES: Readonly<Record<string, () => Case>> = {
  Manager: () => {
    const object = new Manager();
    const dict = object.dict();
    return { object, checkClosed: () => assert.rejects(dict.size(), { code: 'ERR_MANAGER_CLOSED' }) };
  },
  Queue: () => {
    const object = new Queue<number>();
    return { object, checkClosed: () => assert.rejects(object.put(1), { code: 'ERR_QUEUE_CLOSED' }) };
  },
  JoinableQueue: () => {
    const object = new JoinableQueue<number>();
    return { object, checkClosed: () => assert.rejects(object.put(1), { code: 'ERR_QUEUE_CLOSED' }) };
  },
  Connection: () => {
    const [object, other] = Pipe();
    return { object, checkClosed: () => assert.rejects(other.recv(), { code: 'ERR_PIPE_CLOSED' }) };
  },
  Process: () => {
    const object = new Process({ module: moduleUrl('test/fixtures/process-work.ts'), target: idle });
    object.start();
    return { object, checkClosed: async () => assert.equal(object.exitCode, -15) };
  },
};

/** The classes of the toolkit, exported or not, of which something can be closed. */
const closable = [...Object.values(toolkit), Pipe()[0].constructor].filter((one): one is new () => object => (
  typeof one === 'function' && ['close', 'shutdown', 'terminate'].some((name) => name in (one.prototype ?? {}))));

describe('await using', () => {
  test('is possible with all that can be closed', () => {
    assert.ok(closable.length >= Object.keys(CASES).length);
    for (const { name, prototype } of closable) {
      if (name === 'Pool') continue; // It is tested with the pools.
      assert.ok(Symbol.asyncDispose in prototype, `${name} can be closed, and not by await using`);
      assert.ok(Object.hasOwn(CASES, name), `${name} is to be tested here`);
    }
  });

  for (const [name, make] of Object.entries(CASES)) {
    test(`closes a ${name} with the block, also when that throws, and twice is harmless`, DEADLINE, async () => {
      const [quiet, loud] = [make(), make()];
      {
        await using _ = quiet.object;
      }
      await quiet.checkClosed();
      await assert.rejects(async () => {
        await using _ = loud.object;
        throw new RangeError('in the block');
      }, { message: 'in the block' });
      await loud.checkClosed();
      await loud.object[Symbol.asyncDispose]();
      await loud.checkClosed();
    });
  }

  test('lets a process end in its own order, and leaves alone one that was not started', DEADLINE, async () => {
    const [here, there] = Pipe<string>();
    {
      await using child = new Process({ module, target: work.endsInOrder, args: [there] });
      await using other = new Process({ module, target: work.endsInOrder, args: [there] });
      child.start();
      assert.equal(await here.recv(), 'ready');
      assert.equal(other.isAlive(), false);
    }
    assert.equal(await here.recv(), 'in order');
  });

  test('with a queue whose process was killed ends as it should', DEADLINE, async (t) => {
    const [here, there] = Pipe<Queue<number>>();
    const { process } = startProcess(t, { module, target: work.makeQueue, args: [there] });
    {
      await using queue = await here.recv();
      process.kill();
      await process.join();
      await assert.rejects(queue.put(1), { code: 'ERR_PROCESS_DIED' });
    }
  });
});
