// The toolkit's primitives beside Python's multiprocessing, and beside the smallest Node programs: the same work in
// all, by as many processes, warmed up and checked, in alternating rounds. Called by main.ts.
import { join } from 'node:path';
import { JoinableQueue, Queue } from '../../shared/multiprocessing/index.ts';
import { ROOT } from '../helpers/paths.ts';
import { run } from './children.ts';
import { median, type Absent } from './compare.ts';
import type { Effort } from './config.ts';
import { bothAtOnce, messageEach, oneAfterTheOther, roundTrips } from './toolkit-bare.ts';
import type { Goal } from './toolkit-goals.ts';
import { longWait, mapped, started, throughQueue, withDict, withLock } from './toolkit-ways.ts';
import * as work from './toolkit-work.ts';

/** Does something for so many milliseconds. @returns How often a second. */
type Measure = (ms: number) => Promise<number>;

export interface ToolkitCase {
  readonly title: string;
  readonly unit: string;
  readonly measure: Measure;
  /** Python's ways to do it: the name for people, and toolkit.py's. */
  readonly python?: Readonly<Record<string, string>>;
  /** Node's without the toolkit. */
  readonly bare?: Readonly<Record<string, Measure>>;
  readonly goal?: Goal;
}

export interface ToolkitResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly goal?: Goal | undefined;
  /** Medians of the rounds, and our rate to theirs. */
  readonly servers: readonly ToolkitRates[];
}

export interface ToolkitRates {
  readonly name: string;
  readonly rate: number;
  readonly ratio: number;
  /** The rate in each round. */
  readonly rounds: readonly number[];
}

const SCRIPT = join(ROOT, 'test/bench/toolkit.py');
const PYTHON_LIMIT_MS = 30_000;
const AS_PYTHON: Goal = { to: 'Python', least: 1 };
const THRICE_PYTHON: Goal = { to: 'Python', least: 3 };
const HALF_PYTHON: Goal = { to: 'Python', least: 0.5 };
/** So many processes take from one queue. */
const SEVERAL = 3;
/** A message for each item, and its answer: the floor of whoever may keep nothing that others need. */
export const EACH = 'an answer each';

export const TOOLKIT_CASES: Readonly<Record<string, ToolkitCase>> = {
  'lock': {
    title: 'a Lock, nobody else wants it: await acquire and release', unit: 'times/s', goal: AS_PYTHON,
    measure: (ms) => withLock(1, work.takeLock, ms), python: { 'Python': 'lock' },
    bare: { 'two awaits': (ms) => withLock(1, work.awaitTwice, ms, null) },
  },
  'lock-void': {
    title: 'the same, release not awaited', unit: 'times/s', goal: AS_PYTHON,
    measure: (ms) => withLock(1, work.takeLockOneAwait, ms), python: { 'Python': 'lock' },
    bare: { 'one await': (ms) => withLock(1, work.awaitOnce, ms, null) },
  },
  'lock-2': {
    title: 'a Lock that 2 processes want', unit: 'times/s', goal: { to: 'message each', least: 10 },
    measure: (ms) => withLock(2, work.takeLock, ms),
    python: { 'Python': 'lock-2' }, bare: { 'message each': messageEach },
  },
  'lock-wait': {
    title: 'how long one waits while another takes it again and again', unit: 'ms', goal: { most: 10 },
    measure: longWait,
  },
  'queue': {
    title: 'a Queue, from a child to the root', unit: 'items/s', goal: THRICE_PYTHON,
    measure: (ms) => throughQueue(new Queue(), {}, ms), python: { 'Python': 'queue' },
  },
  'queue-10': {
    title: 'the same, bounded at 10', unit: 'items/s', goal: HALF_PYTHON,
    measure: (ms) => throughQueue(new Queue(10), {}, ms), python: { 'Python': 'queue-10' },
    bare: { [EACH]: inOne(1, roundTrips), '10 an answer': inOne(10, roundTrips) },
  },
  'children': {
    title: 'a Queue, from child to child', unit: 'items/s', goal: THRICE_PYTHON,
    measure: (ms) => throughQueue(new Queue(), { getters: 1 }, ms), python: { 'Python': 'children' },
  },
  'children-10': {
    title: 'the same, bounded at 10', unit: 'items/s', goal: HALF_PYTHON,
    measure: (ms) => throughQueue(new Queue(10), { getters: 1 }, ms), python: { 'Python': 'children-10' },
    bare: { [EACH]: inOne(1, bothAtOnce), '5 at each end': inOne(5, bothAtOnce) },
  },
  'getters': {
    title: `a Queue, from the root to ${SEVERAL} children`, unit: 'items/s', goal: HALF_PYTHON,
    measure: (ms) => throughQueue(new Queue(), { getters: SEVERAL, putsHere: true }, ms),
    python: { 'Python': 'getters' }, bare: { [EACH]: inTurn(1) },
  },
  'getters-10': {
    title: 'the same, bounded at 10', unit: 'items/s', goal: HALF_PYTHON,
    measure: (ms) => throughQueue(new Queue(10), { getters: SEVERAL, putsHere: true }, ms),
    python: { 'Python': 'getters-10' },
    bare: { [EACH]: inTurn(1), '10 in turn': inTurn(10) },
  },
  'joinable': {
    title: 'a JoinableQueue to a child, every item told to be done', unit: 'items/s', goal: AS_PYTHON,
    measure: (ms) => throughQueue(new JoinableQueue(), { getters: 1, putsHere: true }, ms),
    python: { 'Python': 'joinable' },
  },
  'dict-set': {
    title: 'a Manager\'s dict, set by a child', unit: 'times/s', goal: AS_PYTHON,
    measure: (ms) => withDict(work.setKeys, 'last', ms), python: { 'Python': 'dict-set' },
    bare: { 'send, answer': inOne(1, roundTrips) },
  },
  'dict-get': {
    title: 'the same, get', unit: 'times/s', goal: AS_PYTHON,
    measure: (ms) => withDict(work.getKeys, 'none', ms), python: { 'Python': 'dict-get' },
  },
  'dict-increment': {
    title: 'the same, increment; in Python += with a lock around', unit: 'times/s', goal: AS_PYTHON,
    measure: (ms) => withDict(work.incrementKey, 'sum', ms), python: { 'Python': 'dict-increment' },
  },
  'pool': {
    title: 'Pool(2).map of 10,000 numbers', unit: 'items/s', goal: AS_PYTHON,
    measure: mapped, python: { 'Python': 'pool' },
  },
  'process': {
    title: 'start a Process and join it', unit: 'times/s',
    measure: started, python: { 'Python, fork': 'process', 'Python, spawn': 'process-spawn' },
  },
};

