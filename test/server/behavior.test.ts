// How the server behaves when it is asked to: greeting, probes, late replies, and ends after so many bytes; across
// reloads and stops.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { EchoSession } from '../../server/worker/echo-session.ts';
import { behaviorOf } from '../../server/worker/behavior.ts';
import type { SessionHost } from '../../server/worker/session.ts';
import { untilWhole } from '../helpers/faults-server.ts';
import { accepting } from '../helpers/listening.ts';
import { binaryHeader } from '../helpers/proxy-oracle.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

async function reload(server: TestServer): Promise<void> {
  const before = server.workers();
  server.signal('SIGHUP');
  await untilWhole(server, before.length, before);
  await server.printed(/the reload is done/);
}

test('a greeting is sent first and once, with its names filled in, and counts as bytes out', async () => {
  const text = '{worker} {pid} {hostname} {client} {server} {env:WHERE} {"x"}\\t\\\\n\\n';
  await using server = await startTestServer(['--workers', '1', '--greeting', text], { env: { WHERE: 'here' } });
  const client = await connectClient(server.port);
  const expected = `1 ${server.pidOf(1)} ${hostname()} ${client.peer} 127.0.0.1:${server.port} here {"x"}\t\\n\n`;
  assert.equal(await client.readText(expected), expected);
  await reload(server);
  assert.equal(await client.ask('one'), 'ONE');
  await reload(server);
  assert.equal(await client.ask('two'), 'TWO');
  client.end();
  assert.equal((await client.readToEnd()).length, 0);
  await server.printed(new RegExp(`closed: client ended, 2 messages, 6 bytes in, ${expected.length + 6} bytes out`));
  const half = await connectClient(server.port);
  half.end('x');
  assert.match((await half.readToEnd()).toString(), /^1 .*\nX$/);
  assert.equal(await server.stop(), 0);
});

test('with --on-crash adopt nobody is greeted twice', async () => {
  await using server = await startTestServer(['--workers', '1', '--greeting', 'hi\\n', '--on-crash', 'adopt']);
  const client = await connectClient(server.port);
  assert.equal(await client.readText('hi\n'), 'hi\n');
  const before = server.workers();
  process.kill(before[0]!, 'SIGKILL');
  await untilWhole(server, 1, before);
  assert.equal(await client.ask('on'), 'ON');
  await reload(server);
  assert.equal(await client.ask('and on'), 'AND ON');
});

