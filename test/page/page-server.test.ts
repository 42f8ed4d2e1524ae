// The page of a real server, in a real browser: what its clients, a reload and crashes look like.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Status } from '../../shared/status/status.ts';
import { dotsOf, reached, showPage, TEXT_OF } from '../helpers/page-view.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';
import { Browser, findBrowser } from '../helpers/web-driver.ts';

const found = findBrowser();
const skip = typeof found === 'string' ? found : false;
let browser: Browser;

before(async () => {
  if (typeof found !== 'string') browser = await Browser.start(found);
});
after(async () => await browser?.[Symbol.asyncDispose]());

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
  const flags = ['--admin-actions', '--connections-per-worker', '15', '--log', 'none'];
  const { server, admin } = await showPage(browser, flags);
  await using _ = server;
  const clients = await connectAll(server, 40);
  const full = await reached(browser, admin, 'all are here', isAt({ 'worker 1': 15, 'worker 2': 15, line: 10 }));
  assert.equal(await browser.run(TEXT_OF('#waiting')), '10');

  const isServed = new Set(full.connections!.filter(({ at }) => at !== 'line').map(({ peer }) => peer));
  const served = clients.filter(({ peer }) => isServed.has(peer));
  const [nasty, leaving] = [served[0]!, served.slice(1, 11)];
  const text = '<img src=x onerror="document.title=1">\u001b[2J\u001b]0;x\u0007</ol>';
  assert.equal(await nasty.ask(text), text.toUpperCase());
  for (const client of leaving) client.end();
  await Promise.all(leaving.map(async ({ fate }) => await fate));
  const before = await reached(browser, admin, 'the line is served',
    isAt({ 'worker 1': 15, 'worker 2': 15, line: 0 }));
  assert.equal(await browser.run('return document.querySelectorAll("img").length'), 0);
  assert.equal(await browser.run('return document.title'), 'echopool');

  await browser.click('#actions [data-action=reload]');
  assert.match(await browser.run<string>(TEXT_OF('dialog[open]')), /will stay connected/);
  await browser.click('dialog[open] .go');
  const pids = new Set(before.workers.map(({ pid }) => pid));
  const after = await reached(browser, admin, 'reloaded', ({ workers, line, connections }) => line.waiting === 0
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
  await reached(browser, admin, 'crashed', ({ totals, current, workers }) => totals.cutOff === victims
    && current === after.current - victims && workers.length === 2);
  assert.equal((await browser.run<string[]>('return window.cutOff')).length, victims, 'each is seen to be cut off');
  assert.equal(await browser.run(TEXT_OF('#cut-off')), String(victims));
  assert.deepEqual(await browser.complaints(), []);
});

test('with --on-crash adopt the dots of a crash go to another worker, marked, and none is lost', { skip }, async () => {
  const { server, admin } = await showPage(browser, ['--on-crash', 'adopt']);
  await using _ = server;
  await connectAll(server, 8);
  const before = await reached(browser, admin, 'eight are here',
    (status) => status.current === 8 && status.connections!.some(({ at }) => at === 'worker 1')
      && status.line.waiting === 0);
  assert.equal(await browser.run('return document.querySelectorAll("[data-action], dialog").length'), 0,
    'nothing can be done without --admin-actions');
  const theirs = before.connections!.filter(({ at }) => at === 'worker 1').map(({ id }) => id);
  process.kill(server.pidOf(1), 'SIGKILL');
  const after = await reached(browser, admin, 'adopted',
    ({ totals, line }) => totals.adopted === theirs.length && line.waiting === 0);
  assert.deepEqual(after.connections!.filter(({ how }) => how === 'adopted').map(({ id }) => id), theirs);
  assert.deepEqual(Object.keys(dotsOf(after)), Object.keys(dotsOf(before)));
  assert.deepEqual(await browser.run('return window.cutOff'), []);
  assert.match(await browser.run<string>(TEXT_OF('#events')), /goes on with worker/);
});
