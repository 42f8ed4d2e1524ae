// The protocol of Event, Semaphore and Barrier without processes: an owner and clients on a network that delays as it
// likes and loses the dead. No clock is in it: what stands still is what chance does not choose. Each kind of trouble
// can be had alone. Used by synchronize-model.test.ts, which has what is to be true of each of the three.
import assert from 'node:assert/strict';
import { isWithin } from '../../shared/multiprocessing/base/address.ts';
import type { Death } from '../../shared/multiprocessing/index.ts';
import { Client } from '../../shared/multiprocessing/synchronize/client.ts';
import type { FromOwner, ToOwner } from '../../shared/multiprocessing/synchronize/messages.ts';
import { TravellingModel } from './travelling-model.ts';
import type { Owner, OwnerHost } from '../../shared/multiprocessing/synchronize/owner.ts';

export const MAKER = '5';
/** The maker's parent, its child, two siblings, and a child of one of these: with it, the child dies. */
const ADDRESSES = [MAKER, '', '6', '5.1', '7', '7.1'];

/** What goes wrong. */
export interface Trouble {
  /** Processes die, and all below them; some of them in good order. */
  readonly deaths?: boolean;
  /** The one that made it dies too. */
  readonly maker?: boolean;
  /** Some call their wait off, some have no more time. */
  readonly givesUp?: boolean;
  /** A process that has let go of everything stands still, while all others go on. */
  readonly standstills?: boolean;
  /** Some processes get it only later, in values that others keep. */
  readonly travels?: boolean;
}

/** `expiring`: its time is up, and it is not known yet what came of it. `using`: it has what it waited for. */
type TaskState = 'idle' | 'waiting' | 'expiring' | 'using';

export interface Task {
  readonly of: Member;
  state: TaskState;
  /** The number of its ask. */
  id: number;
}

export interface Member {
  readonly address: string;
  readonly client: Client;
  readonly tasks: Task[];
  /** To and from the owner, in order. */
  readonly up: ToOwner[];
  readonly down: FromOwner[];
  /** What it does when its event loop turns. */
  readonly later: (() => void)[];
  alive: boolean;
  standsStill: boolean;
  asks: number;
  /** It has the primitive. */
  has: boolean;
}

/** One who waits, as the owner has heard of it. */
export interface InLine {
  readonly from: string;
  readonly id: number;
}

export abstract class SynchronizeModel {
  protected readonly random: () => number;
  protected readonly members: readonly Member[];
  protected readonly trouble: Trouble;
  protected makerDied = false;
  /** Of whose death the owner has heard. */
  protected readonly toldDead = new Set<string>();
  /** Who waits, in the order in which the owner has heard of it. */
  protected line: InLine[] = [];
  protected readonly travelling: TravellingModel<Member> | undefined;
  readonly #owner: Owner;
  /** The deaths that the owner has not heard of yet. */
  readonly #untold: Death[] = [];
  /** What the owner does when all has come that is under way. */
  readonly #whenAllHeard: (() => void)[] = [];
  readonly #waits: string;
  readonly #givesUp: number;
  readonly #dies: number;
  served = 0;

