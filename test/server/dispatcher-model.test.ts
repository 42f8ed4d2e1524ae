// A model checker for the dispatcher: it takes every order of events, or very many at random, and compares each step
// with a plain model of the rules. A failure prints the steps that led to it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judged, Trial } from '../helpers/dispatcher-model.ts';
import type { Model, Setup, Step } from '../helpers/dispatcher-model.ts';
import { oneOf, randomSetup } from '../helpers/dispatcher-random.ts';
import { randomFrom } from '../helpers/random.ts';

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
 * Visits every state that can be reached, by every step that leads from one to another. A dispatcher cannot be copied:
 * to come back to a state takes the whole way there. So a trial goes on for as long as an untried step is near.
 */
class Explorer {
  readonly #setup: Setup;
  readonly #leftOut: readonly Step[0][];
  readonly #places = new Map<number, Place>();
  steps = 0;

  constructor(setup: Setup, leftOut: readonly Step[0][] = []) {
    assert.ok(setup.workers <= 3, 'a key has no digits for more');
    this.#setup = setup;
    this.#leftOut = leftOut;
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
      const untried = trial.model.steps().filter(([event]) => !this.#leftOut.includes(event));
      place = { step, from, untried, tried: [] };
      this.#places.set(key, place);
      trial.allStrays();
    }
    return place;
  }
}

const small: Setup = {
  poolSize: 2, waitingLimit: 1, offersInFlight: 1, onCrash: 'reset', workers: 2, connections: 3,
};
const setups: [name: string, setup: Setup, leftOut?: Step[0][]][] = [
  ['no limit', small],
  ['one connection a worker', { ...small, connectionsPerWorker: 1, waitingLimit: 0 }],
  ['one worker after another', { ...small, poolSize: 1, workers: 3, connectionsPerWorker: 1 }],
  ['one worker after another, adopting', { ...small, poolSize: 1, workers: 3, connections: 4, onCrash: 'adopt' }],
  ['two in flight', { ...small, offersInFlight: 2, connectionsPerWorker: 2, onCrash: 'adopt' }],
  // About whose turn it is among more than two. What a stop and a retiring do to one worker or the other is in
  // those above, and would make this six times as large.
  ['three workers', { ...small, poolSize: 3, workers: 3, connections: 2 }, ['stop', 'workerRetiring']],
];

for (const [name, setup, leftOut] of setups) {
  test(`every order of events keeps the rules: ${name}`, (t) => {
    const explorer = new Explorer(setup, leftOut);
    explorer.explore();
    t.diagnostic(`all ${explorer.states} states, ${explorer.steps} steps`);
    assert.ok(explorer.states > 400, 'all states are more than these');
  });
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
