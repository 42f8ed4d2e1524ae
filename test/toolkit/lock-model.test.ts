// The protocol of Lock without processes: clients and an arbiter on a network that delays as it likes and loses the
// dead. Thousands of random runs, first each kind of trouble alone and without a clock; a failure names the run, which
// can be repeated.
import { isWithin } from '../../shared/multiprocessing/base/address.ts';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessDied } from '../../shared/multiprocessing/index.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import { LockArbiter } from '../../shared/multiprocessing/lock/lock-arbiter.ts';
import type { FromArbiter, ToArbiter } from '../../shared/multiprocessing/lock/messages.ts';
import { LockClient } from '../../shared/multiprocessing/lock/lock-client.ts';
import type { PendingAcquire } from '../../shared/multiprocessing/lock/lock-client.ts';
import { randomFrom } from '../helpers/random.ts';
import { runSeeds } from '../helpers/seeds.ts';

const MAKER = '5';
/** The maker's parent, its child, two siblings, and a child of one of these: with it, the child dies. */
const ADDRESSES = [MAKER, '', '6', '5.1', '7', '7.1'];
const MOST_TASKS_A_PROCESS = 4;
/** When the maker is dead, and all know it, whoever asks fails as the one before did. */
const ENOUGH_FAILURES = 40;

/** `expiring`: its time is up, and it is not known yet whether it has got the lock. */
type TaskState = 'idle' | 'listening' | 'waiting' | 'expiring' | 'holding';

/** What goes wrong, and how time passes. */
interface Trouble {
  /** Processes die, and all below them; `maker`: the one that made the lock does. */
  readonly deaths?: 'others' | 'maker';
  /** Some make an attempt only, some call their wait off, some have no more time. */
  readonly givesUp?: boolean;
  /** A process that has nothing to do with the lock just then stands still, while all others go on. */
  readonly standstills?: boolean;
  /** `still`: whatever is done is quick. `jumps`: nothing is. `passes`: now and then it is not. */
  readonly clock: 'still' | 'jumps' | 'passes';
}

interface Task {
  readonly of: Member;
  /** What may happen to it in each state. Made once: millions of events are chosen from. */
  readonly events: Readonly<Record<TaskState, () => void>>;
  state: TaskState;
  /** It makes an attempt only, or its time is up. */
  impatient: boolean;
  waiter: PendingAcquire | undefined;
}

interface Member {
  readonly address: string;
  readonly client: LockClient;
  readonly tasks: Task[];
  /** To and from the arbiter, in order. */
  readonly up: ToArbiter[];
  readonly down: FromArbiter[];
  /** The first of them arrives. */
  readonly arrivesUp: () => void;
  readonly arrivesDown: () => void;
  /** What the process will do later: when this is done, at the next turn of its event loop. */
  readonly later: (() => void)[];
  /** How much of that is due before the event loop turns. */
  soon: number;
  alive: boolean;
  standsStill: boolean;
}

class Model {
  readonly #random: () => number;
  readonly #members: Member[];
  readonly #arbiter: LockArbiter;
  /** The deaths that the maker has not heard of yet. */
  readonly #untold: Death[] = [];
  /** Those who wait and were heard by the arbiter, in its order. */
  #line: Task[] = [];
  readonly #trouble: Trouble;
  /** How often they give up, make an attempt only, and die: different in each run. */
  readonly #givesUp: number;
  readonly #attempts: number;
  readonly #dies: number;
  #now = 0;
  readonly #timePasses = (): void => { this.#now += this.#random() * 2; };
  #holder: Task | undefined;
  /** A holder died, and nobody has held the lock since. */
  #abandoned = false;
  makerDied = false;
  #failed = 0;
  acquired = 0;

