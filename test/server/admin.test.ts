// The admin address of a real server: what it says over the server's whole life, and what it does to it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ask, EventReader, portOf, statusOf } from '../helpers/admin.ts';
import type { Answered } from '../helpers/admin.ts';
import { missing } from '../helpers/missing.ts';
import { ROOT } from '../helpers/paths.ts';
import { untilGone } from '../helpers/processes.ts';
import { DEADLINE_MS, runServer, startTestServer, TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { Change, ConnectionStatus, Status } from '../../shared/status/status.ts';

/** What a worker loads first: it starts when the file GATE is there. */
const LATE_WORKER = pathToFileURL(join(ROOT, 'test/fixtures/late-worker.mjs')).href;
/** Longer than any test. */
const LONG = '100000';
/** Between two looks, in milliseconds. */
const AGAIN_MS = 20;

/** Where it answers, once it says so. */
async function adminOf(server: TestServer): Promise<number> {
  const [, address] = await server.printed(/admin on (\S+)\n/);
  return portOf(address!);
}

const post = (port: number, path: string): Promise<Answered> => ask(port, path, { method: 'POST' });

/** Asks again and again until the answer is as it should be. */
async function until(port: number, path: string, isRight: (answer: Answered) => boolean): Promise<Answered> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask(port, path);
    if (isRight(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`${path} is still ${answer.status}\n${answer.body}`);
    await delay(AGAIN_MS);
  }
}

async function untilStatus(port: number, isRight: (status: Status) => boolean): Promise<Status> {
  const { body } = await until(port, '/status', ({ body }) => isRight(JSON.parse(body) as Status));
  return JSON.parse(body) as Status;
}

/** The totals among the metrics, by series. */
function totalsIn(text: string): Map<string, number> {
  const series = [...text.matchAll(/^(echopool_\w+_total\S*) (\S+)$/gm)];
  return new Map(series.map(([, name, value]) => [name!, Number(value)]));
}

