// The admin address by itself, over a server that is made up: what it answers, to whom, and what it stands.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openAdmin } from '../../server/admin/admin.ts';
import { PageFiles } from '../../server/admin/files.ts';
import { ask, askRaw, connectTo, EventReader, FakeSource, openFake, readToEnd } from '../helpers/admin.ts';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'echopool-admin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('/livez and /readyz answer in a word, with 200 or 503', async (t) => {
  const { port, source } = await openFake(t);
  const said = async (path: string): Promise<[number, string]> => {
    const { status, body } = await ask(port, path);
    return [status, body];
  };
  assert.deepEqual(await said('/livez'), [200, 'ok']);
  assert.deepEqual(await said('/readyz'), [200, 'ready']);
  source.isReady = false;
  assert.deepEqual(await said('/readyz'), [503, 'no worker is ready']);
  source.set({ phase: 'starting' });
  assert.deepEqual(await said('/readyz'), [503, 'starting']);
  for (const phase of ['leaving', 'stopping'] as const) {
    source.set({ phase });
    assert.deepEqual(await said('/readyz'), [503, 'stopping']);
  }
  source.isLive = false;
  assert.deepEqual(await said('/livez'), [503, 'not live']);
});

test('/status is the status as JSON, and HEAD has its head alone', async (t) => {
  const { port, source } = await openFake(t);
  const text = '<img src=x onerror=alert(1)>\u001b[2J\r\n\u2028';
  source.set({ notices: [{ id: 1, time: 1, level: 'info', event: 'x', text, worker: null }] });
  const { status, headers, body } = await ask(port, '/status?whatever');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.deepEqual(JSON.parse(body), JSON.parse(JSON.stringify(source.now)));
  assert.doesNotMatch(body, /[\u0000-\u001f]/);
  const head = await ask(port, '/status', { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, headers['content-length'], '']);
  for (const path of ['/livez', '/readyz', '/metrics', '/events']) {
    assert.equal((await ask(port, path, { method: 'HEAD' })).status, 200, path);
  }
});

test('another method is told which one would do, and another path that there is nothing', async (t) => {
  const { port, source } = await openFake(t, { isAllowedActions: true });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH']) {
    const { status, headers } = await ask(port, '/status', { method });
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'], method);
  }
  for (const method of ['GET', 'HEAD', 'PUT']) {
    const { status, headers } = await ask(port, '/workers/1/kill', { method });
    assert.deepEqual([status, headers.allow], [405, 'POST'], method);
  }
  const nowhere = [
    '/statu', '/status/', '//status', '/%73tatus', '/workers', '/workers/0/kill', '/workers/01/kill',
    '/workers/-1/kill', '/workers/1/explode', '/workers/1/constructor', '/constructor', '/__proto__', '/../admin.ts',
    '/..%2fadmin.ts', '*', 'http://127.0.0.1/status',
  ];
  for (const path of nowhere) assert.equal((await ask(port, path, { method: 'POST' })).status, 404, path);
  assert.deepEqual(source.done, []);
});

test('with it, POST reloads, resizes, kills, freezes and thaws, and says in a sentence what is done', async (t) => {
  const { port, source } = await openFake(t, { isAllowedActions: true });
  const post = (path: string): ReturnType<typeof ask> => ask(port, path, { method: 'POST' });
  for (const path of ['/reload', '/workers/add', '/workers/1/kill', '/workers/1/freeze', '/workers/1/thaw']) {
    const { status, headers, body } = await post(path);
    assert.equal(status, 202);
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    assert.match((JSON.parse(body) as { done: string }).done, /^[A-Z].*\.$/);
  }
  source.set({ pool: { size: 2, most: 2 } });
  assert.equal((await post('/workers/remove')).status, 202);
  const done = [
    ['reload'], ['resize', 1], ['signal', 1, 'SIGKILL'], ['signal', 1, 'SIGSTOP'], ['signal', 1, 'SIGCONT'],
    ['resize', -1],
  ];
  assert.deepEqual(source.done, done);
  const tooMany = await post('/workers/add');
  assert.deepEqual([tooMany.status, tooMany.body], [409, 'There may be from 1 to 2 workers, and there are to be 2.\n']);
  source.set({ pool: { size: 1, most: 2 } });
  assert.equal((await post('/workers/remove')).status, 409);
  assert.deepEqual(source.done, done);
  assert.equal((await post('/workers/3/kill')).status, 404);
  source.set({ phase: 'stopping' });
  assert.equal((await post('/reload')).status, 409);
});

