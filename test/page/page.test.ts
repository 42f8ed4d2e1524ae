// The page in a real browser, over an admin address whose server is made up: each frame is the test's own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Change, Status } from '../../shared/status/status.ts';
import { openFake } from '../helpers/admin.ts';
import type { FakeAdmin } from '../helpers/admin.ts';
import { connection, pageStatus, pageWorker } from '../helpers/page-status.ts';
import { dotsIn, KEYS, TEXT_OF } from '../helpers/page-view.ts';
import { Browser, findBrowser } from '../helpers/web-driver.ts';

const found = findBrowser();
const skip = typeof found === 'string' ? found : false;
let browser: Browser;

before(async () => {
  if (typeof found !== 'string') browser = await Browser.start(found);
});
after(async () => await browser?.[Symbol.asyncDispose]());

const two = pageStatus({
  connections: [connection(1, 'worker 1'), connection(2, 'worker 1'), connection(3, 'worker 2')], current: 3,
  workers: [pageWorker(1, { connections: 2 }), pageWorker(2, { connections: 1 })],
});

/** Opens the page of a server that is as `status` says. */
async function show(t: Parameters<typeof openFake>[0], status: Status): Promise<FakeAdmin> {
  const fake = await openFake(t, { isAllowedActions: status.actions });
  fake.source.set(status);
  await browser.prefer({});
  await browser.resize(1280, 900);
  await browser.open(fake.admin.address);
  await browser.until<string>(TEXT_OF('#phase'), (text) => text === status.phase, 'shown');
  return fake;
}

/** What happens next; settles when the page has it. */
async function happen({ source }: FakeAdmin, change: Change, phase: Status['phase'] = 'ready'): Promise<void> {
  const mark = `127.0.0.1:${++port}`;
  source.changes.push({ ...change, phase, listening: [mark] });
  await browser.until<string>(TEXT_OF('#listening'), (text) => text === mark, `told ${JSON.stringify(change)}`);
}
let port = 20_000;

/** But for those about the servers of other tests, which have ended. */
async function complaints(): Promise<string[]> {
  return (await browser.complaints()).filter((text) => !/\/events - Failed to load resource/.test(text));
}

test('dots come, move and go as the events tell, marked by how they came where they are', { skip }, async (t) => {
  const fake = await show(t, two);
  assert.deepEqual(await dotsIn(browser), { 1: 'worker 1 new', 2: 'worker 1 new', 3: 'worker 2 new' });
  await happen(fake, { now: two.now + 100, moved: [
    connection(1, 'worker 2', 'given back'), connection(2, 'worker 2', 'adopted'), connection(4, 'line'),
  ] });
  assert.deepEqual(await dotsIn(browser),
    { 1: 'worker 2 given back', 2: 'worker 2 adopted', 3: 'worker 2 new', 4: 'line new' });
  await happen(fake, { now: two.now + 200, ended: [{ id: 2, cutOff: true }, { id: 3, cutOff: false }] });
  assert.deepEqual(await dotsIn(browser), { 1: 'worker 2 given back', 4: 'line new' });
  assert.deepEqual(await complaints(), [], 'no script failed, and the policy forbade nothing');
});

test('a dot is within its place once it has arrived, and its table says the same in numbers', { skip }, async (t) => {
  await show(t, two);
  await browser.until<number>('return document.getAnimations().length', (count) => count === 0, 'arrived');
  const outside = await browser.run<string[]>(`
    return [...document.querySelectorAll('[data-connection]')].filter((dot) => {
      const at = document.querySelector('[data-area="' + dot.dataset.at + '"]').getBoundingClientRect();
      const { left, right, top, bottom } = dot.getBoundingClientRect();
      return left < at.left || right > at.right || top < at.top || bottom > at.bottom;
    }).map((dot) => dot.dataset.connection)`);
  assert.deepEqual(outside, []);
  const rows = await browser.run<string[][]>(`
    return [...document.querySelectorAll('#rows tr')].map((row) => [...row.children].slice(0, 3)
      .map((cell) => cell.textContent))`);
  assert.deepEqual(rows,
    [['waiting line', 'room for 1,024', '0'], ['worker 1', 'ready', '2'], ['worker 2', 'ready', '1']]);
  assert.equal(await browser.run('return document.querySelector("#dots").getAttribute("aria-hidden")'), 'true');
});

