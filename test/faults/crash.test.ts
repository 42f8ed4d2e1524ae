// Processes of the server that die, at any moment: who notices it, and who must not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from '../helpers/faults-load.ts';
import { clientPortsOf, processesOf, standStill } from '../helpers/faults-proc.ts';
import { Random } from '../helpers/faults-random.ts';
import { killWorker, readyWorkers, untilWhole } from '../helpers/faults-server.ts';
import type { Kill } from '../helpers/faults-server.ts';
import { isRunning, until } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

describe('under load', () => {
  let server: TestServer;
  let load: Load;
  before(async () => {
    // A stopped worker that held the terminal would keep the lines from us that we wait for.
    server = await startTestServer(['--workers', '2', '--log', 'none']);
    load = new Load({ port: server.port, seed: 51, connections: 24, paceMs: 60 });
    await load.start();
  });
  after(async () => {
    load?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  test('workers killed at random cost their own clients the connection, at once, and others nothing', async (t) => {
    const random = new Random(50);
    const kills: Kill[] = [];
    // Each meets a dozen clients, each at some point of its own between two messages: some 150 moments.
    for (let i = 0; i < 12; i++) {
      // The moment is the fault: somewhere in the load, in a start, between two hand-offs.
      await sleep(random.between(0, 100));
      kills.push(await killWorker(server, load, random.oneOf(readyWorkers(server)), 2));
    }
    await load.allAnswered();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.ok(load.excused > 0);
    const [cutOff, whole] = [kills.map(({ cutOffMs }) => cutOffMs), kills.map(({ wholeMs }) => wholeMs)]
      .map((values) => values.sort((a, b) => a - b).map(Math.round)) as [number[], number[]];
    t.diagnostic(`${load.excused} clients cut off, the last after ${cutOff[6]} ms (most ${cutOff[11]}); ` +
      `whole again after ${whole[6]} ms (most ${whole[11]}); ${load.summary()}`);
  });

  test('a worker that dies while it retires costs its own clients the connection, and the reload goes on', async () => {
    const old = readyWorkers(server);
    // Stopped, it cannot give back; so it dies while it should.
    await Promise.all(old.map(standStill));
    server.signal('SIGHUP');
    const slot = (await server.printed(/worker (\d) gives its connections back/))[1];
    const victim = server.pidOf(Number(slot));
    load.excuse(clientPortsOf(victim, server.port), 'the retiring worker was killed');
    process.kill(victim, 'SIGKILL');
    for (const pid of old) if (pid !== victim) process.kill(pid, 'SIGCONT');
    await server.printed(/the reload is done/);
    await untilWhole(server, 2, old);
    load.endExcuses();
    await load.allAnswered();
    await load.finish();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.equal(await server.stop(), 0);
  });
});

test('clients on their way to a stopped worker that is killed are served by another', async () => {
  await using server = await startTestServer(['--workers', '2', '--log', 'connections']);
  const [victim] = readyWorkers(server) as [number];
  await standStill(victim);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectClient(server.port)));
  for (const [i, client] of clients.entries()) client.send(`client ${i}`);
  const answered = (): number => clients.filter(({ length }) => length > 0).length;
  await until(() => answered() === 19, 'all to be served, but the one who waits for the stopped worker');
  process.kill(victim, 'SIGKILL');
  for (const [i, client] of clients.entries()) assert.equal(await client.readText(`CLIENT ${i}`), `CLIENT ${i}`);
  await untilWhole(server, 2, [victim]);
  for (const client of clients) await client[Symbol.asyncDispose]();
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 20 connections, .* 0 refused, 0 cut off/);
});

test('clients that wait for the only worker, stopped and killed, are served by its successor', async () => {
  await using server = await startTestServer(['--workers', '1', '--log', 'connections']);
  const [victim] = readyWorkers(server) as [number];
  await standStill(victim);
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient(server.port)));
  for (const client of clients) client.send('ß');
  process.kill(victim, 'SIGKILL');
  for (const client of clients) assert.equal(await client.readText('SS'), 'SS');
  for (const client of clients) await client[Symbol.asyncDispose]();
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 50 connections, .* 0 refused, 0 cut off/);
});

test('with --on-crash adopt the clients of a killed worker stay connected and go on with another', async () => {
  await using server = await startTestServer(['--workers', '2', '--log', 'connections', '--on-crash', 'adopt']);
  const clients = await Promise.all(Array.from({ length: 10 }, () => connectClient(server.port)));
  for (const client of clients) assert.equal(await client.ask('before'), 'BEFORE');
  // A worker that has given back what it held is asked for it no more: not even when its heir dies.
  for (const client of clients) client.send(Buffer.from('é').subarray(0, 1));
  server.signal('SIGHUP');
  await server.printed(/the reload is done/);
  await untilWhole(server, 2);
  for (const client of clients) client.send(Buffer.concat([Buffer.from('é').subarray(1), Buffer.from('x')]));
  for (const client of clients) assert.equal(await client.readText('ÉX'), 'ÉX');
  for (let i = 0; i < 2; i++) {
    const [victim] = readyWorkers(server) as [number];
    process.kill(victim, 'SIGKILL');
    await untilWhole(server, 2, [victim]);
    for (const client of clients) assert.equal(await client.ask('after'), 'AFTER');
  }
  assert.match(server.stdout, /goes on with worker \d; replies may be lost/);
  for (const client of clients) client.end();
  for (const client of clients) assert.equal((await client.readToEnd()).length, 0, 'nothing is answered twice');
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 10 connections, .* 0 refused, 0 cut off/);
});

test('when the master is killed under load no process is left', async (t) => {
  await using server = await startTestServer(['--workers', '2']);
  using load = new Load({ port: server.port, seed: 53, connections: 16, paceMs: 60 });
  await load.start();
  const processes = processesOf(server.process.pid!);
  assert.ok(processes.length >= 3);
  load.excuse(new Set(load.clients.map(({ port }) => port)), 'the master was killed');
  const began = performance.now();
  server.signal('SIGKILL');
  await until(() => !processes.some(isRunning), 'the end of all processes');
  t.diagnostic(`after ${Math.round(performance.now() - began)} ms`);
});
