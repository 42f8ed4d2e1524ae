// The protocol of Queue without processes: an owner and seats on a network that delays as it likes and loses the dead.
// Thousands of random runs; a failure names the run, which can be repeated.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessDied, QueueClosed } from '../shared/multiprocessing/index.ts';
import type { Death } from '../shared/multiprocessing/index.ts';
import type { Getter } from '../shared/multiprocessing/queue-getters.ts';
import type { SeatHost } from '../shared/multiprocessing/queue-hosts.ts';
import { pack, unpack } from '../shared/multiprocessing/queue-item.ts';
import type { FromOwner, ToOwner } from '../shared/multiprocessing/queue-messages.ts';
import { QueueOwner } from '../shared/multiprocessing/queue-owner.ts';
import type { Putter } from '../shared/multiprocessing/queue-putters.ts';
import { QueueSeat } from '../shared/multiprocessing/queue-seat.ts';
import { isWithin } from '../shared/multiprocessing/router.ts';
import { Random } from './helpers/faults-random.ts';
import { runSeeds } from './helpers/seeds.ts';

const MAKER = '5';
/** The maker's parent, its child, two siblings, and a child of one of these: with it, the child dies. */
const ADDRESSES = ['', MAKER, '5.1', '6', '7', '7.1'];

interface Item {
  readonly by: string;
  readonly number: number;
}

interface Options {
  readonly maxsize: number;
  readonly joinable: boolean;
  /** Processes die, get and put give up, and those who were asked to give back are slow to answer. */
  readonly trouble: boolean;
}

interface Member {
  readonly address: string;
  readonly seat: QueueSeat;
  /** To and from the owner, in order. */
  readonly up: ToOwner[];
  readonly down: FromOwner[];
  /** What it does before it hears anything else. */
  readonly afterThis: (() => void)[];
  /** What it does before it tells others anything else. */
  readonly tellings: (() => void)[];
  /** What it does when its event loop turns. */
  readonly nextTurn: (() => void)[];
  readonly getters: Set<Getter>;
  readonly putters: Set<Putter>;
  /**
   * What may happen: the owner hears what it sent, it hears the owner, its event loop turns, it does something. Made once,
   * as there are hundreds of thousands to choose from.
   */
  readonly events: Readonly<Record<'up' | 'down' | 'turn' | 'act', () => void>>;
  /** What its gets have returned, in that order. */
  readonly got: Item[];
  /** How many of these it has said to be used. */
  used: number;
  alive: boolean;
  servedInTurn: number;
  lastPut: number;
}

class Model {
  readonly #random: Random;
  readonly #options: Options;
  readonly #owner: QueueOwner;
  readonly #members: Member[];
  readonly #late: (() => void)[] = [];
  /** The deaths that the owner has not heard of yet. */
  readonly #untold: Death[] = [];
  /** The owner's clock: it stands still unless those who were asked to give back are to be late. */
  #now = 0;
  #seatNow = 0;
  #closing = false;
  /** The items that are in the queue, or were, for all that anybody can know. */
  readonly #put: Item[] = [];
  /** What the dead had taken and said to be used, which the owner may have heard or not. */
  readonly #usedByDead: Item[] = [];

