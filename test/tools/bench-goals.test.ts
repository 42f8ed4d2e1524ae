// The benchmark's goals and figures: what is pure of them, with data. bench.test.ts runs the cases.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { figureChart } from '../bench/chart.ts';
import { summarize, type CaseResult } from '../bench/compare.ts';
import { roomFor } from '../bench/crowd.ts';
import type { FigureResult, FigureRound } from '../bench/figures/figure.ts';
import { summarizeFigures } from '../bench/figures/summary.ts';
import { GOAL_CASES, GOALS, goalsTable, judge, planOfGoals, type Goal } from '../bench/goals.ts';
import type { Round } from '../bench/load.ts';
import { auditLog, GrowingLog, problemsOf } from '../bench/log-file.ts';
import { PEER_NAMES } from '../bench/peers.ts';
import { knowsCpu, memoryOf } from '../bench/process-tree.ts';
import { TOOLKIT_CASES, type ToolkitResult } from '../bench/toolkit.ts';

const ROUND: Round = { rate: 100, messages: 50, mbPerSecond: 1, p50Us: 10, p99Us: 20, cpuUs: 5, problems: [] };
const PING_TO_CLUSTER = GOALS.find(({ case: name, by }) => name === 'ping' && by === 'cluster')!;

function figure(value: number, ...problems: string[]): FigureRound {
  return { value, problems };
}

function ping(ours: readonly Partial<Round>[], cluster: readonly Partial<Round>[]): CaseResult {
  const rounds = (some: readonly Partial<Round>[]): Round[] => some.map((round) => ({ ...ROUND, ...round }));
  const servers = summarize(new Map([['ours', rounds(ours)], ['cluster', rounds(cluster)]]));
  return { name: 'ping', title: '', unit: 'messages/s', servers };
}

function figures(name: string, rounds: readonly ReadonlyMap<string, FigureRound>[]): FigureResult {
  return { name, title: 'a title', unit: 'ms', notes: ['A note.'], servers: summarizeFigures(rounds) };
}

describe('figures', () => {
  test('are medians, with the ratio of each round to the first row', () => {
    const rows = summarizeFigures([
      new Map([['ours', figure(10)], ['theirs', figure(5)]]), new Map([['ours', figure(30)], ['theirs', figure(10)]]),
    ]);
    const shown = rows.map(({ name, median, ratio }) => [name, median, ratio]);
    assert.deepEqual(shown, [['ours', 20, 1], ['theirs', 7.5, 2.5]]);
    assert.deepEqual(summarizeFigures([]), []);
  });

  test('of several kinds have their ratios to the first row of the same kind', () => {
    const round = Object.entries({ 'ours 5 s': 10, 'ours peak': 30, 'theirs 5 s': 5, 'theirs peak': 10 });
    const rows = summarizeFigures([new Map(round.map(([row, value]) => [row, figure(value)]))]);
    assert.deepEqual(rows.map(({ ratio }) => ratio), [1, 1, 2, 3]);
  });

  test('with a problem are void, and so is a ratio to them', () => {
    const rows = summarizeFigures([new Map([['ours', figure(10, 'Lost.')], ['theirs', figure(5)]])]);
    assert.deepEqual(rows.map(({ median, ratio }) => [median, ratio]), [[null, null], [5, null]]);
  });

  test('have a chart that says what is to be known about them', () => {
    const rounds = [new Map([['ours', figure(10)], ['cluster', figure(20)], ['c', figure(1, 'Lost.')]])];
    assert.equal(figureChart(figures('start', rounds)), [
      'start: a title',
      '                                               ms    ours/',
      '  ours              ███████▌                   10     1.00',
      '  cluster           ███████████████            20     0.50',
      '  c                                 void',
      '      Lost.',
      '      A note.',
    ].join('\n'));
  });
});

/** What is wanted: the work, and each goal of it. */
const WANTED: Readonly<Record<string, readonly string[]>> = {
  'churn: short connections': [
    '≥ 0.95 x the smallest program', '≥ 0.75 x node:cluster',
    '≤ 1.05 x CPU a connection of the smallest program', '≤ 1.33 x CPU a connection of node:cluster',
  ],
  ...Object.fromEntries(['after 5 s', 'after 60 s', 'at the peak'].map((moment) => [
    `memory with 8,000 idle connections, ${moment}`, ['≤ 1.05 x the smallest program', '≤ 1.25 x node:cluster'],
  ])),
  'memory without a connection, two workers, after 5 s': ['≤ 1.15 x node:cluster'],
  'memory without a connection, two workers, after 60 s': ['≤ 1.15 x node:cluster'],
  'start: npm start to the first echo': ['≤ 1.25 x node:cluster'],
  'start: SIGHUP until a successor serves': ['≤ 1.25 x node:cluster'],
  'ping: 64 connections, 64 bytes, 1 in flight': ['≥ 1 x node:cluster', '≥ 0.97 x the smallest program'],
  'pipe: 16 in flight': ['≥ 1 x node:cluster', '≥ 0.97 x the smallest program'],
  'latency at half of full load, p99': ['≤ 1 x node:cluster in 5 rounds of 7'],
  'logging: ping, every message logged to a file': [
    '≥ 0.95 x the smallest program that logs', 'every line whole, none lost',
    '≤ 100 ms until the line is in the file, p99',
  ],
  'toolkit: an unbounded queue, one consumer': ['≥ 3 x Python'],
  'toolkit: an unbounded queue, three consumers': ['≥ 0.5 x Python'],
  'toolkit: a queue bounded at 10, one consumer': ['≥ 0.5 x Python'],
  'toolkit: a queue bounded at 10, three consumers': ['≥ 0.5 x Python'],
};