test('--log-probes no: who leaves without a byte is counted, and others are logged from the first one on', async () => {
  const places = ['--bind', '127.0.0.1:0', '--bind-proxy', '127.0.0.1:0'];
  await using server = await startTestServer([...places, '--workers', '1', '--log-probes', 'no']);
  const [plain, proxied] = server.listening().map((address) => Number(/\d+$/.exec(address)![0])) as [number, number];
  const talker = await connectClient(plain);
  const silent = await connectClient(plain);
  for (let probe = 0; probe < 3; probe++) {
    const client = await connectClient(plain);
    client.end();
    assert.equal(await client.fate, 'FIN');
  }
  const reset = await connectClient(plain);
  const empty = await connectClient(proxied);
  empty.end();
  assert.equal(await empty.fate, 'FIN');
  const local = await connectClient(proxied);
  local.send(Buffer.concat([binaryHeader(0x20, 0x00), Buffer.from('check')]));
  assert.equal(await local.readText('CHECK'), 'CHECK');
  reset.reset(); // By now it was accepted: before, nobody would have seen it.
  await reload(server);
  assert.equal(await local.ask('once more'), 'ONCE MORE');
  local.end();
  await local.fate;
  assert.doesNotMatch(server.stdout, /connected|closed:|bytes +"/);
  assert.equal(await talker.ask('abc'), 'ABC');
  await reload(server);
  assert.equal(await talker.ask('def'), 'DEF');
  assert.equal(await server.stop(), 0);
  assert.equal(await silent.fate, 'FIN');
  const about = (peer: string): string[] => server.lines().flatMap((line) => line.split(`${peer}  `)[1] ?? []);
  assert.deepEqual(about(talker.peer), [
    'connected', '3 bytes  "abc"', '3 bytes  "def"',
    'closed: server stopping, 2 messages, 6 bytes in, 6 bytes out',
  ]);
  assert.deepEqual(about(silent.peer).map((line) => line.split(',')[0]), ['connected', 'closed: server stopping']);
  for (const { peer } of [reset, empty, local]) assert.deepEqual(about(peer), []);
  assert.match(server.stdout, /served 2 connections, .*; 0 refused, 0 cut off, 6 probes\n/);
});

test('--close-after and --reset-after: exactly so many bytes of replies, also across a reload', async () => {
  for (const [flag, end] of [['--close-after', 'FIN'], ['--reset-after', 'ECONNRESET']] as const) {
    await using server = await startTestServer(['--workers', '1', '--greeting', 'hello', flag, '10']);
    const [client, pipelining] = [await connectClient(server.port), await connectClient(server.port)];
    assert.equal(await client.readText('hello'), 'hello');
    assert.equal(await client.ask('abcd'), 'ABCD');
    await reload(server);
    assert.equal(await client.ask('efgh'), 'EFGH');
    client.send('ijklm');
    assert.equal((await client.read(2)).toString(), 'IJ');
    assert.equal(await client.fate, end);
    assert.equal(client.length, 0);
    pipelining.send('x'.repeat(100_000));
    assert.equal((await pipelining.read(15)).toString(), `hello${'X'.repeat(10)}`);
    assert.match(await pipelining.fate, end === 'FIN' ? /FIN|EPIPE|ECONNRESET/ : /ECONNRESET/);
    await server.printed(new RegExp(`${client.peer}  closed: ${flag}, 3 messages, 13 bytes in, 15 bytes out`));
    assert.equal(await server.stop(), 0);
  }
});

test('--delay: each reply comes so much later, in order, also when the server reloads or stops', async () => {
  await using server = await startTestServer(['--workers', '1', '--delay', '0.3', '--idle-timeout', '0.2']);
  const client = await connectClient(server.port);
  const begun = performance.now();
  client.send('one ');
  await new Promise(setImmediate);
  client.send('two ');
  assert.equal(await client.readText('ONE TWO '), 'ONE TWO ');
  assert.ok(performance.now() - begun >= 299, 'it came before its time');
  client.send('three ');
  await server.printed(/"three "/);
  await reload(server);
  assert.equal(await client.readText('THREE '), 'THREE ');
  client.end('four');
  assert.equal((await client.readToEnd()).toString(), 'FOUR');
  const last = await connectClient(server.port);
  last.send('five');
  await server.printed(/"five"/);
  assert.equal(await server.stop(), 0);
  assert.equal((await last.readToEnd()).toString(), 'FIVE');
});

test('--delay: who sends more than may wait is not read from until that is sent', async (t) => {
  const { port, next } = await accepting(t);
  const client = await connectClient(port);
  const { socket, peer } = await next();
  const behavior = await behaviorOf(
    { greeting: undefined, delayMs: 60_000, closeAfter: undefined, resetAfter: undefined }, 1,
  );
  let read = 0;
  const closed = new Promise<string>((resolve) => {
    const host: SessionHost = {
      behavior, message: (_, bytes) => { read += bytes.length; }, closed: (_, reason) => resolve(reason),
      givenBack: assert.fail,
    };
    const session = new EchoSession(host, 1, peer, socket, null, 0);
    session.start();
    client.send(Buffer.alloc(8 * 1024 * 1024, 'x'));
    const look = (): void => {
      if (!socket.isPaused()) return void setImmediate(look);
      session.giveUp();
    };
    look();
  });
  assert.equal(await closed, 'not quiet in time');
  assert.ok(read >= 64 * 1024 && read <= 128 * 1024, `${read} bytes were read`);
  assert.equal(await client.fate, 'ECONNRESET');
});

test('--delay: nothing of a lot is lost', async () => {
  await using server = await startTestServer(['--workers', '1', '--delay', '0.05', '--log', 'none']);
  const client = await connectClient(server.port);
  const text = 'abcdefgh'.repeat(64 * 1024);
  client.end(text);
  assert.equal((await client.readToEnd()).toString(), text.toUpperCase());
});
