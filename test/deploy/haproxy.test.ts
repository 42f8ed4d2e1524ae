// HAProxy before two replicas, as docs/deploy/haproxy.cfg has it: who the client is, who answers, and what a client
// notices when a replica is reloaded, stops or dies.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { statusOf } from '../helpers/admin.ts';
import {
  adminPortOf, connectGreeted, GREETING, greeters, halfClose, noIpv6, startHaproxy, startReplica,
} from '../helpers/balancers.ts';
import type { Balancer, Greeted } from '../helpers/balancers.ts';
import { Load } from '../helpers/faults-load.ts';
import { missing } from '../helpers/missing.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const skip = missing('haproxy');

describe('behind HAProxy a replica logs the client\'s own address', { skip }, () => {
  let replica: TestServer;
  const folder = mkdtempSync(join(tmpdir(), 'echopool-haproxy-'));
  const path = join(folder, 'replica.sock');
  before(async () => { replica = await startReplica('a', ['--bind-proxy', `unix:${path}`]); });
  after(async () => {
    await replica?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  for (const host of ['127.0.0.1', '::1'] as const) {
    for (const version of ['send-proxy', 'send-proxy-v2'] as const) {
      test(`that ${version} tells of ${host}`, { skip: host === '::1' && noIpv6() }, async () => {
        await using haproxy = await startHaproxy({ replicas: [replica], host, instead: { 'send-proxy-v2': version } });
        await using client = await connectClient(haproxy.port, { host });
        assert.equal(await client.ask('straße'), 'STRASSE');
        await replica.slotOf(client.peer);
      });
    }
  }

  test('that it is told of over a Unix socket', async () => {
    await using haproxy = await startHaproxy({
      replicas: [replica], instead: { [`127.0.0.1:${replica.port}`]: `unix@${path} addr 127.0.0.1` },
    });
    await using client = await connectClient(haproxy.port);
    assert.equal(await client.ask('straße'), 'STRASSE');
    await replica.slotOf(client.peer);
  });
});

describe('two replicas behind HAProxy', { skip }, () => {
  const flags = [...GREETING, '--stop-delay', '12'];
  let a: TestServer;
  let b: TestServer;
  let haproxy: Balancer;
  /** How many clients have come to it since it came back. */
  let servedByA = 0;
  const countA = (names: string): number => names.split('a').length - 1;
  before(async () => {
    a = await startReplica('a', flags);
    b = await startReplica('b', flags);
    haproxy = await startHaproxy({ replicas: [a, b] });
  });
  after(async () => {
    for (const process of [haproxy, a, b]) await process?.[Symbol.asyncDispose]();
  });

  test('get clients in turn, and each says who answers', async () => {
    assert.match(await greeters(haproxy, 10), /^(?:(?:ab){5}|(?:ba){5})$/);
  });

  test('answer all that came before a client half-closed', async () => {
    await halfClose(haproxy);
  });

  test('one is killed: its clients notice it, and nobody else', async () => {
    const before: Greeted[] = [];
    for (let i = 0; i < 6; i++) before.push(await connectGreeted(haproxy));
    const its = before.filter(({ by }) => by === 'a');
    assert.equal(its.length, 3);
    a.signal('SIGKILL');
    await Promise.all(its.map(({ client }) => client.fate));
    assert.equal(await greeters(haproxy, 4), 'bbbb', 'whether HAProxy knows or not');
    for (const { client, by } of before) if (by === 'b') assert.equal(await client.ask('still here'), 'STILL HERE');
    await haproxy.process.printed(/replicas\/a is DOWN/);
    assert.equal(await greeters(haproxy, 4), 'bbbb');
    for (const { client } of before) await client[Symbol.asyncDispose]();
  });

  test('it comes back, and has its share again', async () => {
    const { port } = a;
    const admin = adminPortOf(a);
    await a[Symbol.asyncDispose]();
    a = await startReplica('a', flags, port, admin);
    await haproxy.process.printed(/replicas\/a is UP/);
    servedByA = countA(await greeters(haproxy, 10));
    assert.ok(servedByA >= 4 && servedByA <= 6, `${servedByA} of 10`);
  });

  test('it stops: HAProxy knows at once, clients are let in during --stop-delay, and none is refused', async () => {
    const downs = (): number => [...haproxy.process.stdout.matchAll(/replicas\/a is DOWN/g)].length;
    const before = downs();
    a.signal('SIGTERM');
    await a.printed(/stopping/);
    servedByA += countA(await greeters(haproxy, 4));
    await haproxy.process.when(() => (downs() > before ? true : undefined), 'word that a is down');
    assert.equal((await statusOf(adminPortOf(a))).phase, 'leaving', 'HAProxy knows before anybody would be refused');
    assert.equal(await greeters(haproxy, 4), 'bbbb');
    await a.printed(/ stopping: /);
    assert.equal(await greeters(haproxy, 4), 'bbbb');
    assert.equal((await a.exit()).code, 0);
  });

  test('it has no word in its log of HAProxy\'s checks', () => {
    // Of each client two: that it came, and that it went.
    const lines = a.lines().filter((line) => /127\.0\.0\.1:\d+ {2}/.test(line));
    assert.equal(lines.filter((line) => line.endsWith('  connected')).length, servedByA);
    assert.equal(lines.length, 2 * servedByA, a.stdout);
  });
});

test('nobody behind HAProxy notices the reload of a replica', { skip }, async () => {
  await using a = await startReplica('a', []);
  await using b = await startReplica('b', []);
  await using haproxy = await startHaproxy({ replicas: [a, b] });
  using load = new Load({ port: haproxy.port, seed: 15, connections: 16, paceMs: 60 });
  await load.start();
  const lasting = load.clients.filter(({ kind }) => kind !== 'half');
  a.signal('SIGHUP');
  await a.printed(/the reload is done/);
  await load.allAnswered();
  assert.deepEqual(lasting.filter((client) => !client.isTalking), [], 'the same clients are connected as before');
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
});
