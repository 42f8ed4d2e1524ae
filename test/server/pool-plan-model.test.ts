// A model checker for the pool plan: every order of starts, deaths, reloads, recycling and resizing, up to a number of
// each, held against the rules; and from each state that is reached, the way to the state that is wanted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoolPlan } from '../../server/workers/pool-plan.ts';
import type { Action, WorkerPhase } from '../../server/workers/pool-plan.ts';
import { Random } from '../helpers/faults-random.ts';

interface Setup {
  readonly size: number;
  readonly most: number;
  /** How many of each there may be. */
  readonly workers: number;
  readonly reloads: number;
  readonly recycles: number;
  readonly resizes: number;
}

type Step =
  | readonly ['act' | 'reload' | 'grow' | 'shrink']
  | readonly ['ready' | 'end' | 'recycle', worker: number];

interface ModelWorker {
  state: WorkerPhase;
  /** It is to go: it was there when a reload was asked for, or it was to be recycled. */
  marked: boolean;
  old: boolean;
}

/** The rules, and a plan that is held against them. */
class Trial {
  readonly setup: Setup;
  readonly plan: PoolPlan;
  readonly trace: Step[] = [];
  readonly workers = new Map<number, ModelWorker>();
  size: number;
  nextWorker = 1;
  reloads = 0;
  recycles = 0;
  resizes = 0;
  /** A reload was asked for, and has not been told as done. */
  reloading = false;

  constructor(setup: Setup, trace: readonly Step[] = []) {
    this.setup = setup;
    this.size = setup.size;
    this.plan = new PoolPlan(setup.size, setup.most);
    for (const step of trace) this.step(step);
  }

  /** All that can happen next. */
  steps(): Step[] {
    const steps: Step[] = [];
    const { workers, reloads, recycles, resizes } = this.setup;
    const action = this.plan.next();
    if (action?.kind === 'retire' || (action?.kind === 'start' && this.nextWorker <= workers)) steps.push(['act']);
    if (this.reloads < reloads) steps.push(['reload']);
    if (this.resizes < resizes) steps.push(['grow'], ['shrink']);
    for (const [id, { state }] of this.workers) {
      if (state === 'starting') steps.push(['ready', id]);
      steps.push(['end', id]);
      if (this.recycles < recycles && state === 'ready') steps.push(['recycle', id]);
    }
    return steps;
  }

  step(step: Step): void {
    this.trace.push(step);
    switch (step[0]) {
      case 'act':
        this.act(this.plan.next());
        break;
      case 'ready':
        assert.equal(this.plan.becameReady(step[1]), true);
        assert.equal(this.plan.becameReady(step[1]), false, 'it is ready once');
        this.worker(step[1]).state = 'ready';
        break;
      case 'end':
        this.plan.ended(step[1]);
        this.workers.delete(step[1]);
        break;
      case 'recycle':
        this.recycles++;
        this.plan.recycle(step[1], 'recycled');
        this.worker(step[1]).marked = true;
        break;
      case 'reload':
        this.reloads++;
        this.reloading = true;
        this.plan.reload();
        for (const worker of this.workers.values()) worker.marked = worker.old = true;
        break;
      case 'grow':
      case 'shrink': {
        this.resizes++;
        const size = this.size + (step[0] === 'grow' ? 1 : -1);
        const allowed = size >= 1 && size <= this.setup.most;
        assert.equal(this.plan.resize(step[0] === 'grow' ? 1 : -1), allowed);
        if (allowed) this.size = size;
        break;
      }
    }
    this.check();
  }

  /**
   * From here on nothing goes wrong and nothing more is wished. @returns How many steps it took until all was as
   * wanted.
   */
  settle(): number {
    for (let steps = 0; steps < 100; steps++) {
      const starting = [...this.workers].find(([, { state }]) => state === 'starting');
      const retiring = [...this.workers].find(([, { state }]) => state === 'retiring');
      if (starting !== undefined) this.step(['ready', starting[0]]);
      else if (retiring !== undefined) this.step(['end', retiring[0]]);
      else if (this.plan.next() !== undefined) this.step(['act']);
      else {
        assert.equal(this.workers.size, this.size, 'as many as wanted');
        const workers = [...this.workers.values()];
        assert.ok(workers.every(({ state, marked }) => state === 'ready' && !marked), 'none that was to go');
        assert.equal(this.reloading, false, 'the end of the reload was told');
        assert.equal(this.plan.isComplete, true);
        return steps;
      }
    }
    assert.fail('it never comes to rest');
  }