test('a Unix socket is its owner\'s alone from its first moment, and any Host will do', async (t) => {
  const path = join(temporaryFolder(t), 'admin.sock');
  const { admin } = await openFake(t, { where: { kind: 'unix', path } });
  assert.equal(admin.address, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((await ask(path, '/livez', { headers: { Host: 'whatever.example' } })).status, 200);
  await assert.rejects(openAdmin({ kind: 'unix', path }, false, new FakeSource()), {
    name: 'ListenError', code: 'EADDRINUSE',
  });
  admin.close();
  assert.equal(existsSync(path), false);
});

test('a port that is in use is told by a ListenError, which names the flag', async (t) => {
  const { port } = await openFake(t);
  await assert.rejects(openAdmin({ kind: 'tcp', host: '127.0.0.1', port }, false, new FakeSource()), {
    name: 'ListenError', code: 'EADDRINUSE',
    where: { kind: 'tcp', host: '127.0.0.1', port, proxy: false, givenBy: '--admin' },
  });
});

test('close() ends everybody at once: who reads events, who is silent, and who has half a request', async (t) => {
  const { admin, port } = await openFake(t);
  await using reader = await EventReader.open(port);
  await reader.next();
  const silent = await connectTo(t, port);
  const half = await connectTo(t, port);
  half.write('GET /status HTTP/1.1\r\nHo');
  await ask(port, '/livez');
  const ends = [once(silent, 'close'), once(half, 'close'), assert.rejects(reader.next())];
  silent.resume();
  half.resume();
  admin.close();
  await Promise.all(ends);
  await assert.rejects(ask(port, '/livez'), { code: 'ECONNREFUSED' });
});

test('what is no request is answered shortly, and the connection ends', async (t) => {
  const { port } = await openFake(t);
  const long = `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
  for (const [sent, status] of [
    ['\u0016\u0003\u0001 zebra\r\n\r\n', 400], ['GET\r\n\r\n', 400], ['ZEBRA /status HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400], [long, 431],
    ['POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ] as const) {
    const answer = await askRaw(port, sent);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.ok(answer.length < 300 && !/zebra/i.test(answer), answer);
  }
  assert.equal((await ask(port, '/livez')).status, 200);
});

test('whoever leaves in the middle of anything leaves nothing behind', async (t) => {
  const { port, source } = await openFake(t, { isAllowedActions: true });
  source.set({ config: { long: 'x'.repeat(4 * 1024 * 1024) } });
  for (const sent of [
    'GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n', 'GET /eve',
    '',
    'POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx',
  ]) {
    for (const leave of ['destroy', 'resetAndDestroy'] as const) {
      const socket = await connectTo(t, port);
      socket.write(sent);
      if (sent.includes('\r\n\r\n')) await once(socket, 'data');
      socket[leave]();
    }
  }
  assert.equal((await ask(port, '/livez')).status, 200);
});

test('a body is not read on for, however long it is: with the answer the connection ends', async (t) => {
  const { port, source } = await openFake(t, { isAllowedActions: true });
  for (const headers of [
    'Content-Length: 1000000000', 'Transfer-Encoding: chunked', 'Content-Length: 9\r\nExpect: 100-continue',
  ]) {
    const answer = await askRaw(port, `POST /reload HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 202 [^]*connection: close/i);
  }
  assert.equal(source.done.length, 3);
  assert.equal((await ask(port, '/reload', { method: 'POST', body: '{}' })).status, 202);
});

test('a thousand requests in one piece cost one answer, and a connection takes one after the other', async (t) => {
  const { port, source } = await openFake(t);
  let asked = 0;
  const { now } = source;
  source.status = () => {
    asked++;
    return now;
  };
  const flood = await askRaw(port, 'GET /status HTTP/1.1\r\nHost: a.localhost\r\n\r\n'.repeat(1000));
  assert.equal(flood.split('HTTP/1.1 200 ').length - 1, 1);
  assert.equal(asked, 1);
  const polite = await connectTo(t, port);
  for (let i = 0; i < 20; i++) {
    polite.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [part] = await once(polite, 'data') as [Buffer];
    assert.match(part.toString(), /^HTTP\/1\.1 200 [^]*\r\n\r\nok$/);
  }
});