  constructor(random: () => number, trouble: Trouble) {
    this.#random = random;
    this.#trouble = trouble;
    this.#arbiter = new LockArbiter(MAKER, {
      tell: (to, message) => this.#tell(to, message),
      whenRead: (work) => doLater(this.#memberAt(MAKER), work),
    });
    this.#givesUp = trouble.givesUp === true ? random() ** 2 : 0;
    this.#attempts = trouble.givesUp === true ? random() * 0.4 : 0;
    this.#dies = trouble.deaths === undefined ? 0 : random() * 0.008;
    const addresses = ADDRESSES.slice(0, 2 + Math.floor(random() * (ADDRESSES.length - 1)));
    const tasks = 1 + Math.floor(random() * MOST_TASKS_A_PROCESS);
    this.#members = addresses.map((address) => this.#member(address, tasks));
  }

  run(steps: number): void {
    for (let i = 0; i < steps && this.#failed < ENOUGH_FAILURES; i++) {
      this.#happens(this.#pick(this.#events(true)));
      if (this.#trouble.standstills === true && this.#random() < 0.1) this.#standStill(this.#pick(this.#members));
      if (this.#random() >= this.#dies) continue;
      const { address } = this.#pick(this.#members);
      // The death of the root is the end of all.
      if (address !== '' && (address !== MAKER || this.#trouble.deaths === 'maker')) this.#crash(address);
    }
    this.#settle();
  }

  #happens(event: () => void): void {
    event();
    // A lock that nobody holds is kept by nobody, but for a moment in a burst, and while somebody is about to take it.
    for (const { address, alive, client, tasks, soon } of this.#members) {
      if (!alive || address === MAKER || !client.isHere) continue;
      const isUsed = tasks.some(({ state }) => state === 'holding' || state === 'listening');
      assert.ok(isUsed || (this.#trouble.clock !== 'jumps' && soon > 0), `the token lies idle at '${address}'`);
    }
  }

  /** No more new wishes: everyone who waits must be served now, or learn that nobody can be. */
  #settle(): void {
    for (let events = this.#events(false); events.length > 0; events = this.#events(false)) {
      this.#happens(this.#pick(events));
    }
    for (const { address, alive, tasks, standsStill } of this.#members) {
      if (!alive || standsStill) continue;
      for (const { state } of tasks) assert.equal(state, 'idle', `a task of process '${address}'`);
    }
  }

  /** It has let go, and computes from then on, in the same turn: everybody else can have the lock. */
  #standStill(member: Member): void {
    const { client, tasks } = member;
    const isOut = tasks.every(({ state }) => state === 'idle');
    if (this.makerDied || member.address === MAKER || !member.alive || !isOut || client.isHere) return;
    member.standsStill = true;
    this.#settle();
    const before = this.acquired;
    this.#happens(() => this.#acquire(this.#memberAt(MAKER).tasks[0]!));
    this.#settle();
    if (!this.#memberAt(MAKER).tasks[0]!.impatient) assert.ok(this.acquired > before, 'a free lock is had');
    member.standsStill = false;
  }

  #member(address: string, tasks: number): Member {
    const atHome = address === MAKER;
    const client = new LockClient(atHome);
    const member: Member = {
      address, client, tasks: [], up: [], down: [], later: [], soon: 0, alive: true, standsStill: false,
      arrivesUp: () => this.#hearAtArbiter(member, member.up.shift()!),
      arrivesDown: () => client.hear(member.down.shift()!),
    };
    for (let i = 0; i < tasks; i++) member.tasks.push(this.#task(member));
    const later = (work: () => void): void => doLater(member, work);
    client.connect({
      atHome,
      now: () => this.#trouble.clock === 'jumps' ? this.#now += 10 : this.#now,
      soon: (work) => {
        member.soon++;
        later(() => {
          member.soon--;
          work();
        });
      },
      nextTurn: later,
      flush: () => {},
      tell: (message) => {
        if (atHome) this.#hearAtArbiter(member, message);
        else member.up.push(message);
      },
    });
    return member;
  }

  #task(of: Member): Task {
    const task: Task = {
      of, state: 'idle', impatient: false, waiter: undefined,
      events: {
        idle: () => this.#acquire(task),
        listening: () => {
          of.client.listened();
          if (of.client.take()) this.#hold(task);
          else if (task.impatient && of.client.isInUseHere()) task.state = 'idle';
          else this.#wait(task);
        },
        waiting: () => this.#giveUp(task),
        expiring: () => assert.fail('it is told what came of it'),
        holding: () => this.#release(task),
      },
    };
    return task;
  }

  /** All that may happen next. */
  #events(mayAsk: boolean): (() => void)[] {
    const events = mayAsk && this.#trouble.clock === 'passes' ? [this.#timePasses] : [];
    for (const { alive, standsStill, up, down, later, tasks, arrivesUp, arrivesDown } of this.#members) {
      if (up.length > 0 && !this.makerDied) events.push(arrivesUp);
      if (!alive || standsStill) continue;
      if (down.length > 0) events.push(arrivesDown);
      for (const work of later) events.push(work);
      for (const task of tasks) if (this.#mayHappen(task.state, mayAsk)) events.push(task.events[task.state]);
    }
    if (this.makerDied) return events;
    for (let i = 0; i < this.#untold.length; i++) {
      const death = this.#untold[i]!;
      // The news comes after the last message from there.
      if (this.#members.some(({ address, up }) => up.length > 0 && isWithin(address, death.address))) continue;
      events.push(() => this.#arbiter.died(this.#untold.splice(i, 1)[0]!));
    }
    return events;
  }

  #mayHappen(state: TaskState, mayAsk: boolean): boolean {
    if (state === 'idle') return mayAsk;
    if (state === 'expiring') return false;
    if (state === 'waiting') return mayAsk && this.#random() < this.#givesUp;
    return true;
  }

  /** As lock.ts does. */
  #acquire(task: Task): void {
    const { client } = task.of;
    task.impatient = this.#random() < this.#attempts;
    if (client.take()) {
      this.#hold(task);
    } else if (task.impatient && client.isInUseHere()) {
      return;
    } else if (client.mustListen()) {
      client.listen();
      task.state = 'listening';
    } else {
      this.#wait(task);
    }
  }

  #wait(task: Task): void {
    task.state = 'waiting';
    task.waiter = undefined;
    const waiter = task.of.client.wait(task.impatient, (got) => {
      if (got) return this.#hold(task);
      assert.ok(task.impatient, 'only an attempt is refused, and whose time is up');
      task.state = 'idle';
      this.#leaveLine(task);
    }, (error) => {
      assert.ok(error instanceof ProcessDied && this.makerDied);
      task.state = 'idle';
      this.#failed++;
    });
    task.waiter = waiter;
  }

  /** It is called off, or its time is up. */
  #giveUp(task: Task): void {
    if (this.#random() < 0.5) {
      task.of.client.withdraw(task.waiter!);
      task.state = 'idle';
      this.#leaveLine(task);
    } else if (!task.impatient) {
      task.impatient = true;
      task.state = 'expiring';
      task.of.client.expire(task.waiter!);
    }
  }

  #hold(task: Task): void {
    assert.ok(this.#holder === undefined, 'one at a time');
    const place = this.#line.indexOf(task);
    // The impatient before it may have been refused, and not have heard of it.
    if (place !== -1) {
      assert.ok(this.#line.slice(0, place).every(({ impatient }) => impatient), 'in the order of asking');
    }
    if (this.#abandoned) assert.ok(task.of.client.abandonedBy, 'the next holder learns of the death');
    this.#abandoned = false;
    this.#leaveLine(task);
    this.#holder = task;
    task.state = 'holding';
    this.acquired++;
  }

  #release(task: Task): void {
    task.state = 'idle';
    this.#holder = undefined;
    assert.ok(task.of.client.release());
    // As a loop does, which comes before anything else.
    if (!task.of.standsStill && this.#random() < 0.5) this.#acquire(task);
  }

  #leaveLine(task: Task): void {
    this.#line = this.#line.filter((other) => other !== task);
  }

  #hearAtArbiter(from: Member, message: ToArbiter): void {
    if (message.type === 'ask' && from.alive) {
      const asker = from.tasks.find(({ state, waiter }) => isWaiting(state) && waiter?.id === message.id)
        // The maker's own ask is heard before wait() has returned.
        ?? from.tasks.find(({ state, waiter }) => isWaiting(state) && waiter === undefined);
      if (asker !== undefined) this.#line.push(asker);
    }
    this.#arbiter.receive(from.address, message);
  }

  #tell(to: string, message: FromArbiter): void {
    const member = this.#memberAt(to);
    if (to === MAKER) member.client.hear(message);
    else if (member.alive) member.down.push(message);
    else this.#untold.push(deathOf(to)); // The router says so again.
  }

  /** A process dies, and all below it; what it sent last may be lost. */
  #crash(at: string): void {
    for (const member of this.#members) {
      if (!isWithin(member.address, at) || !member.alive) continue;
      member.alive = false;
      member.up.splice(Math.floor(this.#random() * (member.up.length + 1)));
      for (const task of member.tasks) {
        this.#leaveLine(task);
        if (this.#holder !== task) continue;
        this.#holder = undefined;
        this.#abandoned = true;
      }
    }
    this.#untold.push(deathOf(at));
    if (at !== MAKER) return;
    this.makerDied = true;
    for (const member of this.#members) {
      // What was on its way may arrive before the news, and nothing after it.
      if (member.alive && !isWithin(member.address, at)) doLater(member, () => {
        member.down.length = 0;
        member.client.orphan(deathOf(at));
      });
    }
  }

  #memberAt(at: string): Member {
    return this.#members.find(({ address }) => address === at)!;
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)]!;
  }
}

