// The benchmark: its arithmetic and its charts with data, and one short run of each kind. No figure is judged.
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { UsageError } from '../../shared/errors.ts';
import { caseChart, toolkitChart } from '../bench/chart.ts';
import type { FigureResult } from '../bench/figures/figure.ts';
import { summarize, type CaseResult } from '../bench/compare.ts';
import { benchHelp, parseBenchCommand } from '../bench/config.ts';
import type { Round } from '../bench/load.ts';
import { median } from '../bench/median.ts';
import { cpuOf, knowsCpu, treeOf } from '../bench/process-tree.ts';
import type { ToolkitResult } from '../bench/toolkit.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { isRunning, until, untilGone } from '../helpers/processes.ts';

const DEADLINE = { timeout: 90_000 };
const BENCH = nodeArgs('test/bench/main.ts');
/** What tsx keeps for the next time must not stay behind. */
const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env, TMPDIR: folder };
const PING: Round = { rate: 100, messages: 50, mbPerSecond: 1, p50Us: 10, p99Us: 20, cpuUs: 5, problems: [] };

function runBench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...BENCH, ...args], { env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

describe('the arithmetic', () => {
  test('takes the middle of an odd number of values, and between the two of an even one', () => {
    assert.deepEqual([[7], [9, 1, 5], [4, 1, 3, 2], [1, 10]].map(median), [7, 5, 2.5, 5.5]);
  });

  test('compares round by round, so that a machine that slows down slows down all', () => {
    const [ours, theirs] = summarize(new Map([
      ['ours', [100, 50, 20].map((rate) => ({ ...PING, rate }))],
      ['theirs', [50, 25, 20].map((rate) => ({ ...PING, rate, cpuUs: null }))],
    ]));
    assert.deepEqual([ours!.ratio, ours!.median!.rate, ours!.median!.cpuUs], [1, 50, 5]);
    assert.deepEqual([theirs!.ratio, theirs!.median!.rate, theirs!.median!.cpuUs], [2, 25, null]);
  });

  test('gives no figure for a server with a wrong reply, nor a ratio to it', () => {
    const bad = { ...PING, problems: ['Wrong reply.'] };
    const wrongPeer = summarize(new Map([['ours', [PING, PING]], ['theirs', [PING, bad]]]));
    assert.deepEqual(wrongPeer.map(({ median, ratio }) => [median?.rate, ratio]), [[100, 1], [undefined, null]]);
    const wrongFirst = summarize(new Map([['ours', [bad]], ['theirs', [PING]]]));
    assert.deepEqual(wrongFirst.map(({ median, ratio }) => [median?.rate, ratio]), [[undefined, null], [100, null]]);
  });
});

describe('the charts', () => {
  test('have a bar, the figures and the ratio of each server, and say why there is none', () => {
    const servers = summarize(new Map([
      ['ours', [{ ...PING, rate: 120_000 }]], ['cluster', [{ ...PING, rate: 60_000, cpuUs: 9.61 }]],
      ['go', [{ ...PING, problems: ['Wrong reply.'] }]],
    ]));
    const result: CaseResult = { name: 'ping', title: 'small', unit: 'messages/s', servers };
    assert.equal(caseChart(result), [
      'ping: small',
      '                                       messages/s    ours/      p99  CPU each',
      '  ours              ███████████████       120,000     1.00    20 us      5 us',
      '  cluster           ███████▌               60,000     2.00    20 us   9.61 us',
      '  go                                void',
      '      Wrong reply.',
    ].join('\n'));
  });

  test('show our rate beside Python\'s', () => {
    const servers = [
      { name: 'ours', rate: 500, ratio: 1, rounds: [500] },
      { name: 'Python', rate: 1000, ratio: 0.5, rounds: [1000] },
    ];
    assert.equal(toolkitChart({ name: 'queue', title: 'a Queue', unit: 'items/s', servers }), [
      'queue: a Queue',
      '  ours            ███████▌                 500 items/s    1.00',
      '  Python          ███████████████        1,000 items/s    0.50',
    ].join('\n'));
  });
});

const OPTIONS = { ...DEADLINE, skip: !knowsCpu && 'needs /proc' };
test('a tree of processes has all descendants and the CPU time of all', OPTIONS, async () => {
  // Spends 60 ms of CPU, tells its number and waits.
  const busy = `
    const until = process.cpuUsage().user + 60_000;
    while (process.cpuUsage().user < until);
    console.log(process.pid);
    setInterval(() => {}, 1000);`;
  const args = JSON.stringify(['-e', busy]);
  const nested = `require('node:child_process').spawn(process.execPath, ${args}, { stdio: 'inherit' })`;
  const child = spawn(process.execPath, ['-e', nested], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  try {
    const grandchild = Number(String((await once(child.stdout, 'data'))[0]));
    assert.ok(treeOf(child.pid!).includes(grandchild));
    assert.ok(cpuOf(child.pid!) >= 0.05);
    assert.ok(cpuOf(child.pid!) >= cpuOf(grandchild));
  } finally {
    process.kill(-child.pid!, 'SIGKILL');
  }
  assert.deepEqual(treeOf(2 ** 30), [2 ** 30], 'one that is gone costs nothing');
  assert.equal(cpuOf(2 ** 30), 0);
});

describe('the flags', () => {
  test('have defaults, and choose cases and servers in their own order', () => {
    const all = parseBenchCommand([], 4);
    assert.ok(all.kind === 'servers');
    assert.deepEqual([all.effort.rounds, all.effort.seconds, all.workers, all.processes], [3, 2, 4, undefined]);
    const names = 'ping,pipe,bulk,utf8,churn,memory,idle,connections,start,latency,log-delay,watched';
    assert.deepEqual([all.effort.cases.join(), all.plan.map(({ name }) => name).join()], [names, names]);
    assert.equal(all.plan[0]!.servers[0], 'ours');
    const some = parseBenchCommand('--cases churn,ping --servers=cluster,ours --rounds 1 --processes 2'.split(' '), 1);
    assert.ok(some.kind === 'servers');
    const both = ['ours', 'cluster'];
    assert.deepEqual(some.plan, [{ name: 'ping', servers: both }, { name: 'churn', servers: both }]);
    assert.deepEqual([some.effort.cases, some.processes], [['ping', 'churn'], 2]);
    assert.equal(parseBenchCommand(['toolkit'], 1).kind, 'toolkit');
  });

  for (const [line, complaint] of Object.entries({
    '--bogus': /^unknown flag "--bogus" \(--help lists all\)$/,
    '--cases ping,pong': /^--cases must be a list of ping, .*, not "pong"$/,
    '--rounds 0': /^--rounds must be a whole number from 1 to 100, not "0"$/,
    '--seconds fast': /^--seconds must be a number from 0.1 to 600, not "fast"$/,
    '--workers 9': /^--workers must be a whole number from 1 to 2, not "9"$/,
    '--connections 0': /^--connections must be a whole number from 1 to 10000, not "0"$/,
    'goals --servers go': /^--servers is not for goals: they tell which servers they need$/,
    'goals --cases pong': /^--cases must be a list of ping, .*, not "pong"$/,
    'toolkit --workers 1': /^--workers is for the servers, not for the toolkit$/,
    'toolbox': /^what to measure must be .*, not "toolbox"$/,
  })) {
    test(`are refused in one sentence: ${line}`, () => {
      assert.throws(() => parseBenchCommand(line.split(' '), 2), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, complaint);
        return true;
      });
    });
  }

  test('are in the help, which fits 80 columns', () => {
    const help = benchHelp(2);
    for (const flag of 'cases rounds seconds servers workers processes connections json'.split(' ')) {
      assert.match(help, new RegExp(`^  --${flag} `, 'm'));
    }
    for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
  });
});

