// After a death, who waits at a primitive is told that nobody is left when that is certain, and only then: not while a
// living process can still get the primitive from where it is kept.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Event, JoinableQueue, Manager, Pipe, Pool, Process, ProcessDied, Queue, Semaphore, TimedOut,
} from '../../shared/multiprocessing/index.ts';
import { Holders } from '../../shared/multiprocessing/manager/holders.ts';
import type { Keeper } from '../../shared/multiprocessing/transport/custody.ts';
import { whenAllHeard } from '../../shared/multiprocessing/transport/router.ts';
import * as work from '../fixtures/left-work.ts';
import { waitForEver } from '../fixtures/pool-work.ts';
import type { Order, Place, Served } from '../fixtures/left-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';
import type { Cleaner, Mail } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/left-work.ts');
const poolWork = moduleUrl('test/fixtures/pool-work.ts');

class Taker {
  readonly process: Process<never[]>;
  readonly #mail: Mail;

  constructor(t: Cleaner, place: Place) {
    const { process, mail } = startProcess(t, { module, target: work.obey, args: [place] });
    this.process = process as unknown as Process<never[]>;
    this.#mail = mail;
  }

  async ready(): Promise<void> {
    assert.equal(await this.#mail.next(), 'ready');
  }

  async does(order: Order): Promise<void> {
    this.process.channel.post(order);
    assert.equal(await this.#mail.next(), order);
  }

  async fails(): Promise<void> {
    this.process.channel.post('fail' satisfies Order);
    await this.process.join();
  }
}

async function startTakers(t: Cleaner, places: readonly [Place, Place]): Promise<[Taker, Taker]> {
  const takers = places.map((place) => new Taker(t, place)) as [Taker, Taker];
  for (const taker of takers) await taker.ready();
  return takers;
}

/** A primitive, and a call that waits at it. */
interface Waiting {
  readonly it: Served;
  wait(): Promise<unknown>;
}

const WAITS: Readonly<Record<string, () => Promise<Waiting>>> = {
  'Queue.get': async () => {
    const it = new Queue<unknown>();
    return { it, wait: () => it.get() };
  },
  'Queue.put': async () => {
    const it = new Queue<unknown>(1);
    await it.put('the first');
    return { it, wait: () => it.put('the second') };
  },
  'JoinableQueue.join': async () => {
    const it = new JoinableQueue<unknown>();
    await it.put('work');
    return { it, wait: () => it.join() };
  },
  'Event.wait': async () => {
    const it = new Event();
    return { it, wait: () => it.wait() };
  },
  'Semaphore.acquire': async () => {
    const it = new Semaphore(0);
    return { it, wait: () => it.acquire() };
  },
};

/** Puts the value where two processes can take it from, and says from where each of them can. */
type Keep = (value: unknown) => Promise<readonly [Place, Place]>;

const PLACES: Readonly<Record<string, Keep>> = {
  'the item of a queue': async (value) => {
    const queue = new Queue<unknown>();
    await queue.put(value);
    return [{ queue }, { queue }];
  },
  'a value that is unread in a pipe': async (value) => {
    const [[here, end], [alsoHere, other]] = [Pipe(), Pipe()];
    await here.send(value);
    await alsoHere.send(value);
    return [{ end }, { end: other }];
  },
  'a dict': async (value) => {
    const dict = new Manager().dict<unknown>();
    await dict.set('it', value);
    return [{ dict }, { dict }];
  },
  'a list': async (value) => {
    const list = new Manager().list<unknown>();
    await list.push(value);
    return [{ list }, { list }];
  },
  'a dict that is in the item of a queue': async (value) => {
    const dict = new Manager().dict<unknown>();
    await dict.set('it', value);
    const queue = new Queue<unknown>();
    await queue.put({ place: { dict } });
    return [{ queue }, { queue }];
  },
};

/** Settles when all has been heard that is under way, and what comes of it has been done. */
async function allHeard(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>(whenAllHeard);
}

/** It has not been settled, though all has been heard by now. */
async function assertWaits(waiting: Promise<unknown>): Promise<void> {
  let outcome: unknown = 'it waits';
  waiting.then((value) => { outcome = value; }, (error: Error) => { outcome = error.message; });
  await allHeard();
  assert.equal(outcome, 'it waits');
}

async function assertNobodyLeft(waiting: Promise<unknown>, { name }: { readonly name: string }): Promise<void> {
  await assert.rejects(waiting, (error: Error) => {
    assert.ok(error instanceof ProcessDied, error);
    assert.match(error.message, new RegExp(`^${name} \\(pid \\d+\\) exited with code 1: .*nobody is left`));
    return true;
  });
}

/** Those that stand for all of them where their owners hear the same. */
const TWO = ['Queue.get', 'Event.wait'];

/** One of two has taken it and died, and somebody waits at it: it can still be had, and so nothing is said. */
async function afterDeath(t: Cleaner, make: () => Promise<Waiting>, keepIn: Keep): Promise<Waiting & {
  readonly other: Taker; readonly waiting: Promise<unknown>;
}> {
  const { it, wait } = await make();
  const [one, other] = await startTakers(t, await keepIn({ it }));
  await one.does('take');
  const waiting = wait();
  await Promise.all([assertWaits(waiting), one.fails()]);
  await assertWaits(waiting);
  return { it, wait, other, waiting };
}

for (const [where, keepIn] of Object.entries(PLACES)) {
  describe(`a primitive in ${where}, of which a process has died`, { concurrency: 3 }, () => {
    const all = where === 'the item of a queue';
    for (const [what, make] of Object.entries(WAITS).filter(([name]) => all || TWO.includes(name))) {
      test(`can still be had: ${what} waits until nobody can`, DEADLINE, async (t) => {
        const { other, waiting } = await afterDeath(t, make, keepIn);
        await other.does('take');
        await assertWaits(waiting);
        await other.does('serve');
        await waiting;
      });

      test(`cannot be had any more: ${what} is refused`, DEADLINE, async (t) => {
        const { wait, other, waiting } = await afterDeath(t, make, keepIn);
        await Promise.all([assertNobodyLeft(waiting, other.process), other.fails()]);
        await assertNobodyLeft(wait(), other.process);
      });

      test(`was never had: ${what} is refused when those who could have it are dead`, DEADLINE, async (t) => {
        const { it, wait } = await make();
        const [one, other] = await startTakers(t, await keepIn({ it }));
        const waiting = wait();
        await Promise.all([assertWaits(waiting), one.fails()]);
        await assertWaits(waiting);
        await Promise.all([assertNobodyLeft(waiting, other.process), other.fails()]);
      });
    }
  });
}

describe('a primitive in the task of a pool, of which a worker has died', { concurrency: 3 }, () => {
  for (const [what, make] of Object.entries(WAITS)) {
    test(`can still be had while a task waits, and then not: ${what}`, DEADLINE, async () => {
      const { it, wait } = await make();
      await using pool = new Pool(1);
      const target = { module, target: work.serve };
      const failed = assert.rejects(pool.apply(target, [it, true]), ProcessDied);
      const served = pool.apply(target, [it, false]);
      await wait();
      await Promise.all([failed, served]);
      const { it: next, wait: waitForNext } = await make();
      const nobody = assert.rejects(waitForNext(), /^ProcessDied: Pool-\d+:2 .*nobody is left/);
      await Promise.all([nobody, assert.rejects(pool.apply(target, [next, true]), ProcessDied)]);
    });
  }
});

test('a primitive in a task that was called off while it waited cannot be had any more', DEADLINE, async (t) => {
  await using pool = new Pool(1);
  const busy = Array.from({ length: 4 }, () => pool.apply({ module: poolWork, target: waitForEver }).catch(() => {}));
  const event = new Event();
  await assert.rejects(pool.apply({ module, target: work.serve }, [event], 5), TimedOut);
  const { process: dead } = startProcess(t, { module, target: work.serve, args: [event, true] });
  await assertNobodyLeft(event.wait(), dead);
  pool.terminate();
  await Promise.all(busy);
});

test('a dict that comes back to the process in which it lives is in no other one for that', () => {
  const offers: boolean[] = [];
  const holders = new Holders({ offer: (isShared: boolean) => void offers.push(isShared) } as unknown as Keeper);
  holders.attached('');
  holders.attached('1');
  holders.hear('1', { type: 'gone' });
  assert.deepEqual(offers, [true, false]);
});

test('a primitive in a message that is not listened for yet can still be had', DEADLINE, async (t) => {
  const [event, gate] = [new Event(), new Queue<unknown>()];
  const late = startProcess(t, { module, target: work.serveLate, args: [gate] });
  late.process.channel.post(event);
  const { process: dead } = startProcess(t, { module, target: work.serve, args: [event, true] });
  const waiting = event.wait();
  await Promise.all([assertWaits(waiting), dead.join()]);
  await assertWaits(waiting);
  await gate.put('now');
  await waiting;
  await late.process.join();
});

describe('jobs that have the queue for their answers in them', () => {
  test('are all answered although a worker dies with one', DEADLINE, async (t) => {
    const jobs = new Queue<unknown>();
    const reply = new Queue<number>();
    startProcess(t, { module, target: work.answerJobs, args: [jobs, 1] as never });
    for (const n of [1, 2, 3]) await jobs.put({ n, reply });
    const answers = [reply.get(), reply.get(), reply.get()];
    const other = startProcess(t, { module, target: work.answerJobs, args: [jobs, 0] as never });
    assert.deepEqual((await Promise.all(answers)).sort(), [1, 4, 9]);
    await jobs.close();
    await other.process.join();
  });

  test('are refused one after the other when the only worker is dead', DEADLINE, async (t) => {
    const jobs = new Queue<unknown>();
    const reply = new Queue<number>();
    const { process } = startProcess(t, { module, target: work.answerJobs, args: [jobs, 2] as never });
    const ask = async (n: number): Promise<number> => {
      await jobs.put({ n, reply });
      return await reply.get();
    };
    assert.equal(await ask(1), 1);
    await assertNobodyLeft(ask(2), process);
    await assertNobodyLeft(ask(3), process);
  });
});
