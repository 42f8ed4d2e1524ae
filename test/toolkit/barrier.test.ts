// Barrier between processes: all go on together, or it is broken, and each learns why.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Barrier, BrokenBarrierError, Manager, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/synchronize-work.ts';
import { Child, children, module } from '../helpers/obedient.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';
import type { Cleaner } from '../helpers/processes.ts';

/** What a barrier that is broken for that reason rejects with. */
function broken(why: string): { name: string; message: string } {
  return { name: 'BrokenBarrierError', message: `the barrier is broken: ${why}` };
}

/** Runs a target in so many processes, and awaits their good end. */
async function runIn<Args extends unknown[]>(
  t: Cleaner, count: number, target: (...args: Args) => Promise<void>, args: NoInfer<Args>,
): Promise<void> {
  const started = Array.from({ length: count }, () => startProcess<Args>(t, { module, target, args }).process);
  for (const process of started) {
    await process.join();
    assert.equal(process.exitCode, 0);
  }
}

describe('a barrier', () => {
  test('is passed in lockstep, round after round', DEADLINE, async (t) => {
    const counts = new Manager().dict<number>();
    const args: Parameters<typeof work.passInStep> = [new Barrier(5), counts, 10];
    await Promise.all([runIn(t, 4, work.passInStep, args), work.passInStep(...args)]);
    assert.deepEqual([await args[0].waiting(), await args[0].broken()], [0, false]);
  });

  test('gives each of a round another place, a thousand times', DEADLINE, async (t) => {
    const places = new Queue<[number, number]>();
    const ended = runIn(t, 3, work.passAndTell, [new Barrier(3), places, 1000]);
    for (let round = 0; round < 1000; round++) {
      const came = [await places.get(), await places.get(), await places.get()];
      assert.deepEqual(came.sort(([, a], [, b]) => a - b), [[round, 0], [round, 1], [round, 2]]);
    }
    await ended;
  });

  test('of one lets that one pass', DEADLINE, async () => {
    const barrier = new Barrier(1);
    assert.deepEqual([await barrier.wait(), await barrier.wait(0), barrier.parties], [0, 0, 1]);
  });

  test('cannot be made with anything but parties, a function and a time limit', () => {
    for (const parties of [0, -1, 1.5, NaN, undefined as unknown as number]) {
      assert.throws(() => new Barrier(parties), { name: 'WrongUse', message: new RegExp(`not ${inspect(parties)}$`) });
    }
    const action = 'run' as unknown as () => void;
    assert.throws(() => new Barrier(1, { action }), { name: 'WrongUse', message: /must be a function, not 'run'$/ });
    assert.throws(() => new Barrier(1, { timeoutMs: NaN }), { name: 'WrongUse' });
  });

  test('calls its action once a round, when all have come and before anybody goes on', DEADLINE, async (t) => {
    const counts = new Manager().dict<number>();
    let finish = (): void => {};
    const barrier = new Barrier(2, {
      action: async () => {
        await counts.increment('actions');
        await new Promise<void>((resolve) => { finish = resolve; });
      },
    });
    const [a, b] = await children(t, barrier, 'A', 'B');
    for (let round = 1; round <= 2; round++) {
      const waits = [await a.begins('wait'), await b.begins('wait')];
      const early = await a.begins('wait'); // One of the next round.
      assert.equal(await barrier.waiting(), 1);
      assert.equal(await counts.get('actions'), 2 * round - 1);
      let passed = 0;
      const all = Promise.all(waits.map(({ result }) => result.then((place) => (passed++, place))));
      assert.equal(await b.does('broken'), false);
      assert.equal(passed, 0, 'before the action has ended');
      finish();
      assert.deepEqual(await all, [0, 1]);
      const last = await b.begins('wait');
      finish();
      assert.deepEqual(await Promise.all([early.result, last.result]), [0, 1]);
    }
    assert.equal(await counts.get('actions'), 4);
  });

  test('whose action fails is broken, and says what it threw', DEADLINE, async (t) => {
    const barrier = new Barrier(2, { action: () => { throw new TypeError('no paper'); } });
    const [a] = await children(t, barrier, 'A');
    const inA = await a.begins('wait');
    await assert.rejects(barrier.wait(), broken('its action failed: no paper'));
    await assert.rejects(inA.result, broken('its action failed: no paper'));
    assert.equal(await barrier.broken(), true);
  });

  test('is broken by abort, for who waits and for who comes later, until it is reset', DEADLINE, async (t) => {
    const barrier = new Barrier(3);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const here = assert.rejects(barrier.wait(), broken(`${b.who} aborted it`));
    const inA = await a.begins('wait');
    await b.does('abort');
    await here;
    for (const wait of [() => inA.result, () => barrier.wait(), () => b.does('wait')]) {
      await assert.rejects(wait, broken(`${b.who} aborted it`));
    }
    assert.deepEqual([await a.does('broken'), await a.does('waiting')], [true, 0]);
    assert.match(inspect(barrier), /^Barrier \{ parties: 3, waiting: 0, broken: 'B .* aborted it' \}$/);
    await a.does('reset');
    assert.equal(await b.does('broken'), false);
    const waits = [await a.begins('wait'), await b.begins('wait')].map(({ result }) => result);
    assert.deepEqual(await Promise.all([...waits, barrier.wait()]), [0, 1, 2]);
  });

  test('that is reset sends those away who wait, and is as new', DEADLINE, async (t) => {
    const barrier = new Barrier(2);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const inA = await a.begins('wait');
    await b.does('reset');
    await assert.rejects(inA.result, broken(`${b.who} reset it`));
    assert.equal(await barrier.broken(), false);
    const again = await a.begins('wait');
    assert.deepEqual([await b.does('wait'), await again.result], [1, 0]);
  });

  test('is broken when one gives up, and all learn who', DEADLINE, async (t) => {
    const barrier = new Barrier(3);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const inA = await a.begins('wait');
    const inB = await b.begins('wait', 20);
    for (const { result } of [inA, inB]) await assert.rejects(result, broken(`${b.who} gave up after 20 ms`));
    await barrier.reset();
    await assert.rejects(barrier.wait(0), broken(`MainProcess (pid ${process.pid}) gave up after 0 ms`));
  });

  test('has a time limit for who gives none, and goes to other processes with it', DEADLINE, async (t) => {
    const barrier = new Barrier(2, { timeoutMs: 20.5 });
    const [a] = await children(t, barrier, 'A');
    await assert.rejects(a.does('wait'), broken(`${a.who} gave up after 20.5 ms`));
    await barrier.reset();
    const patient = barrier.wait(Infinity);
    assert.equal(await a.does('wait', 60_000), 1);
    assert.equal(await patient, 0);
  });

  test('is broken when the time of one is up while the action runs', DEADLINE, async () => {
    const barrier = new Barrier(1, { action: () => new Promise(() => {}) });
    await assert.rejects(barrier.wait(20), { message: /gave up after 20 ms$/ });
    await barrier.reset();
    assert.equal(await barrier.broken(), false);
  });

  test('is not broken when a wait is called off: it is as if that one had not come', DEADLINE, async (t) => {
    const barrier = new Barrier(2);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const inA = await a.begins('wait');
    a.tell({ type: 'abort' });
    await assert.rejects(inA.result, { name: 'AbortError' });
    assert.equal(await a.does('waiting'), 0);
    const again = await a.begins('wait');
    assert.deepEqual([await b.does('wait'), await again.result], [1, 0]);
  });

  test('that breaks in a child is that error in its parent too', DEADLINE, async (t) => {
    const barrier = new Barrier(2);
    await barrier.abort();
    const { process: child } = startProcess(t, { module, target: work.failAtBarrier, args: [barrier] });
    await child.join();
    assert.ok(child.error instanceof BrokenBarrierError);
    assert.equal(child.error.code, 'ERR_BROKEN_BARRIER');
  });
});