describe('the program', { concurrency: true }, () => {
  test('compares servers, and prints JSON for scripts', DEADLINE, async () => {
    const flags = '--servers ours,cluster --cases ping --rounds 1 --seconds 0.1 --json';
    const { code, stdout, stderr } = await runBench(...flags.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const { kind, cases, absent } = JSON.parse(stdout) as { kind: string; cases: CaseResult[]; absent: unknown[] };
    assert.deepEqual({ kind, absent }, { kind: 'servers', absent: [] });
    const servers = cases[0]!.servers;
    const problems = servers.map(({ name, rounds }) => [name, rounds.map(({ problems }) => problems)]);
    assert.deepEqual(problems, [['ours', [[]]], ['cluster', [[]]]]);
    for (const { median, ratio } of servers) assert.ok(median !== null && median.rate > 0 && ratio! > 0);
  });

  test('measures every goal that is no load, and prints the table', DEADLINE, async () => {
    // One worker each: how many there are is the servers' business, and each start of theirs starts all.
    const flags = 'goals --cases memory,idle,latency,log-delay,queue --rounds 1 --seconds 0.1'
      + ' --connections 200 --workers 1';
    const { code, stdout, stderr } = await runBench(...flags.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.doesNotMatch(stdout, /void/);
    const table = stdout.slice(stdout.indexOf('| work |')).split('\n').filter((line) => line.startsWith('|')).slice(2);
    assert.deepEqual(table.map((row) => row.split(' | ')[0]!.replace(/^\| (\w+).*/, '$1')), [
      'memory', 'memory', 'memory', 'memory', 'memory', 'memory', 'memory', 'memory', 'latency',
      'toolkit', 'logging', 'logging',
    ]);
    const verdict = /\| (?:\d+\.\d\d|\d of 3|\d+ ms|so it is) \| (?:yes|\*\*no\*\*) \| (?:\d+\.\d\d|\d of 3)? \|$/;
    for (const row of table) if (!row.includes('Python')) assert.match(row, verdict);
    assert.match(stdout, /From one run of `npm run bench -- goals`: 1 round of 0.1 s, on \d+ CPUs, Node v/);
  });

  test('measures the start and the reload, as npm start runs a server', DEADLINE, async () => {
    const flags = '--cases start --servers ours,cluster --rounds 1 --seconds 0.1 --workers 1 --json';
    const { code, stdout, stderr } = await runBench(...flags.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const { cases } = JSON.parse(stdout) as { cases: FigureResult[] };
    const rows = cases[0]!.servers.map(({ name, rounds }) => [name, rounds[0]!.problems, rounds[0]!.value > 0]);
    const wanted = ['ours start', 'ours reload', 'cluster start', 'cluster reload'];
    assert.deepEqual(rows, wanted.map((row) => [row, [], true]));
  });

  test('measures what it costs to be watched, and that somebody did watch', DEADLINE, async () => {
    const { code, stdout, stderr } = await runBench(...'--cases watched --rounds 1 --seconds 0.2 --json'.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const { cases } = JSON.parse(stdout) as { cases: FigureResult[] };
    const rows = cases[0]!.servers.map(({ name, rounds }) => [name, rounds[0]!.problems, rounds[0]!.value > 0]);
    assert.deepEqual(rows, [['unwatched', [], true], ['watched', [], true]]);
  });

  test('has an echo server in C beside it, if there is a compiler', DEADLINE, async () => {
    const flags = '--servers c --cases bulk,utf8,churn --rounds 1 --seconds 0.1 --json';
    const { code, stdout, stderr } = await runBench(...flags.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const { cases, absent } = JSON.parse(stdout) as { cases: CaseResult[]; absent: { name: string }[] };
    const hasCompiler = spawnSync('cc', ['--version']).status === 0;
    assert.deepEqual(absent.map(({ name }) => name), hasCompiler ? [] : ['c']);
    const measured = cases.map(({ name, servers }) => [name, servers.map(({ rounds }) => rounds[0]!.problems)]);
    const sound = hasCompiler ? [[]] : [];
    assert.deepEqual(measured, [['bulk', sound], ['utf8', []], ['churn', sound]]);
  });

  test('compares the toolkit with Python\'s, if that is there', DEADLINE, async () => {
    const flags = 'toolkit --cases queue --rounds 1 --seconds 0.02 --json';
    const { code, stdout, stderr } = await runBench(...flags.split(' '));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const { cases, absent } = JSON.parse(stdout) as { cases: ToolkitResult[]; absent: { name: string }[] };
    const hasPython = spawnSync('python3', ['--version']).status === 0;
    assert.deepEqual(absent.map(({ name }) => name), hasPython ? [] : ['Python']);
    for (const { servers } of cases) {
      assert.deepEqual(servers.map(({ name }) => name), hasPython ? ['ours', 'Python'] : ['ours']);
      assert.ok(servers.every(({ rate, ratio }) => rate > 0 && ratio > 0));
    }
  });

  test('ends all that it has started when Ctrl-C ends it', OPTIONS, async () => {
    const flags = '--servers cluster --cases ping --seconds 60'.split(' ');
    const bench = spawn(process.execPath, [...BENCH, ...flags], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      // The server with its workers: no event tells of them.
      let tree: number[] = [];
      await until(() => (tree = treeOf(bench.pid!)).length >= 4, 'the benchmark has children');
      bench.kill('SIGINT');
      assert.deepEqual(await once(bench, 'exit'), [130, null]);
      await untilGone(...tree);
    } finally {
      if (isRunning(bench.pid!)) bench.kill('SIGINT');
    }
  });
});