function isWaiting(state: TaskState): boolean {
  return state === 'waiting' || state === 'expiring';
}

function doLater({ later }: Member, work: () => void): void {
  const once = (): void => {
    later.splice(later.indexOf(once), 1);
    work();
  };
  later.push(once);
}

/** With an exit code: the name of a signal is looked up for each who waits, which takes longer than to serve it. */
function deathOf(address: string): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode: 1 };
}

function runMany(runs: number, trouble: Trouble): void {
  let acquired = 0;
  runSeeds(runs, 'LOCK_MODEL_FROM', (seed) => {
    const model = new Model(randomFrom(seed), trouble);
    model.run(400);
    acquired += model.acquired;
  });
  assert.ok(acquired > 10 * runs, `only ${acquired} times in ${runs} runs`);
}

describe('the protocol of a lock excludes, serves in order, loses nobody, and frees what nobody holds', () => {
  for (const clock of ['still', 'jumps', 'passes'] as const) {
    const when = { still: 'all is quick', jumps: 'nothing is quick', passes: 'time passes' }[clock];
    for (const [what, trouble] of Object.entries({
      'messages are late': {},
      'some give up': { givesUp: true },
      'processes die': { deaths: 'others' },
      'processes stand still': { standstills: true },
      'all of that happens': { givesUp: true, deaths: 'others', standstills: true },
    } as const)) {
      test(`while ${when} and ${what}`, { timeout: 60_000 }, () => runMany(250, { ...trouble, clock }));
    }
  }

  test('and fails everyone who waits when the process that made it dies', { timeout: 60_000 }, () => {
    runMany(500, { deaths: 'maker', givesUp: true, clock: 'passes' });
  });
});
