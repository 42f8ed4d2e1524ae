// The two halves of Lock's protocol, each alone: what a client and the arbiter send, and when.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessDied } from '../../shared/multiprocessing/index.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import { LockArbiter } from '../../shared/multiprocessing/lock/lock-arbiter.ts';
import { BURST, SLICE_MS } from '../../shared/multiprocessing/lock/burst.ts';
import { LockClient } from '../../shared/multiprocessing/lock/lock-client.ts';
import type { PendingAcquire } from '../../shared/multiprocessing/lock/lock-client.ts';

const MAKER = '5';

function deathOf(address: string): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode: -9 };
}

describe('a client at a lock', () => {
  interface Seated {
    client: LockClient;
    clock: { now: number };
    sent: string[];
    /** Lets the process's later work happen. */
    turn(): void;
  }

  function seated(): Seated {
    const clock = { now: 1000 };
    const sent: string[] = [];
    let later: (() => void)[] = [];
    const client = new LockClient(false);
    client.connect({
      atHome: false,
      now: () => clock.now,
      soon: (work) => later.push(work),
      nextTurn: (work) => later.push(work),
      tell: ({ type }) => sent.push(type),
      flush: () => sent.push('flush'),
    });
    const turn = (): void => {
      const works = later;
      later = [];
      for (const work of works) work();
    };
    return { client, clock, sent, turn };
  }

  function takeAndRelease(client: LockClient): boolean {
    return client.take() && client.release();
  }

  const grant = { type: 'grant', grant: 1, upTo: 0, recalled: false, abandonedBy: null } as const;

  /** A client with the token, in a burst: it was taken quickly so often that it stays. */
  function inBurst(): Seated {
    const made = seated();
    const { client, clock, sent } = made;
    for (let id = 1; id <= BURST + 1; id++) {
      client.wait(false, () => {}, assert.fail);
      client.hear({ ...grant, upTo: id });
      clock.now += 0.1;
      client.release();
    }
    clock.now = 1000;
    assert.ok(client.isHere);
    sent.length = 0;
    return made;
  }

  test('sends the token home at once when it lets go, and lets the system have it', () => {
    const { client, clock, sent, turn } = seated();
    for (let id = 1; id <= 3 * BURST; id++) {
      client.wait(false, () => {}, assert.fail);
      client.hear({ ...grant, upTo: id });
      clock.now += 2;
      client.release();
      assert.deepEqual(sent.splice(0), ['ask', 'return', 'flush']);
      turn();
    }
  });

  test('keeps it in a burst, without a message, and until what runs is done', () => {
    const { client, clock, sent, turn } = inBurst();
    for (; clock.now < 1000 + SLICE_MS; clock.now += 0.01) assert.ok(takeAndRelease(client));
    assert.deepEqual(sent, []);
    turn();
    assert.deepEqual(sent, ['return', 'flush']);
  });

  test('keeps it for whoever of its process just listens for others', () => {
    const { client, sent, turn } = inBurst();
    client.listen();
    turn();
    assert.deepEqual(sent, []);
    client.listened();
    assert.ok(takeAndRelease(client));
    turn();
    assert.deepEqual(sent, ['return', 'flush']);
  });

  test('ends the burst with the first hold, or pause, that is long', () => {
    const { client, clock, sent } = inBurst();
    assert.ok(client.take());
    clock.now += 2;
    client.release();
    assert.deepEqual(sent, ['return', 'flush']);
  });

  test('passes others over for no longer than its slice once it has heard of them', () => {
    const { client, clock, sent, turn } = inBurst();
    assert.ok(client.take());
    client.hear({ type: 'recall' });
    client.release();
    for (; clock.now < 1000 + SLICE_MS; clock.now += 0.01) {
      assert.ok(client.take());
      client.release();
    }
    assert.equal(takeAndRelease(client), false);
    assert.equal(client.mustListen(), false);
    turn();
    assert.deepEqual(sent, ['return', 'flush']);
  });

  test('gives it back at once when it is recalled and nobody holds it', () => {
    const { client, sent } = inBurst();
    client.hear({ type: 'recall' });
    assert.deepEqual(sent, ['return', 'flush']);
    client.hear({ type: 'recall' });
    assert.deepEqual(sent, ['return', 'flush'], 'it is on its way back already');
  });

  test('listens for others after its slice at the latest', () => {
    const { client, clock, turn } = inBurst();
    client.listen(); // Keeps the token here.
    for (; clock.now < 1000 + SLICE_MS; clock.now += 0.01) assert.ok(takeAndRelease(client));
    for (let i = 0; i < 10 && takeAndRelease(client); i++); // It does not look at the clock each time.
    assert.equal(takeAndRelease(client), false);
    assert.ok(client.mustListen());
    turn();
    assert.ok(takeAndRelease(client));
  });

  test('asks for everyone who comes after the recall, or after one who asked, in their order', () => {
    const { client, sent } = seated();
    const order: number[] = [];
    const wait = (number: number): PendingAcquire => client.wait(false, () => order.push(number), assert.fail);
    wait(0);
    client.hear({ ...grant, upTo: 1 });
    wait(1);
    assert.deepEqual(sent.splice(0), ['ask']);
    client.hear({ type: 'recall' });
    wait(2);
    client.release();
    client.release();
    assert.equal(client.take(), false, 'not before the one who waits');
    assert.deepEqual(sent.splice(0), ['ask', 'return', 'flush']);
    client.withdraw(wait(3));
    wait(4);
    client.hear({ ...grant, upTo: 2 });
    wait(5);
    assert.deepEqual(sent.splice(0), ['ask', 'withdraw', 'flush', 'ask', 'ask']);
    client.release();
    assert.deepEqual(order, [0, 1, 2], 'the turn of the others has not come');
    client.hear({ ...grant, upTo: 5 });
    client.release();
    assert.deepEqual(order, [0, 1, 2, 4, 5]);
  });

  test('has what was granted after all when the time was up, and gives back what was granted to nobody', () => {
    const { client, sent } = seated();
    const results: boolean[] = [];
    const wait = (): PendingAcquire => client.wait(false, (got) => results.push(got), assert.fail);
    client.expire(wait());
    assert.deepEqual(sent.splice(0), ['ask', 'expire']);
    assert.deepEqual(results, [], 'the arbiter may have granted it');
    client.hear({ ...grant, upTo: 1 });
    assert.deepEqual(results.splice(0), [true]);
    client.release();
    client.expire(wait());
    client.hear({ type: 'refuse', id: 2 });
    assert.deepEqual(results.splice(0), [false]);
    const first = wait();
    const second = wait();
    client.expire(second);
    client.hear({ ...grant, upTo: 4 });
    assert.deepEqual(results.splice(0), [true, false], 'the first has it');
    client.expire(first);
    client.release();
    sent.length = 0;
    client.withdraw(wait());
    client.hear({ ...grant, upTo: 5 });
    assert.deepEqual(sent, ['ask', 'withdraw', 'flush', 'return', 'flush']);
    assert.deepEqual(results, []);
  });

  test('hears of the end of the process that made the lock while it holds it, and may finish', () => {
    const { client, sent } = seated();
    client.wait(false, () => {}, assert.fail);
    client.hear({ ...grant, upTo: 1 });
    sent.length = 0;
    let failed: Error | undefined;
    client.wait(false, () => assert.fail(), (error) => { failed = error; });
    client.orphan(deathOf(MAKER));
    assert.ok(failed instanceof ProcessDied);
    assert.ok(client.release());
    assert.equal(client.release(), false);
    assert.equal(client.take(), false);
    assert.deepEqual(sent, []);
  });
});

