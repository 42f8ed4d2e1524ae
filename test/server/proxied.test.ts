// Clients behind a proxy, end to end: whose they are in the log and for the limits, across reloads, crashes and stops.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { onTwoCpus, untilWhole } from '../helpers/faults-server.ts';
import { V4 } from '../helpers/proxy-headers.ts';
import { binaryHeader, tlv } from '../helpers/proxy-oracle.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

const headerOf = (host: string, port: number): string => `PROXY TCP4 ${host} 192.0.2.99 ${port} 80\r\n`;
const LOCAL = binaryHeader(0x20, 0x00);

/** Its clients may take their time, as the machine may. */
const PATIENT = ['--proxy-timeout', '600'];

async function startProxied(...flags: string[]): Promise<TestServer> {
  return await startTestServer(['--bind-proxy', '127.0.0.1:0', ...PATIENT, ...flags]);
}

async function reload(server: TestServer): Promise<void> {
  const before = server.workers();
  server.signal('SIGHUP');
  await untilWhole(server, before.length, before);
  await server.printed(/the reload is done/);
}

/** What the log says of it. */
function linesOf(server: TestServer, peer: string): string[] {
  return server.lines().flatMap((line) => line.split(`${peer}  `)[1] ?? []);
}

/** One that has sent so much of a header. */
async function half(server: TestServer, part: string): Promise<TestClient> {
  const client = await connectClient(server.port);
  await new Promise<void>((resolve) => { client.socket.write(part, () => resolve()); });
  return client;
}

test('the log, the messages and the greeting are the client\'s, of either version', async () => {
  await using server = await startProxied('--workers', '1', '--greeting', 'hello {client}\\n');
  for (const [header, peer] of [
    [Buffer.from(headerOf('192.0.2.7', 1234)), '192.0.2.7:1234'],
    [binaryHeader(0x21, 0x11, V4, tlv(4)), '192.0.2.1:1234'],
  ] as const) {
    const client = await connectClient(server.port);
    client.send(Buffer.concat([header, Buffer.from('abc')]));
    const expected = `hello ${peer}\nABC`;
    assert.equal(await client.readText(expected), expected);
    client.end();
    await client.fate;
    await server.printed(new RegExp(`${peer}  closed`));
    assert.deepEqual(linesOf(server, peer), [
      'connected', '3 bytes  "abc"', `closed: client ended, 1 message, 3 bytes in, ${expected.length} bytes out`,
    ]);
  }
  assert.equal(await server.stop(), 0);
});

test('a header that is cut by a reload is read on, and nobody is announced or greeted again', async () => {
  await using server = await startProxied('--workers', '2', '--greeting', '{client} ');
  const header = headerOf('192.0.2.7', 1);
  const parts = [0, 1, 9, header.length - 1];
  const clients = await Promise.all(parts.map((part) => half(server, header.slice(0, part))));
  const served = await connectClient(server.port);
  served.send(headerOf('192.0.2.8', 2));
  assert.equal(await served.readText('192.0.2.8:2 '), '192.0.2.8:2 ');
  await reload(server);
  await reload(server);
  for (const [i, client] of clients.entries()) {
    client.send(`${header.slice(parts[i])}x`);
    assert.equal(await client.readText('192.0.2.7:1 X'), '192.0.2.7:1 X');
  }
  assert.equal(await served.ask('more'), 'MORE');
  assert.equal(await server.stop(), 0);
  assert.equal(linesOf(server, '192.0.2.8:2').filter((line) => line === 'connected').length, 1);
  assert.equal(linesOf(server, '192.0.2.7:1').filter((line) => line === 'connected').length, parts.length);
  for (const client of clients) assert.equal(await client.fate, 'FIN');
});

test('--connections-per-address counts clients, not their proxy, and looks who has left', async () => {
  await using server = await startProxied('--workers', '1', '--connections-per-address', '1');
  const first = await connectClient(server.port);
  first.send(`${headerOf('192.0.2.7', 1)}a`);
  assert.equal(await first.readText('A'), 'A');
  const other = await connectClient(server.port);
  other.send(`${headerOf('192.0.2.8', 2)}b`);
  assert.equal(await other.readText('B'), 'B');
  for (let check = 0; check < 3; check++) {
    const local = await connectClient(server.port);
    local.send(Buffer.concat([LOCAL, Buffer.from('c')]));
    assert.equal(await local.readText('C'), 'C');
  }
  const second = await connectClient(server.port);
  second.send(`${headerOf('192.0.2.7', 3)}d`);
  assert.match(await second.fate, /FIN|ECONNRESET/);
  assert.equal(second.length, 0);
  await server.printed(/1 connection refused: more than 1 from one address \S+, the last from 192\.0\.2\.7\n/);
  let last = first;
  for (let round = 0; round < 20; round++) {
    last.end();
    last = await connectClient(server.port);
    last.send(`${headerOf('192.0.2.7', 4)}e`);
    assert.equal(await last.readText('E'), 'E');
  }
  assert.equal(await server.stop(), 0);
  assert.deepEqual(linesOf(server, '192.0.2.7:3'), []);
  assert.match(server.stdout, /served 25 connections, .* 1 refused, 0 cut off\n/);
});

