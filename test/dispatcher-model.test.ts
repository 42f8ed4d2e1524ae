// A model checker for the dispatcher: it takes every order of events, or very many at random, and compares each step
// with a plain model of the rules. A failure prints the steps that led to it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Dispatcher } from '../server/dispatcher.ts';
import type { DispatcherCounters, WorkerState } from '../server/dispatcher-life.ts';
import type { Command } from '../server/dispatcher.ts';

interface Setup {
  readonly poolSize: number;
  readonly waitingLimit: number;
  readonly connectionsPerWorker?: number;
  readonly offersInFlight: number;
  readonly onCrash: 'reset' | 'adopt';
  /** How many of each there may ever be. */
  readonly workers: number;
  readonly connections: number;
}

type WorkerStep = 'workerReady' | 'workerStalled' | 'workerResumed' | 'workerRetiring' | 'workerDied';
type ReportStep = 'accepted' | 'unusable' | 'givenBack' | 'closed';
type Step =
  | readonly [WorkerStep | 'accept' | 'gone' | 'setPoolSize', number]
  | readonly [ReportStep, number, number]
  | readonly ['stop'];

function perform(dispatcher: Dispatcher, step: Step): void {
  if (step[0] === 'stop') dispatcher.stop();
  else if (step.length === 3) dispatcher[step[0]](step[1], step[2]);
  else dispatcher[step[0]](step[1]);
}

interface ModelConnection {
  at: 'waiting' | 'offered' | 'served' | 'to be cut off' | 'to be refused';
  worker: number;
  adopted: boolean;
  wasServed: boolean;
}

const noCounts: DispatcherCounters = {
  accepted: 0, served: 0, closed: 0, unusable: 0, gone: 0, refused: 0, cutOff: 0,
  reoffered: 0, givenBack: 0, adopted: 0, strays: 0,
};

const counterNames = Object.keys(noCounts) as (keyof DispatcherCounters)[];

/** The rules, written down a second time, without any thought of speed. */
class Model {
  readonly setup: Setup;
  poolSize: number;
  stopping = false;
  /** Those that have not ended, by id, which is also their age and their order in the map. */
  connections = new Map<number, ModelConnection>();
  workers = new Map<number, { state: WorkerState; turn: number }>();
  nextConnection = 0;
  nextWorker = 0;
  turns = 0;
  counters = { ...noCounts };

  constructor(setup: Setup) {
    this.setup = setup;
    this.poolSize = setup.poolSize;
  }

  with(worker: number): [number, ModelConnection][] {
    return [...this.connections].filter((entry) => entry[1].worker === worker);
  }

  /** How many a worker has, or how many offers. */
  load(worker: number, at?: 'offered'): number {
    let load = 0;
    for (const connection of this.connections.values()) {
      if (connection.worker === worker && (at === undefined || connection.at === at)) load++;
    }
    return load;
  }

  /** Those that are there, by id; those that wait have the worker -1. */
  ids(at: 'waiting' | 'offered' | 'served', worker: number): number[] {
    const found: number[] = [];
    for (const [id, connection] of this.connections) {
      if (connection.at === at && connection.worker === worker) found.push(id);
    }
    return found;
  }

  oldestWaiting(): number | undefined {
    for (const [id, { at }] of this.connections) if (at === 'waiting') return id;
    return undefined;
  }

  /** Of the workers that may be offered a connection, the one with the least load; of these, the one whose turn it is. */
  candidate(): number | undefined {
    const { offersInFlight, connectionsPerWorker = Infinity } = this.setup;
    let best: { id: number; turn: number; load: number } | undefined;
    for (const [id, { state, turn }] of this.workers) {
      const load = this.load(id);
      if (state !== 'ready' || load >= connectionsPerWorker || this.load(id, 'offered') >= offersInFlight) continue;
      if (best === undefined || load < best.load || (load === best.load && turn < best.turn)) best = { id, turn, load };
    }
    return best?.id;
  }