describe('the admin address', { concurrency: 2 }, () => {
  test('says whether it is ready: starting, ready, without a worker, and no more from SIGTERM on', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'admin-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const gate = join(folder, 'gate');
    const flags = ['--port', '0', '--workers', '1', '--admin', '0', '--stop-delay', LONG];
    await using server = new TestServer(flags, { env: { NODE_OPTIONS: `--import ${LATE_WORKER}`, GATE: gate } });
    const port = await adminOf(server);
    const starting = await ask(port, '/readyz');
    assert.deepEqual([starting.status, starting.body], [503, 'starting']);
    writeFileSync(gate, '');
    await until(port, '/readyz', ({ status, body }) => status === 200 && body === 'ready');
    await server.printed(/listening on/);
    const [worker] = server.workers();
    process.kill(worker!, 'SIGSTOP');
    await until(port, '/readyz', ({ status, body }) => status === 503 && body === 'no worker is ready');
    process.kill(worker!, 'SIGCONT');
    await until(port, '/readyz', ({ status, body }) => status === 200 && body === 'ready');
    server.signal('SIGTERM');
    await server.printed(/stopping in/);
    const leaving = await ask(port, '/readyz');
    assert.deepEqual([leaving.status, leaving.body], [503, 'stopping']);
    assert.deepEqual([(await ask(port, '/livez')).body, (await statusOf(port)).phase], ['ok', 'leaving']);
    const [, echo] = await server.printed(/listening on \S+:(\d+)/);
    await using client = await connectClient(Number(echo));
    assert.equal(await client.ask('still let in'), 'STILL LET IN');
    // Two that come at once are one wish.
    const again = setInterval(() => server.signal('SIGTERM'), 150);
    await server.exit().finally(() => clearInterval(again));
    await untilGone(worker!);
  });

  test('answers while the server stops, and ends with it, whoever still reads', async () => {
    await using server = await startTestServer(['--workers', '1', '--admin', '0', '--grace', LONG]);
    const port = await adminOf(server);
    const workers = server.workers();
    await using stuck = await connectClient(server.port, { paused: true });
    stuck.send(Buffer.alloc(64 * 1024 * 1024, 'a'));
    await server.printed(/connected|bytes/);
    await using reader = await EventReader.open(port);
    assert.equal((await reader.next()).event, 'status');
    server.signal('SIGTERM');
    await server.printed(/ stopping: /);
    const stopping = await ask(port, '/readyz');
    assert.deepEqual([stopping.status, stopping.body], [503, 'stopping']);
    await stuck[Symbol.asyncDispose]();
    for (;;) {
      const frame = await reader.next().catch(() => undefined);
      if (frame === undefined) break;
    }
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    await untilGone(...workers);
  });

  test('counts what clients count, and nothing drops over a reload, a kill, fewer and more workers', async () => {
    const flags = ['--workers', '2', '--admin', '0', '--admin-actions', '--log', 'none'];
    await using server = await startTestServer(flags);
    const port = await adminOf(server);
    let before = new Map<string, number>();
    let messages = 0;
    let connections = 0;
    const look = async (): Promise<void> => {
      const totals = totalsIn((await ask(port, '/metrics')).body);
      assert.ok(totals.size > 20);
      const dropped = [...before].filter(([name, value]) => !(totals.get(name)! >= value));
      assert.deepEqual(dropped, []);
      before = totals;
    };
    const talk = async (): Promise<void> => {
      const clients = await Promise.all(Array.from({ length: 6 }, () => connectClient(server.port)));
      connections += clients.length;
      for (let i = 0; i < 5; i++) {
        await Promise.all(clients.map(async (client) => assert.equal(await client.ask('straße'), 'STRASSE')));
        messages += clients.length;
        await look();
      }
      for (const client of clients) await client[Symbol.asyncDispose]();
      // What a worker has not yet told of is lost with it.
      await untilStatus(port, ({ totals }) => totals.messages === messages);
    };
    const isWhole = ({ workers, pool }: Status): boolean =>
      workers.length === pool.size && workers.every(({ state }) => state === 'ready');
    await talk();
    for (const [action, counted] of [
      ['/reload', ({ totals }) => totals.reloads === 1],
      ['/workers/1/kill', ({ totals }) => totals.deaths.signal === 1],
      ['/workers/remove', ({ pool }) => pool.size === 1], ['/workers/add', ({ pool }) => pool.size === 2],
    ] as [string, (status: Status) => boolean][]) {
      assert.equal((await post(port, action)).status, 202, action);
      await look();
      await untilStatus(port, (status) => counted(status) && isWhole(status));
      await look();
      await talk();
    }
    const status = await untilStatus(port, ({ current }) => current === 0);
    const { totals } = status;
    assert.deepEqual([totals.connections, totals.served, totals.messages], [connections, connections, messages]);
    assert.deepEqual([totals.bytesIn, totals.bytesOut], [7 * messages, 7 * messages]);
    assert.equal(totals.messagesBySlot.reduce((sum, more) => sum + more), messages);
    assert.equal(await server.stop(), 0);
  });

  test('has metrics that promtool has nothing to say of, under load', { skip: missing('promtool') }, async () => {
    await using server = await startTestServer(['--workers', '2', '--admin', '0', '--log', 'none']);
    const port = await adminOf(server);
    let isOver = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await using client = await connectClient(server.port);
        for (let i = 0; i < 50; i++) assert.equal(await client.ask('straße'), 'STRASSE');
      }
    });
    try {
      for (let i = 0; i < 5; i++) {
        const { body } = await ask(port, '/metrics');
        const check = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
        assert.deepEqual([check.status, check.stdout, check.stderr], [0, '', ''], body);
      }
    } finally {
      isOver = true;
      await Promise.all(load);
    }
  });

  test('does what it is told with --admin-actions: a worker is frozen, thawed and killed', async () => {
    const flags = ['--workers', '1', '--admin', '0', '--admin-actions', '--worker-timeout', '0'];
    await using server = await startTestServer(flags);
    const port = await adminOf(server);
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('a'), 'A');
    assert.equal((await post(port, '/workers/1/freeze')).status, 202);
    client.send('b');
    assert.equal((await post(port, '/workers/1/thaw')).status, 202);
    assert.equal(await client.readText('B'), 'B');
    const pid = server.pidOf(1);
    assert.equal((await post(port, '/workers/1/kill')).status, 202);
    await client.fate;
    await untilGone(pid);
    await untilStatus(port, ({ workers }) => workers.length === 1 && workers[0]!.state === 'ready');
    assert.equal((await post(port, '/workers/2/kill')).status, 404);
  });

  test('is a Unix socket of its owner alone, which goes with the server', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'echopool-admin-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'admin.sock');
    await using server = await startTestServer(['--workers', '1', '--admin', `unix:${path}`]);
    await server.printed(new RegExp(`admin on unix:${path}\n`));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal((await ask(path, '/readyz')).body, 'ready');
    assert.equal(await server.stop(), 0);
    assert.equal(existsSync(path), false);
  });
});