test('bad and late headers are refused, counted and told of together', async () => {
  await using server = await startTestServer(['--bind-proxy', '127.0.0.1:0', '--workers', '1']);
  const late = await half(server, 'PROXY ');
  const silent = await connectClient(server.port);
  for (const bad of ['GET / HTTP/1.1\r\n\r\n', 'PROXY TCP4 x\r\n', 'PROXY TCP5 1\r\n']) {
    const client = await connectClient(server.port);
    client.send(bad);
    assert.match(await client.fate, /FIN|ECONNRESET/);
  }
  assert.equal(await late.fate, 'FIN');
  assert.equal(await silent.fate, 'FIN');
  assert.equal(await server.stop(), 0);
  const told = server.lines().flatMap((line) => /warning: (.* refused: .*)/.exec(line)?.[1] ?? []).join('\n');
  assert.match(told, /1 connection refused: a bad PROXY protocol header \(missing\), the last from \S+:\d+: the first/);
  assert.match(told, /\(malformed\)/);
  assert.match(told, /\(late\), the last from 127\.0\.0\.1:\d+: not whole after 3000 ms/);
  assert.match(server.stdout, /served 0 connections, .*; 5 refused, 0 cut off\n/);
  assert.doesNotMatch(server.stdout, /connected/);
});

test('with --on-crash adopt a client goes on, and one whose header may be lost is reset', async () => {
  await using server = await startTestServer(
    ['--bind-proxy', '127.0.0.1:0', ...PATIENT, '--workers', '2', '--on-crash', 'adopt', '--greeting', 'hi '],
    { command: [...onTwoCpus(), process.execPath] },
  );
  const clients = await Promise.all([1, 2].map(() => half(server, headerOf('192.0.2.7', 1).slice(0, 10))));
  const served = await Promise.all([3, 4].map(async (port) => {
    const client = await connectClient(server.port);
    client.send(`${headerOf('192.0.2.8', port)}a`);
    assert.equal(await client.readText('hi A'), 'hi A');
    return client;
  }));
  const before = server.workers();
  for (const pid of before) {
    process.kill(pid, 'SIGKILL');
    await untilWhole(server, 2, before.slice(0, before.indexOf(pid) + 1));
  }
  for (const client of clients) assert.equal(await client.fate, 'ECONNRESET');
  for (const client of served) assert.equal(await client.ask('still here'), 'STILL HERE');
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 2 connections, .* 2 cut off\n/);
});

test('when the server stops, a client with a whole header is answered, and one without is ended', async () => {
  await using server = await startProxied('--workers', '1', '--grace', '30');
  const waiting = await half(server, 'PROXY ');
  const silent = await connectClient(server.port);
  const served = await connectClient(server.port);
  served.send(`${headerOf('192.0.2.7', 1)}a`);
  assert.equal(await served.readText('A'), 'A');
  assert.equal(await server.stop(), 0);
  for (const client of [waiting, silent, served]) assert.match(await client.fate, /FIN|ECONNRESET/);
});

test('over a Unix socket it is the same', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'proxied-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'echo.sock');
  await using server = await startTestServer([
    '--bind-proxy', `unix:${path}`, '--workers', '1', '--greeting', 'for {client}\\n', '--close-after', '4',
  ]);
  const header = headerOf('192.0.2.7', 1);
  const client = await connectClient(0, { path });
  client.send(header.slice(0, 20));
  await reload(server);
  client.send(`${header.slice(20)}ab`);
  assert.equal(await client.readText('for 192.0.2.7:1\nAB'), 'for 192.0.2.7:1\nAB');
  await reload(server);
  client.send('cde');
  assert.equal((await client.readToEnd()).toString(), 'CD');
  await server.printed(/192\.0\.2\.7:1 {2}closed: --close-after, 2 messages, 5 bytes in, 20 bytes out/);
  assert.equal(await server.stop(), 0);
});