test('who was cut off is seen to be, and then gone', { skip }, async (t) => {
  const fake = await show(t, two);
  // The time of an animation runs as long as it does; what matters is that it comes to an end.
  await happen(fake, {
    now: two.now + 100, ended: [{ id: 1, cutOff: true }, { id: 2, cutOff: true }],
    totals: { ...two.totals, cutOff: 2 },
  });
  assert.match(await browser.run<string>(TEXT_OF('#said')), /^Worker 1 died, and 2 clients with it: cut off\./);
  assert.equal(await browser.run(TEXT_OF('#cut-off')), '2');
  await browser.until<number>('return document.querySelectorAll("#dots > *").length', (count) => count === 1, 'gone');
});

test('what a client sent stays text, in what happened and everywhere', { skip }, async (t) => {
  const fake = await show(t, two);
  const text = '<img src=x onerror="document.title=1"> \u001b[31m\u0007 </ol><script>document.title=1</script>';
  await happen(fake, { now: two.now + 100, notices: [
    { id: 1, time: two.now, level: 'info', event: 'x', text, worker: 1 },
    { id: 2, time: two.now, level: 'warn', event: 'x', text: 'later', worker: null },
  ] });
  const said = await browser.run<string[]>(
    'return [...document.querySelectorAll("#events span")].map((span) => span.textContent)');
  assert.deepEqual(said, ['later', text], 'newest first');
  assert.equal(await browser.run('return document.querySelectorAll("img").length'), 0);
  assert.equal(await browser.run('return document.title'), 'echopool');
});

test('of more than 500 connections dots stand for several, and a line says so', { skip }, async (t) => {
  const fake = await show(t, two);
  await happen(fake, {
    now: two.now + 100, connections: null, current: 1000,
    workers: [pageWorker(1, { connections: 600 }), pageWorker(2, { connections: 400 })],
  });
  const STANDS = `return [...document.querySelectorAll('[data-stands-for]')]
    .map((dot) => Number(dot.dataset.standsFor))`;
  const counts = await browser.run<number[]>(STANDS);
  assert.ok(counts.length <= 250);
  assert.equal(counts.reduce((sum, count) => sum + count, 0), 1000);
  assert.match(await browser.run<string>(TEXT_OF('#crowd:not([hidden])')), /each dot stands for 5 clients/);
  await happen(fake, { now: two.now + 200, connections: two.connections, current: 3 });
  assert.deepEqual(Object.keys(await dotsIn(browser)), ['1', '2', '3']);
  assert.deepEqual(await browser.run<number[]>(STANDS), []);
});

test('space pauses, arrows step through what was, and live is live again', { skip }, async (t) => {
  const fake = await show(t, two);
  await happen(fake, { now: two.now + 100, moved: [connection(1, 'worker 2', 'given back')] });
  await happen(fake, { now: two.now + 200, ended: [{ id: 2, cutOff: true }] });
  await browser.press(KEYS.space);
  assert.equal(await browser.run('return document.body.dataset.time'), 'paused');
  await browser.press(KEYS.left);
  assert.deepEqual(await dotsIn(browser), { 1: 'worker 2 given back', 2: 'worker 1 new', 3: 'worker 2 new' });
  await browser.press(KEYS.left);
  assert.deepEqual(await dotsIn(browser), { 1: 'worker 1 new', 2: 'worker 1 new', 3: 'worker 2 new' });
  fake.source.changes.push({ now: two.now + 300, moved: [connection(9, 'line')] });
  await browser.until<string>('return document.querySelector("#slider").max', (max) => max === '4', 'kept meanwhile');
  await browser.press(KEYS.right);
  assert.deepEqual(Object.keys(await dotsIn(browser)), ['1', '2', '3'], 'the present is not shown in the past');
  assert.match(await browser.run<string>(TEXT_OF('#when')), /0\.2 s before now$/);
  await browser.press(KEYS.space);
  assert.deepEqual(Object.keys(await dotsIn(browser)), ['1', '3', '9']);
});