describe('the goals', () => {
  test('are all that is wanted', () => {
    const nothing = GOAL_CASES.map((name): FigureResult => ({ name, title: '', unit: 'ms', notes: [], servers: [] }));
    const table = goalsTable(nothing);
    for (const [work, goals] of Object.entries(WANTED)) {
      for (const goal of goals) assert.ok(table.includes(`| ${work} | ${goal} |`), `${work}: ${goal}`);
    }
    assert.equal(table.split('\n').length, 2 + GOALS.length);
  });

  test('are about servers and cases that there are', () => {
    assert.deepEqual(planOfGoals(['ping', 'utf8', 'memory']), [
      { name: 'ping', servers: ['ours', 'cluster', 'kept-copy', 'ours-logging', 'kept-copy-logging', 'go', 'c'] },
      { name: 'utf8', servers: ['ours', 'cluster', 'bun'] },
      { name: 'memory', servers: ['ours', 'kept-copy', 'cluster'] },
    ]);
    const plan = planOfGoals(GOAL_CASES);
    assert.deepEqual(plan.map(({ name }) => name), GOAL_CASES.filter((name) => !(name in TOOLKIT_CASES)));
    for (const { servers } of plan) assert.ok(servers.every((name) => PEER_NAMES.includes(name)), servers.join());
  });

  test('are judged by the median of the rounds\' ratios, as it is printed', () => {
    const judged = (...rates: number[]): unknown => {
      const result = ping(rates.map((rate) => ({ rate })), rates.map(() => ({ rate: 100 })));
      return judge({ ...PING_TO_CLUSTER, limit: 1.1 }, [result]);
    };
    assert.deepEqual(judged(90, 120, 111), { shown: '1.11', isMet: true });
    assert.deepEqual(judged(109.6), { shown: '1.10', isMet: true });
    assert.deepEqual(judged(109.4), { shown: '1.09', isMet: false });
    const cpu: Goal = { ...PING_TO_CLUSTER, measure: 'cpuUs', need: '<=', limit: 1.4 };
    assert.deepEqual(judge(cpu, [ping([{ cpuUs: 7 }], [{}])]), { shown: '1.40', isMet: true });
    assert.match(judge(cpu, [ping([{ cpuUs: null }], [{}])]).shown, /this system does not tell/);
  });

  test('may be met in so many rounds of so many', () => {
    const judged = (...rates: number[]): unknown => {
      const goal: Goal = { ...PING_TO_CLUSTER, limit: 1, times: { met: 5, of: 7 } };
      return judge(goal, [ping(rates.map((rate) => ({ rate })), rates.map(() => ({})))]);
    };
    assert.deepEqual(judged(100, 120, 90, 100, 110, 70, 100), { shown: '5 of 7', isMet: true });
    assert.deepEqual(judged(100, 120, 90, 100, 110, 70, 99), { shown: '4 of 7', isMet: false });
    assert.deepEqual(judged(99, 100, 100), { shown: '2 of 3', isMet: false });
  });

  test('of the toolkit are judged by its rates, beside Python', () => {
    const result = (...others: string[]): ToolkitResult => ({
      name: 'queue', title: '', unit: '',
      servers: ['ours', ...others].map((name, i) => ({ name, rate: 0, ratio: 0, rounds: [40 - 30 * i, 80, 100] })),
    });
    const goal = GOALS.find(({ case: name }) => name === 'queue')!;
    assert.deepEqual(judge(goal, [result('Python')]), { shown: '1.00', isMet: false });
    assert.deepEqual(judge({ ...goal, limit: 1 }, [result('Python')]), { shown: '1.00', isMet: true });
    assert.deepEqual(judge(goal, [result()]), { shown: '– (Python is not there)', isMet: null });
  });

  test('are not met by what was not measured or had a problem, and not known without the other', () => {
    const judged = (goal: Goal, ...results: (CaseResult | FigureResult)[]): unknown => {
      const { isMet, shown } = judge(goal, results);
      return [isMet, shown];
    };
    const sound = ping([{}], [{}]);
    assert.deepEqual(judged(PING_TO_CLUSTER), [false, '– (not measured)']);
    assert.deepEqual(judged({ ...PING_TO_CLUSTER, by: 'go' }, sound), [null, '– (go is not there)']);
    assert.deepEqual(judged({ ...PING_TO_CLUSTER, row: 'mine' }, sound), [null, '– (mine is not there)']);
    const wrong = ping([{}], [{ problems: ['Wrong reply.'] }]);
    assert.deepEqual(judged(PING_TO_CLUSTER, wrong), [false, '– (Wrong reply.)']);
    const memory = GOALS.find(({ case: name }) => name === 'memory')!;
    const failed = figures('memory', [new Map(['ours', 'kept-copy'].map((name) => [name, figure(NaN, 'Lost.')]))]);
    assert.deepEqual(judged(memory, failed), [false, '– (Lost.)']);
  });

  test('are a table of those that were measured, and notes', () => {
    const log = figures('log-delay', [new Map([['ours-logging', figure(97.4)]])]);
    const start = figures('start', [new Map([
      ['ours start', figure(200)], ['cluster start', figure(100)], ['kept-copy-modules start', figure(90)],
      ['ours reload', figure(110)], ['cluster reload', figure(100)], ['kept-copy-modules reload', figure(80)],
    ])]);
    const file = 'logging: ping, every message logged to a file';
    const utf8 = { ...ping([{}], [{ rate: 10 }]), name: 'utf8' };
    assert.equal(goalsTable([log, start, utf8]), [
      '| work | goal | figure | met | floor |',
      '| --- | --- | --- | --- | --- |',
      '| start: npm start to the first echo | ≤ 1.25 x node:cluster | 2.00 | **no** | 0.90 |',
      '| start: SIGHUP until a successor serves | ≤ 1.25 x node:cluster | 1.10 | yes | 0.80 |',
      '| utf8: 64 KiB of many scripts | ≥ 4 x node:cluster | 10.00 | yes |  |',
      '| utf8: 64 KiB of many scripts | ≥ 3 x Bun | – (bun is not there) | – |  |',
      `| ${file} | every line whole, none lost | so it is | yes |  |`,
      `| ${file} | ≤ 100 ms until the line is in the file, p99 | 97 ms | yes |  |`,
      '', 'log-delay: A note.', 'start: A note.',
    ].join('\n'));
  });
});

