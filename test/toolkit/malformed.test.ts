// What no toolkit sends, sent to its primitives: nobody is ended by it, and what was promised to others goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSFER } from '../../shared/multiprocessing/values/codec.ts';
import { Barrier, Event, Lock, Manager, Pipe, Semaphore } from '../../shared/multiprocessing/index.ts';
import * as router from '../../shared/multiprocessing/transport/router.ts';
import { sendGarbage } from '../fixtures/malformed-work.ts';
import { echo } from '../fixtures/pipe-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/malformed-work.ts');

test('malformed messages to primitives of every kind are ignored, and so are deaths not the teller\'s to tell',
  DEADLINE, async (t) => {
    const lock = new Lock();
    const manager = new Manager();
    const dict = manager.dict({ key: 1 });
    const list = manager.list([1, 2]);
    const [here, there] = Pipe();
    startProcess(t, { module: moduleUrl('test/fixtures/pipe-work.ts'), target: echo, args: [there] });
    await here.send('at home there');
    await here.recv();
    const pipe = router.newRef('pipe').replace(/\d+$/, (number) => String(Number(number) - 1));
    const event = new Event();
    const semaphore = new Semaphore(1, { bounded: true });
    const barrier = new Barrier(2);
    const shared = [event, semaphore, barrier];
    const refs = [lock, dict, list, ...shared].map((primitive) => primitive[TRANSFER]().ref);
    await lock.acquire();
    const waits = lock.acquire();
    const all = [...refs, `${pipe}/0`, `${pipe}/1`, '#pipes', '#lock-99', '#dict-99', '#event-99',
      '#semaphore.x-99', '#barrier.-99', '#nothing'];
    const { mail, process } = startProcess(t, { module, target: sendGarbage, args: [all, 500, 1] });
    assert.equal(await mail.next(), 'sent');
    await process.join();
    assert.equal(process.exitCode, 0);
    await lock.release();
    assert.equal(await waits, true, 'the lock is had');
    assert.equal(lock.abandonedBy, undefined);
    assert.equal(await event.wait(0), false);
    await event.set();
    assert.equal(await event.isSet(), true);
    assert.equal(await semaphore.acquire(), true);
    await semaphore.release();
    assert.equal(await semaphore.value(), 1);
    await barrier.reset();
    assert.deepEqual(await Promise.all([barrier.wait(), barrier.wait()]), [0, 1]);
    await here.send('still here');
    assert.equal(await here.recv(), 'still here');
    await dict.set('other', 5);
    assert.equal(await dict.get('other'), 5);
    await list.push(7);
    assert.equal((await list.toArray()).at(-1), 7);
  });