describe('nobody waits at a barrier in vain because a process died', () => {
  test('one that waits', DEADLINE, async (t) => {
    const barrier = new Barrier(4);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const waits = [barrier.wait(), (await a.begins('wait')).result];
    await b.begins('wait');
    b.process.kill();
    const error = broken(`${b.who} was ended by SIGKILL`);
    await Promise.all(waits.map((result) => assert.rejects(result, error)));
    await assert.rejects(barrier.wait(), error, 'later too');
    await assert.rejects(barrier.wait(), ({ death }: BrokenBarrierError) => death?.pid === b.process.pid);
  });

  test('one that has not come yet, nor its child', DEADLINE, async (t) => {
    const barrier = new Barrier(3);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const waits = [barrier.wait(), (await a.begins('wait')).result];
    b.tell({ type: 'exit', code: 3 });
    await Promise.all(waits.map((result) => assert.rejects(result, broken(`${b.who} exited with code 3`))));
  });

  test('one that leaves while it waits, if in good order', DEADLINE, async (t) => {
    const barrier = new Barrier(3);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const inA = await a.begins('wait');
    await b.begins('wait');
    b.tell({ type: 'exit', code: 0 });
    await assert.rejects(inA.result, broken(`${b.who} exited with code 0`));
  });

  test('one of two that are not each other\'s parent, in the line of the other', DEADLINE, async (t) => {
    const { child: maker, made } = await Child.maker<Barrier>(t, 'Barrier', 'A');
    const [b] = await children(t, made, 'B');
    const inMaker = await maker.begins('wait');
    await b.does('waiting');
    await b.dies();
    await assert.rejects(inMaker.result, broken(`${b.who} was ended by SIGKILL`));
    await made.reset();
    const again = await maker.begins('wait');
    assert.deepEqual([await made.wait(), await again.result].sort(), [0, 1]);
  });

  test('and one that has ended in good order breaks nothing: another comes in its place', DEADLINE, async (t) => {
    const barrier = new Barrier(2);
    const [a, b] = await children(t, barrier, 'A', 'B');
    const inA = await a.begins('wait');
    b.tell({ type: 'end' });
    await b.process.join();
    const [c] = await children(t, barrier, 'C');
    assert.deepEqual([await c.does('wait'), await inA.result], [1, 0]);
  });

  test('the one that made it', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.makeAndStay, args: ['Barrier'] });
    const barrier = await mail.next() as Barrier;
    const waits = barrier.wait(60_000);
    assert.equal(await barrier.waiting(), 1);
    process.kill();
    const error = { name: 'ProcessDied', message: /was ended by SIGKILL: the barrier that lived in it is gone$/ };
    await assert.rejects(waits, error);
    for (const method of ['wait', 'waiting', 'broken', 'abort', 'reset'] as const) {
      await assert.rejects(barrier[method](), error);
    }
  });
});