describe('the arbiter of a lock', () => {
  /** Without the number of a grant. */
  interface Seen { to: string; message: Record<string, unknown> }

  interface Arbiter {
    told: () => Seen[];
    receive: LockArbiter['receive'];
    died: LockArbiter['died'];
    /** The token that was granted last comes back from there. */
    returns(from: string): void;
    /** What had come is read. */
    read(): void;
  }

  function arbiter(): Arbiter {
    let seen: Seen[] = [];
    let grants = 0;
    const works: (() => void)[] = [];
    const made = new LockArbiter(MAKER, {
      tell: (to, message) => {
        const { grant, ...rest } = { grant: grants, ...message };
        grants = grant;
        seen.push({ to, message: rest });
      },
      whenRead: (work) => works.push(work),
    });
    const told = (): Seen[] => {
      const all = seen;
      seen = [];
      return all;
    };
    const read = (): void => { for (const work of works.splice(0)) work(); };
    const receive: Arbiter['receive'] = (from, message) => made.receive(from, message);
    const returns = (from: string): void => receive(from, { type: 'return', grant: grants, abandonedBy: null });
    return { told, receive, died: (death) => made.died(death), returns, read };
  }

  test('recalls once, and says with the grant when others wait already', () => {
    const { told, receive, returns } = arbiter();
    receive('1', { type: 'ask', id: 1, attempt: false });
    receive('2', { type: 'ask', id: 1, attempt: false });
    receive('1', { type: 'ask', id: 2, attempt: false });
    assert.deepEqual(told(), [{ to: MAKER, message: { type: 'recall' } }]);
    const grant = { type: 'grant', abandonedBy: null };
    returns(MAKER);
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 1, recalled: true } }]);
    returns('1');
    assert.deepEqual(told(), [{ to: '2', message: { ...grant, upTo: 1, recalled: true } }]);
    returns('2');
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 2, recalled: false } }]);
    returns('1');
    assert.deepEqual(told(), []);
  });

  test('gives all who follow each other from one client their turn at once', () => {
    const { told, receive, returns } = arbiter();
    for (const id of [1, 2, 3]) receive('1', { type: 'ask', id, attempt: false });
    receive('1', { type: 'withdraw', id: 2 });
    told();
    returns('2'); // Which it does not have.
    assert.deepEqual(told(), []);
    returns(MAKER);
    const grant = { type: 'grant', upTo: 3, recalled: false, abandonedBy: null };
    assert.deepEqual(told(), [{ to: '1', message: grant }]);
  });

  test('passes over the dead, and says of whom it had the token back', () => {
    const { told, receive, returns, died } = arbiter();
    receive('1.2', { type: 'ask', id: 1, attempt: false });
    receive('2', { type: 'ask', id: 1, attempt: false });
    receive('3', { type: 'ask', id: 1, attempt: false });
    told();
    died(deathOf('1'));
    returns(MAKER);
    const grant = { type: 'grant', upTo: 1 };
    assert.deepEqual(told(), [{ to: '2', message: { ...grant, recalled: true, abandonedBy: null } }]);
    died(deathOf('2'));
    died(deathOf('2')); // It may be told twice.
    assert.deepEqual(told(), [{ to: '3', message: { ...grant, recalled: false, abandonedBy: deathOf('2') } }]);
  });

  test('answers an attempt from what has reached it, and recalls nothing from elsewhere for it', () => {
    const { told, receive, returns, read } = arbiter();
    const grant = { type: 'grant', recalled: false, abandonedBy: null };
    receive('1', { type: 'ask', id: 1, attempt: true });
    assert.deepEqual(told(), [{ to: MAKER, message: { type: 'recall' } }], 'where it may just lie');
    returns(MAKER);
    read();
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 1 } }]);
    receive('2', { type: 'ask', id: 1, attempt: true });
    assert.deepEqual(told(), []);
    returns('1'); // It was on its way.
    read();
    assert.deepEqual(told(), [{ to: '2', message: { ...grant, upTo: 1 } }]);
    receive('1', { type: 'ask', id: 2, attempt: true });
    read();
    assert.deepEqual(told(), [{ to: '1', message: { type: 'refuse', id: 2 } }]);
  });

  test('answers whose time is up, in the order of asking, and not who was called off', () => {
    const { told, receive, returns, read } = arbiter();
    for (const [from, id] of [['1', 1], ['2', 1], ['3', 1]] as const) {
      receive(from, { type: 'ask', id, attempt: false });
    }
    receive('3', { type: 'expire', id: 1 });
    receive('2', { type: 'expire', id: 1 });
    receive('1', { type: 'withdraw', id: 1 });
    told();
    returns(MAKER);
    read();
    assert.deepEqual(told(), [
      { to: '2', message: { type: 'grant', upTo: 1, recalled: true, abandonedBy: null } },
      { to: '3', message: { type: 'refuse', id: 1 } },
    ]);
  });

  test('has the token again when all whom it was granted to were called off before they heard of it', () => {
    const { told, receive, returns } = arbiter();
    receive('1', { type: 'ask', id: 1, attempt: false });
    receive('1', { type: 'ask', id: 2, attempt: false });
    returns(MAKER);
    receive('2', { type: 'ask', id: 1, attempt: false });
    receive('1', { type: 'withdraw', id: 1 });
    told();
    receive('1', { type: 'ask', id: 3, attempt: false });
    receive('1', { type: 'withdraw', id: 2 });
    const grant = { type: 'grant', upTo: 1, recalled: true, abandonedBy: null };
    assert.deepEqual(told(), [{ to: '2', message: grant }]);
    returns('2');
    assert.deepEqual(told(), [{ to: '1', message: { ...grant, upTo: 3, recalled: false } }]);
    receive('1', { type: 'return', grant: 1, abandonedBy: null }); // The one that was called back.
    receive('2', { type: 'ask', id: 2, attempt: false });
    assert.deepEqual(told(), [{ to: '1', message: { type: 'recall' } }]);
  });

  test('serves 100,000 who wait, of whom many leave from all places, in time that grows with their number', () => {
    const { told, receive, returns } = arbiter();
    const COUNT = 100_000;
    for (let id = 1; id <= COUNT; id++) receive(`${id % 100}`, { type: 'ask', id, attempt: false });
    for (let id = COUNT; id > 0; id -= 2) receive(`${id % 100}`, { type: 'withdraw', id });
    let holder = MAKER;
    let served = 0;
    for (;;) {
      told();
      returns(holder);
      const [next] = told();
      if (next?.message.type !== 'grant') break;
      served++;
      holder = next.to;
    }
    assert.equal(served, COUNT / 2);
  });
});
