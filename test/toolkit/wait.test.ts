// wait: which of several connections and processes are ready. What CPython's own tests of it assert is among this.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { Pipe, Process, Queue, wait } from '../../shared/multiprocessing/index.ts';
import type { Connection } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/wait-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/wait-work.ts');

/** That nothing waits at an end: else it could not be passed on. */
async function assertFree(...ends: Connection[]): Promise<void> {
  const [carrier, other] = Pipe<unknown>();
  for (const end of ends) {
    await carrier.send(end);
    assert.equal(await other.recv(), end);
  }
}

describe('wait', { concurrency: 4 }, () => {
  test('serves four processes that send and close, until all have; nothing is lost', DEADLINE, async (t) => {
    const got = new Map<number, number[]>();
    const ends = Array.from({ length: 4 }, () => {
      const [here, there] = Pipe<[number, number]>();
      startProcess(t, { module, target: work.sendAndClose, args: [there, 10] });
      return here;
    });
    const open = new Set(ends);
    while (open.size > 0) {
      for (const end of await wait(open)) {
        try {
          const [i, pid] = await end.recv();
          got.set(pid, [...got.get(pid) ?? [], i]);
        } catch (error) {
          assert.equal((error as Error).name, 'PipeClosed');
          open.delete(end);
        }
      }
    }
    assert.deepEqual([...got.values()], Array(4).fill([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  test('settles with none when the time is up, and then with what has come', DEADLINE, async () => {
    const [a, b] = Pipe();
    for (const limit of [30, 0, -1, { timeoutMs: 5 }]) assert.deepEqual(await wait([a, b], limit), []);
    const soon = wait([a, b], 60_000);
    await b.send(null);
    assert.deepEqual(await soon, [a]);
    assert.deepEqual(await wait([a, b], 0), [a], 'nothing was taken');
    assert.deepEqual(await wait([b, a], -1), [a]);
    assert.equal(await a.recv(), null);
    const { signal } = new AbortController();
    for (const limits of [{ signal, timeoutMs: 0 }, { signal, timeoutMs: 1 }]) {
      assert.deepEqual(await wait([a, b], limits), []);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    }
    await assertFree(a, b);
  });

  test('tells of a process that has ended, and of all that are ready in the order of the list', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.endOnWord });
    await mail.next();
    const [a, b] = Pipe();
    assert.deepEqual(await wait([a, process, b], 0), []);
    const ending = wait([a, process, b], 60_000);
    process.channel.post('end');
    assert.deepEqual(await ending, [process]);
    assert.equal(process.exitCode, 0);
    await a.send('for b');
    assert.deepEqual(await wait([a, process, b], 60_000), [process, b]);
    await b.send('for a');
    assert.deepEqual(await wait([a, process, b]), [a, process, b]);
    assert.deepEqual(await wait([b, process, a]), [b, process, a]);
  });

  test('tells at once of all that become ready at the same time', DEADLINE, async () => {
    const pipes = [1, 2, 3].map(() => Pipe());
    const waiting = wait(pipes.map(([here]) => here));
    await Promise.all(pipes.slice(1).map(([, there]) => there.send('now')));
    assert.deepEqual(await waiting, pipes.slice(1).map(([here]) => here));
  });

  test('names what is given twice once, and settles at once with nothing for nothing', DEADLINE, async () => {
    const [a, b] = Pipe();
    await b.send(1);
    assert.deepEqual(await wait([a, b, a]), [a]);
    for (const limit of [undefined, 0, 60_000]) assert.deepEqual(await wait([], limit), []);
  });

  test('tells of an end whose process was killed, and of the process itself', DEADLINE, async (t) => {
    const [here, there] = Pipe();
    const { process } = startProcess(t, { module, target: work.callOff, args: [there] });
    const both = new Set<unknown>();
    process.kill();
    while (both.size < 2) {
      const left = [here, process].filter((one) => !both.has(one));
      for (const one of await wait(left)) both.add(one);
    }
    await assert.rejects(here.recv(), { code: 'ERR_PROCESS_DIED' });
    assert.equal(process.exitCode, -9);
  });

  test('tells of an end that is closed here while it is waited for', DEADLINE, async () => {
    const [a, b] = Pipe();
    const waiting = wait([a]);
    a.close();
    assert.deepEqual(await waiting, [a]);
    assert.deepEqual(await wait([b]), [b], 'the other one hears of it');
    await assert.rejects(wait([b, a], 0), { code: 'ERR_PIPE_CLOSED', message: 'this end of the pipe was closed' });
  });

  test('that is called off rejects with the reason and leaves nothing behind', DEADLINE, async (t) => {
    const { process } = startProcess(t, { module, target: work.endOnWord });
    const [a, b] = Pipe();
    const caller = new AbortController();
    const { signal } = caller;
    const reason = new RangeError('no longer wanted');
    const off = [{ signal }, { signal, timeoutMs: 60_000 }].map((limits) => wait([a, process, b], limits));
    const rejected = off.map((waiting) => assert.rejects(waiting, (error) => error === reason));
    caller.abort(reason);
    await Promise.all(rejected);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await assertFree(a, b);
    for (const limits of [{ signal }, { signal, timeoutMs: 0 }]) await assert.rejects(wait([a], limits), reason);
    await b.send('still there');
    assert.equal(await a.recv(), 'still there');
  });

  test('that asks once can be called off while it asks', DEADLINE, async () => {
    const [a] = Pipe();
    const caller = new AbortController();
    const asking = wait([a], { timeoutMs: 0, signal: caller.signal });
    caller.abort('too late');
    await assert.rejects(asking, (error) => error === 'too late');
    await assertFree(a);
  });

  test('that is called off keeps no process running', DEADLINE, async (t) => {
    const [, there] = Pipe<unknown>();
    const { process, mail } = startProcess(t, { module, target: work.callOff, args: [there] });
    assert.equal(await mail.next(), 'called off');
    await process.join();
    assert.equal(process.exitCode, 0);
  });

  test('finds when it asks once what was sent before its process was started', DEADLINE, async (t) => {
    const [here, there] = Pipe<unknown>();
    const [, silent] = Pipe<unknown>();
    await here.send('waiting');
    startProcess(t, { module, target: work.askAtOnce, args: [there, silent] });
    assert.deepEqual(await here.recv(), [1, true, 'waiting']);
  });

  test('finds what was on its way when the time was up', DEADLINE, async (t) => {
    const [here, there] = Pipe<unknown>();
    const { process } = startProcess(t, { module, target: work.computeThenSend, args: [there, 300] });
    const end = await here.recv() as Connection;
    process.channel.post('send');
    assert.deepEqual(await wait([end], 20), [end]);
  });

  test('does not let one process that does not answer hold up what others have', DEADLINE, async (t) => {
    const [here, there] = Pipe<unknown>();
    const { process } = startProcess(t, { module, target: work.computeThenSend, args: [there, 0] });
    const end = await here.recv() as Connection;
    process.sendSignal('SIGSTOP');
    const [a, b] = Pipe();
    const waiting = wait([end, a], 1);
    setTimeout(() => void b.send('here'), 50);
    assert.deepEqual(await waiting, [a]);
    await assertFree(a);
  });

  test('refuses what is neither, and waits at nothing then', DEADLINE, async () => {
    const [a, b] = Pipe<unknown>();
    const idle = new Process({ module, target: work.endOnWord });
    const [passed, mate] = Pipe();
    await a.send(passed);
    for (const [objects, says] of [
      [[a, idle], /^Process-\d+ cannot be joined before start\(\)$/],
      [[a, passed], /^this end of the pipe was passed on and is no longer at home in MainProcess$/],
      [[a, new Queue()], /^wait waits for connections and processes, not for Queue/],
      [[a, undefined], /^wait waits for connections and processes, not for undefined$/],
      ['ab', /^wait waits for connections and processes, not for 'a'$/],
      [a, /^wait needs an array of connections and processes, not Connection/],
      [undefined, /^wait needs an array of connections and processes, not undefined$/],
    ] as const) {
      await assert.rejects(wait(objects as never), { code: 'ERR_WRONG_USE', message: says });
    }
    await assert.rejects(wait([a], NaN), { code: 'ERR_WRONG_USE' });
    assert.equal(await b.recv(), passed);
    await assertFree(a, b, passed, mate);
  });
});
