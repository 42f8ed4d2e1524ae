// The two halves of Lock's protocol, each alone: what a seat and the arbiter send, and when.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessDied } from '../shared/multiprocessing/index.ts';
import type { Death } from '../shared/multiprocessing/index.ts';
import { LockArbiter } from '../shared/multiprocessing/lock-arbiter.ts';
import type { FromArbiter } from '../shared/multiprocessing/lock-arbiter.ts';
import { LockSeat, SLICE_MS } from '../shared/multiprocessing/lock-seat.ts';
import type { Waiter } from '../shared/multiprocessing/lock-seat.ts';

const MAKER = '5';

function deathOf(address: string): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode: -9 };
}

describe('a seat at a lock', () => {
  interface Seated {
    seat: LockSeat;
    clock: { now: number };
    sent: string[];
    /** Lets the process's later work happen. */
    turn(): void;
    /** Lets the time of its timer pass. */
    idle(): void;
  }

  function seated(): Seated {
    const clock = { now: 1000 };
    const sent: string[] = [];
    let later: (() => void)[] = [];
    let timer: (() => void) | undefined;
    const seat = new LockSeat(false);
    seat.connect({
      atHome: false,
      now: () => clock.now,
      soon: (work) => later.push(work),
      nextTurn: (work) => later.push(work),
      after: (_ms, work) => { timer = work; },
      tell: ({ type }) => sent.push(type),
    });
    const turn = (): void => {
      const works = later;
      later = [];
      for (const work of works) work();
    };
    const idle = (): void => {
      const work = timer;
      timer = undefined;
      work?.();
    };
    return { seat, clock, sent, turn, idle };
  }

  function takeAndRelease(seat: LockSeat): boolean {
    return seat.take() && seat.release();
  }

  const grant = { type: 'grant', upTo: 0, recalled: false, abandonedBy: null } as const;

  test('sends nothing for taking the lock again and again', () => {
    const { seat, clock, sent, turn } = seated();
    seat.hear(grant);
    for (let i = 0; i < 1000; i++) {
      assert.ok(takeAndRelease(seat));
      clock.now += 0.5;
      if (i % 3 === 0) turn();
    }
    assert.deepEqual(sent, []);
  });

  test('passes others over for no longer than its slice once it has heard of them', () => {
    const { seat, clock, sent, turn } = seated();
    seat.hear(grant);
    seat.hear({ type: 'recall' });
    for (; clock.now < 1000 + SLICE_MS; clock.now += 0.01) {
      assert.ok(seat.take());
      turn(); // It holds the lock while its event loop turns.
      seat.release();
    }
    assert.equal(takeAndRelease(seat), false);
    assert.equal(seat.mustListen(), false);
    turn();
    assert.deepEqual(sent, ['return']);
    seat.hear({ ...grant, recalled: true });
    assert.ok(takeAndRelease(seat));
    turn();
    assert.deepEqual(sent, ['return', 'return'], 'a process that does not take it again keeps nobody waiting');
  });

  test('listens for others after its slice at the latest', () => {
    const { seat, clock, turn } = seated();
    seat.hear(grant);
    for (; clock.now < 1000 + SLICE_MS; clock.now += 0.01) assert.ok(takeAndRelease(seat));
    assert.equal(takeAndRelease(seat), false);
    assert.ok(seat.mustListen());
    turn();
    assert.ok(takeAndRelease(seat));
  });

  test('asks for everyone who comes after the recall, or after one who asked, in their order', () => {
    const { seat, sent, turn } = seated();
    const order: number[] = [];
    const wait = (number: number): Waiter => seat.wait(false, () => order.push(number), assert.fail);
    seat.hear(grant);
    assert.ok(seat.take());
    wait(1);
    assert.deepEqual(sent, []);
    seat.hear({ type: 'recall' });
    wait(2);
    seat.release();
    seat.release();
    assert.equal(seat.take(), false, 'not before the one who waits');
    turn();
    assert.deepEqual(sent.splice(0), ['ask', 'return']);
    seat.withdraw(wait(3));
    wait(4);
    seat.hear({ ...grant, upTo: 1 });
    wait(5);
    assert.deepEqual(sent.splice(0), ['ask', 'withdraw', 'ask', 'ask']);
    seat.release();
    assert.deepEqual(order, [1, 2], 'the turn of the others has not come');
    seat.hear({ type: 'recall' });
    turn();
    seat.hear({ ...grant, upTo: 4 });
    seat.release();
    assert.deepEqual(order, [1, 2, 4, 5]);
  });

  test('answers an attempt: the token if it is free, else that it is in use', () => {
    const { seat, sent } = seated();
    seat.hear({ type: 'attempt' });
    assert.deepEqual(sent.splice(0), [], 'it is on its way back already');
    seat.hear(grant);
    assert.ok(seat.take());
    seat.hear({ type: 'attempt' });
    assert.deepEqual(sent.splice(0), ['busy']);
    seat.release();
    seat.hear({ type: 'attempt' });
    assert.deepEqual(sent, ['return']);
  });

  test('sends the token home when it was not used for a while', () => {
    const { seat, sent, idle } = seated();
    seat.hear(grant);
    assert.ok(takeAndRelease(seat));
    idle();
    assert.deepEqual(sent, [], 'it was used since it came');
    idle();
    assert.deepEqual(sent, ['return']);
    seat.hear(grant);
    assert.ok(seat.take());
    idle();
    idle();
    assert.deepEqual(sent, ['return'], 'not while it is held');
    seat.release();
    idle();
    assert.deepEqual(sent, ['return', 'return']);
  });

  test('hears of the end of the process that made the lock while it holds it, and may finish', () => {
    const { seat, sent } = seated();
    seat.hear(grant);
    assert.ok(seat.take());
    let failed: Error | undefined;
    seat.wait(false, () => assert.fail(), (error) => { failed = error; });
    seat.orphan(deathOf(MAKER));
    assert.ok(failed instanceof ProcessDied);
    assert.ok(seat.release());
    assert.equal(seat.release(), false);
    assert.equal(seat.take(), false);
    assert.deepEqual(sent, []);
  });
});

