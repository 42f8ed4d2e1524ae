// Semaphore between processes: how many are free, who gets the next one, and what the dead held.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Manager, Semaphore, WrongUse } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/synchronize-work.ts';
import { Child, children, module } from '../helpers/obedient.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

describe('a semaphore', () => {
  for (const bounded of [false, true]) {
    test(`has as many permits as it was made with: ${inspect({ bounded })}`, DEADLINE, async () => {
      const semaphore = new Semaphore(2, { bounded });
      const values = [await semaphore.value()];
      for (const step of [() => semaphore.acquire(), () => semaphore.acquire(), () => semaphore.acquire(0),
        () => semaphore.release(), () => semaphore.release()]) {
        values.push([await step(), await semaphore.value()] as never);
      }
      assert.deepEqual(values, [2, [true, 1], [true, 0], [false, 0], [undefined, 1], [undefined, 2]]);
    });
  }

  test('has one permit more after a release too many, unless it is bounded', DEADLINE, async () => {
    const semaphore = new Semaphore(2);
    await semaphore.release();
    await semaphore.release();
    assert.equal(await semaphore.value(), 4);
    const bounded = new Semaphore(1, { bounded: true });
    const error = { name: 'WrongUse', message: /^MainProcess \(pid \d+\) cannot release a permit: all 1 are free$/ };
    await assert.rejects(bounded.release(), error);
    await bounded.acquire();
    await bounded.release();
    await assert.rejects(bounded.release(), error);
    assert.equal(await bounded.value(), 1);
  });

  test('has one permit by default, and none if it is so made', DEADLINE, async () => {
    const [one, none] = [new Semaphore(), new Semaphore(0)];
    assert.deepEqual([await one.acquire(0), await one.acquire(0)], [true, false]);
    for (const wait of [0, -1, 20, { timeoutMs: 20 }]) assert.equal(await none.acquire(wait), false);
    const waits = none.acquire();
    await none.release();
    assert.equal(await waits, true);
    assert.match(inspect(none), /^Semaphore \{ permits: 0, bounded: false, value: 0, waiting: 0 \}$/);
  });

  test('cannot be made with anything but a whole number of permits', () => {
    for (const permits of [-1, 1.5, NaN, Infinity, '2' as unknown as number, null as unknown as number]) {
      const message = new RegExp(`not ${inspect(permits)}$`);
      assert.throws(() => new Semaphore(permits), { name: 'WrongUse', message });
    }
  });

  test('is free again after work with a permit, whatever comes of it', DEADLINE, async () => {
    const semaphore = new Semaphore(2);
    assert.equal(await semaphore.withPermit(() => semaphore.value()), 1);
    const failed = new TypeError('no');
    await assert.rejects(semaphore.withPermit(() => Promise.reject(failed)), failed);
    {
      await using first = await semaphore.hold();
      await using second = await semaphore.hold();
      assert.ok(first !== second);
      const error = { name: 'TimedOut', message: 'no permit was free within 0 ms' };
      await assert.rejects(semaphore.withPermit(assert.fail, 0), error);
      await assert.rejects(semaphore.hold({ timeoutMs: 0 }), error);
    }
    assert.equal(await semaphore.value(), 2);
  });

  test('lets no more processes work at once than it has permits', DEADLINE, async (t) => {
    const counts = new Manager().dict<number>();
    const args: Parameters<typeof work.workWithPermit> = [new Semaphore(2), 2, counts, 20];
    const started = [1, 2, 3].map(() => startProcess(t, { module, target: work.workWithPermit, args }).process);
    await work.workWithPermit(...args);
    for (const process of started) {
      await process.join();
      assert.equal(process.exitCode, 0);
    }
    assert.equal(await counts.get('at work'), 0);
    assert.equal(await args[0].value(), 2);
  });

  test('serves those who wait in the order of asking, over all processes', DEADLINE, async (t) => {
    const semaphore = new Semaphore(0);
    const [a, b] = await children(t, semaphore, 'A', 'B');
    const order: string[] = [];
    const note = (who: string) => (value: unknown): void => void order.push(`${who} ${value}`);
    const all: Promise<void>[] = [];
    for (const [who, child] of [['a1', a], ['b1', b], ['a2', a]] as const) {
      all.push((await child.begins('acquire')).result.then(note(who)));
    }
    all.push(semaphore.acquire().then(note('here')), (await b.begins('acquire')).result.then(note('b2')));
    for (const next of [...all, undefined]) {
      assert.equal(await semaphore.acquire(0), false, 'the others are first');
      await semaphore.release();
      await next;
    }
    assert.deepEqual(order, ['a1 true', 'b1 true', 'a2 true', 'here true', 'b2 true']);
    assert.equal(await semaphore.value(), 1);
  });

  test('gives many who contend for it as many as are released', DEADLINE, async (t) => {
    const semaphore = new Semaphore(7);
    await semaphore.acquire();
    const [a, b] = await children(t, semaphore, 'A', 'B');
    const got: unknown[] = [];
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      waits.push((await (i % 2 === 0 ? a : b).begins('acquire')).result.then((value) => got.push(value)));
    }
    await Promise.all(waits.slice(0, 6));
    for (const released of [7, 6, 1]) {
      const before = got.length;
      assert.equal(await semaphore.acquire(0), false);
      for (let i = 0; i < released; i++) await semaphore.release();
      await Promise.all(waits.slice(before, before + released));
      assert.equal(got.length, before + released);
    }
    assert.deepEqual(got, new Array(20).fill(true));
  });

  test('is not had by who called off: the wait takes nothing, and the others are served', DEADLINE, async (t) => {
    const semaphore = new Semaphore(0);
    const [a, b] = await children(t, semaphore, 'A', 'B');
    const caller = new AbortController();
    const here = semaphore.acquire({ signal: caller.signal });
    const inA = await a.begins('acquire');
    const inB = await b.begins('acquire', 60_000);
    caller.abort(new Error('enough'));
    await assert.rejects(here, { message: 'enough' });
    a.tell({ type: 'abort' });
    await assert.rejects(inA.result, { name: 'AbortError' });
    await semaphore.release();
    assert.equal(await inB.result, true);
    assert.equal(await semaphore.value(), 0);
  });

  test('is free when a wait is called off that was served already, and its process computes', DEADLINE, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'echopool-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const [callOff, end] = [join(directory, 'call off'), join(directory, 'end')];
    const semaphore = new Semaphore(0);
    const args: Parameters<typeof work.callOffAndCompute> = [semaphore, callOff, end];
    const { mail } = startProcess(t, { module, target: work.callOffAndCompute, args });
    assert.equal(await mail.next(), 'asked');
    await semaphore.release();
    assert.equal(await semaphore.value(), 0, 'it is on its way');
    writeFileSync(callOff, '');
    assert.equal(await semaphore.acquire(30_000), true);
    writeFileSync(end, '');
    assert.equal(await mail.next(), true);
    assert.equal(await semaphore.value(), 0);
  });

  test('may be released by another process than the one that has it', DEADLINE, async (t) => {
    const semaphore = new Semaphore(1, { bounded: true });
    const [a, b] = await children(t, semaphore, 'A', 'B');
    assert.equal(await a.does('acquire'), true);
    await b.does('release');
    assert.equal(await semaphore.value(), 1);
    await assert.rejects(a.does('release'), { name: 'WrongUse', message: /^A .* all 1 are free$/ });
    await a.dies();
    assert.equal(await semaphore.value(), 1, 'it does not come back twice');
  });
});