  /** All that can happen next. */
  steps(): Step[] {
    const steps: Step[] = [];
    if (this.nextConnection < this.setup.connections) steps.push(['accept', this.nextConnection]);
    if (this.nextWorker < this.setup.workers && this.workers.size < this.poolSize) {
      steps.push(['workerReady', this.nextWorker]);
    }
    for (const [id, { state }] of this.workers) {
      steps.push(['workerDied', id]);
      if (state !== 'retiring') steps.push(['workerRetiring', id]);
      if (state !== 'stalled') steps.push(['workerStalled', id]);
      if (state !== 'ready') steps.push(['workerResumed', id]);
    }
    for (const [id, { at, worker }] of this.connections) {
      if (at === 'waiting') steps.push(['gone', id]);
      else steps.push(['givenBack', worker, id], ['closed', worker, id]);
      if (at === 'offered') steps.push(['accepted', worker, id], ['unusable', worker, id]);
    }
    if (!this.stopping) steps.push(['stop']);
    return steps;
  }

  /** Reports that cannot be true now: late, repeated, or from the wrong worker. */
  strays(workers = upTo(this.nextWorker), connections = upTo(this.nextConnection)): Step[] {
    const strays: Step[] = [];
    for (const worker of workers) {
      const state = this.workers.get(worker)?.state;
      if (state !== undefined) strays.push(['workerReady', worker]);
      if (state === undefined) strays.push(['workerDied', worker]);
      if (state === undefined || state === 'retiring') strays.push(['workerRetiring', worker]);
      if (state === undefined || state === 'stalled') strays.push(['workerStalled', worker]);
      if (state === undefined || state === 'ready') strays.push(['workerResumed', worker]);
      for (const id of connections) {
        const connection = this.connections.get(id);
        const offered = connection?.worker === worker && connection.at === 'offered';
        if (!offered) strays.push(['accepted', worker, id], ['unusable', worker, id]);
        if (connection?.worker !== worker) strays.push(['givenBack', worker, id], ['closed', worker, id]);
      }
    }
    for (const id of connections) if (this.connections.get(id)?.at !== 'waiting') strays.push(['gone', id]);
    return strays;
  }

  /** What an event means for whom it is about. What follows from it comes as commands, and is judged there. */
  happen(step: Step): void {
    switch (step[0]) {
      case 'setPoolSize': this.poolSize = step[1]; break;
      case 'stop': this.stopping = true; break;
      case 'accept': {
        const most = this.poolSize * (this.setup.connectionsPerWorker ?? Infinity) + this.setup.waitingLimit;
        const full = this.connections.size >= most;
        this.nextConnection++;
        this.counters.accepted++;
        this.connections.set(step[1], {
          at: full ? 'to be refused' : 'waiting', worker: -1, adopted: false, wasServed: false,
        });
        break;
      }
      case 'gone': this.end(step[1], 'gone'); break;
      case 'unusable': this.end(step[2], 'unusable'); break;
      case 'closed': this.end(step[2], 'closed'); break;
      case 'givenBack':
        this.counters.givenBack++;
        Object.assign(this.get(step[2]), { at: 'waiting', worker: -1 });
        break;
      case 'accepted': {
        const connection = this.get(step[2]);
        if (!connection.wasServed) this.counters.served++;
        Object.assign(connection, { at: 'served', adopted: false, wasServed: true });
        break;
      }
      case 'workerReady':
        this.nextWorker++;
        this.workers.set(step[1], { state: 'ready', turn: 0 });
        break;
      case 'workerDied':
        for (const [, connection] of this.with(step[1])) {
          if (connection.at === 'offered') {
            this.counters.reoffered++;
            Object.assign(connection, { at: 'waiting', worker: -1 });
          } else if (this.setup.onCrash === 'adopt' && !this.stopping) {
            this.counters.adopted++;
            Object.assign(connection, { at: 'waiting', worker: -1, adopted: true });
          } else {
            connection.at = 'to be cut off';
          }
        }
        this.workers.delete(step[1]);
        break;
      default: {
        const states = { workerStalled: 'stalled', workerResumed: 'ready', workerRetiring: 'retiring' } as const;
        const worker = this.workers.get(step[1]);
        assert.ok(worker);
        if (worker.state !== 'retiring') worker.state = states[step[0]];
      }
    }
  }

