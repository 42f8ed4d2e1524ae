// GET /events by itself: what readers are told, who comes back, and who does not read. The source is made up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ask, connectTo, EventReader, openFake } from '../helpers/admin.ts';

test('a reader has the whole status first, and then what changes, each with the next number', async (t) => {
  const { port, source } = await openFake(t);
  await using reader = await EventReader.open(port);
  assert.equal(reader.response.headers['content-type'], 'text/event-stream; charset=utf-8');
  const first = await reader.next();
  assert.deepEqual([first.event, first.data], ['status', JSON.parse(JSON.stringify(source.now))]);
  assert.match(first.id, /^\d+$/);
  source.changes.push({ now: 1, current: 8 }, { now: 2, phase: 'leaving' });
  const [second, third] = [await reader.next(), await reader.next()];
  assert.deepEqual([second, third], [
    { id: `${Number(first.id) + 1}`, event: 'change', data: { now: 1, current: 8 } },
    { id: `${Number(first.id) + 2}`, event: 'change', data: { now: 2, phase: 'leaving' } },
  ]);
});

test('all readers cost one look, and none is taken when nobody reads', async (t) => {
  const { port, source } = await openFake(t);
  {
    await using a = await EventReader.open(port);
    await a.next();
    await using b = await EventReader.open(port);
    await using c = await EventReader.open(port);
    await b.next();
    await c.next();
    source.changes.push({ now: 1, current: 1 });
    const frames = [await a.next(), await b.next(), await c.next()];
    assert.equal(new Set(frames.map(({ id }) => id)).size, 1);
    const { looks } = source;
    const began = performance.now();
    while (source.looks < looks + 5) await new Promise(setImmediate);
    assert.ok(performance.now() - began > 350, 'at most ten times a second, however many read');
  }
  // The server has seen that they have gone when nothing is looked at for three times as long as a look takes.
  const rest = async (): Promise<boolean> => {
    const { looks } = source;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return source.looks === looks;
  };
  while (!await rest()) ;
});

test('a byte of a client stays text within the JSON: no line of it becomes a field', async (t) => {
  const { port, source } = await openFake(t);
  const text = 'x\n\nevent: status\ndata: {}\r\r\u2028<script>';
  source.set({ notices: [{ id: 1, time: 1, level: 'info', event: 'x', text, worker: null }] });
  await using reader = await EventReader.open(port);
  assert.deepEqual((await reader.next()).data, JSON.parse(JSON.stringify(source.now)));
});

test('who comes back gets what it has missed, also what happened while nobody read', async (t) => {
  const { port, source } = await openFake(t);
  let last: string;
  {
    await using reader = await EventReader.open(port);
    await reader.next();
    source.changes.push({ now: 1, current: 1 }, { now: 2, current: 2 }, { now: 3, current: 3 });
    last = (await reader.next()).id;
    await reader.next();
    await reader.next();
  }
  source.changes.push({ now: 4, current: 4 });
  await using again = await EventReader.open(port, { 'Last-Event-ID': last });
  for (const current of [2, 3, 4]) assert.deepEqual((await again.next()).data, { now: current, current });
  const { id } = await readAnother(port);
  await using nothingMissed = await EventReader.open(port, { 'Last-Event-ID': id });
  source.changes.push({ now: 5, current: 5 });
  assert.deepEqual((await nothingMissed.next()).data, { now: 5, current: 5 });
});

async function readAnother(port: number): Promise<{ id: string }> {
  await using reader = await EventReader.open(port);
  return await reader.next();
}

test('who comes back too late, from another server, or with what is no number, gets the whole status', async (t) => {
  const { port, source } = await openFake(t);
  await using reader = await EventReader.open(port);
  const first = Number((await reader.next()).id);
  for (let now = 1; now <= 105; now++) {
    source.changes.push({ now, current: now });
    await reader.next();
  }
  const foreign = ['1', `${first}`, `${first + 4}`, `${first + 1000}`, '-1', 'x', '9'.repeat(30), 'NaN', ''];
  for (const id of foreign) {
    await using again = await EventReader.open(port, { 'Last-Event-ID': id });
    assert.equal((await again.next()).event, 'status', id);
  }
  await using again = await EventReader.open(port, { 'Last-Event-ID': `${first + 5}` });
  assert.deepEqual((await again.next()).data, { now: 6, current: 6 }, 'the last hundred are kept');
});

test('who does not read has little kept for it, holds up nobody, and then gets the whole status', async (t) => {
  const { port, source } = await openFake(t);
  const stuck = (await connectTo(t, port)).pause();
  stuck.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await using reader = await EventReader.open(port);
  await reader.next();
  const long = 'x'.repeat(1_000_000);
  // 30 MB: what the two sockets hold, a few MB, is full long before.
  for (let now = 1; now <= 30; now++) {
    source.changes.push({ now, version: long });
    const { data } = await reader.next();
    assert.equal((data as { now: number }).now, now);
  }
  source.set({ version: 'the last' });
  let text = '';
  stuck.setEncoding('utf8').on('data', (part: string) => { text += part; }).resume();
  while (!text.includes('"the last"')) await once(stuck, 'data');
  const events = [...text.matchAll(/^event: (\w+)$/gm)].map(([, event]) => event);
  assert.deepEqual([events[0], events.at(-1), events.filter((event) => event === 'status').length],
    ['status', 'status', 2]);
  assert.ok(text.length < 15e6, `${text.length} bytes were kept for it`);
});

test('a source that fails once ends nobody\'s server', async (t) => {
  const { port, source } = await openFake(t);
  const { status } = source;
  source.status = () => { throw new Error('it cannot say'); };
  await assert.rejects(EventReader.open(port).then((reader) => reader.next()));
  source.status = status;
  assert.equal((await ask(port, '/livez')).status, 200);
  await using reader = await EventReader.open(port);
  assert.equal((await reader.next()).event, 'status');
});
