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

  test('with a problem are void, and so is a ratio to them', () => {
    const rows = summarizeFigures([new Map([['ours', figure(10, 'Lost.')], ['theirs', figure(5)]])]);
    assert.deepEqual(rows.map(({ median, ratio }) => [median, ratio]), [[null, null], [5, null]]);
  });

  test('have a chart that says what is to be known about them', () => {
    const rounds = [new Map([['ours', figure(10)], ['cluster', figure(20)], ['c', figure(1, 'Lost.')]])];
    assert.equal(figureChart(figures('start', rounds)), [
      'start: a title',
      '                                               ms    ours/',
      '  ours         ██████████                      10     1.00',
      '  cluster      ████████████████████            20     0.50',
      '  c                                 void',
      '      Lost.',
      '      A note.',
    ].join('\n'));
  });
});

describe('the goals', () => {
  test('are about servers and cases that there are', () => {
    assert.deepEqual(planOfGoals(['ping', 'utf8']), [
      { name: 'ping', servers: ['ours', 'cluster', 'kept-copy', 'go', 'c', 'ours-logging', 'kept-copy-logging'] },
      { name: 'utf8', servers: ['ours', 'cluster', 'bun'] },
    ]);
    const plan = planOfGoals(GOAL_CASES);
    assert.deepEqual(plan.map(({ name }) => name), GOAL_CASES);
    for (const { servers } of plan) assert.ok(servers.every((name) => PEER_NAMES.includes(name)), servers.join());
    assert.deepEqual(planOfGoals(['connections']), [{ name: 'connections', servers: ['ours', 'kept-copy'] }]);
  });

  test('are judged by the median of the rounds\' ratios, as it is printed', () => {
    const judged = (...rates: number[]): unknown => {
      const result = ping(rates.map((rate) => ({ rate })), rates.map(() => ({ rate: 100 })));
      return judge(PING_TO_CLUSTER, [result]);
    };
    assert.deepEqual(judged(90, 120, 111), { figure: 1.11, isMet: true, why: '' });
    assert.deepEqual(judged(109.6), { figure: 1.1, isMet: true, why: '' });
    assert.deepEqual(judged(109.4), { figure: 1.09, isMet: false, why: '' });
    const cpu: Goal = { ...PING_TO_CLUSTER, measure: 'cpuUs', need: '<=', limit: 1.4 };
    assert.deepEqual(judge(cpu, [ping([{ cpuUs: 7 }], [{}])]), { figure: 1.4, isMet: true, why: '' });
    assert.equal(judge(cpu, [ping([{ cpuUs: null }], [{}])]).why, 'this system does not tell');
  });

  test('are not met by what was not measured, or had a problem', () => {
    const why = (goal: Goal, ...results: CaseResult[]): unknown => {
      const { isMet, why } = judge(goal, results);
      return [isMet, why];
    };
    const sound = ping([{}], [{}]);
    assert.deepEqual(why(PING_TO_CLUSTER), [false, 'not measured']);
    assert.deepEqual(why({ ...PING_TO_CLUSTER, by: 'go' }, sound), [false, 'go is not there']);
    assert.deepEqual(why({ ...PING_TO_CLUSTER, row: 'mine' }, sound), [false, 'mine is not there']);
    assert.deepEqual(why(PING_TO_CLUSTER, ping([{}], [{ problems: ['Wrong reply.'] }])), [false, 'Wrong reply.']);
  });

  test('are a table of those that were measured, and notes', () => {
    const log = figures('log-delay', [new Map([['ours-logging', figure(97.4)]])]);
    const start = figures('start', [new Map([['ours', figure(200)], ['cluster', figure(100)]])]);
    const memory = figures('memory', [
      new Map([['ours', figure(150)], ['cluster', figure(100)], ['kept-copy', figure(130)]]),
    ]);
    const file = 'logging: ping, every message logged to a file';
    assert.equal(goalsTable([log, start, memory]), [
      '| work | goal | figure | met | floor |',
      '| --- | --- | --- | --- | --- |',
      `| ${file} | every line whole, none lost | so it is | yes |  |`,
      `| ${file} | ≤ 100 ms until the line is in the file, p99 | 97 ms | yes |  |`,
      '| memory with 8,000 idle connections | ≤ 1.2 x node:cluster | 1.50 | **no** | 1.30 |',
      '| start: to the first echo | ≤ 1.5 x node:cluster | 2.00 | **no** |  |',
      '', 'log-delay: A note.', 'start: A note.', 'memory: A note.',
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
  assert.deepEqual(roomFor(8000, 10_000, 1024), { count: 824, note: 'Only 824 connections: ulimit -n is 1024.' });
  assert.deepEqual(roomFor(8000, 200, 1024), { count: 200, note: 'Only 200 connections: as --connections says.' });
  assert.equal(roomFor(10_000, 10_000, Infinity).count, 10_000);
});

test('the memory of a process is told by the system', { skip: !knowsCpu && 'needs /proc' }, () => {
  const own = memoryOf(process.pid);
  assert.ok(own > 10e6 && own < 2e9, `${own} bytes`);
  assert.equal(memoryOf(2 ** 30), 0);
});