  /** @param waits What the waits of the owner are called. */
  constructor(random: () => number, trouble: Trouble, waits: string, make: (host: OwnerHost) => Owner) {
    this.random = random;
    this.#waits = waits;
    this.trouble = trouble;
    this.#givesUp = trouble.givesUp === true ? random() ** 2 : 0;
    this.#dies = trouble.deaths === true ? random() * 0.02 : 0;
    this.#owner = make({
      self: MAKER,
      tell: (to, message) => this.#tell(to, message),
      whenRead: (work) => void this.of(MAKER).later.push(work),
      whenAllHeard: (call) => void this.#whenAllHeard.push(call),
    });
    const tasks = 1 + Math.floor(random() * 3);
    this.members = ADDRESSES.slice(0, 2 + Math.floor(random() * (ADDRESSES.length - 1))).map((address) =>
      this.#member(address, tasks));
    if (trouble.travels !== true) return;
    this.travelling = new TravellingModel(this.members, random, (member, message) => {
      if (member.address === MAKER) this.#ownerHears(member, message);
      else member.up.push(message);
    }, (member) => {
      if (!member.has) member.up.push({ type: 'here', who: member.address });
      member.has = true;
    });
  }

  /** One who waits is answered; what it was told by is known by then. */
  protected abstract answered(task: Task, value: number | boolean): void;
  /** One who waits is refused. */
  protected abstract refused(task: Task, error: Error): void;
  /** The task that has it lets it go. */
  protected abstract letGo(task: Task): void;
  /** Whatever else a process may do. */
  protected abstract others(member: Member): (() => void)[];
  /** The owner tells somebody who waits, who is still in the line. */
  protected abstract told(who: InLine, message: FromOwner): void;
  /** Nothing more happens. */
  protected abstract atRest(): void;
  /** A task dies with its process. */
  protected crashed(_task: Task): void {}
  /** The owner is about to hear of something. */
  protected hears(_from: string, _message: ToOwner): void {}
  protected hearsOfDeath(_death: Death): void {}

  run(steps: number): void {
    for (let i = 0; i < steps && !this.makerDied; i++) {
      this.#step(true);
      if (this.trouble.standstills === true && this.random() < 0.05) this.#standStill(this.pick(this.members));
      if (this.random() >= this.#dies) continue;
      const { address } = this.pick(this.members);
      if (address !== '' && (address !== MAKER || this.trouble.maker === true)) this.#crash(address);
    }
    this.settle();
  }

  /** No more new wishes, until nothing happens any more. */
  settle(): void {
    while (this.#step(false));
    this.atRest();
  }

  protected of(address: string): Member {
    return this.members.find((member) => member.address === address)!;
  }

  protected pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)]!;
  }

  /** A task of that process waits. */
  protected begin(task: Task): void {
    task.state = 'waiting';
    task.id = task.of.asks + 1;
    this.ask(task.of, this.#waits, (value) => this.answered(task, value), (error) => this.refused(task, error));
  }

  protected ask(
    member: Member, what: string, resolve: (value: number | boolean) => void, reject: (error: Error) => void,
  ): void {
    member.asks++;
    assert.equal(member.client.ask(what, { resolve, reject }), member.asks);
  }

  /** What the owner answers at once. */
  protected askNow(what: string): number | boolean {
    let answer: number | boolean | undefined;
    this.ask(this.of(MAKER), what, (value) => { answer = value; }, assert.fail);
    return answer ?? assert.fail('no answer');
  }

  protected living(): Task[] {
    return this.members.flatMap(({ alive, tasks }) => alive ? tasks : []);
  }

  #step(mayAsk: boolean): boolean {
    const events = this.#events(mayAsk);
    if (events.length > 0) this.pick(events)();
    return events.length > 0;
  }

  #events(mayAsk: boolean): (() => void)[] {
    const events: (() => void)[] = [];
    for (const member of this.members) {
      if (member.up.length > 0 && !this.makerDied) events.push(() => this.#ownerHears(member, member.up.shift()!));
      if (!member.alive || member.standsStill) continue;
      if (member.down.length > 0) events.push(() => member.client.hear(member.down.shift()!));
      if (member.later.length > 0) events.push(() => member.later.shift()!());
      if (!member.has) continue;
      if (mayAsk) events.push(...this.others(member));
      for (const task of member.tasks) {
        if (task.state === 'using') events.push(() => this.letGo(task));
        else if (mayAsk && task.state === 'idle') events.push(() => this.begin(task));
        else if (mayAsk && task.state === 'waiting' && this.random() < this.#givesUp) {
          events.push(() => this.#giveUp(task));
        }
      }
    }
    if (this.makerDied) return events;
    for (const death of this.#untold) {
      // The news comes after the last message from there.
      if (this.members.some(({ address, up }) => up.length > 0 && isWithin(address, death.address))) continue;
      events.push(() => this.#hearOfDeath(death));
    }
    if (this.travelling !== undefined) events.push(...this.travelling.events(mayAsk, this.members));
    const isUnderWay = this.members.some(({ alive, up, down }) => up.length + (alive ? down.length : 0) > 0);
    const isQuiet = !isUnderWay && this.#untold.length === 0 && this.travelling?.isQuiet !== false;
    if (isQuiet && this.#whenAllHeard.length > 0) events.push(() => this.#whenAllHeard.shift()!());
    return events;
  }

  #giveUp(task: Task): void {
    const { client } = task.of;
    if (this.random() < 0.5) {
      client.withdraw(task.id);
      task.state = 'idle';
    } else {
      task.state = 'expiring';
      client.expire(task.id, 5);
      // It may also be called off after that.
      if (this.random() > 0.3 || task.state !== 'expiring') return;
      client.withdraw(task.id);
      task.state = 'idle';
    }
  }

  /** It has let go of everything, and computes from then on, in the same turn: all others can go on. */
  #standStill(member: Member): void {
    const isOut = member.tasks.every(({ state }) => state === 'idle');
    if (this.makerDied || member.address === MAKER || !member.alive || !isOut) return;
    member.standsStill = true;
    this.settle();
    member.standsStill = false;
  }

  #member(address: string, tasks: number): Member {
    const member: Member = {
      address, tasks: [], up: [], down: [], later: [], alive: true, standsStill: false, asks: 0, has: true,
      client: new Client('thing', (message) => {
        if (address === MAKER) this.#ownerHears(member, message);
        else member.up.push(message);
      }),
    };
    for (let i = 0; i < tasks; i++) member.tasks.push({ of: member, state: 'idle', id: 0 });
    if (address === MAKER) return member;
    member.has = this.trouble.travels !== true || this.random() < 0.3;
    if (!member.has) return member;
    this.#owner.attached(address); // As its parent says, when it starts it.
    member.up.push({ type: 'here', who: address });
    return member;
  }

  #ownerHears({ address }: Member, message: ToOwner): void {
    this.hears(address, message);
    if (message.type === 'ask' && message.what === this.#waits) this.line.push({ from: address, id: message.id });
    if (message.type === 'withdraw') this.#leaveLine(({ from, id }) => from === address && id === message.id);
    this.#owner.receive(address, message);
  }

  #tell(to: string, message: FromOwner): void {
    const who = this.line.find(({ from, id }) => from === to && id === message.id);
    if (who !== undefined) this.told(who, message);
    this.#leaveLine((other) => other === who);
    const member = this.of(to);
    if (to === MAKER) member.client.hear(message);
    else if (member.alive) member.down.push(message);
    else this.#untold.push(deathOf(to)); // The router says so again.
  }

  #hearOfDeath(death: Death): void {
    this.#untold.splice(this.#untold.indexOf(death), 1);
    for (const { address } of this.members) if (isWithin(address, death.address)) this.toldDead.add(address);
    this.hearsOfDeath(death);
    this.#leaveLine(({ from }) => isWithin(from, death.address));
    this.#owner.died(death);
  }

  #leaveLine(does: (who: InLine) => boolean): void {
    this.line = this.line.filter((who) => !does(who));
  }

  /** A process dies, and all below it; what it sent last may be lost. */
  #crash(at: string): void {
    if (!this.of(at).alive) return;
    for (const member of this.members) {
      if (!isWithin(member.address, at) || !member.alive) continue;
      member.alive = false;
      member.up.splice(Math.floor(this.random() * (member.up.length + 1)));
      for (const task of member.tasks) {
        this.crashed(task);
        task.state = 'idle';
      }
    }
    const death = deathOf(at, this.random() < 0.3 ? 0 : 1);
    this.#untold.push(death);
    this.travelling?.died(death);
    if (at !== MAKER) return;
    this.makerDied = true;
    for (const member of this.members) {
      // What was on its way may arrive before the news, and nothing after it.
      if (member.alive) member.later.push(() => {
        member.down.length = 0;
        member.client.orphan(deathOf(at));
      });
    }
  }
}

/** With an exit code: the name of a signal is looked up for each who waits, which takes longer than to serve it. */
function deathOf(address: string, exitCode = 1): Death {
  return { address, name: `Process-${address}`, pid: 1, exitCode };
}
