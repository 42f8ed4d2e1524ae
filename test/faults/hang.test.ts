// Workers whose event loop stands still, and machines that sleep.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Load } from '../helpers/faults-load.ts';
import { clientPortsOf, standStill } from '../helpers/faults-proc.ts';
import { readyWorkers, suspend, untilWhole } from '../helpers/faults-server.ts';
import { until } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

// Most of their time they wait, each for a server of its own.
describe('a server of which something stands still', { concurrency: true }, () => {
  test('a worker that stands still is offered nothing more and replaced; other clients notice nothing', async (t) => {
    await using server = await startTestServer(['--workers', '2', '--log', 'connections', '--worker-timeout', '5']);
    using load = new Load({ port: server.port, seed: 60, connections: 8, paceMs: 50, longest: 8192 });
    await load.start();
    const [victim, other] = readyWorkers(server) as [number, number];
    const began = performance.now();
    await standStill(victim);
    load.excuse(clientPortsOf(victim, server.port), 'its worker stood still');
    const calm = load.takeLatencies();
    await server.printed(/has not answered for 5000 ms and is ended/);
    const stalled = load.takeLatencies();
    const now = await untilWhole(server, 2, [victim]);
    const took = Math.round(performance.now() - began);
    t.diagnostic(`replaced after ${took} ms; others: calm ${calm}, meanwhile ${stalled}`);
    assert.ok(now.includes(other), 'the other one lives');
    await load.allAnswered();
    load.endExcuses();
    await load.finish();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.equal(await server.stop(), 0);
  });

  test('a worker that stood still for a while goes on with its clients, and the one on the way to it', async () => {
    await using server = await startTestServer(['--workers', '2', '--log', 'connections', '--worker-timeout', '60']);
    using load = new Load({ port: server.port, seed: 62, connections: 8, paceMs: 50, longest: 8192 });
    await load.start();
    const [victim] = readyWorkers(server) as [number];
    await standStill(victim);
    const clients = await Promise.all(Array.from({ length: 6 }, () => connectClient(server.port)));
    for (const client of clients) client.send('hello');
    const served = (): number => clients.filter(({ length }) => length === 5).length;
    // All, if the machine was so slow that the master had noticed before they came: then it offers none to that one.
    await until(() => served() >= 5, 'all to be served but the one on the way');
    process.kill(victim, 'SIGCONT');
    for (const client of clients) assert.equal(await client.readText('HELLO'), 'HELLO');
    for (const client of clients) await client[Symbol.asyncDispose]();
    await load.allAnswered();
    await load.finish();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.equal(await server.stop(), 0);
    assert.match(server.stdout, /0 refused, 0 cut off/);
  });

  test('a stop is over after --grace although a worker stands still', async () => {
    await using server = await startTestServer(['--workers', '2', '--log', 'connections', '--grace', '5']);
    const clients: TestClient[] = [];
    // One after the other, so that each worker has two.
    for (let i = 0; i < 4; i++) {
      clients.push(await connectClient(server.port));
      assert.equal(await clients[i]!.ask('hello'), 'HELLO');
    }
    await standStill(readyWorkers(server)[0]!);
    assert.equal(await server.stop(), 0);
    const fates = await Promise.all(clients.map(({ fate }) => fate));
    assert.deepEqual(fates.sort(), ['ECONNRESET', 'ECONNRESET', 'FIN', 'FIN']);
    assert.match(server.stdout, /the grace of 5000 ms is over: 2 connections are cut off/);
  });

  test('suspending and resuming the whole process group for longer than --worker-timeout kills nobody', async () => {
    await using server = await startTestServer(
      ['--workers', '2', '--log', 'connections', '--worker-timeout', '5'], { command: ['setsid', process.execPath] },
    );
    const workers = readyWorkers(server);
    // Before the first ping, too.
    await suspend(server, 6000);
    using load = new Load({
      port: server.port, seed: 61, connections: 8, paceMs: 50, longest: 8192,
      kinds: ['prompt', 'stream', 'slow', 'idle'],
    });
    await load.start();
    await suspend(server, 6000);
    await load.allAnswered();
    assert.deepEqual(readyWorkers(server), workers);
    await load.finish();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.doesNotMatch(server.stdout, /has not answered/);
    assert.equal(await server.stop(), 0);
  });

  test('a worker that stands still during a reload does not stop it', async () => {
    await using server = await startTestServer(
      ['--workers', '2', '--worker-timeout', '5', '--grace', '5', '--log', 'connections'],
    );
    const before = readyWorkers(server);
    const client = await connectClient(server.port);
    assert.equal(await client.ask('before'), 'BEFORE');
    const slot = await server.slotOf(client.peer);
    const [victim] = before.filter((pid) => pid !== server.pidOf(slot));
    await standStill(victim!);
    server.signal('SIGHUP');
    await server.printed(/the reload is done/);
    await untilWhole(server, 2, before);
    assert.equal(await client.ask('after'), 'AFTER', server.stdout);
    await client[Symbol.asyncDispose]();
    assert.equal(await server.stop(), 0);
  });
});