test('requests behind a stream of events end it, instead of piling up', async (t) => {
  const { port } = await openFake(t);
  const socket = await connectTo(t, port);
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.doesNotMatch(await readToEnd(socket), /ok$/);
});

test('no more than 64 connections are open, and 48 of them read events: the others are told', async (t) => {
  const { port } = await openFake(t);
  const readers: EventReader[] = [];
  for (let i = 0; i < 48; i++) readers.push(await EventReader.open(port));
  const refused = await ask(port, '/events');
  assert.deepEqual([refused.status, refused.body], [503, '48 others read the events already.\n']);
  assert.equal((await ask(port, '/livez')).status, 200, 'a probe has its place');
  const silent: Socket[] = [];
  for (let i = 48; i < 64; i++) silent.push(await connectTo(t, port));
  const beyond = await connectTo(t, port);
  assert.equal(await readToEnd(beyond), '');
  silent[0]!.destroy();
  await readers[0]![Symbol.asyncDispose]();
  // The server has to see first that they have gone.
  let again: EventReader | undefined;
  while (again?.response.statusCode !== 200) {
    await again?.[Symbol.asyncDispose]();
    again = await EventReader.open(port).catch(() => undefined);
  }
  await again[Symbol.asyncDispose]();
  for (const reader of readers) await reader[Symbol.asyncDispose]();
});

test('when the server cannot say how it is, the answer is 500 and nothing else happens', async (t) => {
  const { port, source } = await openFake(t);
  source.status = () => { throw new Error('a secret'); };
  const { status, body } = await ask(port, '/status');
  assert.deepEqual([status, body], [500, 'The server cannot answer this now.\n']);
  assert.equal((await ask(port, '/livez')).status, 200);
});

test('the page\'s files are read once, each with its type, and no other file can be had', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'parts'));
  const files = {
    'index.html': 'text/html', 'page.css': 'text/css', 'page.js': 'text/javascript', 'parts/dots.js': 'text/javascript',
  };
  for (const name of [...Object.keys(files), 'secret.ts', 'secret', '.js']) writeFileSync(join(folder, name), name);
  const page = new PageFiles(folder);
  for (const [name, type] of Object.entries(files)) {
    const answer = await page.get(name);
    assert.deepEqual([answer?.type, String(answer?.body)], [`${type}; charset=utf-8`, name]);
  }
  const others = ['secret.ts', 'secret', '.js', 'parts', '', '../page.js', 'parts/../page.js', '/page.js', './page.js'];
  for (const name of others) assert.equal(await page.get(name), undefined, name);
  writeFileSync(join(folder, 'late.js'), '');
  assert.equal(await page.get('late.js'), undefined);
  const nowhere = new PageFiles(join(folder, 'later'));
  await assert.rejects(nowhere.get('index.html'), { code: 'ENOENT' });
  mkdirSync(join(folder, 'later'));
  writeFileSync(join(folder, 'later', 'index.html'), 'here');
  assert.equal(String((await nowhere.get('index.html'))?.body), 'here');
});

test('GET / is the page, and each file of which it is made is there', async (t) => {
  const { port } = await openFake(t);
  const page = await ask(port, '/');
  assert.deepEqual([page.status, page.headers['content-type']], [200, 'text/html; charset=utf-8']);
  const parts = new Set([...page.body.matchAll(/(?:src|href)="([\w.-]+)"/g)].map(([, name]) => name!));
  for (const part of parts) {
    const { status, headers, body } = await ask(port, `/${part}`);
    assert.deepEqual([status, /^text\/(?:css|javascript);/.test(headers['content-type']!)], [200, true], part);
    for (const [, imported] of body.matchAll(/ from '\.\/([\w.-]+)';/g)) parts.add(imported!);
  }
  assert.ok(parts.size >= 3);
  assert.equal((await ask(port, '/', { method: 'POST' })).status, 405);
  assert.equal((await ask(port, '/tsconfig.json')).status, 404);
});
