// Lock between processes: exclusion, order, limits of time, and deaths at the worst moments.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Lock, ProcessDied, WrongUse } from '../../shared/multiprocessing/index.ts';
import type { Process } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/lock-work.ts';
import type { LockAnswer, LockCommand } from '../fixtures/lock-work.ts';
import * as processWork from '../fixtures/process-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess, untilGone } from '../helpers/processes.ts';
import type { Cleaner, Mail } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/lock-work.ts');
const processModule = moduleUrl('test/fixtures/process-work.ts');

/** A child that does with the lock what it is told. */
class Child {
  readonly process: Process<never[]>;
  readonly mail: Mail;

  constructor(started: { process: Process<never[]>; mail: Mail }) {
    this.process = started.process;
    this.mail = started.mail;
  }

  tell(command: LockCommand): void {
    this.process.channel.post(command);
  }

  async expect(...answers: Partial<Extract<LockAnswer, { type: 'acquired' }> | Extract<LockAnswer, { type: 'failed' }>
    | { type: LockAnswer['type'] }>[]): Promise<void> {
    for (const answer of answers) {
      const came = await this.mail.next() as Record<string, unknown>;
      const named = Object.fromEntries(Object.keys(answer).map((key) => [key, came[key]]));
      assert.deepEqual(named, answer, JSON.stringify(came));
    }
  }