  /** What tells this state from others; ids do not matter, their order does. */
  key(): string {
    const workers = [...this.workers.values()]
      .map(({ state, marked, old }) => `${state}${marked ? '!' : ''}${old ? '*' : ''}`);
    return [
      this.size, this.nextWorker, this.reloads, this.recycles, this.resizes, this.reloading, ...workers,
    ].join(' ');
  }

  private act(action: Action | undefined): void {
    const states = [...this.workers.values()].map(({ state }) => state);
    if (action?.kind === 'start') {
      assert.ok(this.workers.size < this.size, 'one is started only when one is missing');
      this.plan.started(this.nextWorker);
      this.workers.set(this.nextWorker++, { state: 'starting', marked: false, old: false });
    } else if (action?.kind === 'retire') {
      const worker = this.worker(action.worker);
      assert.ok(states.every((state) => state === 'ready'), 'one retires only while all others serve');
      assert.ok(this.workers.size >= this.size, 'none retires while one is missing');
      assert.ok(worker.marked || this.workers.size > this.size, 'only who is to go retires');
      this.plan.retiring(action.worker);
      worker.state = 'retiring';
    }
  }

  private check(): void {
    const { plan, workers } = this;
    const count = (wanted: WorkerPhase): number => [...workers.values()].filter(({ state }) => state === wanted).length;
    assert.equal(plan.size, this.size);
    assert.equal(plan.count, workers.size);
    assert.equal(plan.ready, count('ready'));
    for (const [id, { state }] of workers) assert.equal(plan.phaseOf(id), state);
    assert.ok(workers.size <= this.setup.most, 'never more than there may be');
    assert.ok(count('retiring') <= 1, 'never two retire at once');
    assert.equal(plan.last(false), undefined, 'at a stop none is started for nobody');
    const isMissing = count('ready') + count('starting') === 0 && workers.size < this.size;
    assert.equal(plan.last(true)?.kind, isMissing ? 'start' : undefined, 'and one for those who would wait for ever');
    const done = this.reloading && workers.size === this.size && count('ready') === this.size &&
      [...workers.values()].every(({ old }) => !old);
    assert.equal(plan.reloadIsDone(), done);
    if (done) this.reloading = false;
  }

  private worker(id: number): ModelWorker {
    const worker = this.workers.get(id);
    assert.ok(worker, `there is no worker ${id}`);
    return worker;
  }
}

/** Runs a part of a trial; a failure tells the way there. */
function judged<T>(trial: Trial, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const steps = trial.trace.map((step) => `  ${step.join(' ')}`).join('\n');
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n${JSON.stringify(trial.setup)}\n${steps}`, { cause: error });
  }
}

/** Visits every state that can be reached, the nearest first, by every step that leads from one to another. */
function explore(setup: Setup): { states: number; depth: number; longestWay: number } {
  const seen = new Set<string>();
  const queue: (readonly Step[])[] = [[]];
  let depth = 0;
  let longestWay = 0;
  for (const trace of queue) {
    depth = trace.length;
    const here = new Trial(setup, trace);
    for (const step of here.steps()) {
      const trial = new Trial(setup, trace);
      judged(trial, () => trial.step(step));
      const key = trial.key();
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push([...trial.trace]);
    }
    longestWay = Math.max(longestWay, judged(here, () => here.settle()));
  }
  return { states: seen.size, depth, longestWay };
}

const setups: [name: string, setup: Setup][] = [
  ['two workers, two reloads', { size: 2, most: 2, workers: 6, reloads: 2, recycles: 1, resizes: 0 }],
  ['three workers', { size: 3, most: 3, workers: 7, reloads: 1, recycles: 2, resizes: 1 }],
  ['one worker of one', { size: 1, most: 1, workers: 5, reloads: 2, recycles: 1, resizes: 1 }],
  [
    'two workers of three, resized during a reload',
    { size: 2, most: 3, workers: 5, reloads: 1, recycles: 0, resizes: 2 },
  ],
];

for (const [name, setup] of setups) {
  test(`the pool comes to what is wanted from every state, and keeps the rules on the way: ${name}`, (t) => {
    const { states, depth, longestWay } = explore(setup);
    t.diagnostic(`all ${states} states, up to ${depth} deep; at most ${longestWay} steps to rest`);
    assert.ok(states > 100);
  });
}

test('long random walks keep the rules, and come to rest', (t) => {
  let steps = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const most = random.between(1, 5);
    const setup = {
      size: random.between(1, most), most,
      workers: Infinity, reloads: Infinity, recycles: Infinity, resizes: Infinity,
    };
    const trial = new Trial(setup);
    judged(trial, () => {
      for (let i = 0; i < 200; i++) trial.step(random.oneOf(trial.steps()));
      trial.settle();
    });
    steps += trial.trace.length;
  }
  t.diagnostic(`${steps} steps`);
});
