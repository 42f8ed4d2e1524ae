// The page of a real server, in a real browser: what its clients, a reload and crashes look like. With
// PAGE_PICTURES=docs the two pictures of the README are taken anew.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from '../../shared/status/status.ts';
import { portOf, statusOf } from '../helpers/admin.ts';
import { dotsIn, dotsOf, RECORD, TEXT_OF } from '../helpers/page-view.ts';
import { DEADLINE_MS, startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';
import { Browser, findBrowser } from '../helpers/web-driver.ts';

const found = findBrowser();
const skip = typeof found === 'string' ? found : false;
const pictures = process.env['PAGE_PICTURES'];
const folder = mkdtempSync(join(tmpdir(), 'echopool-page-'));
let browser: Browser;

before(async () => {
  if (typeof found !== 'string') browser = await Browser.start(found);
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Starts a server and opens its page. */
async function show(...flags: string[]): Promise<{ server: TestServer; admin: number }> {
  const server = await startTestServer(['--workers', '2', '--admin', '127.0.0.1:0', ...flags]);
  const [address] = await server.printed(/http:\/\/127\.0\.0\.1:\d+\//);
  await browser.resize(1280, 900);
  await browser.prefer({});
  await browser.open(address);
  await browser.until<string>(TEXT_OF('#phase'), (text) => text === 'ready', 'shown');
  await browser.run(RECORD);
  return { server, admin: portOf(address) };
}

/** Settles when the status is as it is to be, and the page shows the same; takes a picture. */
async function reached(admin: number, step: string, isIt: (status: Status) => boolean): Promise<Status> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const status = await statusOf(admin);
    if (isIt(status) && JSON.stringify(await dotsIn(browser)) === JSON.stringify(dotsOf(status))) {
      writeFileSync(join(folder, `${step}.png`), await browser.picture());
      return status;
    }
    if (performance.now() > deadline) {
      assert.deepEqual(await dotsIn(browser), dotsOf(status), `${step}: ${JSON.stringify(status)}`);
      assert.fail(`not ${step}: ${JSON.stringify(status)}`);
    }
    await delay(50);
  }
}

/** How many are at each place. */
function counts({ connections }: Status): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { at } of connections ?? []) all[at] = (all[at] ?? 0) + 1;
  return all;
}

const isAt = (wanted: Record<string, number>) => (status: Status): boolean =>
  Object.entries(wanted).every(([at, count]) => (counts(status)[at] ?? 0) === count);
const connectAll = async ({ port }: TestServer, count: number): Promise<TestClient[]> =>
  await Promise.all(Array.from({ length: count }, async () => await connectClient(port)));

test('the dots are the connections of the status, at each step of forty clients', { skip }, async () => {
  const { server, admin } = await show('--admin-actions', '--connections-per-worker', '15', '--log', 'none');
  await using _ = server;
  const clients = await connectAll(server, 40);
  const full = await reached(admin, 'all are here', isAt({ 'worker 1': 15, 'worker 2': 15, line: 10 }));
  assert.equal(await browser.run(TEXT_OF('#waiting')), '10');

  const isServed = new Set(full.connections!.filter(({ at }) => at !== 'line').map(({ peer }) => peer));
  const served = clients.filter(({ peer }) => isServed.has(peer));
  const [nasty, leaving] = [served[0]!, served.slice(1, 11)];
  const text = '<img src=x onerror="document.title=1">\u001b[2J\u001b]0;x\u0007</ol>';
  assert.equal(await nasty.ask(text), text.toUpperCase());
  for (const client of leaving) client.end();
  await Promise.all(leaving.map(async ({ fate }) => await fate));
  const before = await reached(admin, 'the line is served',
    isAt({ 'worker 1': 15, 'worker 2': 15, line: 0 }));
  assert.equal(await browser.run('return document.querySelectorAll("img").length'), 0);
  assert.equal(await browser.run('return document.title'), 'echopool');

  await browser.click('#actions [data-action=reload]');
  assert.match(await browser.run<string>(TEXT_OF('dialog[open]')), /will stay connected/);
  await browser.click('dialog[open] .go');
  const pids = new Set(before.workers.map(({ pid }) => pid));
  const after = await reached(admin, 'reloaded', ({ workers, line, connections }) => line.waiting === 0
    && workers.length === 2 && workers.every(({ pid, state }) => !pids.has(pid) && state !== 'starting')
    && connections!.every(({ how }) => how === 'given back'));
  assert.deepEqual(Object.keys(dotsOf(after)), Object.keys(dotsOf(before)), 'none is lost');
  const travelled = await browser.run<Record<string, string[]>>('return window.travels');
  for (const id of Object.keys(dotsOf(before))) {
    assert.ok(travelled[id]?.at(-1)?.endsWith('given back'), `${id}: ${travelled[id]?.join()}`);
  }

  const victims = after.connections!.filter(({ at }) => at === 'worker 1').length;
  await browser.click('[data-slot="1"] [data-action=kill]');
  assert.match(await browser.run<string>(TEXT_OF('dialog[open]')),
    new RegExp(`its ${victims} clients will be cut off`));
  await browser.click('dialog[open] .go');
  await reached(admin, 'crashed', ({ totals, current, workers }) => totals.cutOff === victims
    && current === after.current - victims && workers.length === 2);
  assert.equal((await browser.run<string[]>('return window.cutOff')).length, victims, 'each is seen to be cut off');
  assert.equal(await browser.run(TEXT_OF('#cut-off')), String(victims));
  assert.deepEqual(await browser.complaints(), []);
});

