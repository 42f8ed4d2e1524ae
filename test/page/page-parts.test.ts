// The parts of the page that need no browser: what a frame makes of a status, which dots there are, what is said.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dotsOf, pitchFor, positionOf, Seats, standsFor } from '../../server/admin/page/layout.js';
import { foretell } from '../../server/admin/page/sentences.js';
import { apply, History, KEPT_MS, MOST_FRAMES } from '../../server/admin/page/state.js';
import type { Change, ConnectionStatus, Status } from '../../shared/status/status.ts';
import { connection, pageStatus, pageWorker } from '../helpers/page-status.ts';
import { ROOT } from '../helpers/paths.ts';

const PAGE = join(ROOT, 'server/admin/page');
const files = readdirSync(PAGE).filter((name) => /\.(?:html|css|js)$/.test(name));
const read = (name: string): string => readFileSync(join(PAGE, name), 'utf8');

const three = [connection(1, 'worker 1'), connection(2, 'worker 1'), connection(3, 'line')];
const status = pageStatus({ connections: three, current: 3 });

/** What is said when this has changed. */
function saidAfter(before: Status, change: Change): string | undefined {
  const history = new History();
  history.begin(before);
  assert.ok(history.follow(change));
  return history.last!.said?.text;
}

test('the page has less than 60 KB in all, and nothing in it comes from outside', () => {
  assert.ok(files.reduce((sum, name) => sum + statSync(join(PAGE, name)).size, 0) < 60_000);
  for (const name of files) {
    // The name space of SVG is no address.
    const addresses = read(name).match(/https?:\/\/[^\s'"]*/g) ?? [];
    assert.deepEqual(addresses.filter((address) => address !== 'http://www.w3.org/2000/svg'), [], name);
  }
  assert.equal(read('index.html').match(/<script/g)?.length, 1);
  assert.doesNotMatch(read('index.html'), /<style|\sstyle=|\son[a-z]+=/);
});

test('its scripts are as short and narrow as all files, are checked, and never make markup of a text', () => {
  for (const name of files.filter((file) => file.endsWith('.js'))) {
    const lines = read(name).trimEnd().split('\n');
    assert.equal(lines[0], '// @ts-check', name);
    assert.ok(lines.length <= 300, name);
    assert.deepEqual(lines.filter((line) => line.length > 120), [], name);
    assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/, name);
  }
});

test('a change moves, adds and ends connections, keeps 50 notices, and leaves what was as it was', () => {
  const before = structuredClone(status);
  const notices = Array.from({ length: 60 }, (_, index) => ({
    id: index + 1, time: 1, level: 'info' as const, event: 'x', text: 'y', worker: null,
  }));
  const next = apply(status, {
    now: status.now + 100, moved: [connection(3, 'worker 1', 'given back'), connection(4, 'line')],
    ended: [{ id: 1, cutOff: false }], notices, current: 3,
  });
  assert.deepEqual(next.connections!.map(({ id, at }) => [id, at]), [[2, 'worker 1'], [3, 'worker 1'], [4, 'line']]);
  assert.deepEqual(next.notices.map(({ id }) => id), notices.slice(10).map(({ id }) => id));
  assert.equal(next.uptimeMs, next.now - next.startedAt);
  assert.deepEqual(status, before);
  assert.equal(apply(status, { now: 1 }).connections, status.connections);
});

test('beyond 500 connections only numbers are told, and below it each one again', () => {
  const many = apply(status, { now: 1, connections: null, current: 501 });
  assert.equal(many.connections, null);
  assert.equal(apply(many, { now: 2, ended: [{ id: 1, cutOff: false }] }).connections, null);
  assert.deepEqual(apply(many, { now: 2, connections: three }).connections, three);
});

test('the history keeps two minutes, and no more frames than it may', () => {
  const history = new History();
  assert.equal(history.follow({ now: 1 }), false, 'a change of nothing');
  history.begin(status);
  for (let i = 1; i <= 2000; i++) history.follow({ now: status.now + i * 10 });
  assert.equal(history.length, MOST_FRAMES);
  history.follow({ now: history.last!.status.now + KEPT_MS + 1 });
  assert.equal(history.length, 1);
  assert.equal(history.at(1), history.last, 'what is gone is the oldest that is there');
});

test('who was cut off between two moments is known going forward, and nobody going back', () => {
  const history = new History();
  history.begin(status);
  history.follow({ now: status.now + 1, ended: [{ id: 1, cutOff: true }, { id: 3, cutOff: false }] });
  history.follow({ now: status.now + 2, ended: [{ id: 2, cutOff: true }] });
  assert.deepEqual([...history.cutOffBetween(1, 3)], [1, 2]);
  assert.deepEqual([...history.cutOffBetween(2, 3)], [2]);
  assert.deepEqual([...history.cutOffBetween(3, 1)], []);
});

test('the minute before is sampled once a second, where no frame came with what was', () => {
  const history = new History();
  history.begin(pageStatus({ now: 10_000, current: 1 }));
  history.follow({ now: 12_500, current: 2 });
  history.follow({ now: 13_000, current: 3 });
  assert.deepEqual(history.minuteBefore(3, ({ current }) => current), [1, 1, 1, 3]);
});

test('each connection is a dot; of more than 500 a dot stands for a round number of them', () => {
  assert.deepEqual(dotsOf(status).map(({ id, at, standsFor: count }) => [id, at, count]),
    [[1, 'worker 1', 1], [2, 'worker 1', 1], [3, 'line', 1]]);
  const crowd = pageStatus({
    connections: null, current: 1203, line: { waiting: 3, limit: 9 }, workers: [pageWorker(1, { connections: 1200 })],
  });
  assert.equal(standsFor(crowd), 5);
  const dots = dotsOf(crowd);
  assert.equal(dots.reduce((sum, dot) => sum + dot.standsFor, 0), 1203);
  assert.deepEqual(dots.filter(({ at }) => at === 'line').map((dot) => [dot.id, dot.standsFor]), [[undefined, 3]]);
  assert.equal(standsFor(pageStatus({ connections: null, current: 1_000_000 })), 5000);
});

test('who stays keeps the seat, who comes takes a free one, and in the line all move up', () => {
  const seats = new Seats();
  const at = (...places: ConnectionStatus[]): Record<string, number> =>
    Object.fromEntries(seats.assign(dotsOf(pageStatus({ connections: places, current: places.length }))));
  const [a, b, c, d] = [1, 2, 3, 4].map((id) => connection(id, 'worker 1')) as [
    ConnectionStatus, ConnectionStatus, ConnectionStatus, ConnectionStatus];
  assert.deepEqual(at(a, b, c), { 1: 0, 2: 1, 3: 2 });
  assert.deepEqual(at(a, c), { 1: 0, 3: 2 });
  assert.deepEqual(at(a, c, d), { 1: 0, 4: 1, 3: 2 });
  const line = [5, 6, 7].map((id) => connection(id, 'line'));
  assert.deepEqual(at(...line), { 5: 0, 6: 1, 7: 2 });
  assert.deepEqual(at(...line.slice(1)), { 6: 0, 7: 1 });
});

test('dots are as large as all of them have a seat, and no two of 500 share one', () => {
  const area = { x: 10, y: 20, width: 300, height: 120 };
  const areas = new Map([['worker 1', area]]);
  const few = pitchFor(areas, new Map([['worker 1', 4]]), 0);
  const pitch = pitchFor(areas, new Map([['worker 1', 500]]), few);
  assert.ok(few > 30 && pitch < few);
  const places = Array.from({ length: 500 }, (_, seat) => positionOf(area, seat, pitch));
  assert.equal(new Set(places.map(({ x, y }) => `${x},${y}`)).size, 500);
  assert.ok(places.every(({ x, y }) => x >= 10 && x <= 310 && y >= 20 && y <= 140));
  assert.equal(pitchFor(areas, new Map([['worker 1', 10_000]]), pitch), 6, 'some share one');
});

test('a hand-off, the line, a reload and a crash are told in sentences', () => {
  const { now, totals } = status;
  assert.match(saidAfter(status, { now, moved: [connection(4, 'worker 2')] })!, /^Hand-off: .* to worker 2\.$/);
  assert.match(saidAfter(status, { now, line: { waiting: 2, limit: 9 }, moved: [connection(4, 'line')] })!,
    /^All workers are full: 2 clients in the waiting line\.$/);
  assert.match(saidAfter(status, { now, totals: { ...totals, reloads: 1 } })!, /^Reload: the workers are replaced/);
  assert.match(saidAfter(status, { now, moved: [1, 2].map((id) => connection(id, 'worker 2', 'given back')) })!,
    /^Worker 1 gave 2 clients back, and worker 2 took them\. Nobody was disconnected\.$/);
  assert.match(saidAfter(status, {
    now, ended: [{ id: 1, cutOff: true }, { id: 2, cutOff: true }], totals: { ...totals, cutOff: 2 },
  })!, /^Worker 1 died, and 2 clients with it: cut off\./);
  assert.match(saidAfter(status, {
    now, moved: [connection(1, 'worker 2', 'adopted')], totals: { ...totals, adopted: 1 },
  })!, /^A worker died, and its client stays connected: adopted by worker 2\. Replies under way are lost\.$/);
  assert.match(saidAfter(status, { now, workers: [pageWorker(1, { state: 'stalled', connections: 2 })] })!,
    /^Worker 1 does not answer\. Its 2 clients can only wait/);
});

test('what matters stays to be read while everyday news come', () => {
  const history = new History();
  history.begin(status);
  history.follow({ now: status.now, totals: { ...status.totals, reloads: 1 } });
  history.follow({ now: status.now + 1000, moved: [connection(4, 'worker 2')] });
  assert.match(history.last!.said!.text, /^Reload/);
  history.follow({ now: status.now + 9000, moved: [connection(5, 'worker 2')] });
  assert.match(history.last!.said!.text, /^Hand-off/);
});

test('what will happen is said before it is done, as the server was told to do it', () => {
  const reset = pageStatus({
    workers: [pageWorker(1, { connections: 12 }), pageWorker(2)],
    config: { '--on-crash': 'reset', '--worker-timeout': 10 },
  });
  const adopt = { ...reset, config: { '--on-crash': 'adopt', '--worker-timeout': 0 } };
  assert.match(foretell('kill', reset, 1), /^Worker 1 is killed \(SIGKILL\); its 12 clients will be cut off\./);
  assert.match(foretell('kill', adopt, 1), /its 12 clients will stay connected, adopted by another worker; replies/);
  assert.match(foretell('kill', reset, 2), /^Worker 2 is killed \(SIGKILL\); it has no clients\./);
  assert.match(foretell('freeze', reset, 1), /its 12 clients will wait .* 10 seconds, .* they will be cut off\.$/);
  assert.match(foretell('freeze', adopt, 1), /It stays so until you thaw it\.$/);
  assert.match(foretell('reload', { ...reset, current: 12 }), /All 12 clients will stay connected/);
});