describe('the arbiter of a lock', () => {
  interface Seen { to: string; message: FromArbiter }

  function arbiter(): { told: () => Seen[]; receive: LockArbiter['receive']; died: LockArbiter['died'] } {
    let seen: Seen[] = [];
    const made = new LockArbiter(MAKER, (to, message) => seen.push({ to, message }));
    const told = (): Seen[] => {
      const all = seen;
      seen = [];
      return all;
    };
    return { told, receive: (from, message) => made.receive(from, message), died: (death) => made.died(death) };
  }

  test('recalls once, and says with the grant when others wait already', () => {
    const { told, receive } = arbiter();
    receive('1', { type: 'ask', id: 1, attempt: false });
    receive('2', { type: 'ask', id: 1, attempt: false });
    receive('1', { type: 'ask', id: 2, attempt: false });
    assert.deepEqual(told(), [{ to: MAKER, message: { type: 'recall' } }]);
    const grant = { type: 'grant', abandonedBy: null };
    receive(MAKER, { type: 'return', abandonedBy: null });
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 1, recalled: true } }]);
    receive('1', { type: 'return', abandonedBy: null });
    assert.deepEqual(told(), [{ to: '2', message: { ...grant, upTo: 1, recalled: true } }]);
    receive('2', { type: 'return', abandonedBy: null });
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 2, recalled: false } }]);
    receive('1', { type: 'return', abandonedBy: null });
    assert.deepEqual(told(), []);
  });

  test('gives all who follow each other from one seat their turn at once', () => {
    const { told, receive } = arbiter();
    for (const id of [1, 2, 3]) receive('1', { type: 'ask', id, attempt: false });
    receive('1', { type: 'withdraw', id: 2 });
    told();
    receive('2', { type: 'return', abandonedBy: null }); // Which it does not have.
    assert.deepEqual(told(), []);
    receive(MAKER, { type: 'return', abandonedBy: null });
    const grant = { type: 'grant', upTo: 3, recalled: false, abandonedBy: null };
    assert.deepEqual(told(), [{ to: '1', message: grant }]);
  });

  test('passes over the dead, and says of whom it had the token back', () => {
    const { told, receive, died } = arbiter();
    receive('1.2', { type: 'ask', id: 1, attempt: false });
    receive('2', { type: 'ask', id: 1, attempt: false });
    receive('3', { type: 'ask', id: 1, attempt: false });
    told();
    died(deathOf('1'));
    receive(MAKER, { type: 'return', abandonedBy: null });
    const grant = { type: 'grant', upTo: 1 };
    assert.deepEqual(told(), [{ to: '2', message: { ...grant, recalled: true, abandonedBy: null } }]);
    died(deathOf('2'));
    died(deathOf('2')); // It may be told twice.
    assert.deepEqual(told(), [{ to: '3', message: { ...grant, recalled: false, abandonedBy: deathOf('2') } }]);
  });

  test('recalls nothing for an attempt', () => {
    const { told, receive } = arbiter();
    receive('1', { type: 'ask', id: 1, attempt: true });
    assert.deepEqual(told(), [{ to: MAKER, message: { type: 'attempt' } }]);
    receive('2', { type: 'ask', id: 1, attempt: true });
    assert.deepEqual(told(), [{ to: '2', message: { type: 'refuse', id: 1 } }]);
    receive(MAKER, { type: 'busy' });
    assert.deepEqual(told(), [{ to: '1', message: { type: 'refuse', id: 1 } }]);
    receive(MAKER, { type: 'return', abandonedBy: null });
    assert.deepEqual(told(), []);
  });
});
