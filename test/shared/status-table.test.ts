// The status as a table: what stands in it, that it fits, and that nothing in it can shape the terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../shared/status/status.ts';
import { statusTable } from '../../shared/status/table.ts';
import { age, compact, sparkLine } from '../../shared/terminal/bars.ts';
import { columnsOf, fitText } from '../../shared/terminal/preview.ts';
import { aStatus, aWorker, STARTED_AT } from '../helpers/status.ts';

const { totals } = aStatus();
const BUSY: Status = aStatus({
  workers: [
    aWorker(1, { connections: 8, messagesPerSecond: 12_345, bytesInPerSecond: 1_500_000, bytesOutPerSecond: 999_999 }),
    aWorker(2, { connections: 2, state: 'stalled', ageMs: 3_723_000, pid: 4_194_304 }),
  ],
  line: { waiting: 3, limit: 1024 },
  terminal: { holder: 'worker 2', since: STARTED_AT + 59_988, waiting: 1 },
  current: 13,
  totals: {
    ...totals, connections: 31, served: 20, gone: 1, refused: { ...totals.refused, full: 4, header: 6 },
    messages: 1_234_567, bytesIn: 88_000_000, bytesOut: 89_000_000, moved: { ...totals.moved, reload: 7 },
    adopted: 5, cutOff: 9, deaths: { ...totals.deaths, signal: 2 }, reloads: 1,
  },
  notices: [
    { id: 1, time: STARTED_AT, level: 'info', event: 'worker', text: 'worker 1 is ready (pid 1001)', worker: 1 },
    { id: 2, time: STARTED_AT, level: 'warn', event: 'worker', text: 'worker 2 died', worker: 2 },
    { id: 3, time: STARTED_AT, level: 'info', event: 'reload', text: 'reloading', worker: null },
  ],
});

function table(status: Status, columns = 80, color = false, notices = 10): string[] {
  return statusTable(status, { columns, notices, color });
}

test('the table has all that a status says: head, workers with bars, line, terminal, totals, notices', () => {
  const text = table(BUSY).join('\n');
  assert.match(text, /^echopool 0\.1\.0 {2}ready {2}127\.0\.0\.1:8080 {2}up 1m 00s {2}pid 1000\n/);
  assert.match(text, /^ {5}1 ready {7}1001 1m 00s {5}8 █+ +12k {2}1\.5M {2}1\.0M$/m);
  assert.match(text, /^ {5}2 stalled {2}4194304 1h 02m {5}2 █+[▏▎▍▌▋▊▉]? +0 {5}0 {5}0$/m);
  assert.match(text, /^line {6}3 wait, room for 1,024$/m);
  assert.match(text, /^terminal {2}worker 2 has it for 12 ms, 1 wait$/m);
  assert.match(text, /^clients {3}31 in all, 20 served, 1 left unserved, 10 refused \(4 full, 6 header\)$/m);
  assert.match(text, /^moved {5}7 given back \(7 reload\), 5 adopted, 9 cut off$/m);
  assert.match(text, /^echoed {4}1,234,567 messages, 88MB in, 89MB out, 0 log lines dropped$/m);
  assert.match(text, /^workers {3}2 died \(2 signal\), 1 reload$/m);
  assert.match(text, /\n\n\d\d:\d\d:\d\d worker 1 is ready \(pid 1001\)\n.* worker 2 died\n.* reloading$/);
});

test('as many of the last notices are shown as are asked for', () => {
  assert.match(table(BUSY, 80, false, 1).at(-1)!, /reloading$/);
  assert.doesNotMatch(table(BUSY, 80, false, 1).join('\n'), /died$/m);
  assert.match(table(BUSY, 80, false, 0).at(-1)!, /^workers/);
});

test('a bar is whole at the limit of clients a worker, if there is one', () => {
  const [one] = table(BUSY).filter((line) => /^ +1 ready/.test(line));
  const config = { '--connections-per-worker': 16 };
  const limited = table({ ...BUSY, config }).find((line) => /^ +1 ready/.test(line));
  const blocks = (line: string | undefined): number => line?.match(/█/g)?.length ?? 0;
  assert.ok(blocks(limited) < blocks(one) && blocks(limited) > 0, `${one}\n${limited}`);
});

test('no line is longer than the columns there are, from 20 to 200, and 60 show each worker with its rates', () => {
  for (let columns = 20; columns <= 200; columns++) {
    for (const line of table(BUSY, columns)) assert.ok(columnsOf(line) <= columns, `${columns}: ${line}`);
  }
  const titles = table(BUSY, 60).find((line) => line.includes('state'));
  assert.deepEqual(titles?.trim().split(/ +/), ['worker', 'state', 'pid', 'age', 'conns', 'msg/s', 'in/s']);
});

test('colour only colours: without its codes it is the same table, and it is there only when it is asked for', () => {
  assert.doesNotMatch(table(BUSY).join('\n'), /\x1b/);
  for (const columns of [30, 60, 120]) {
    const colored = table(BUSY, columns, true);
    if (columns >= 60) assert.match(colored.join('\n'), /\x1b\[33mstalled/);
    assert.deepEqual(colored.map((line) => line.replace(/\x1b\[\d+m/g, '')), table(BUSY, columns));
  }
});

test('nothing that a client or a server says can shape the terminal or the line', () => {
  const evil = '\x1b[2J\r\n\u202e\x9b31m漢字\u0301';
  const notice = { id: 1, time: NaN, level: 'info', event: 'x', text: evil.repeat(20), worker: null } as const;
  const status = aStatus({
    version: evil, listening: [evil], notices: [notice], terminal: { holder: evil, since: 1e300, waiting: 1e300 },
    workers: [aWorker(1e300, { connections: 1e300, messagesPerSecond: 1e300, ageMs: 1e300, pid: 1e300 })],
  });
  for (const columns of [20, 60, 100]) {
    for (const line of table(status, columns)) {
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{M}]/u);
      assert.ok(columnsOf(line) <= columns, line);
    }
  }
});

test('quantities are short: ages have six characters at most, numbers four, a spark line one a value', () => {
  const minute = 60_000;
  const ages = [0, 59_999, 185_000, 62 * minute, 76 * 60 * minute].map(age);
  assert.deepEqual(ages, ['0s', '59s', '3m 05s', '1h 02m', '3d 04h']);
  assert.deepEqual([0, 0.5, 9.96, 12, 999.4, 999.5, 12_345, 1e6].map(compact),
    ['0', '0.5', '10', '12', '999', '1.0k', '12k', '1.0M']);
  for (const value of [1e3, 9_950, 99_949, 999_499, 1e15, 1e300, 2 ** 53]) assert.ok(compact(value).length <= 4);
  for (const days of [1, 99, 100, 1e6, 1e300]) assert.ok(age(days * 24 * 60 * minute).length <= 6);
  assert.equal(sparkLine([0, 1, 4, 8, 9], 8), '_▁▄██');
});

test('a text that is too long is cut with a sign, at a whole character', () => {
  assert.equal(fitText('abc', 3), 'abc');
  assert.equal(fitText('abcd', 3), 'ab…');
  assert.equal(fitText('漢字漢', 5), '漢字…');
  assert.equal(fitText('漢字漢', 6), '漢字漢');
  assert.equal(fitText(`ab${'c'.repeat(1e6)}`, 3), 'ab…');
});