  /** Settles when the ask has reached the lock's owner, if that is this process. */
  async asks(as: string, timeoutMs?: number): Promise<void> {
    this.tell({ type: 'acquire', as, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    await this.expect({ type: 'asked' });
  }

  async gets(as: string, abandonedBy?: string): Promise<void> {
    await this.expect({ type: 'acquired', as, got: true, abandonedBy });
  }

  async takes(as: string): Promise<void> {
    await this.asks(as);
    await this.gets(as);
  }

  async releases(): Promise<void> {
    this.tell({ type: 'release' });
    await this.expect({ type: 'released' });
  }
}

async function obedient(t: Cleaner, lock: Lock, name: string): Promise<Child> {
  const child = new Child(startProcess(t, { module, target: work.obey, args: [lock], name }));
  await child.expect({ type: 'ready' });
  return child;
}

function obedientChildren(t: Cleaner, lock: Lock, ...names: string[]): Promise<Child[]> {
  return Promise.all(names.map((name) => obedient(t, lock, name)));
}

describe('a lock', () => {
  let a: Child;
  let b: Child;

  const atTheEnd: (() => void | Promise<void>)[] = [];
  before(async () => {
    [a, b] = await obedientChildren({ after: (work) => atTheEnd.push(work) }, new Lock(), 'A', 'B') as [Child, Child];
  }, DEADLINE);
  after(async () => {
    for (const work of atTheEnd) await work();
  });

  async function sharedLock(): Promise<Lock> {
    const lock = new Lock();
    for (const child of [a, b]) {
      child.tell({ type: 'use', lock });
      await child.expect({ type: 'ready' });
    }
    return lock;
  }

  test('tells the process that made it who has it, and how many wait', DEADLINE, async () => {
    const lock = await sharedLock();
    assert.equal(lock.held, undefined);
    const before = performance.now();
    await a.takes('first');
    const { holder, sinceMs, waiting } = lock.held!;
    assert.deepEqual([holder, waiting], [a.process.address, 0]);
    assert.ok(sinceMs! >= before && sinceMs! <= performance.now(), `since ${sinceMs}`);
    await b.asks('second');
    assert.equal(lock.held!.waiting, 1);
    await a.releases();
    await b.gets('second');
    assert.equal(lock.held!.holder, b.process.address);
    await b.releases();
    assert.ok(await lock.acquire());
    assert.notEqual(lock.held!.holder, b.process.address);
    await lock.release();
    assert.equal(lock.held, undefined, 'that its token lies here is nobody holding it');
  });

  test('is held by one process at a time, and everyone gets it', DEADLINE, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'echopool-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'turns');
    const lock = new Lock();
    const args: Parameters<typeof work.takeTurns> = [lock, file, 40];
    const children = [1, 2, 3].map(() => startProcess(t, { module, target: work.takeTurns, args }).process);
    await work.takeTurns(...args);
    for (const child of children) {
      await child.join();
      assert.equal(child.exitCode, 0);
    }
    const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
    assert.equal(lines.length, 320);
    for (let i = 0; i < lines.length; i += 2) {
      assert.match(lines[i]!, /^begin/);
      assert.equal(lines[i + 1], lines[i]!.replace('begin', 'end'));
    }
    const turnsOf = new Map<string, number>();
    for (const line of lines) turnsOf.set(line, (turnsOf.get(line) ?? 0) + 1);
    assert.deepEqual([...turnsOf.values()], new Array(8).fill(40));
  });

  test('is given in the order of asking, over processes, their children and their tasks', DEADLINE, async () => {
    const lock = await sharedLock();
    a.tell({ type: 'pass' });
    await a.expect({ type: 'ready' });
    const grandchild = (command: LockCommand): void => a.tell({ type: 'tell-child', command });
    const order: string[] = [];
    assert.equal(await lock.acquire(), true);
    await a.asks('a1');
    const here1 = lock.acquire().then(() => order.push('here1'));
    await b.asks('b1');
    grandchild({ type: 'acquire', as: 'g1' });
    await a.expect({ type: 'asked' });
    await a.asks('a2');
    const here2 = lock.acquire().then(() => order.push('here2'));
    await b.asks('b2');
    await b.asks('b3');
    await a.asks('a3');
    await lock.release();
    await a.gets('a1');
    await a.releases();
    await here1;
    await lock.release();
    await b.gets('b1');
    await b.releases();
    await a.gets('g1');
    grandchild({ type: 'release' });
    // One comes from the grandchild and one from A itself.
    const both = [await a.mail.next(), await a.mail.next()] as LockAnswer[];
    assert.deepEqual(both.map(({ type }) => type).sort(), ['acquired', 'released']);
    assert.ok(both.some((answer) => answer.type === 'acquired' && answer.as === 'a2' && answer.got));
    assert.deepEqual(order, ['here1']);
    await a.releases();
    await here2;
    await lock.release();
    await b.gets('b2');
    await b.releases();
    await b.gets('b3');
    await b.releases();
    await a.gets('a3');
    assert.equal(await lock.acquire(0), false);
    await a.releases();
    assert.equal(await lock.acquire(), true);
    await lock.release();
    grandchild({ type: 'end' });
  });

  test('cannot be released by a process that does not hold it', DEADLINE, async () => {
    const lock = await sharedLock();
    const message = 'MainProcess cannot release a lock that it does not hold';
    await assert.rejects(lock.release(), { name: 'WrongUse', message });
    await a.takes('a');
    b.tell({ type: 'release' });
    await b.expect({ type: 'failed', code: 'ERR_WRONG_USE', message: 'B cannot release a lock that it does not hold' });
    await assert.rejects(lock.release(), WrongUse);
    assert.equal(await lock.acquire(0), false, 'A holds it still');
    await a.releases();
    a.tell({ type: 'release' });
    await a.expect({ type: 'failed', code: 'ERR_WRONG_USE' });
  });

  test('is waited for no longer than the limit, and the line is right afterwards', DEADLINE, async () => {
    const lock = await sharedLock();
    await a.takes('a1');
    b.tell({ type: 'acquire', as: 'b1', timeoutMs: 20 });
    b.tell({ type: 'acquire', as: 'b2' });
    const answers = [await b.mail.next(), await b.mail.next(), await b.mail.next()] as LockAnswer[];
    assert.deepEqual(answers.map(({ type }) => type).sort(), ['acquired', 'asked', 'asked']);
    assert.ok(answers.some((answer) => answer.type === 'acquired' && answer.as === 'b1' && !answer.got));
    assert.equal(await lock.acquire(20), false);
    const here = lock.acquire(60_000);
    await a.asks('a2', 20);
    await a.expect({ type: 'acquired', as: 'a2', got: false });
    await a.releases();
    await b.gets('b2');
    await b.releases();
    assert.equal(await here, true);
    await lock.release();
    await a.takes('a3');
    await assert.rejects(lock.acquire(NaN), { name: 'WrongUse', message: /milliseconds, not NaN/ });
  });

  test('is got by an attempt exactly when it is free, wherever it was last', DEADLINE, async () => {
    const lock = await sharedLock();
    assert.equal(await lock.acquire(0), true, 'nobody else knows it');
    assert.equal(await lock.acquire(0), false, 'held here');
    await a.asks('a1', 0);
    await a.expect({ type: 'acquired', as: 'a1', got: false });
    await lock.release();
    await a.asks('a2', 0);
    await a.gets('a2');
    assert.equal(await lock.acquire(0), false, 'held there');
    await b.asks('b1', -1);
    await b.expect({ type: 'acquired', as: 'b1', got: false });
    await a.releases();
    await b.asks('b2', 0);
    await b.gets('b2');
    await b.releases();
    b.tell({ type: 'touch' });
    await b.expect({ type: 'touched' });
    assert.equal(await lock.acquire(0), true, 'free, and was at B last');
  });

  test('is had at once although its last holder, who took it once, twice or four times, lets nothing happen', DEADLINE,
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'echopool-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const rounds = [1, 2, 4].map((times): [Lock, number, string] => [new Lock(), times, join(folder, `go-${times}`)]);
      const { mail, process } = startProcess(t, { module, target: work.letGoAndCompute, args: [rounds] });
      for (const [lock, times, file] of rounds) {
        assert.equal(await mail.next(), 'holds');
        assert.equal(await lock.acquire(0), true, `by an attempt, after ${times}`);
        await lock.release();
        b.tell({ type: 'use', lock });
        await b.expect({ type: 'ready' });
        await b.asks('other', 0);
        await b.gets('other');
        await b.releases();
        await b.takes('other again');
        await b.releases();
        writeFileSync(file, '');
      }
      await process.join();
      assert.equal(process.exitCode, 0);
    });

  test('is called off with the reason; the next in line gets it, and nobody waits for who was called off', DEADLINE,
    async (t) => {
      const lock = await sharedLock();
      await assert.rejects(lock.acquire({ signal: AbortSignal.abort(new RangeError('at once')) }), RangeError);
      assert.equal(await lock.acquire(0), true, 'that took nothing');
      const caller = new AbortController();
      const reason = new Error('no longer');
      const { process, mail } = startProcess(t, { module, target: work.loseRace, args: [lock] });
      const off = assert.rejects(
        lock.acquire({ signal: caller.signal, timeoutMs: 60_000 }), (error) => error === reason,
      );
      await b.asks('b');
      caller.abort(reason);
      await off;
      process.channel.post('what won');
      assert.equal(await mail.next(), true);
      await process.join();
      assert.equal(process.exitCode, 0, 'it ended by itself');
      await lock.release();
      await b.gets('b');
      const crossing = Array.from({ length: 20 }, () => {
        const late = new AbortController();
        const waits = lock.acquire({ signal: late.signal }).then(() => lock.release(), () => {});
        return { late, waits };
      });
      b.tell({ type: 'release' });
      for (const { late } of crossing.slice(0, -1)) {
        await new Promise(setImmediate);
        late.abort();
      }
      await Promise.all(crossing.map(({ waits }) => waits));
      await b.expect({ type: 'released' });
      await a.asks('a', 0);
      await a.gets('a');
      await a.releases();
    });

  test('refuses limits that are none, and takes nothing', DEADLINE, async () => {
    const lock = new Lock();
    for (const wait of ['1', NaN, { signal: 1 }]) await assert.rejects(lock.acquire(wait as never), WrongUse);
    assert.equal(await lock.acquire(0), true);
    const reached = { name: 'TimedOut', code: 'ERR_TIMED_OUT', message: 'the lock was not free within 5 ms' };
    await assert.rejects(lock.withLock(() => assert.fail(), 5), reached);
    await assert.rejects(lock.hold({ timeoutMs: 5 }), reached);
    await lock.release();
    assert.equal(await lock.withLock(() => 'had', 0), 'had');
  });

  test('is not got by an attempt, nor waited for long, when its holder is too busy to answer', DEADLINE, async (t) => {
    const lock = new Lock();
    const { mail } = startProcess(t, { module, target: work.holdBusily, args: [lock] });
    assert.equal(await mail.next(), 'holds');
    assert.equal(await lock.acquire(0), false);
  });

  test('is given to the tasks of one process in turn', DEADLINE, async () => {
    const lock = new Lock();
    const order: string[] = [];
    const task = async (name: string): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await lock.withLock(async () => {
          order.push(`${name}+`);
          await new Promise(setImmediate);
          order.push(`${name}-`);
        });
      }
    };
    await Promise.all([task('a'), task('b'), task('c')]);
    assert.equal(order.join(' '), new Array(3).fill('a+ a- b+ b- c+ c-').join(' '));
  });

  test('is let go when the work throws, and at the end of the block that holds it', DEADLINE, async () => {
    const lock = new Lock();
    assert.equal(await lock.withLock(() => 'result'), 'result');
    await assert.rejects(lock.withLock(() => { throw new RangeError('thrown at work'); }), RangeError);
    await assert.rejects(lock.withLock(async () => Promise.reject(new RangeError('later'))), RangeError);
    {
      await using hold = await lock.hold();
      assert.equal(await lock.acquire(0), false);
      await hold[Symbol.asyncDispose]();
      assert.equal(await lock.acquire(0), true, 'disposed of before the end');
    }
    assert.equal(await lock.acquire(0), false, 'disposing twice releases once');
  });

  test('costs few messages in a burst while nobody else wants it', DEADLINE, async (t) => {
    const TIMES = 10_000;
    const { mail } = startProcess(t, { module, target: work.countMessages, args: [new Lock(), TIMES] });
    const { first, again, ofItsOwn } = await mail.next() as { first: number; again: number; ofItsOwn: number };
    assert.deepEqual({ first, ofItsOwn }, { first: 2, ofItsOwn: 0 });
    // Two for each of the first, and again whenever the system had let another program run meanwhile.
    assert.ok(again < TIMES / 10, `${again} messages`);
  });

  test('is got by everyone, though two loops never let go of their event loops', DEADLINE, async (t) => {
    const lock = new Lock();
    const spinners = [1, 2].map(() => startProcess(t, { module, target: work.spin, args: [lock] }));
    for (const { mail } of spinners) assert.equal(await mail.next(), 'ready');
    for (const { process } of spinners) process.channel.post('go');
    for (const times of [1, 5000]) {
      for (const { mail } of spinners) assert.equal(await mail.next(), times);
      for (let i = 0; i < 50; i++) {
        await lock.withLock(() => {});
        await new Promise(setImmediate);
      }
    }
    for (const { process } of spinners) process.channel.post('stop');
    for (const { process } of spinners) await process.join();
  });

  test('that comes back is the one that left', DEADLINE, async (t) => {
    const lock = new Lock();
    const { process, mail } = startProcess(t, { module: processModule, target: processWork.echoMessages, args: [] });
    process.channel.post({ lock, again: [lock] });
    process.channel.post('end');
    const [{ lock: back, again: [alike] }] = await mail.next() as [{ lock: Lock; again: [Lock] }];
    assert.equal(back, lock);
    assert.equal(alike, lock);
    assert.equal(await lock.acquire(0), true);
  });
});

