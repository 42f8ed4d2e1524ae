// What is true of Event, Semaphore and Barrier in every order of their messages, with deaths, give-ups and standstills
// at the worst moments. Thousands of random runs; a failure names the run, which can be repeated.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWithin } from '../../shared/multiprocessing/base/address.ts';
import { BrokenBarrierError, ProcessDied } from '../../shared/multiprocessing/index.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import { BarrierOwner } from '../../shared/multiprocessing/synchronize/barrier-owner.ts';
import { EventOwner } from '../../shared/multiprocessing/synchronize/event-owner.ts';
import type { FromOwner, ToOwner } from '../../shared/multiprocessing/synchronize/messages.ts';
import { SemaphoreOwner } from '../../shared/multiprocessing/synchronize/semaphore-owner.ts';
import { randomFrom } from '../helpers/random.ts';
import { runSeeds } from '../helpers/seeds.ts';
import { MAKER, SynchronizeModel } from '../helpers/synchronize-model.ts';
import type { InLine, Member, Task, Trouble } from '../helpers/synchronize-model.ts';

/**
 * Who releases. `holders`: each its own. `strangers`: any process, in its place. `signals`: permits are used up, and
 * others release new ones.
 */
type Releases = 'holders' | 'strangers' | 'signals';

class SemaphoreModel extends SynchronizeModel {
  readonly #permits: number;
  readonly #releases: Releases;
  #using = 0;
  #signals = 0;
  #usedUp = 0;
  /** Which grants told of a death: by process and number. */
  readonly #tellsOfDeath = new Set<string>();
  #diedUsing = 0;
  #learned = 0;

  constructor(random: () => number, trouble: Trouble, releases: Releases) {
    const permits = Math.floor(random() * 4) + (releases === 'signals' ? 0 : 1);
    super(random, trouble, 'acquire', (host) => new SemaphoreOwner(host, permits, releases !== 'signals'));
    this.#permits = permits;
    this.#releases = releases;
  }

  protected override told(who: InLine, message: FromOwner): void {
    if (message.type !== 'grant') return;
    assert.equal(this.line[0], who, 'in the order of asking');
    if (message.abandonedBy !== null) this.#tellsOfDeath.add(`${who.from}/${who.id}`);
  }

