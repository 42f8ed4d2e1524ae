// Event between processes: who waits goes on when it is set, whatever comes after, and nobody waits for the dead.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Event, ProcessDied, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/synchronize-work.ts';
import { Child, children, module } from '../helpers/obedient.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

describe('an event', () => {
  let a: Child;
  let b: Child;
  const atTheEnd: (() => void | Promise<void>)[] = [];
  before(async () => {
    const cleaner = { after: (work: () => void | Promise<void>) => void atTheEnd.push(work) };
    [a, b] = [await Child.start(cleaner, new Event(), 'A'), await Child.start(cleaner, new Event(), 'B')];
  }, DEADLINE);
  after(async () => {
    for (const work of atTheEnd) await work();
  });

  async function sharedEvent(): Promise<Event> {
    const event = new Event();
    await a.use(event);
    await b.use(event);
    return event;
  }

  test('is not set at first, and is what the last set or clear made it, to every process', DEADLINE, async () => {
    const event = await sharedEvent();
    for (const [step, isSet] of [[() => Promise.resolve(), false], [() => a.does('set'), true],
      [() => b.does('clear'), false], [() => event.set(), true], [() => event.clear(), false]] as const) {
      assert.equal(await step(), undefined);
      assert.deepEqual([await event.isSet(), await a.does('isSet'), await b.does('isSet')], [isSet, isSet, isSet]);
    }
  });

  test('that is set is not waited for, and is still set then', DEADLINE, async () => {
    const event = await sharedEvent();
    await event.set();
    assert.deepEqual([await event.wait(), await event.wait(0), await a.does('wait'), await b.does('wait', 0)],
      [true, true, true, true]);
    assert.equal(await a.does('isSet'), true);
  });

  test('lets all who wait go on when it is set, even if it is cleared in the same moment', DEADLINE, async () => {
    const event = await sharedEvent();
    const waits = [event.wait(), event.wait(60_000), (await a.begins('wait')).result, (await b.begins('wait')).result];
    const again = await a.begins('wait', 60_000);
    void event.set();
    void event.clear();
    assert.deepEqual(await Promise.all([...waits, again.result]), [true, true, true, true, true]);
    assert.equal(await b.does('isSet'), false);
    assert.equal(await event.wait(0), false);
  });

  test('is waited for no longer than the limit: 0 asks once', DEADLINE, async () => {
    const event = await sharedEvent();
    assert.deepEqual([await event.wait(0), await event.wait(-Infinity), await event.wait(20)], [false, false, false]);
    assert.deepEqual([await a.does('wait', 0), await a.does('wait', 20)], [false, false]);
    const patient = await a.begins('wait');
    await b.does('set');
    assert.equal(await patient.result, true);
    for (const wait of [NaN, 'soon' as unknown as number]) await assert.rejects(event.wait(wait), { name: 'WrongUse' });
  });

  test('is not waited for when the wait is called off, and the others wait on', DEADLINE, async () => {
    const event = await sharedEvent();
    const caller = new AbortController();
    const waits = event.wait({ signal: caller.signal });
    const inA = await a.begins('wait');
    const inB = await b.begins('wait');
    caller.abort(new Error('enough'));
    await assert.rejects(waits, { message: 'enough' });
    a.tell({ type: 'abort' });
    await assert.rejects(inA.result, { name: 'AbortError' });
    await event.set();
    assert.equal(await inB.result, true);
    await assert.rejects(event.wait({ signal: caller.signal }), { message: 'enough' });
  });

  test('travels in items of a queue, and stays the same one', DEADLINE, async (t) => {
    const queue = new Queue<Event | null>();
    const { process } = startProcess(t, { module, target: work.setAll, args: [queue] });
    const events = [new Event(), new Event(), new Event()];
    for (const event of events) await queue.put(event);
    for (const event of events) assert.equal(await event.wait(), true);
    await queue.put(null);
    await process.join();
    const there = await sharedEvent();
    await queue.put(there);
    assert.equal(await queue.get(), there);
  });

  test('that is set in a process which computes on in the same turn is set for all', DEADLINE, async (t) => {
    const event = await sharedEvent();
    const inA = await a.begins('wait');
    startProcess(t, { module, target: work.setAndCompute, args: [event] });
    assert.deepEqual([await event.wait(), await inA.result], [true, true]);
  });

  test('is heard of by others while its own process asks for it in a loop', DEADLINE, async () => {
    const event = await sharedEvent();
    a.tell({ type: 'call', as: 'it', method: 'set' });
    let asked = 0;
    while (asked < 1e6 && !await event.isSet()) asked++;
    assert.ok(asked < 1e6, 'it is heard of in time');
  });

  test('can be made by a child, and waited for by its parent', DEADLINE, async (t) => {
    const { mail } = startProcess(t, { module, target: work.makeAndWait, args: [] });
    const event = await mail.next() as Event;
    assert.equal(await event.isSet(), false);
    await event.set();
    assert.equal(await mail.next(), true);
  });
});

