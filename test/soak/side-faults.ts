// The faults of the soak that end their server, or need one with other flags: each starts its own, with a load of its
// own.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerCopy } from '../helpers/faults-copy.ts';
import { Load } from '../helpers/faults-load.ts';
import { listeningPort, processesOf } from '../helpers/faults-proc.ts';
import type { Random } from '../helpers/faults-random.ts';
import { readyWorkers, untilWhole } from '../helpers/faults-server.ts';
import { isRunning, until } from '../helpers/processes.ts';
import { startTestServer, TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';
import type { Fault } from './faults.ts';
import { ms, number } from './table.ts';
import type { Figure } from './table.ts';

const FLAGS = ['--workers', '2'];

function loadFor(port: number, random: Random, connections = 32): Load {
  return new Load({ port, seed: random.between(0, 2 ** 32 - 1), connections, paceMs: 10 });
}

function noTroubles(load: Load): void {
  assert.deepEqual(load.troubles, [], load.summary());
}

async function stop(random: Random): Promise<Figure[]> {
  await using server = await startTestServer(FLAGS);
  using load = loadFor(server.port, random, 64);
  await load.start();
  await sleep(random.between(0, 500));
  const processes = processesOf(server.process.pid!);
  load.expectFin();
  const began = performance.now();
  server.signal('SIGTERM');
  await load.allOver();
  assert.deepEqual(await server.exit(), { code: 0, signal: null });
  const took = performance.now() - began;
  noTroubles(load);
  assert.deepEqual(processes.filter(isRunning), []);
  assert.match(server.stdout, /0 refused, 0 cut off/);
  assert.ok(took < 5000, `the grace is 5 s, and it took ${took} ms`);
  return [ms('exit 0 after', took)];
}

async function killMaster(random: Random): Promise<Figure[]> {
  await using server = await startTestServer(FLAGS);
  using load = loadFor(server.port, random);
  await load.start();
  const processes = processesOf(server.process.pid!);
  load.excuse(new Set(load.clients.map(({ port }) => port)), 'the master was killed');
  load.excuseNewcomers('the master was killed');
  const began = performance.now();
  server.signal('SIGKILL');
  await until(() => !processes.some(isRunning), 'the end of all processes');
  return [ms('no process left after', performance.now() - began)];
}

async function closedLog(random: Random): Promise<Figure[]> {
  await using server = await startTestServer(FLAGS);
  using load = loadFor(server.port, random);
  await load.start();
  server.process.stdout!.destroy();
  await load.allAnswered();
  await load.allAnswered();
  await load.finish();
  noTroubles(load);
  assert.equal(await server.stop(), 0);
  return [];
}

async function fullDisk(random: Random): Promise<Figure[]> {
  const full = openSync('/dev/full', 'w');
  await using server = new TestServer(['--port', '0', ...FLAGS], { stdout: full });
  closeSync(full);
  let port: number | undefined;
  await until(() => (port = listeningPort(server.process.pid!)) !== undefined, 'the server to listen');
  using load = loadFor(port!, random);
  await load.start();
  await load.allAnswered();
  await load.finish();
  noTroubles(load);
  assert.equal(await server.stop(), 0);
  return [];
}

async function adopt(random: Random): Promise<Figure[]> {
  await using server = await startTestServer([...FLAGS, '--on-crash', 'adopt']);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectClient(server.port)));
  for (const client of clients) assert.equal(await client.ask('before'), 'BEFORE');
  const victim = random.oneOf(readyWorkers(server));
  const began = performance.now();
  process.kill(victim, 'SIGKILL');
  for (const client of clients) assert.equal(await client.ask('after'), 'AFTER');
  const served = performance.now() - began;
  await untilWhole(server, 2, [victim]);
  for (const client of clients) await client[Symbol.asyncDispose]();
  assert.equal(await server.stop(), 0);
  return [ms('all of 20 served again after', served)];
}

async function fewDescriptors(): Promise<Figure[]> {
  await using server = await startTestServer(FLAGS, { command: ['prlimit', '--nofile=64:64', process.execPath] });
  const ask = async (): Promise<TestClient | undefined> => {
    const client = await connectClient(server.port);
    return client.ask('in?').then(() => client, () => undefined);
  };
  const inside: TestClient[] = [];
  while (inside.length < 64) {
    const client = await ask();
    if (client === undefined) break;
    inside.push(client);
  }
  await server.printed(/1 connection refused: no descriptors left/);
  const served = inside.length;
  await inside.pop()![Symbol.asyncDispose]();
  await server.printed(/closed: client ended/);
  const next = await ask();
  assert.ok(next !== undefined, 'as one has left, another can come');
  for (const client of [...inside, next]) assert.equal(await client.ask('still'), 'STILL');
  for (const client of [...inside, next]) await client[Symbol.asyncDispose]();
  assert.equal(await server.stop(), 0);
  return [number('served at the same time', served)];
}

async function brokenSuccessor(random: Random): Promise<Figure[]> {
  using copy = new ServerCopy();
  await using server = await startTestServer([...FLAGS, '--log', 'connections'], { main: copy.main });
  using load = loadFor(server.port, random, 16);
  await load.start();
  const before = server.workers();
  const good = copy.read('server/worker/worker.ts');
  copy.write('server/worker/worker.ts', `throw new Error('the new version is broken');\n${good}`);
  server.signal('SIGHUP');
  await server.printed(/a worker could not start; 1 worker still serving/);
  await load.allAnswered();
  copy.write('server/worker/worker.ts', good);
  const began = performance.now();
  await server.printed(/the reload is done/);
  await untilWhole(server, 2, before);
  await load.allAnswered();
  await load.finish();
  noTroubles(load);
  assert.equal(await server.stop(), 0);
  return [ms('after it was mended, reloaded within', performance.now() - began)];
}

export const sideFaults: readonly Fault[] = ([
  ['SIGTERM', 'every byte received is answered, a FIN to everybody, exit 0 within --grace, no process left', stop],
  ['SIGKILL the master', 'no process left within 1 s', killMaster],
  ["the log's reader closes", '0 errors', closedLog],
  ['the log on a full disk', '0 errors', fullDisk],
  ['SIGKILL a worker with --on-crash adopt', 'its clients stay connected', adopt],
  ['descriptor limit 64', 'refused clients counted; serves again as soon as one leaves', fewDescriptors],
  ['a successor that cannot start', 'the others serve on, 0 errors; the reload ends when it can', brokenSuccessor],
] as const).map(([name, mustHold, run]) => ({ name, mustHold, run: ({ random }) => run(random) }));
