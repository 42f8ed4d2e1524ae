// The protocol of Queue without processes: an owner and clients on a network that delays as it likes. Nothing in it
// knows a time: what stands still is what chance does not choose. Each kind of trouble can be had alone. Used by
// queue-model.test.ts.
import { isWithin } from '../../shared/multiprocessing/base/address.ts';
import assert from 'node:assert/strict';
import { ProcessDied, QueueClosed, QueueEmpty, QueueFull } from '../../shared/multiprocessing/index.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import { QueueClient } from '../../shared/multiprocessing/queue/client/client.ts';
import type { Getter } from '../../shared/multiprocessing/queue/client/gets.ts';
import { pack, unpack } from '../../shared/multiprocessing/values/packed.ts';
import type { Packed } from '../../shared/multiprocessing/values/packed.ts';
import type { FromOwner, ToOwner } from '../../shared/multiprocessing/queue/owner/messages.ts';
import { QueueOwner } from '../../shared/multiprocessing/queue/owner/owner.ts';
import type { Putter } from '../../shared/multiprocessing/queue/client/puts.ts';
import type { Random } from './faults-random.ts';

export const MAKER = '5';
/** The maker's parent, its child, two siblings, and a child of one of these: with it, the child dies. */
export const ADDRESSES = ['', MAKER, '5.1', '6', '7', '7.1'];

export interface Options {
  readonly maxsize: number;
  readonly joinable: boolean;
  /** Processes die, and their targets end. */
  readonly deaths?: boolean;
  /** Waits run out of time, or are aborted, or ask only once. */
  readonly givesUp?: boolean;
  /** Who takes items goes on to take them, so that nobody's must come late to others. */
  readonly insists?: boolean;
}

export interface Item {
  readonly by: string;
  readonly number: number;
}

export interface Member {
  readonly address: string;
  readonly client: QueueClient;
  /** To and from the owner, in order. */
  readonly up: ToOwner[];
  readonly down: FromOwner[];
  /**
   * What it does next, as after settled promises; what it does then, before it hears anything else; and when its event
   * loop turns.
   */
  readonly next: (() => void)[];
  readonly afterThis: (() => void)[];
  readonly nextTurn: (() => void)[];
  /** What it does before it tells others anything. */
  readonly tellings: (() => void)[];
  readonly getters: Set<Getter>;
  readonly putters: Set<Putter>;
  /** What its gets have returned, in that order, and how many of these it has said to be used. */
  readonly got: Item[];
  used: number;
  alive: boolean;
  servedInTurn: number;
  lastPut: number;
  /** It takes items, or only puts them so far. */
  takes: boolean;
  /** So many gets follow one another at once. */
  burst: number;
}

export function nameOf({ by, number }: Item): string {
  return `${by}/${number}`;
}

function nameIn(item: Packed): string {
  return nameOf(unpack(item) as Item);
}

export class QueueModel {
  readonly random: Random;
  readonly options: Options;
  readonly members: readonly Member[];
  /** What puts have told to be in the queue, and what they have told not to be. */
  readonly put: Item[] = [];
  readonly refused = new Set<string>();
  /** Who was sent an item last. */
  readonly sentTo = new Map<string, string>();
  /** What may come late: it came back from the dead, or from who says that it does not want it. */
  readonly late = new Set<string>();
  /** What the dead had taken and said to be used, which the owner may have heard or not. */
  readonly usedByDead = new Set<string>();
  closing = false;
  readonly #owner: QueueOwner;
  /** The deaths that the owner has not heard of yet. */
  readonly #untold: Death[] = [];
  /** What the owner does when all has come that is under way. */
  readonly #whenAllHeard: (() => void)[] = [];
  /** Items that came back from these, which have not said that they do not want them. */
  readonly #returned = new Map<string, string[]>();
  /** Of these the target has ended: they want nothing any more, also of what is still on its way to them. */
  readonly #left = new Set<string>();
  /** How many gets of one process may wait at once. */
  readonly #mostGets: number;
  #clock = 0;