test('without --admin-actions there is nothing in the page that could change the server', { skip }, async (t) => {
  await show(t, two);
  const found = 'return document.querySelectorAll("[data-action], dialog").length';
  assert.equal(await browser.run(found), 0);
  await browser.press(KEYS.space);
  assert.equal(await browser.run(found), 0);
});

test('with them each says what will happen, and only then it is done', { skip }, async (t) => {
  const { source } = await show(t, { ...two, actions: true });
  await browser.until<number>('return document.querySelectorAll("[data-action]").length', (n) => n === 9, 'offered');
  await browser.click('[data-slot="1"] [data-action=kill]');
  assert.match(await browser.run<string>(TEXT_OF('dialog[open]')), /its 2 clients will be cut off\./);
  assert.deepEqual(source.done, []);
  await browser.press(KEYS.escape);
  assert.equal(await browser.run('return document.querySelectorAll("dialog[open]").length'), 0);
  assert.deepEqual(source.done, []);
  assert.equal(await browser.run('return document.activeElement.dataset.action'), 'kill', 'the focus is back');
  for (const [css, wanted] of [
    ['[data-slot="1"] [data-action=kill]', ['signal', 1, 'SIGKILL']],
    ['[data-slot="2"] [data-action=freeze]', ['signal', 2, 'SIGSTOP']],
    ['[data-slot="2"] [data-action=thaw]', ['signal', 2, 'SIGCONT']],
    ['#actions [data-action=remove]', ['resize', -1]], ['#actions [data-action=reload]', ['reload']],
  ] as const) {
    const count = source.done.length;
    await browser.click(css);
    await browser.click('dialog[open] .go');
    const isDone = (text: string): boolean => text.length > 1 && source.done.length > count;
    await browser.until(TEXT_OF('#answer'), isDone, `done: ${css}`);
    assert.deepEqual(source.done.at(-1), wanted);
  }
  assert.match(await browser.run<string>(TEXT_OF('#answer')), /^All workers are replaced/);
  assert.equal(await browser.run('return document.querySelector("[data-action=add]").disabled'), true, 'no more fit');
  assert.deepEqual(await complaints(), []);
});

test('the page says that it has lost its server, and since when', { skip }, async (t) => {
  const { admin } = await show(t, two);
  admin.close();
  const text = await browser.until<string>(TEXT_OF('#lost:not([hidden])'), (said) => said !== '', 'lost');
  assert.match(text, /^The server has not answered since \d\d:\d\d:\d\d\. .*Asking again…$/);
  assert.equal(Object.keys(await dotsIn(browser)).length, 3, 'what was last heard is still to be seen');
});

test('who prefers less motion sees no dot travel', { skip }, async (t) => {
  const fake = await show(t, two);
  await browser.prefer({ motion: 'reduce' });
  await browser.until<number>('return document.getAnimations().length', (count) => count === 0, 'still');
  await happen(fake, { now: two.now + 100, moved: [connection(1, 'worker 2', 'given back'), connection(8, 'line')],
    ended: [{ id: 3, cutOff: true }] });
  assert.equal(await browser.run('return document.getAnimations().length'), 0);
});

test('at a width of 360 pixels nothing needs to be scrolled sideways, and all is there', { skip }, async (t) => {
  const fake = await show(t, { ...two, actions: true });
  await browser.resize(360, 740);
  const long = 'x'.repeat(200);
  await happen(fake, { now: two.now + 100, notices: [
    { id: 1, time: two.now, level: 'info', event: 'x', text: long, worker: 1 }] });
  const [width, wide] = await browser.run<[number, number]>(
    'const { clientWidth, scrollWidth } = document.documentElement; return [clientWidth, scrollWidth]');
  assert.ok(wide <= width, `${wide} is wider than ${width}`);
  assert.deepEqual(Object.keys(await dotsIn(browser)), ['1', '2', '3']);
});
