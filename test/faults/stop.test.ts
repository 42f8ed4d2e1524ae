// A stop under load: whatever had arrived is answered, and everybody gets a FIN.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Load } from '../helpers/faults-load.ts';
import { processesOf } from '../helpers/faults-proc.ts';
import { startGated } from '../helpers/gated.ts';
import { untilGone } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

test('SIGTERM under load answers every byte received, ends connections with a FIN, leaves no process', async (t) => {
  // Two clients of each kind and more, each at a place of its own in what it does; in the reload below are others.
  await using server = await startTestServer(['--workers', '2', '--log', 'connections']);
  using load = new Load({ port: server.port, seed: 1, connections: 16 });
  await load.start();
  const processes = processesOf(server.process.pid!);
  // What each has sent by now must be answered; and each goes on sending until it has the FIN.
  load.expectFin();
  const began = performance.now();
  server.signal('SIGTERM');
  await load.allOver();
  assert.deepEqual(await server.exit(), { code: 0, signal: null });
  t.diagnostic(`exit after ${Math.round(performance.now() - began)} ms; ${load.summary()}`);
  assert.deepEqual(load.troubles, [], load.summary());
  await untilGone(...processes);
  assert.match(server.stdout, /0 refused, 0 cut off/);
  assert.doesNotMatch(server.stdout, /the grace of/);
});

test('clients that wait in line when the server stops are answered too, one after the other', async () => {
  await using server = await startTestServer(
    ['--workers', '2', '--connections-per-worker', '1', '--log', 'connections'],
  );
  const clients = await Promise.all(Array.from({ length: 30 }, () => connectClient(server.port)));
  for (const [i, client] of clients.entries()) client.send(`client ${i}`);
  await server.printed(/connected[^]*connected/);
  server.signal('SIGTERM');
  for (const [i, client] of clients.entries()) assert.equal((await client.readToEnd()).toString(), `CLIENT ${i}`);
  assert.deepEqual(new Set(await Promise.all(clients.map(({ fate }) => fate))), new Set(['FIN']));
  assert.deepEqual(await server.exit(), { code: 0, signal: null });
  assert.match(server.stdout, /served 30 connections, .* 0 refused, 0 cut off/);
});

test('SIGTERM in the middle of a reload answers everybody all the same', async () => {
  await using server = await startTestServer(['--workers', '2', '--log', 'connections']);
  using load = new Load({ port: server.port, seed: 4, connections: 16 });
  await load.start();
  server.signal('SIGHUP');
  await server.printed(/gives its connections back/);
  load.expectFin();
  server.signal('SIGTERM');
  await load.allOver();
  assert.deepEqual(await server.exit(), { code: 0, signal: null });
  assert.deepEqual(load.troubles, [], load.summary());
  assert.match(server.stdout, /0 refused, 0 cut off/);
});

test('when the grace is over it says who is cut off and who is refused, as the summary does', async () => {
  await using server = await startTestServer([
    '--workers', '1', '--connections-per-worker', '1', '--waiting', '1', '--grace', '0.2', '--log', 'none',
  ]);
  await using client = await connectClient(server.port);
  assert.equal(await client.ask('hi'), 'HI');
  // Its worker comes to no end. A client that reads nothing would not do: the system may take all the same.
  process.kill(server.workers()[0]!, 'SIGSTOP');
  await using waiting = await connectClient(server.port);
  waiting.send('waits');
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /the grace of 200 ms is over: 1 connection is cut off, 1 that waits is refused\n/);
  assert.match(server.stdout, /; 1 refused, 1 cut off\n$/);
});

// How the only worker goes, with whom it serves waiting for the next one.
for (const [how, flags, go] of [
  ['a reload', [], (server) => server.signal('SIGHUP')],
  ['recycling', ['--max-connections-per-worker', '3'], (server) => void connectClient(server.port)],
  ['a crash', ['--on-crash', 'adopt'], (server) => process.kill(server.workers()[0]!, 'SIGKILL')],
] as [how: string, flags: string[], go: (server: TestServer) => void][]) {
  test(`SIGTERM while the only worker is replaced by ${how} answers those whom it served, and ends them`, async (t) => {
    const { server, open } = await startGated(t, ['--grace', '60', '--log', 'connections', ...flags]);
    const [worker] = server.workers();
    const [asks, silent] = [await connectClient(server.port), await connectClient(server.port)];
    assert.equal(await asks.ask('one'), 'ONE');
    assert.equal(await silent.ask('two'), 'TWO');
    go(server);
    await untilGone(worker!);
    asks.send('three');
    const newcomer = await connectClient(server.port);
    newcomer.send('four');
    server.signal('SIGTERM');
    await server.printed(/stopping: /);
    open();
    assert.equal((await asks.readToEnd()).toString(), 'THREE');
    assert.equal((await silent.readToEnd()).toString(), '');
    assert.equal((await newcomer.readToEnd()).toString(), 'FOUR');
    for (const client of [asks, silent, newcomer]) assert.equal(await client.fate, 'FIN');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.match(server.stdout, /served \d connections, .* 0 refused, 0 cut off/);
  });
}

test('a successor that does not come up in the grace is waited for no longer, and who waits is cut off', async (t) => {
  const { server } = await startGated(t, ['--grace', '0.5']);
  const [worker] = server.workers();
  await using client = await connectClient(server.port);
  assert.equal(await client.ask('one'), 'ONE');
  server.signal('SIGHUP');
  await untilGone(worker!);
  await using newcomer = await connectClient(server.port);
  newcomer.send('two');
  assert.equal(await server.stop(), 0);
  assert.equal(await client.fate, 'ECONNRESET');
  assert.match(server.stdout, /the grace of 500 ms is over: 1 connection is cut off, 1 that waits is refused\n/);
  assert.match(server.stdout, /; 1 refused, 1 cut off\n$/);
});