describe('a log file', () => {
  const line = (text: string): string => `12:34:56.789 worker 1  127.0.0.1:50000  6 bytes  "${text}"\n`;

  test('that grows shows a mark when its line is whole', () => {
    const log = new GrowingLog();
    const whole = line('mark-1') + line('hello\\n') + line('mark-2');
    assert.deepEqual(log.add(whole.slice(0, -1)), [1]);
    assert.deepEqual(log.add('\n1'), [2]);
    assert.deepEqual(log.add(line('mark-30').slice(1)), [30]);
  });

  test('is audited line by line', () => {
    const other = '12:34:56.789 master    listening on 127.0.0.1:1\n12:34:56.789 worker 1  127.0.0.1:5  connected\n';
    const sound = auditLog(other + line('mark-0') + line('hi') + line('mark-1'));
    assert.deepEqual(sound, { messages: 3, broken: undefined, marks: new Map([[0, 1], [1, 1]]) });
    assert.deepEqual(problemsOf(sound, 2, 1, 0), []);
    assert.deepEqual(problemsOf(sound, 2, 0, 1), []);
    assert.deepEqual(problemsOf(sound, 2, 3, 1), ['1 lines for at least 3 and at most 4 messages.']);
    assert.match(problemsOf(sound, 3, 0, 1)[0]!, /^Message 2 is in the log 0 times/);
    const torn = auditLog(line('mark-0').slice(0, 30) + line('mark-0') + line('mark-0') + '12:3');
    assert.deepEqual([torn.messages, torn.broken?.slice(0, 9)], [1, '12:3']);
    assert.equal(auditLog(`${line('x').slice(20)}`).broken, line('x').slice(20, -1));
  });
});

test('there is room for fewer connections where few descriptors are allowed', () => {
  assert.deepEqual(roomFor(8000, 10_000, 20_000), { count: 8000, note: undefined });
  const low = 'Only 824 connections instead of 8000: ulimit -n is 1024, and must be 8200 at least.';
  assert.deepEqual(roomFor(8000, 10_000, 1024), { count: 824, note: low });
  const told = 'Only 200 connections instead of 8000: as --connections says.';
  assert.deepEqual(roomFor(8000, 200, 1024), { count: 200, note: told });
  assert.equal(roomFor(10_000, 10_000, Infinity).count, 10_000);
});

test('the memory of a process is told by the system', { skip: !knowsCpu && 'needs /proc' }, () => {
  const own = memoryOf(process.pid);
  assert.ok(own > 10e6 && own < 2e9, `${own} bytes`);
  assert.equal(memoryOf(2 ** 30), 0);
});