test('with --on-crash adopt the dots of a crash go to another worker, marked, and none is lost', { skip }, async () => {
  const { server, admin } = await show('--on-crash', 'adopt');
  await using _ = server;
  await connectAll(server, 8);
  const before = await reached(admin, 'eight are here',
    (status) => status.current === 8 && status.connections!.some(({ at }) => at === 'worker 1')
      && status.line.waiting === 0);
  assert.equal(await browser.run('return document.querySelectorAll("[data-action], dialog").length'), 0,
    'nothing can be done without --admin-actions');
  const theirs = before.connections!.filter(({ at }) => at === 'worker 1').map(({ id }) => id);
  process.kill(server.pidOf(1), 'SIGKILL');
  const after = await reached(admin, 'adopted',
    ({ totals, line }) => totals.adopted === theirs.length && line.waiting === 0);
  assert.deepEqual(after.connections!.filter(({ how }) => how === 'adopted').map(({ id }) => id), theirs);
  assert.deepEqual(Object.keys(dotsOf(after)), Object.keys(dotsOf(before)));
  assert.deepEqual(await browser.run('return window.cutOff'), []);
  assert.match(await browser.run<string>(TEXT_OF('#events')), /goes on with worker/);
});

test('the pictures of the README', { skip: pictures === undefined ? 'only with PAGE_PICTURES' : skip }, async () => {
  const { server, admin } = await show('--on-crash', 'adopt', '--connections-per-worker', '14', '--log', 'none',
    '--admin-actions');
  await using _ = server;
  const clients = await connectAll(server, 16);
  await reached(admin, 'sixteen', ({ current, line }) => current === 16 && line.waiting === 0);
  server.signal('SIGHUP');
  await reached(admin, 'all given back', ({ connections, workers }) => workers.every(({ state }) => state === 'ready')
    && connections!.every(({ how, at }) => how === 'given back' && at !== 'line'));
  clients.push(...await connectAll(server, 10));
  const before = await reached(admin, 'ten more', ({ current, line }) => current === 26 && line.waiting === 0);
  process.kill(before.workers[0]!.pid, 'SIGKILL');
  await reached(admin, 'some adopted', ({ totals, line, workers }) => totals.adopted > 0 && line.waiting === 0
    && workers.length === 2 && workers.every(({ state }) => state !== 'starting'));
  clients.push(...await connectAll(server, 5));
  // Most talk, each at a pace of its own, until half a minute of it can be seen.
  const talking = setInterval(() => {
    for (const [index, client] of clients.entries()) {
      if (Math.random() * 30 < 3 + index % 7 * (1 + Math.sin(performance.now() / 4000))) client.send('hello\n');
    }
  }, 100);
  const LENGTH = 'return document.querySelector(".pace polyline").points.length';
  await browser.until<number>(LENGTH, (length) => length > 40, 'long enough');
  await browser.devtools('Emulation.setScrollbarsHidden', { hidden: true });
  await browser.resize(1200, 880);
  for (const scheme of ['light', 'dark'] as const) {
    await browser.prefer({ scheme });
    await browser.until<number>('return document.getAnimations().length', (count) => count === 0, 'at rest');
    await browser.run('return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
    writeFileSync(join(resolve(pictures!), `page-${scheme}.png`), await browser.picture());
  }
  clearInterval(talking);
});
