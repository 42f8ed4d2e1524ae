// The rules of the dispatcher, written down a second time, and what holds the dispatcher against them step by step.
// Used by dispatcher-model.test.ts.
import assert from 'node:assert/strict';
import { Dispatcher } from '../../server/connections/dispatcher.ts';
import type { Command, DispatcherCounters, WorkerReadiness } from '../../server/connections/dispatcher-states.ts';

export interface Setup {
  readonly poolSize: number;
  readonly waitingLimit: number;
  readonly connectionsPerWorker?: number;
  readonly offersInFlight: number;
  readonly onCrash: 'reset' | 'adopt';
  /** How many of each there may ever be. */
  readonly workers: number;
  readonly connections: number;
}

type WorkerStep =
  | 'workerReady' | 'workerRelieved' | 'workerStalled'
  | 'workerResumed' | 'workerRetiring' | 'workerDied';
type ReportStep = 'accepted' | 'unusable' | 'givenBack' | 'closed';
export type Step =
  | readonly [WorkerStep | 'accept' | 'gone' | 'setPoolSize', number]
  | readonly [ReportStep, number, number]
  | readonly ['stop'];

function perform(dispatcher: Dispatcher, step: Step): void {
  if (step[0] === 'stop') dispatcher.stop();
  else if (step.length === 3) dispatcher[step[0]](step[1], step[2]);
  else dispatcher[step[0]](step[1]);
}

export interface ModelConnection {
  at: 'waiting' | 'offered' | 'served' | 'to be cut off' | 'to be refused';
  worker: number;
  adopted: boolean;
  wasServed: boolean;
}

const noCounts: DispatcherCounters = {
  accepted: 0, served: 0, closed: 0, gone: 0, refused: 0, cutOff: 0,
  reoffered: 0, unusable: 0, givenBack: 0, adopted: 0, strays: 0,
};

const counterNames = Object.keys(noCounts) as (keyof DispatcherCounters)[];

/** The rules, written down a second time, without any thought of speed. */
export class Model {
  readonly setup: Setup;
  poolSize: number;
  stopping = false;
  /** Those that have not ended, by id, which is also their age and their order in the map. */
  connections = new Map<number, ModelConnection>();
  workers = new Map<number, { state: WorkerReadiness; turn: number }>();
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

  /**
   * Of the workers that may be offered a connection, the one with the least load; of these, the one whose turn it is.
   */
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
      if (state === 'stalled' || state === 'retiring') steps.push(['workerResumed', id]);
      if (state === 'full') steps.push(['workerRelieved', id]);
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
      if (state === undefined || state === 'ready' || state === 'full') strays.push(['workerResumed', worker]);
      if (state !== 'full') strays.push(['workerRelieved', worker]);
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
      case 'unusable':
        this.counters.unusable++;
        Object.assign(this.get(step[2]), { at: 'waiting', worker: -1 });
        if (this.worker(step[1]).state === 'ready') this.worker(step[1]).state = 'full';
        break;
      case 'closed':
        this.end(step[2], 'closed');
        this.relieve(step[1]);
        break;
      case 'givenBack':
        this.counters.givenBack++;
        Object.assign(this.get(step[2]), { at: 'waiting', worker: -1 });
        this.relieve(step[1]);
        break;
      case 'workerRelieved': this.relieve(step[1]); break;
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
    for (const { id, readiness, offered, served } of snapshot.workers) {
      same(readiness, this.worker(id).state, `worker ${id}`);
      sameIds(byId(offered), this.ids('offered', id), 'offered');
      sameIds(byId(served), this.ids('served', id), 'served');
    }
    for (const name of counterNames) same(snapshot.counters[name], this.counters[name], name);
    const { accepted, closed, gone, refused, cutOff } = snapshot.counters;
    same(accepted, closed + gone + refused + cutOff + this.connections.size, 'the counters add up');
    same(dispatcher.size, this.connections.size, 'size');
    same(dispatcher.waiting, waiting.length, 'waiting');
  }

  /**
   * Two models of one setup that have the same key have the same future, but for counts: trials go on from a state that
   * they came to in different ways, and fail if that is not so. It has a digit for each connection and each worker, of
   * which there are three at most; as strings, keys take longer than all the rest.
   */
  key(): number {
    let key = Number(this.stopping);
    for (let id = 0; id < this.setup.connections; id++) key = key * 13 + this.#connectionDigit(id);
    for (let id = 0; id < this.setup.workers; id++) key = key * 18 + this.#workerDigit(id);
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
    return 2 + before * 4 + ['ready', 'full', 'stalled', 'retiring'].indexOf(worker.state);
  }

  private get(id: number): ModelConnection {
    const connection = this.connections.get(id);
    assert.ok(connection, `connection ${id} has ended, or never was`);
    return connection;
  }

  private worker(id: number): { state: WorkerReadiness; turn: number } {
    const worker = this.workers.get(id);
    assert.ok(worker, `worker ${id} is dead, or never was`);
    return worker;
  }

  private relieve(id: number): void {
    const worker = this.worker(id);
    if (worker.state === 'full') worker.state = 'ready';
  }

  private end(id: number, how: 'closed' | 'gone' | 'refused' | 'cutOff'): void {
    this.counters[how]++;
    assert.ok(this.connections.delete(id));
  }
}

/** Every id that there was, and one that there was not. */
function upTo(next: number): number[] {
  return Array.from({ length: next + 1 }, (_, id) => id);
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
export class Trial {
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
export function judged(trial: Trial, where: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    const steps = trial.trace.map((step) => `  ${step.join(' ')}`).join('\n');
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\n${JSON.stringify(trial.model.setup)}\n${where}\n${steps}`, { cause: error });
  }
}