describe('nobody waits for an event in vain because a process died', () => {
  test('the one that had to set it: all who are left wait, and learn who died', DEADLINE, async (t) => {
    const event = new Event();
    const [a, b] = await children(t, event, 'A', 'B');
    const inA = await a.begins('wait');
    const here = event.wait();
    b.process.kill();
    const error = { name: 'ProcessDied', message: `${b.who} was ended by SIGKILL: nobody is left to set the event` };
    await assert.rejects(here, error);
    await assert.rejects(inA.result, error);
    const again = await a.begins('wait');
    await Promise.all([assert.rejects(event.wait(), error, 'later too'), assert.rejects(again.result, error)]);
    const [c] = await children(t, event, 'C');
    const later = event.wait();
    await c.does('set');
    assert.equal(await later, true, 'with a new process there is hope again');
  });

  test('one of several: as long as somebody does not wait, the others do', DEADLINE, async (t) => {
    const event = new Event();
    const [a, b] = await children(t, event, 'A', 'B');
    const inA = await a.begins('wait');
    await b.dies();
    assert.equal(await event.isSet(), false);
    await event.set();
    assert.equal(await inA.result, true);
  });

  test('one that ended in good order: another may set it', DEADLINE, async (t) => {
    const event = new Event();
    const [a] = await children(t, event, 'A');
    a.tell({ type: 'end' });
    await a.process.join();
    assert.equal(await event.wait(50), false);
    assert.equal(await event.isSet(), false);
  });

  test('the one that made it: who waits, now or later, learns of that', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.makeAndWait, args: [] });
    const event = await mail.next() as Event;
    const waits = event.wait(60_000);
    await event.isSet();
    process.kill();
    const error = { name: 'ProcessDied', message: /was ended by SIGKILL: the event that lived in it is gone$/ };
    await assert.rejects(waits, error);
    for (const method of ['set', 'clear', 'isSet', 'wait'] as const) await assert.rejects(event[method](), ProcessDied);
  });

  test('one that waits, and leaves no trace', DEADLINE, async (t) => {
    const event = new Event();
    const [a, b] = await children(t, event, 'A', 'B');
    await a.begins('wait');
    const inB = await b.begins('wait');
    await a.dies();
    await b.does('set');
    assert.equal(await inB.result, true);
  });
});

test('a wait for an event keeps the process running, and one that was called off does not', DEADLINE, async (t) => {
  const event = new Event();
  const [child] = await children(t, event, 'A');
  const { result } = await child.begins('wait');
  child.tell({ type: 'end' });
  assert.equal(await child.process.join(200), false);
  child.tell({ type: 'abort' });
  await assert.rejects(result, { name: 'AbortError' });
  await child.process.join();
  assert.equal(child.process.exitCode, 0);
});