  /** Is this command right, here and now? */
  obey(command: Command): void {
    const connection = this.get(command.connection);
    if (command.kind === 'offer') {
      assert.equal(connection.at, 'waiting', 'only who waits is offered');
      assert.ok(!this.stopping, 'nothing is offered when stopping');
      assert.equal(command.connection, this.oldestWaiting(), 'the oldest is offered first');
      assert.equal(command.worker, this.candidate(), 'the worker with room, the least load and the turn gets it');
      assert.equal(command.adopted, connection.adopted, 'an offer says whether the connection is adopted');
      Object.assign(connection, { at: 'offered', worker: command.worker });
      this.worker(command.worker).turn = ++this.turns;
    } else if (command.kind === 'cutOff') {
      assert.deepEqual([connection.at, connection.worker], ['to be cut off', command.worker]);
      this.end(command.connection, 'cutOff');
    } else {
      if (command.reason === 'stopping') assert.ok(this.stopping, 'refused as stopping only then');
      else assert.equal(connection.at, 'to be refused', 'the line is not full, or this one is in it');
      this.end(command.connection, 'refused');
    }
  }

  /** After all commands of a step: nothing is left undone, and the dispatcher's tables say the same as the model. */
  check(dispatcher: Dispatcher): void {
    for (const { at } of this.connections.values()) {
      if (at === 'to be cut off' || at === 'to be refused') assert.fail(`one is still ${at}`);
    }
    const waiting = this.ids('waiting', -1);
    if (waiting.length > 0) {
      assert.ok(!this.stopping, 'nobody waits when stopping');
      assert.equal(this.candidate(), undefined, 'nobody waits while a worker has room');
    }

    const snapshot = dispatcher.snapshot();
    same(snapshot.stopping, this.stopping, 'stopping');
    sameIds(snapshot.waiting, waiting, 'the line');
    same(snapshot.workers.length, this.workers.size, 'workers');
    for (const { id, state, offered, served } of snapshot.workers) {
      same(state, this.worker(id).state, `worker ${id}`);
      sameIds(byId(offered), this.ids('offered', id), 'offered');
      sameIds(byId(served), this.ids('served', id), 'served');
      same(dispatcher.load(id), this.load(id), 'load');
    }
    for (const name of counterNames) same(snapshot.counters[name], this.counters[name], name);
    const { accepted, closed, unusable, gone, refused, cutOff } = snapshot.counters;
    same(accepted, closed + unusable + gone + refused + cutOff + this.connections.size, 'the counters add up');
    same(dispatcher.size, this.connections.size, 'size');
    same(dispatcher.waiting, waiting.length, 'waiting');
  }

  /**
   * Two models of one setup that have the same key have the same future, but for counts: trials go on from a state that
   * they came to in different ways, and fail if that is not so. It has a digit for each connection and worker, of whom there
   * are three at most; as strings, keys take longer than all the rest.
   */
  key(): number {
    let key = Number(this.stopping);
    for (let id = 0; id < this.setup.connections; id++) key = key * 13 + this.#connectionDigit(id);
    for (let id = 0; id < this.setup.workers; id++) key = key * 11 + this.#workerDigit(id);
    return key;
  }