describe('a permit is not lost when a process dies', () => {
  test('that held some: each who gets one of them next learns of that', DEADLINE, async (t) => {
    const semaphore = new Semaphore(3, { bounded: true });
    const [a, b] = await children(t, semaphore, 'A', 'B');
    for (let i = 0; i < 2; i++) assert.equal(await a.does('acquire'), true);
    assert.equal(await b.does('acquire'), true);
    const [one, two] = [semaphore.acquire(), await b.begins('acquire')];
    a.process.kill();
    assert.equal(await one, true);
    assert.equal(semaphore.abandonedBy?.name, 'A');
    assert.deepEqual(await two.result, { value: true, abandonedBy: 'A' });
    assert.equal(await semaphore.value(), 0);
    await semaphore.release();
    assert.equal(semaphore.abandonedBy, undefined);
    assert.equal(await semaphore.acquire(), true);
    assert.equal(semaphore.abandonedBy, undefined, 'it is known');
  });

  test('whose child held one', DEADLINE, async (t) => {
    const semaphore = new Semaphore(1);
    const command = { type: 'call', as: 'it', method: 'acquire' } as const;
    const { process: parent, mail } = startProcess(t, {
      module, target: work.obeyInChild, args: [semaphore, command], name: 'parent',
    });
    assert.deepEqual(await mail.next(), { type: 'asked' });
    assert.deepEqual(await mail.next(), { type: 'came', as: 'it', value: true });
    const next = semaphore.acquire();
    parent.kill();
    assert.equal(await next, true);
    assert.equal(semaphore.abandonedBy?.name, 'parent');
  });

  test('that is a sibling of the one in which the semaphore lives', DEADLINE, async (t) => {
    const { child: maker, made } = await Child.maker<Semaphore>(t, 'Semaphore', 'A');
    const [b] = await children(t, made, 'B');
    assert.equal(await b.does('acquire'), true);
    const inMaker = await maker.begins('acquire');
    await b.dies();
    assert.deepEqual(await inMaker.result, { value: true, abandonedBy: 'B' });
  });

  test('that ended in good order with one', DEADLINE, async (t) => {
    const semaphore = new Semaphore(1);
    const [a] = await children(t, semaphore, 'A');
    await a.does('acquire');
    a.tell({ type: 'exit', code: 0 });
    assert.equal(await semaphore.acquire(), true);
    assert.equal(semaphore.abandonedBy?.exitCode, 0);
  });

  test('that waited: it leaves the line', DEADLINE, async (t) => {
    const semaphore = new Semaphore(1);
    await semaphore.acquire();
    const [a, b] = await children(t, semaphore, 'A', 'B');
    await a.begins('acquire');
    const inB = await b.begins('acquire');
    await a.dies();
    await semaphore.release();
    assert.equal(await inB.result, true);
  });

  test('and nobody is left to release one: all who wait learn who died', DEADLINE, async (t) => {
    const semaphore = new Semaphore(0);
    const [a, b] = await children(t, semaphore, 'A', 'B');
    const inA = await a.begins('acquire');
    const here = semaphore.acquire();
    b.process.kill();
    const error = { name: 'ProcessDied', message: `${b.who} was ended by SIGKILL: nobody is left to release a permit` };
    await assert.rejects(here, error);
    await assert.rejects(inA.result, error);
  });

  test('that made it: who waits learns of that, and work that was done with a permit is done', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.makeAndStay, args: ['Semaphore'] });
    const semaphore = await mail.next() as Semaphore;
    const error = { name: 'ProcessDied', message: /was ended by SIGKILL: the semaphore that lived in it is gone$/ };
    const result = await semaphore.withPermit(async () => {
      const waits = semaphore.acquire(60_000);
      assert.equal(await semaphore.value(), 0);
      process.kill();
      await assert.rejects(waits, error);
      return 'done';
    });
    assert.equal(result, 'done');
    for (const method of ['acquire', 'value'] as const) await assert.rejects(semaphore[method](), error);
    await semaphore.release();
    await assert.rejects(semaphore.acquire(NaN), WrongUse);
  });
});

test('a child that was refused a permit says so in its own words', DEADLINE, async (t) => {
  const [child] = await children(t, new Semaphore(1, { bounded: true }), 'A');
  await assert.rejects(child.does('release'), { message: `${child.who} cannot release a permit: all 1 are free` });
});