  constructor(random: Random, options: Options) {
    this.#random = random;
    this.#options = options;
    const { maxsize, joinable } = options;
    this.#members = ADDRESSES.map((address) => this.#member(address));
    const maker = this.#of(MAKER);
    this.#owner = new QueueOwner(maxsize, joinable, {
      self: MAKER,
      tell: (to, message) => this.#tell(to, message),
      arrives: () => {},
      returns: () => {},
      leaves: () => {},
      now: () => this.#now,
      afterThis: (work) => maker.afterThis.push(work),
      after: (_ms, work) => this.#late.push(work),
    });
    for (const member of this.#members) if (member !== maker) member.up.push({ type: 'here' });
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.#random.oneOf(this.#events(true))();
      if (!this.#options.trouble) this.#checkBound();
      else if (this.#random.fraction() < 0.004) this.#crash(this.#random.oneOf(ADDRESSES.slice(2)));
    }
    this.#comeToRest();
    this.#checkNobodyWaitsInVain();
    this.#closing = this.#random.fraction() < 0.5;
    if (this.#closing) this.#do(this.#random.oneOf(this.#living()), (member) => member.seat.close());
    this.#drain();
    this.#checkItems();
    if (!this.#options.trouble) for (const member of this.#members) checkOrder(member);
  }

  #member(address: string): Member {
    const atHome = address === MAKER;
    const host: SeatHost = {
      atHome,
      tell: (message) => {
        if (atHome) {
          this.#owner.receive(MAKER, message);
        } else {
          tellNow(member);
          member.up.push(message);
        }
      },
      hurry: () => {
        tellNow(member);
        if (atHome) this.#owner.settle();
      },
      now: () => this.#seatNow,
      mayServeAtOnce: () => ++member.servedInTurn <= 3,
      nextTurn: (work) => member.nextTurn.push(work),
      tellSoon: (work) => {
        member.tellings.push(work);
        member.afterThis.push(() => tellNow(member));
      },
    };
    const member: Member = {
      address, seat: new QueueSeat(this.#options.maxsize, this.#options.joinable, host),
      up: [], down: [], afterThis: [], tellings: [], nextTurn: [], getters: new Set(), putters: new Set(), got: [],
      used: 0, alive: true, servedInTurn: 0, lastPut: 0,
      events: {
        up: () => this.#do(this.#of(MAKER), () => this.#owner.receive(address, member.up.shift()!)),
        down: () => this.#do(member, () => member.seat.hear(member.down.shift()!)),
        turn: () => this.#do(member, () => this.#turn(member)),
        act: () => this.#do(member, () => this.#act(member)),
      },
    };
    return member;
  }

  #of(address: string): Member {
    return this.#members.find((member) => member.address === address)!;
  }

  #living(): Member[] {
    return this.#members.filter(({ alive }) => alive);
  }

  /** All that may happen next. */
  #events(mayAsk: boolean): (() => void)[] {
    const events: (() => void)[] = [];
    for (const { alive, up, down, nextTurn, events: may } of this.#members) {
      if (up.length > 0) events.push(may.up);
      if (!alive) continue;
      if (down.length > 0) events.push(may.down);
      if (nextTurn.length > 0) events.push(may.turn);
      if (mayAsk) events.push(may.act);
    }
    for (const [i, death] of this.#untold.entries()) {
      // The news comes after the last message from there.
      if (this.#members.some(({ address, up }) => isWithin(address, death.address) && up.length > 0)) continue;
      events.push(() => this.#do(this.#of(MAKER), () => this.#owner.died(this.#untold.splice(i, 1)[0]!)));
    }
    if (this.#late.length > 0 && (this.#options.trouble || events.length === 0)) {
      events.push(() => {
        this.#now += this.#random.between(0, 150); // Timers are not exact.
        this.#do(this.#of(MAKER), () => this.#late.shift()!());
      });
    }
    return events;
  }

  /** Something happens in a process, with all that follows from it at once. */
  #do(member: Member, work: (member: Member) => void): void {
    work(member);
    for (const actor of [member, this.#of(MAKER)]) while (actor.afterThis.length > 0) actor.afterThis.shift()!();
  }

  #turn(member: Member): void {
    member.servedInTurn = 0;
    for (const work of member.nextTurn.splice(0)) work();
  }

  #act(member: Member): void {
    this.#seatNow += this.#random.fraction() * 2;
    for (let i = this.#random.between(1, 8), what = this.#random.fraction(); i > 0; i--) {
      if (what < 0.42) this.#startPut(member);
      else if (what < 0.84) this.#startGet(member);
      else if (what < 0.9 && this.#options.trouble) this.#giveUp(member);
      else if (what < 0.92 && this.#options.trouble) this.#leave(member);
      else this.#turn(member);
    }
  }

  #startPut(member: Member): void {
    if (member.putters.size >= 5) return;
    const { putters } = member.seat;
    const item: Item = { by: member.address, number: ++member.lastPut };
    const settle = (): void => {
      if (member.alive) this.#put.push(item);
    };
    member.seat.aboutToPut();
    if (putters.isReady()) {
      putters.put(pack(item));
      settle();
      return;
    }
    const putter: Putter = {
      now: this.#options.trouble && this.#random.fraction() < 0.2,
      item: () => pack(item),
      settle: () => {
        assert.ok(member.putters.delete(putter));
        settle();
      },
      fail: (error) => {
        assert.ok(member.putters.delete(putter));
        if (error instanceof QueueClosed) assert.ok(this.#closing);
        else if (!(error instanceof ProcessDied)) assert.ok(putter.now && this.#options.maxsize > 0, String(error));
      },
    };
    member.putters.add(putter);
    putters.wait(putter);
  }

  #startGet(member: Member): void {
    if (member.getters.size >= 5) return;
    const { getters } = member.seat;
    member.seat.aboutToGet();
    if (this.#options.joinable) {
      while (member.used < member.got.length && this.#random.fraction() < 0.7) {
        member.used++;
        assert.ok(member.seat.finishOne());
      }
    } else {
      member.used = member.got.length;
    }
    if (getters.isReady()) {
      member.got.push(unpack(getters.take()) as Item);
      return;
    }
    const getter: Getter = {
      now: this.#options.trouble && this.#random.fraction() < 0.2,
      settle: (item) => {
        assert.ok(member.getters.delete(getter));
        member.got.push(unpack(item) as Item);
      },
      fail: (error) => {
        assert.ok(member.getters.delete(getter));
        if (error instanceof QueueClosed) assert.ok(this.#closing);
        else if (!(error instanceof ProcessDied)) assert.ok(getter.now, String(error));
      },
    };
    member.getters.add(getter);
    getters.wait(getter);
  }

  /** The time of a wait runs out. */
  #giveUp(member: Member): void {
    const getter = [...member.getters].find(({ now }) => !now);
    if (getter !== undefined) {
      member.getters.delete(getter);
      member.seat.getters.withdraw(getter);
    }
    const putter = [...member.putters].find(({ now }) => !now);
    if (putter !== undefined) {
      member.putters.delete(putter);
      member.seat.putters.withdraw(putter);
    }
  }

  /** Its target has ended; it goes on all the same. */
  #leave(member: Member): void {
    if (!this.#options.joinable) member.used = member.got.length;
    member.seat.leave(true);
  }

  #tell(to: string, message: FromOwner): void {
    const member = this.#of(to);
    if (to === MAKER) return member.seat.hear(message);
    tellNow(this.#of(MAKER));
    if (member.alive) member.down.push(message);
    else this.#untold.push(deathOf(to)); // The router says so again.
  }

  /** A process dies, and all below it; what it sent last may be lost. */
  #crash(at: string): void {
    for (const member of this.#members) {
      if (!isWithin(member.address, at) || !member.alive) continue;
      member.alive = false;
      const lost = member.up.splice(this.#random.between(0, member.up.length));
      // What had not left the process is lost with it.
      const items = lost.flatMap((message) => 'items' in message ? message.items.map(unpack) : []) as Item[];
      for (const { by, number } of items) {
        const i = this.#put.findIndex((item) => item.by === by && item.number === number);
        if (i !== -1) this.#put.splice(i, 1);
      }
      this.#usedByDead.push(...member.got.slice(0, member.used));
    }
    this.#untold.push(deathOf(at));
  }

  #comeToRest(): void {
    for (let events = this.#events(false); events.length > 0; events = this.#events(false)) {
      this.#random.oneOf(events)();
    }
  }

  /** How many items the owner counts, when everything is at rest. */
  #size(): number {
    let size = -1;
    this.#do(this.#of(MAKER), ({ seat }) => seat.ask('size', (value) => { size = value; }, assert.fail));
    return size;
  }

  #checkBound(): void {
    if (this.#options.maxsize === 0) return;
    let inside = this.#put.length;
    for (const { got } of this.#members) inside -= got.length;
    assert.ok(inside <= this.#options.maxsize, 'never more items than places');
  }

  #checkNobodyWaitsInVain(): void {
    const size = this.#size();
    for (const { address, getters, putters } of this.#living()) {
      if (size > 0) assert.equal(getters.size, 0, `a get in '${address}' waits although there are ${size} items`);
      if (this.#options.maxsize === 0 || size < this.#options.maxsize) {
        assert.equal(putters.size, 0, `a put in '${address}' waits although there are ${size} items`);
      }
      for (const { now } of [...getters, ...putters]) assert.ok(!now, `'${address}' has its answer`);
    }
  }

  /** One of the living takes all that is left. */
  #drain(): void {
    this.#comeToRest();
    const taker = this.#random.oneOf(this.#living());
    for (const member of this.#living()) {
      while (member.getters.size > 0 && member !== taker && !this.#closing) {
        const getter = [...member.getters][0]!;
        member.getters.delete(getter);
        this.#do(member, () => member.seat.getters.withdraw(getter));
      }
    }
    for (let before = -1; before !== taker.got.length;) {
      this.#comeToRest();
      before = taker.got.length;
      for (let i = 0; i < 5; i++) this.#do(taker, () => this.#startGet(taker));
      this.#comeToRest();
    }
    assert.equal(this.#size(), 0, 'all can be got');
    if (this.#closing) for (const { getters } of this.#living()) assert.equal(getters.size, 0, 'closed to all');
  }

  #checkItems(): void {
    const nameOf = ({ by, number }: Item): string => `${by}/${number}`;
    const gotByLiving = this.#living().flatMap(({ got }) => got).map(nameOf);
    const usedByDead = new Set(this.#usedByDead.map(nameOf));
    assert.equal(new Set(gotByLiving).size, gotByLiving.length, 'nothing comes twice to the living');
    const got = new Set(gotByLiving);
    for (const item of this.#put.map(nameOf)) if (!got.has(item) && !usedByDead.has(item)) assert.fail(`${item} is lost`);
  }
}

function tellNow(member: Member): void {
  for (const work of member.tellings.splice(0)) work();
}

/** What one process puts comes to another in the order in which it was put. */
function checkOrder({ address, got }: Member): void {
  const last = new Map<string, number>();
  for (const { by, number } of got) {
    assert.ok(number > (last.get(by) ?? 0), `'${address}' got ${number} of '${by}' after ${last.get(by)}`);
    last.set(by, number);
  }
}

/** With an exit code: the name of a signal is looked up for each who waits, which takes longer than to serve it. */
function deathOf(address: string): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode: 1 };
}

function runMany(runs: number, options: Options): void {
  runSeeds(runs, 'QUEUE_MODEL_FROM', (seed) => new Model(new Random(seed), options).run(300));
}

describe('a queue, on any network', () => {
  for (const [name, maxsize, joinable] of [
    ['unbounded', 0, false], ['with one place', 1, false], ['with five places', 5, false],
    ['whose items must be done', 5, true],
  ] as const) {
    test(`${name}: brings every item once, in its putter's order, to whoever asks`, { timeout: 20_000 }, () => {
      runMany(150, { maxsize, joinable, trouble: false });
    });
    test(`${name}: loses nothing and serves everybody when processes die and waits end`, { timeout: 20_000 }, () => {
      runMany(150, { maxsize, joinable, trouble: true });
    });
  }
});