  #connectionDigit(id: number): number {
    const connection = this.connections.get(id);
    if (connection === undefined) return id < this.nextConnection ? 1 : 0;
    const { at, adopted, worker } = connection;
    if (at === 'waiting') return adopted ? 2 : 3;
    return 4 + worker * 3 + (at === 'served' ? 2 : Number(adopted));
  }

  #workerDigit(id: number): number {
    const worker = this.workers.get(id);
    if (worker === undefined) return id < this.nextWorker ? 1 : 0;
    let before = 0;
    for (const [other, { turn }] of this.workers) {
      if (turn < worker.turn || (turn === worker.turn && other < id)) before++;
    }
    // The turn of one that is still to come is after those that were never offered anything, and before the others.
    if (worker.turn > 0 && this.nextWorker < this.setup.workers) before++;
    return 2 + before * 3 + ['ready', 'stalled', 'retiring'].indexOf(worker.state);
  }

  private get(id: number): ModelConnection {
    const connection = this.connections.get(id);
    assert.ok(connection, `connection ${id} has ended, or never was`);
    return connection;
  }

  private worker(id: number): { state: WorkerState; turn: number } {
    const worker = this.workers.get(id);
    assert.ok(worker, `worker ${id} is dead, or never was`);
    return worker;
  }

  private end(id: number, how: 'closed' | 'unusable' | 'gone' | 'refused' | 'cutOff'): void {
    this.counters[how]++;
    assert.ok(this.connections.delete(id));
  }
}

/** Every id that there was, and one that there was not. */
function upTo(next: number): number[] {
  return Array.from({ length: next + 1 }, (_, id) => id);
}

function sorted(ids: readonly number[]): string {
  return [...ids].sort((a, b) => a - b).join();
}

/** As `assert.equal`, which is slow: this is called millions of times. */
function same<T extends string | number | boolean>(actual: T, expected: T, what: string): void {
  if (actual !== expected) assert.equal(actual, expected, `${what}: ${actual} instead of ${expected}`);
}

function sameIds(actual: readonly number[], expected: readonly number[], what: string): void {
  if (actual.length !== expected.length || actual.some((id, i) => id !== expected[i])) {
    assert.fail(`${what}: [${actual.join()}] instead of [${expected.join()}]`);
  }
}

function byId(ids: readonly number[]): readonly number[] {
  return ids.length < 2 ? ids : [...ids].sort((a, b) => a - b);
}

/** A dispatcher and the model it is held against. */
class Trial {
  readonly model: Model;
  readonly dispatcher: Dispatcher;
  /** What happened, for whoever reads of a failure. */
  readonly trace: (Step | readonly ['all stray reports'])[] = [];

  constructor(setup: Setup) {
    this.model = new Model(setup);
    this.dispatcher = new Dispatcher(setup, (command) => this.model.obey(command));
    this.dispatcher.setPoolSize(setup.poolSize);
  }

  step(step: Step): void {
    this.repeat(step);
    this.model.check(this.dispatcher);
  }

  /** A step that was checked before, from the same state. */
  repeat(step: Step): void {
    this.trace.push(step);
    this.model.happen(step);
    perform(this.dispatcher, step);
  }

  /** A report that must change nothing but the count of strays. */
  stray(step: Step): void {
    this.trace.push(step);
    this.#reportStray(step);
  }

  /** Every such report there is. */
  allStrays(): void {
    this.trace.push(['all stray reports']);
    for (const step of this.model.strays()) this.#reportStray(step);
    this.model.check(this.dispatcher);
  }

  #reportStray(step: Step): void {
    this.model.counters.strays++;
    perform(this.dispatcher, step);
  }
}