  constructor(random: Random, options: Options) {
    this.random = random;
    this.options = options;
    this.#mostGets = random.fraction() < 0.7 ? 1 : 5;
    this.members = ADDRESSES.map((address) => this.#member(address));
    this.#owner = new QueueOwner(options.maxsize, options.joinable, {
      self: MAKER,
      tell: (to, message) => this.#tell(to, message),
      arrives: () => {},
      carries: () => {},
      leaves: () => {},
      isShared: () => {},
      whenAllHeard: (call) => void this.#whenAllHeard.push(call),
      afterThis: (work) => this.of(MAKER).afterThis.push(work),
    });
    for (const member of this.members) if (member.address !== MAKER) member.up.push({ type: 'here' });
    // All but one have put something, and so that one may be sent items ahead.
    const first = random.oneOf(this.members);
    first.takes = true;
    for (const member of this.members) if (member !== first) this.do(member, () => this.startPut(member));
    this.comeToRest();
  }

  of(address: string): Member {
    return this.members.find((member) => member.address === address)!;
  }

  living(): Member[] {
    return this.members.filter(({ alive }) => alive);
  }

  /**
   * Something happens somewhere, but not in the process at `still`, nor do others hear from there. @returns Whether it
   * did.
   */
  step(mayAct: boolean, still?: string): boolean {
    const events = this.#events(mayAct, still);
    if (events.length === 0) return false;
    this.random.oneOf(events)();
    return true;
  }

  comeToRest(still?: string): void {
    while (this.step(false, still));
  }

  /** Something happens in a process, with all that follows from it at once. */
  do(member: Member, work: (member: Member) => void): void {
    work(member);
    for (const actor of [member, this.of(MAKER)]) {
      for (let goesOn = true; goesOn;) {
        const task = actor.next.shift() ?? actor.afterThis.shift();
        task?.();
        goesOn = task !== undefined;
      }
    }
  }

  /** How many items the owner counts. */
  size(): number {
    let size = -1;
    this.do(this.of(MAKER), ({ client }) => client.ask('size', (value) => { size = value; }, assert.fail));
    return size;
  }

  /** What must be in the queue: it was put, and nobody has it. */
  inside(): Item[] {
    const got = new Set(this.members.flatMap((member) => member.got.map(nameOf)));
    return this.put.filter((item) => !got.has(nameOf(item)));
  }

  startPut(member: Member): void {
    const item: Item = { by: member.address, number: ++member.lastPut };
    const packed = pack(item);
    try {
      member.client.mustTakePuts();
    } catch (error) {
      assert.ok(error instanceof QueueClosed && this.closing);
      return;
    }
    if (member.client.puts.put(packed)) return void this.put.push(item);
    const putter: Putter = {
      now: this.options.givesUp === true && this.random.fraction() < 0.2,
      item: packed,
      release: () => {},
      settle: () => {
        assert.ok(member.putters.delete(putter));
        if (member.alive) this.put.push(item);
      },
      fail: (error) => {
        assert.ok(member.putters.delete(putter));
        this.refused.add(nameOf(item));
        if (error instanceof QueueClosed) assert.ok(this.closing);
        else if (error instanceof QueueFull) assert.ok(this.options.givesUp);
        else assert.ok(error instanceof ProcessDied && this.options.deaths, String(error));
      },
    };
    member.putters.add(putter);
    member.client.puts.wait(putter);
  }

  /** @param isClosed This process has closed the queue before. */
  startGet(member: Member, isClosed = false): void {
    const { gets } = member.client;
    this.#useSome(member);
    const here = gets.begin();
    if (here !== undefined) return this.#got(member, here.item);
    const getter: Getter = {
      now: this.options.givesUp === true && this.random.fraction() < 0.2,
      settle: (item) => {
        assert.ok(member.getters.delete(getter));
        this.#got(member, item);
      },
      fail: (error) => {
        assert.ok(member.getters.delete(getter));
        if (error instanceof QueueClosed) assert.ok(this.closing);
        else if (error instanceof QueueEmpty) {
          assert.ok(this.options.givesUp);
          assert.ok(!isClosed || this.inside().length > 0, 'closed and empty is closed, not empty');
        } else assert.ok(error instanceof ProcessDied && this.options.deaths, String(error));
      },
    };
    member.getters.add(getter);
    gets.wait(getter);
  }

  abort(member: Member, getter: Getter): void {
    member.getters.delete(getter);
    member.client.gets.callOff(getter);
  }

  /** A process dies, and all below it; what it sent last may be lost. */
  crash(at: string): void {
    for (const member of this.members) {
      if (!isWithin(member.address, at) || !member.alive) continue;
      member.alive = false;
      const lost = member.up.splice(this.random.between(0, member.up.length));
      // What had not left the process is lost with it.
      const names = new Set(lost.flatMap((message) => message.type === 'puts' ? message.items.map(nameIn) : []));
      for (let i = this.put.length - 1; i >= 0; i--) if (names.has(nameOf(this.put[i]!))) this.put.splice(i, 1);
      for (const item of member.got.slice(0, member.used)) this.usedByDead.add(nameOf(item));
      for (const [name, to] of this.sentTo) if (to === member.address) this.late.add(name);
    }
    this.#untold.push(deathOf(at));
  }

  /** Its target has ended; it goes on all the same. */
  leave(member: Member): void {
    if (!this.options.joinable) member.used = member.got.length;
    this.#left.add(member.address);
    this.#mayComeLate(member.address);
    member.client.leave(true);
  }

  #member(address: string): Member {
    const atHome = address === MAKER;
    const member: Member = {
      address,
      client: new QueueClient(this.options.maxsize, this.options.joinable, {
        atHome,
        takeHere: () => this.#owner.takeHere(),
        tell: (message) => {
          if (atHome) return this.#owner.receive(MAKER, message);
          tellNow(member);
          if (message.type === 'idle') this.#mayComeLate(address);
          if (message.type === 'back') this.#comesBack(member, message.count);
          member.up.push(message);
        },
        flush: () => {
          tellNow(member);
          if (atHome) this.#owner.settle();
        },
        now: () => this.#clock,
        mayServeAtOnce: () => ++member.servedInTurn <= 7,
        isAboutToEnd: () => false,
        nextTurn: (work) => member.nextTurn.push(work),
        tellSoon: (work) => {
          member.tellings.push(work);
          member.afterThis.push(() => tellNow(member));
        },
      }),
      up: [], down: [], next: [], afterThis: [], nextTurn: [], tellings: [], getters: new Set(), putters: new Set(),
      got: [], used: 0, alive: true, servedInTurn: 0, lastPut: 0, burst: 0, takes: false,
    };
    return member;
  }

  /** All that may happen next. */
  #events(mayAct: boolean, still: string | undefined): (() => void)[] {
    const events: (() => void)[] = [];
    for (const member of this.members) {
      const { address, alive, up, down, nextTurn } = member;
      if (address === still) continue;
      if (up.length > 0) events.push(() => this.do(this.of(MAKER), () => this.#owner.receive(address, up.shift()!)));
      if (!alive) continue;
      if (down.length > 0) events.push(() => this.do(member, () => member.client.hear(down.shift()!)));
      if (nextTurn.length > 0) events.push(() => this.do(member, () => turn(member)));
      if (mayAct) events.push(() => this.do(member, () => this.#act(member)));
    }
    for (const [i, death] of this.#untold.entries()) {
      // The news comes after the last message from there.
      if (this.members.some(({ address, up }) => isWithin(address, death.address) && up.length > 0)) continue;
      events.push(() => this.do(this.of(MAKER), () => this.#owner.died(this.#untold.splice(i, 1)[0]!)));
    }
    const isUnderWay = this.members.some(({ alive, up, down }) => up.length + (alive ? down.length : 0) > 0);
    const isQuiet = !isUnderWay && this.#untold.length === 0;
    if (isQuiet && this.#whenAllHeard.length > 0) {
      events.push(() => this.do(this.of(MAKER), () => this.#whenAllHeard.shift()!()));
    }
    return events;
  }

  #act(member: Member): void {
    const { deaths, givesUp } = this.options;
    if (this.random.fraction() < 0.1) this.#clock += this.random.fraction() * 2;
    member.takes ||= this.random.fraction() < 0.01;
    const what = this.random.fraction();
    if (what < 0.7 && member.takes) this.#get(member);
    else if (what < 0.8) this.#putSome(member);
    else if (what < 0.95 && givesUp) this.#giveUp(member);
    else if (what < 0.96 && deaths && member.address !== MAKER) this.leave(member);
    else turn(member);
  }

  #get(member: Member): void {
    member.burst = this.random.fraction() < 0.6 ? this.random.between(5, 40) : this.random.between(0, 3);
    const most = this.#mostGets;
    for (let i = this.random.between(1, most); i > 0 && member.getters.size < most; i--) this.startGet(member);
  }

  #putSome(member: Member): void {
    for (let i = this.random.between(1, 8); i > 0 && member.putters.size < 5; i--) this.startPut(member);
  }

  #got(member: Member, packed: Packed): void {
    member.got.push(unpack(packed) as Item);
    if (this.options.insists ? member.getters.size > 0 : member.burst-- <= 0) return;
    member.next.push(() => {
      if (member.alive) this.startGet(member);
    });
  }

  #useSome(member: Member): void {
    if (!this.options.joinable) {
      member.used = member.got.length;
      return;
    }
    while (member.used < member.got.length && this.random.fraction() < 0.7) {
      member.used++;
      assert.ok(member.client.finishOne());
    }
  }

  /** A wait runs out of time, or is aborted. */
  #giveUp(member: Member): void {
    const getter = [...member.getters].find(({ now }) => !now);
    if (getter !== undefined && this.random.fraction() < 0.5) member.client.gets.withdraw(getter);
    else if (getter !== undefined) this.abort(member, getter);
    const putter = [...member.putters].find(({ now }) => !now);
    if (putter !== undefined) member.client.puts.withdraw(putter);
  }

  #tell(to: string, message: FromOwner): void {
    const member = this.of(to);
    if (message.type === 'items') {
      for (const item of message.items) {
        const name = nameIn(item);
        this.sentTo.set(name, to);
        if (!member.alive) this.late.add(name);
      }
    }
    if (to === MAKER) return member.client.hear(message);
    tellNow(this.of(MAKER));
    if (member.alive) member.down.push(message);
    else this.#untold.push(deathOf(to)); // The router says so again.
  }

  #comesBack({ address, got }: Member, count: number): void {
    const has = new Set(got.map(nameOf));
    const names = [...this.sentTo].filter(([name, to]) => to === address && !has.has(name)).map(([name]) => name);
    assert.ok(names.length >= count, 'what comes back was sent there');
    this.#returned.set(address, [...this.#returned.get(address) ?? [], ...names]);
    if (this.#left.has(address)) this.#mayComeLate(address);
  }

  #mayComeLate(address: string): void {
    for (const name of this.#returned.get(address) ?? []) this.late.add(name);
  }
}

function tellNow(member: Member): void {
  for (const work of member.tellings.splice(0)) work();
}

function turn(member: Member): void {
  member.servedInTurn = 0;
  for (const work of member.nextTurn.splice(0)) work();
}

/** With an exit code: the name of a signal is looked up for each who waits, which takes longer than to serve it. */
function deathOf(address: string): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode: 1 };
}
