// Who may ask the admin address, and what no page of another site can do to it or learn from it.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { RequestGuard } from '../../server/admin/request-guard.ts';
import { ask, askRaw, EventReader, openFake } from '../helpers/admin.ts';

test('every answer tells a browser that it is for this server\'s own page alone', async (t) => {
  const { port } = await openFake(t);
  for (const [path, method] of [['/status'], ['/nothing'], ['/reload', 'POST'], ['/livez', 'PUT']] as const) {
    const { headers } = await ask(port, path, { ...method && { method } });
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['content-security-policy'], "default-src 'none'; script-src 'self'; style-src 'self'; "
      + "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
  await using events = await EventReader.open(port);
  assert.equal(events.response.headers['x-content-type-options'], 'nosniff');
});

test('no answer holds a word of the request', async (t) => {
  const { port } = await openFake(t, { isAllowedActions: true });
  const word = 'zebra';
  for (const [path, method, headers] of [
    [`/${word}`, 'GET', {}], [`/status?${word}`, 'GET', {}], [`/workers/7/${word}`, 'POST', {}],
    ['/status', 'GET', { Host: word }], ['/status', 'GET', { Origin: `http://${word}` }],
    ['/reload', 'POST', { 'Sec-Fetch-Site': word }], ['/reload', 'POST', { 'X-Whatever': word }],
  ] as const) {
    const answered = await ask(port, path, { method, headers, ...method === 'POST' && { body: word } });
    assert.doesNotMatch(JSON.stringify(answered), /zebra/i);
  }
});

test('POST does nothing without --admin-actions, and says so', async (t) => {
  const { port, source } = await openFake(t);
  for (const path of ['/reload', '/workers/add', '/workers/remove', '/workers/1/kill', '/workers/1/freeze']) {
    const { status, body } = await ask(port, path, { method: 'POST' });
    assert.equal(status, 403);
    assert.match(body, /^Nothing can be changed here: the server was started without --admin-actions\.\n$/);
  }
  assert.deepEqual(source.done, []);
});

test('a name that somebody else has made point here is refused', async (t) => {
  const { port } = await openFake(t, { where: { kind: 'tcp', host: 'localhost', port: 0 } });
  const host = async (Host: string): Promise<number> => (await ask(port, '/status', { headers: { Host } })).status;
  for (const own of [
    '127.0.0.1', `127.0.0.1:${port}`, '10.1.2.3:1', '[::1]', `[::1]:${port}`, 'localhost', 'LOCALHOST:80', 'localhost.',
    'a.b.localhost:9', hostname(), `${hostname().toUpperCase()}:1`,
  ]) assert.equal(await host(own), 200, own);
  for (const foreign of [
    'evil.example', 'evil.example:80', 'localhost.evil.example', 'evillocalhost', '127.0.0.1.evil.example', '1.2.3.4.5',
    ':80', 'localhost:x', '::1', '[::1', '[evil]', 'localhost:80:80', 'localhost@evil.example', 'a,localhost',
    '[127.0.0.1]',
  ]) assert.equal(await host(foreign), 421, foreign);
  const two = 'GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n';
  assert.match(await askRaw(port, two), /^HTTP\/1\.1 400 /);
  const balancers = await askRaw(port, 'GET /readyz HTTP/1.0\r\n\r\n');
  assert.match(balancers, /^HTTP\/1\.1 200 [^]*\r\n\r\nready$/);
});

test('the host that --admin was given is a name of this server, and over a Unix socket any name will do', () => {
  const asked = { method: 'GET', headers: { host: ['Echo.Example:9090'] } };
  assert.equal(new RequestGuard(['echo.example']).refusal(asked), undefined);
  assert.equal(new RequestGuard(undefined).refusal(asked), undefined);
  assert.equal(new RequestGuard(['other.example']).refusal(asked)?.status, 421);
});

test('a page of another site is refused, whatever it asks', async (t) => {
  const { port, source } = await openFake(t, { isAllowedActions: true });
  const own = `http://127.0.0.1:${port}`;
  const post = async (headers: Record<string, string>): Promise<number> =>
    (await ask(port, '/reload', { method: 'POST', headers })).status;
  for (const Origin of ['http://evil.example', 'null', `https://127.0.0.1:${port}`, 'http://127.0.0.1:1', `${own}/`]) {
    assert.equal(await post({ Origin }), 403, Origin);
    assert.equal((await ask(port, '/status', { headers: { Origin } })).status, 403, Origin);
    assert.equal((await ask(port, '/events', { headers: { Origin } })).status, 403, Origin);
  }
  assert.equal(await post({ 'Sec-Fetch-Site': 'cross-site' }), 403);
  assert.equal(await post({ 'Sec-Fetch-Site': 'same-site' }), 403);
  assert.equal(await post({ Origin: own, 'Sec-Fetch-Site': 'cross-site' }), 403);
  assert.deepEqual(source.done, []);
  assert.equal(await post({ Origin: own, 'Sec-Fetch-Site': 'same-origin' }), 202);
  assert.equal(await post({}), 202, 'a program is no page');
});