/** Runs a part of a trial; a failure tells the way there. */
function judged(trial: Trial, where: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    const steps = trial.trace.map((step) => `  ${step.join(' ')}`).join('\n');
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\n${JSON.stringify(trial.model.setup)}\n${where}\n${steps}`, { cause: error });
  }
}

/** A state that can be reached. */
interface Place {
  /** The step that led there first, and from where. */
  readonly step: Step | undefined;
  readonly from: Place | undefined;
  /** The steps from there: those not taken yet, and where the others lead. */
  readonly untried: Step[];
  readonly tried: { readonly step: Step; readonly to: Place }[];
}

function wayTo(place: Place): Step[] {
  const steps: Step[] = [];
  for (let at: Place | undefined = place; at?.step !== undefined; at = at.from) steps.push(at.step);
  return steps.reverse();
}

/**
 * Visits every state that can be reached, by every step that leads from one to another. A dispatcher cannot be copied: to
 * come back to a state takes the whole way there. So a trial goes on for as long as an untried step is near.
 */
class Explorer {
  readonly #setup: Setup;
  readonly #places = new Map<number, Place>();
  steps = 0;

  constructor(setup: Setup) {
    assert.ok(setup.workers <= 3, 'a key has no digits for more');
    this.#setup = setup;
  }

  get states(): number {
    return this.#places.size;
  }

  explore(): void {
    const first = new Trial(this.#setup);
    judged(first, 'at the start:', () => this.#placeOf(first));
    for (const start of this.#places.values()) {
      while (start.untried.length > 0) {
        const trial = new Trial(this.#setup);
        judged(trial, 'the way there:', () => {
          for (const step of wayTo(start)) trial.repeat(step);
          this.#goOn(trial, start);
        });
      }
    }
  }

  #goOn(trial: Trial, start: Place): void {
    for (let at: Place | undefined = start; at !== undefined;) {
      const step = at.untried.pop();
      if (step !== undefined) {
        trial.step(step);
        this.steps++;
        const to = this.#placeOf(trial, step, at);
        at.tried.push({ step, to });
        at = to;
      } else {
        const towardsUntried: Place['tried'][number] | undefined = at.tried.find(({ to }) => to.untried.length > 0);
        if (towardsUntried !== undefined) trial.repeat(towardsUntried.step);
        at = towardsUntried?.to;
      }
    }
  }

  /** Where the trial is now, after that step. Whoever comes there first tries all strays, too. */
  #placeOf(trial: Trial, step?: Step, from?: Place): Place {
    const key = trial.model.key();
    let place = this.#places.get(key);
    if (place === undefined) {
      place = { step, from, untried: trial.model.steps(), tried: [] };
      this.#places.set(key, place);
      trial.allStrays();
    }
    return place;
  }
}

const small: Setup = {
  poolSize: 2, waitingLimit: 1, offersInFlight: 1, onCrash: 'reset', workers: 2, connections: 3,
};
const setups: [name: string, setup: Setup][] = [
  ['no limit', small],
  ['one connection a worker', { ...small, connectionsPerWorker: 1, waitingLimit: 0 }],
  ['one worker after another', { ...small, poolSize: 1, workers: 3, connectionsPerWorker: 1 }],
  ['one worker after another, adopting', { ...small, poolSize: 1, workers: 3, connections: 4, onCrash: 'adopt' }],
  ['two in flight', { ...small, offersInFlight: 2, connectionsPerWorker: 2, onCrash: 'adopt' }],
  ['three workers', { ...small, poolSize: 3, workers: 3, connections: 2 }],
];

for (const [name, setup] of setups) {
  test(`every order of events keeps the rules: ${name}`, (t) => {
    const explorer = new Explorer(setup);
    explorer.explore();
    t.diagnostic(`all ${explorer.states} states, ${explorer.steps} steps`);
    assert.ok(explorer.states > 400, 'all states are more than these');
  });
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function oneOf<T>(random: () => number, choices: readonly T[]): T {
  assert.ok(choices.length > 0);
  return choices[Math.floor(random() * choices.length)] as T;
}

function randomSetup(random: () => number): Setup {
  const limit = oneOf(random, [undefined, 1, 2, 5]);
  return {
    poolSize: oneOf(random, [1, 2, 3]),
    waitingLimit: oneOf(random, [0, 1, 4, 20]),
    ...(limit === undefined ? {} : { connectionsPerWorker: limit }),
    offersInFlight: oneOf(random, [1, 1, 2, 3]),
    onCrash: oneOf(random, ['reset', 'adopt']),
    workers: Infinity,
    connections: Infinity,
  };
}

/** Of a worker and a connection at random: to list all strays takes longer than the whole walk. */
function randomStray(model: Model, random: () => number): Step {
  const worker = Math.floor(random() * (model.nextWorker + 1));
  const connection = Math.floor(random() * (model.nextConnection + 1));
  return oneOf(random, model.strays([worker], [connection]));
}

/** A long way through the states, and in the end out of them: every connection is accepted and closed, or refused. */
function walk(trial: Trial, random: () => number, length: number): void {
  const { model } = trial;
  for (let i = 0; i < length; i++) {
    const dice = random();
    if (dice < 0.3) trial.step(['accept', model.nextConnection]);
    else if (dice < 0.32) trial.step(['setPoolSize', oneOf(random, [0, 1, 2, 3])]);
    else if (dice < 0.4) trial.stray(randomStray(model, random));
    else trial.step(oneOf(random, model.steps().filter(([event]) => event !== 'stop')));
  }
  if (random() < 0.5) trial.step(['stop']);
  trial.step(['workerReady', model.nextWorker]);
  for (let connection = [...model.connections][0]; connection !== undefined; connection = [...model.connections][0]) {
    const offered = [...model.connections].find(([, { at }]) => at === 'offered');
    const served = [...model.connections].find(([, { at }]) => at === 'served');
    if (offered !== undefined) trial.step(['accepted', offered[1].worker, offered[0]]);
    else if (served !== undefined) trial.step(['closed', served[1].worker, served[0]]);
    else assert.fail('some wait, and a worker that is ready has nothing to do');
  }
  assert.equal(trial.dispatcher.size, 0);
  assert.equal(trial.dispatcher.waiting, 0);
  for (const { offered, served } of trial.dispatcher.snapshot().workers) assert.deepEqual([offered, served], [[], []]);
}

test('long random walks keep the rules, and leave nothing behind', (t) => {
  let steps = 0;
  const seeds = 120;
  for (let seed = 1; seed <= seeds; seed++) {
    const random = randomFrom(seed);
    const trial = new Trial(randomSetup(random));
    judged(trial, `seed ${seed}:`, () => walk(trial, random, 400));
    steps += trial.trace.length;
  }
  t.diagnostic(`${seeds} walks, ${steps} steps`);
});

/** A server in small: it keeps its own account, and reports the next event from within the delivery of a command. */
class HastyServer {
  readonly dispatcher: Dispatcher;
  readonly trace: string[] = [];
  readonly #random: () => number;
  readonly #adopts: boolean;
  readonly #connections = new Map<number, { at: 'waiting' | 'offered' | 'served' | 'lost'; worker: number }>();
  /** Those whose socket failed after an offer was decided, and before it was delivered. */
  readonly #broken = new Set<number>();
  readonly #workers = new Set<number>();
  #nextConnection = 0;
  #nextWorker = 0;
  #nested = 0;
  #stopping = false;

  constructor(setup: Setup, random: () => number) {
    this.#random = random;
    this.#adopts = setup.onCrash === 'adopt';
    this.dispatcher = new Dispatcher(setup, (command) => this.#obey(command));
    this.dispatcher.setPoolSize(setup.poolSize);
  }

  get nested(): number {
    return this.#nested;
  }

  #obey(command: Command): void {
    this.trace.push(`> ${Object.values(command).join(' ')}`);
    const connection = this.#connections.get(command.connection);
    assert.ok(connection, 'a connection that has ended gets no commands');
    if (command.kind === 'offer') {
      assert.equal(connection.at, 'waiting');
      assert.ok(this.#workers.has(command.worker), 'nothing is offered to the dead');
      Object.assign(connection, { at: 'offered', worker: command.worker });
      if (this.#broken.delete(command.connection)) this.#report('unusable', command.worker, command.connection);
    } else {
      assert.equal(connection.at, command.kind === 'cutOff' ? 'lost' : 'waiting');
      this.#connections.delete(command.connection);
    }
    while (this.#random() < 0.4) {
      this.#nested++;
      this.event();
    }
  }

  event(): void {
    const random = this.#random;
    const dice = random();
    const [id, connection] = this.#connections.size > 0 ? oneOf(random, [...this.#connections]) : [];
    if (this.#workers.size < 2) {
      this.trace.push(`ready ${this.#nextWorker}`);
      this.#workers.add(this.#nextWorker);
      this.dispatcher.workerReady(this.#nextWorker++);
    } else if (dice < 0.4 || id === undefined || connection === undefined || connection.at === 'lost') {
      this.trace.push(`accept ${this.#nextConnection}`);
      this.#connections.set(this.#nextConnection, { at: 'waiting', worker: -1 });
      this.dispatcher.accept(this.#nextConnection++);
    } else if (dice < 0.5) {
      this.#die(oneOf(random, [...this.#workers]));
    } else if (connection.at === 'waiting') {
      if (this.#broken.has(id)) return;
      this.trace.push(`gone ${id}`);
      // Believed only if no offer has been decided yet: else that offer finds the socket broken.
      const believed = this.dispatcher.counters.gone + 1;
      this.#broken.add(id);
      this.dispatcher.gone(id);
      if (this.dispatcher.counters.gone < believed) return;
      this.#broken.delete(id);
      this.#connections.delete(id);
    } else if (connection.at === 'offered' && dice < 0.85) {
      connection.at = 'served';
      this.trace.push(`accepted ${connection.worker} ${id}`);
      this.dispatcher.accepted(connection.worker, id);
    } else {
      this.#report(dice < 0.9 ? 'givenBack' : 'closed', connection.worker, id);
    }
  }

  stop(): void {
    this.#stopping = true;
    this.dispatcher.stop();
  }

  /** The server's account and the dispatcher's are the same whenever no command is on its way. */
  check(): void {
    const { waiting, workers, counters } = this.dispatcher.snapshot();
    const ids = (at: string, worker: number): string =>
      sorted([...this.#connections].filter(([, c]) => c.at === at && c.worker === worker).map(([id]) => id));
    assert.equal(sorted(waiting), ids('waiting', -1));
    for (const { id, offered, served } of workers) {
      assert.deepEqual([sorted(offered), sorted(served)], [ids('offered', id), ids('served', id)]);
    }
    const { accepted, closed, unusable, gone, refused, cutOff } = counters;
    assert.equal(accepted, closed + unusable + gone + refused + cutOff + this.#connections.size);
    assert.equal(this.dispatcher.size, this.#connections.size);
  }

  #report(event: 'givenBack' | 'closed' | 'unusable', worker: number, id: number): void {
    this.trace.push(`${event} ${worker} ${id}`);
    if (event === 'givenBack') Object.assign(this.#connections.get(id)!, { at: 'waiting', worker: -1 });
    else this.#connections.delete(id);
    this.dispatcher[event](worker, id);
  }

  #die(worker: number): void {
    this.trace.push(`died ${worker}`);
    this.#workers.delete(worker);
    for (const connection of this.#connections.values()) {
      if (connection.worker !== worker) continue;
      const back = connection.at === 'offered' || (this.#adopts && !this.#stopping);
      Object.assign(connection, { at: back ? 'waiting' : 'lost', worker: -1 });
    }
    this.dispatcher.workerDied(worker);
  }
}

test('events reported while commands are carried out leave the server and the dispatcher of one mind', (t) => {
  let nested = 0;
  const seeds = 120;
  for (let seed = 1; seed <= seeds; seed++) {
    const random = randomFrom(seed);
    const setup = randomSetup(random);
    const server = new HastyServer(setup, random);
    try {
      for (let i = 0; i < 200; i++) {
        server.event();
        server.check();
      }
      server.stop();
      server.check();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const lines = [reason, JSON.stringify(setup), `seed ${seed}, the last steps:`, ...server.trace.slice(-100)];
      throw new Error(lines.join('\n  '), { cause: error });
    }
    nested += server.nested;
  }
  t.diagnostic(`${seeds} walks, ${nested} events reported while a command was carried out`);
  assert.ok(nested > seeds);
});