/** The rate of the items, when so many travel in one message. */
function inOne(items: number, measure: (items: number, ms: number) => Promise<number>): Measure {
  return async (ms) => items * await measure(items, ms);
}

/** The same for one of several children after the other. */
function inTurn(items: number): Measure {
  return inOne(items, (each, ms) => oneAfterTheOther(SEVERAL, each, ms));
}

export interface ToolkitEvents {
  absent(absent: Absent): void;
  now(what: string): void;
  done(result: ToolkitResult): void;
}

/** Measures each case, ours and the others' in turn. */
export async function compareToolkit({ cases, rounds, seconds }: Effort, events: ToolkitEvents): Promise<void> {
  const hasPython = (await run(['python3', '--version'], PYTHON_LIMIT_MS)).code === 0;
  if (!hasPython) events.absent({ name: 'Python', why: 'python3 is not installed' });
  for (const name of cases) {
    const { title, unit, goal, measure, python = {}, bare = {} } = TOOLKIT_CASES[name]!;
    const ways = new Map<string, Measure>([['ours', measure]]);
    for (const [other, itsCase] of hasPython ? Object.entries(python) : []) {
      ways.set(other, (ms) => measurePython(itsCase, ms / 1000));
    }
    for (const [other, itsMeasure] of Object.entries(bare)) ways.set(other, itsMeasure);
    const rates = new Map<string, number[]>([...ways.keys()].map((way) => [way, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const [way, itsMeasure] of ways) {
        events.now(`${name}, round ${round} of ${rounds}: ${way}`);
        rates.get(way)!.push(await itsMeasure(seconds * 1000));
      }
    }
    const ours = rates.get('ours')!;
    events.done({
      name, title, unit, goal,
      servers: [...rates].map(([way, own]) => ({
        name: way, rate: median(own), ratio: median(own.map((rate, i) => ours[i]! / rate)), rounds: own,
      })),
    });
  }
}

async function measurePython(name: string, seconds: number): Promise<number> {
  const command = ['python3', SCRIPT, name, String(seconds)];
  const { code, stdout, stderr } = await run(command, seconds * 1000 + PYTHON_LIMIT_MS);
  const rate = Number(stdout);
  if (code === 0 && rate > 0) return rate;
  throw new Error(`toolkit.py ${name} failed: ${stderr.trim().split('\n').at(-1) || 'it did not end'}`);
}