describe('when a process dies, a lock', { concurrency: 4 }, () => {
  test('that it held goes to the next in the line, who learns of it; and so on', DEADLINE, async (t) => {
    const lock = new Lock();
    const [a, b, c] = await obedientChildren(t, lock, 'A', 'B', 'C') as [Child, Child, Child];
    await a.takes('a');
    await b.asks('b');
    const here = lock.acquire();
    await c.asks('c');
    a.process.kill();
    await b.gets('b', 'A');
    b.process.kill();
    assert.equal(await here, true);
    const { name, pid, exitCode } = lock.abandonedBy!;
    assert.deepEqual([name, pid, exitCode], ['B', b.process.pid, -9]);
    await lock.release();
    await c.gets('c', undefined);
  });

  test('for which it waited goes to those behind it', DEADLINE, async (t) => {
    const lock = new Lock();
    const [a, b] = await obedientChildren(t, lock, 'A', 'B') as [Child, Child];
    await lock.acquire();
    await a.asks('a');
    await b.asks('b');
    a.process.kill();
    await a.process.join();
    await lock.release();
    await b.gets('b');
  });

  test('that it had taken and let go is free, and nothing is amiss if it was asked for since', DEADLINE, async (t) => {
    const lock = new Lock();
    const [a, b] = await obedientChildren(t, lock, 'A', 'B') as [Child, Child];
    a.tell({ type: 'touch' });
    await a.expect({ type: 'touched' });
    a.process.kill();
    assert.equal(await lock.acquire(), true);
    await lock.release();
    b.tell({ type: 'touch' });
    await b.expect({ type: 'touched' });
    await lock.withLock(() => assert.equal(lock.abandonedBy, undefined));
    b.process.kill();
    await b.process.join();
    await lock.withLock(() => assert.equal(lock.abandonedBy, undefined));
  });

  test('that it held at the normal end of its target is free, and the next holder is told', DEADLINE, async (t) => {
    const lock = new Lock();
    const name = 'Careless';
    const { process: careless } = startProcess(t, { module, target: work.holdToTheEnd, args: [lock], name });
    await careless.join();
    assert.equal(careless.exitCode, 0);
    assert.equal(await lock.acquire(), true);
    assert.deepEqual([lock.abandonedBy?.name, lock.abandonedBy?.exitCode], ['Careless', 0]);
    await lock.release();
    assert.equal(lock.abandonedBy, undefined);
  });

  test('that it had taken and let go before its normal end was not abandoned', DEADLINE, async (t) => {
    const lock = new Lock();
    const child = await obedient(t, lock, 'Careful');
    child.tell({ type: 'touch' });
    child.tell({ type: 'end' });
    await child.process.join();
    await lock.withLock(() => assert.equal(lock.abandonedBy, undefined));
  });

  test('that its child held, or waited for, is free', DEADLINE, async (t) => {
    const lock = new Lock();
    const [a, b] = await obedientChildren(t, lock, 'A', 'B') as [Child, Child];
    a.tell({ type: 'pass' });
    await a.expect({ type: 'ready' });
    a.tell({ type: 'tell-child', command: { type: 'acquire', as: 'grandchild' } });
    await a.expect({ type: 'asked' });
    await a.gets('grandchild');
    await b.asks('b');
    a.tell({ type: 'kill-child' });
    await b.gets('b', 'A:1');
    a.tell({ type: 'pass' });
    await a.expect({ type: 'ready' });
    a.tell({ type: 'tell-child', command: { type: 'acquire', as: 'second grandchild' } });
    await a.expect({ type: 'asked' });
    a.process.kill();
    await a.process.join();
    await b.releases();
    assert.equal(await lock.acquire(), true);
    assert.equal(lock.abandonedBy, undefined);
  });

  test('that lived in it is gone: waiters learn who died, and a holder can finish', DEADLINE, async (t) => {
    const owner = new Child(startProcess(t, { module, target: work.makeLock, args: [], name: 'Owner' }));
    const lock = await owner.mail.next() as Lock;
    assert.ok(lock instanceof Lock);
    await owner.expect({ type: 'ready' });
    const [sibling] = await obedientChildren(t, lock, 'Sibling') as [Child];
    await sibling.takes('first');
    await owner.asks('owner');
    await sibling.releases();
    await owner.gets('owner');
    await owner.releases();
    assert.equal(await lock.acquire(), true, 'works between all three');
    await sibling.asks('second');
    const here = lock.acquire();
    owner.process.kill();
    const message = `Owner (pid ${owner.process.pid}) was ended by SIGKILL: the lock that lived in it is gone`;
    await assert.rejects(here, (error) => {
      assert.ok(error instanceof ProcessDied);
      assert.deepEqual([error.message, error.death.exitCode], [message, -9]);
      return true;
    });
    await sibling.expect({ type: 'failed', code: 'ERR_PROCESS_DIED', message });
    await lock.release();
    await assert.rejects(lock.acquire(), ProcessDied);
    await assert.rejects(lock.acquire(0), ProcessDied);
    await sibling.asks('third');
    await sibling.expect({ type: 'failed', code: 'ERR_PROCESS_DIED', message });
    const latecomer = await obedient(t, lock, 'Latecomer');
    await latecomer.asks('ever');
    await latecomer.expect({ type: 'failed', code: 'ERR_PROCESS_DIED', message });
    sibling.tell({ type: 'end' });
    await sibling.process.join();
    assert.equal(sibling.process.exitCode, 0);
  });

  test('is got by a task whose target has ended already, before its process ends', DEADLINE, async (t) => {
    const lock = new Lock();
    await lock.acquire();
    const target = processWork.acquiresUnheard;
    const { process, mail } = startProcess(t, { module: processModule, target, args: [lock] });
    assert.equal(await mail.next(), 'target ends');
    await lock.release();
    assert.equal(await mail.next(), 'acquired');
    await process.join();
    assert.equal(process.exitCode, 0);
    await untilGone(process.pid!);
  });
});