  protected override answered(task: Task, value: number | boolean): void {
    if (value !== true) {
      assert.equal(task.state, 'expiring');
      task.state = 'idle';
      return;
    }
    task.state = 'using';
    this.served++;
    this.#using++;
    if (this.#tellsOfDeath.has(`${task.of.address}/${task.id}`)) this.#learned++;
    if (this.#releases === 'holders') assert.ok(this.#using <= this.#permits, 'no more than there are permits');
  }

  protected override refused(task: Task, error: Error): void {
    assert.ok(error instanceof ProcessDied && (this.makerDied || this.#releases === 'signals'));
    task.state = 'idle';
  }

  protected override crashed({ state }: Task): void {
    if (state !== 'using') return;
    this.#using--;
    this.#diedUsing++;
  }

  protected override letGo(task: Task): void {
    task.state = 'idle';
    this.#using--;
    if (this.#releases === 'signals') this.#usedUp++;
    else this.#release(this.#releases === 'holders' ? task.of : this.#anyOne());
  }

  protected override others(member: Member): (() => void)[] {
    if (this.#releases !== 'signals' || this.random() < 0.5) return [];
    return [() => {
      this.#signals++;
      this.#release(member);
    }];
  }

  protected override atRest(): void {
    if (this.makerDied) {
      for (const { state } of this.living()) assert.equal(state, 'idle', 'nobody waits for the dead');
      return;
    }
    const waiting = this.living().filter(({ state }) => state !== 'idle');
    const free = this.askNow('value');
    assert.ok(waiting.length === 0 || free === 0, 'nobody waits while one is free');
    if (this.#releases === 'signals') {
      if (this.trouble.deaths !== true) assert.equal(free, this.#permits + this.#signals - this.#usedUp);
      return;
    }
    if (this.#isUnclear) return;
    assert.deepEqual([waiting.length, free], [0, this.#permits], 'all that were let go, or died, are free');
    if (this.#releases === 'strangers') return;
    // Whoever gets all of them learns of everybody who had one when it died.
    const all = Array.from({ length: this.#permits }, (): Task => ({ of: this.of(MAKER), state: 'idle', id: 0 }));
    for (const task of all) this.begin(task);
    assert.ok(this.#learned >= this.#diedUsing, `${this.#learned} told of ${this.#diedUsing}`);
    for (const task of all) this.letGo(task);
  }

  /** Whose permit a stranger gave back the owner cannot know: when the wrong one dies, there is one too many or few. */
  get #isUnclear(): boolean {
    return this.#releases === 'strangers' && this.trouble.deaths === true;
  }

  #anyOne(): Member {
    return this.pick(this.members.filter(({ alive, standsStill }) => alive && !standsStill));
  }

  #release(member: Member): void {
    member.client.releases();
    this.ask(member, 'release', () => {}, (error) => assert.ok(this.makerDied || this.#isUnclear, error));
  }
}

class BarrierModel extends SynchronizeModel {
  readonly #parties: number;
  /** The index that is told next. */
  #next = 0;
  /** Something has happened that breaks a barrier, or ends a round, since it was reset. */
  #mayBreak = false;
  #mustBeBroken = false;
  /** Those who wait although their time is up. */
  readonly #lapsing = new Set<InLine>();

  constructor(random: () => number, trouble: Trouble) {
    const parties = 1 + Math.floor(random() * 4);
    super(random, trouble, 'wait', (host) => new BarrierOwner(host, parties, undefined));
    this.#parties = parties;
  }

  protected override told(who: InLine, message: FromOwner): void {
    if (message.type === 'refuse') {
      this.#mayBreak ||= this.#lapsing.size > 0;
      assert.ok(message.error === 'broken' && this.#mayBreak);
      return;
    }
    this.#lapsing.delete(who);
    if (this.#next === 0) assert.equal(this.line.length, this.#parties, 'when all have come');
    assert.equal(this.line[0], who);
    assert.ok(message.type === 'answer');
    assert.equal(message.value, this.#next);
    this.#next = (this.#next + 1) % this.#parties;
  }

  protected override answered(task: Task): void {
    task.state = 'idle';
    this.served++;
  }

  protected override refused(task: Task, error: Error): void {
    assert.ok(error instanceof BrokenBarrierError || (error instanceof ProcessDied && this.makerDied));
    task.state = 'idle';
  }

  protected override letGo(): void {}

  protected override hears(from: string, message: ToOwner): void {
    if (this.toldDead.has(from)) return;
    const who = 'id' in message ? this.line.find((who) => who.from === from && who.id === message.id) : undefined;
    if (who !== undefined && message.type === 'expire') this.#lapsing.add(who);
    if (who !== undefined && message.type === 'withdraw') this.#lapsing.delete(who);
    if (message.type !== 'ask') return;
    if (message.what === 'abort') this.#mayBreak = this.#mustBeBroken = true;
    if (message.what === 'reset') {
      this.#mayBreak = true;
      this.#mustBeBroken = false;
    }
  }

  protected override hearsOfDeath({ address, exitCode }: { address: string; exitCode: number }): void {
    this.#mayBreak = true;
    const isNews = this.#heardDead.size < this.#heardDead.add(address).size;
    if (isNews && exitCode !== 0) this.#mustBeBroken = true;
  }

  readonly #heardDead = new Set<string>();

  protected override others(member: Member): (() => void)[] {
    if (this.trouble.givesUp !== true && this.trouble.deaths !== true || this.random() < 0.7) return [];
    return [() => this.ask(member, this.random() < 0.2 ? 'abort' : 'reset', () => {}, () => {})];
  }

  protected override atRest(): void {
    const waiting = this.living().filter(({ state, of }) => state !== 'idle' && !of.standsStill).length;
    if (this.makerDied) return assert.equal(waiting, 0, 'nobody waits for the dead');
    assert.equal(this.#next, 0, 'all of a round go on');
    const isBroken = this.askNow('broken');
    if (this.#mustBeBroken) assert.equal(isBroken, true, 'broken until it is reset');
    assert.ok(isBroken === false || this.#mayBreak, 'nothing has broken it');
    if (isBroken === true) assert.equal(waiting, 0, 'nobody waits at a broken barrier');
    else assert.ok(waiting < this.#parties, 'nobody waits when all are there');
    assert.equal(this.askNow('waiting'), waiting);
  }
}

class EventModel extends SynchronizeModel {
  #isSet = false;
  #hasFailed = false;
  /** One failed since a process came to hold it. */
  #somebodyFailed = false;
  readonly #holders = new Set<string>([MAKER]);
  #refusedNow = new Set<string>();

  constructor(random: () => number, trouble: Trouble) {
    super(random, trouble, 'wait', (host) => new EventOwner(host));
  }

  protected override told({ from }: InLine, message: FromOwner): void {
    if (message.type === 'answer') {
      assert.ok(message.value === false || this.#isSet);
      return;
    }
    assert.ok(this.#hasFailed);
    this.#refusedNow.add(from);
    const waits = (address: string): boolean =>
      this.#refusedNow.has(address) || this.line.some((other) => other.from === address);
    const left = this.members.filter(({ address, has }) => has && !this.toldDead.has(address));
    assert.ok(left.every(({ address }) => waits(address)), 'all who are left wait');
    assert.ok(this.travelling?.canBeGot(({ address }) => waits(address)) !== true, 'nobody can get it');
  }

  protected override answered(task: Task, value: number | boolean): void {
    if (value === true) this.served++;
    else assert.equal(task.state, 'expiring');
    task.state = 'idle';
  }

  protected override refused(task: Task, error: Error): void {
    assert.ok(error instanceof ProcessDied);
    task.state = 'idle';
  }

  protected override letGo(): void {}

  protected override hears(from: string, message: ToOwner): void {
    this.#refusedNow = new Set();
    if (message.type === 'here' && this.#holders.size < this.#holders.add(from).size) this.#somebodyFailed = false;
    if (message.type === 'kept' && message.death !== null && message.death.exitCode !== 0) {
      this.#hasFailed = this.#somebodyFailed = true;
    }
    if (message.type !== 'ask' || this.toldDead.has(from)) return;
    if (message.what === 'set') this.#isSet = true;
    if (message.what === 'clear') this.#isSet = false;
  }

  protected override hearsOfDeath({ address, exitCode }: Death): void {
    this.#refusedNow = new Set();
    this.#hasFailed = true;
    const held = [...this.#holders].filter((holder) => isWithin(holder, address));
    for (const holder of held) this.#holders.delete(holder);
    if (held.length > 0 && exitCode !== 0) this.#somebodyFailed = true;
  }

  protected override others(member: Member): (() => void)[] {
    if (this.random() < 0.8) return [];
    return [() => this.ask(member, this.random() < 0.5 ? 'set' : 'clear', () => {}, () => {})];
  }

  protected override atRest(): void {
    const waiting = this.living().filter(({ state }) => state !== 'idle').length;
    if (this.makerDied) return assert.equal(waiting, 0, 'nobody waits for the dead');
    assert.equal(this.askNow('isSet'), this.#isSet);
    if (this.#isSet) assert.equal(waiting, 0, 'nobody waits when it is set');
    const waits = ({ tasks }: Member): boolean => tasks.some(({ state }) => state !== 'idle');
    const all = this.members.filter(({ alive, has }) => alive && has);
    if (!this.#somebodyFailed || !all.every(waits) || this.travelling?.isOffered === true) return;
    assert.ok(this.travelling?.canBeGot(waits) === true || waiting === 0, 'nobody waits in vain');
  }
}

function runMany(runs: number, make: (random: () => number) => SynchronizeModel): void {
  let served = 0;
  runSeeds(runs, 'SYNCHRONIZE_MODEL_FROM', (seed) => {
    const model = make(randomFrom(seed));
    model.run(300);
    served += model.served;
  });
  assert.ok(served > runs, `only ${served} times in ${runs} runs`);
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  'messages are late': {},
  'some give up': { givesUp: true },
  'processes die': { deaths: true },
  'processes stand still': { standstills: true, givesUp: true },
  'all of that happens': { givesUp: true, deaths: true, standstills: true },
  'it travels, and processes die': { travels: true, deaths: true, givesUp: true },
  'the process that made it dies': { givesUp: true, deaths: true, maker: true },
};

for (const [what, make] of Object.entries<(random: () => number, trouble: Trouble) => SynchronizeModel>({
  'a semaphore gives out what it has, in order, and has back what the dead held':
    (random, trouble) => new SemaphoreModel(random, trouble, 'holders'),
  'a semaphore whose permits any process releases':
    (random, trouble) => new SemaphoreModel(random, trouble, 'strangers'),
  'a semaphore whose permits are signals': (random, trouble) => new SemaphoreModel(random, trouble, 'signals'),
  'a barrier lets pass when all have come, or is broken': (random, trouble) => new BarrierModel(random, trouble),
  'an event lets all go on when it is set': (random, trouble) => new EventModel(random, trouble),
})) {
  describe(what, () => {
    for (const [when, trouble] of Object.entries(TROUBLES)) {
      test(`while ${when}`, { timeout: 60_000 }, () => runMany(150, (random) => make(random, trouble)));
    }
  });
}