describe('an admin address without --admin-actions', () => {
  let server: TestServer;
  let port: number;
  before(async () => {
    server = await startTestServer(['--workers', '1', '--admin', '0', '--log', 'messages']);
    port = await adminOf(server);
  });
  after(() => server[Symbol.asyncDispose]());

  test('changes nothing', async () => {
    const workers = server.workers();
    for (const path of ['/reload', '/workers/1/kill']) {
      const { status, body } = await post(port, path);
      assert.equal(status, 403);
      assert.match(body, /--admin-actions/);
    }
    const { workers: [worker], totals, actions } = await statusOf(port);
    assert.deepEqual([[worker!.pid], totals.reloads, actions], [workers, 0, false]);
  });

  test('in use by another ends the start in one line, and leaves no process and no socket', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'admin-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'echo.sock');
    const { code, stderr } = await runServer(['--bind', `unix:${path}`, '--admin', `${port}`]);
    assert.equal(code, 1);
    const why = `cannot listen on 127.0.0.1:${port}: another program does already; choose another --admin`;
    assert.equal(stderr, `echopool-server: ${why}\n`);
    assert.ok(!existsSync(path), 'where it listened for clients nothing is left');
  });

  test('has every word of a client as text within its JSON', async () => {
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('<img src=x onerror=alert(1)>\u001b[2J'), '<IMG SRC=X ONERROR=ALERT(1)>\u001b[2J');
    const { headers, body } = await until(port, '/status', ({ body }) => body.includes('"messages":1'));
    assert.match(headers['content-type']!, /^application\/json/);
    assert.doesNotMatch(body, /[\u0000-\u001f]/);
  });
});

test('a client of a worker that died is told as adopted while it waits for another already', async () => {
  const flags = ['--admin', '0', '--workers', '1', '--on-crash', 'adopt', '--log', 'none', '--worker-timeout', '0'];
  await using server = await startTestServer(flags);
  const port = await adminOf(server);
  const client = await connectClient(server.port);
  assert.equal(await client.ask('hi'), 'HI');
  const [first] = (await statusOf(port)).connections!;
  assert.deepEqual([first!.at, first!.how], ['worker 1', 'new']);
  await using events = await EventReader.open(port);
  await events.next();
  process.kill(server.pidOf(1), 'SIGKILL');
  const told: ConnectionStatus[] = [];
  while (told.at(-1)?.at !== 'worker 1') {
    told.push(...((await events.next()).data as Change).moved ?? []);
  }
  // Its successor takes a while to start: more than one look at the line.
  assert.deepEqual(told.map(({ at, how }) => [at, how]), [['line', 'adopted'], ['worker 1', 'adopted']]);
  assert.equal(await client.ask('again'), 'AGAIN');
  client.end();
  await client.readToEnd();
  assert.equal(await server.stop(), 0);
});
