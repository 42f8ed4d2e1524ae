// A stop under load: whatever had arrived is answered, and everybody gets a FIN.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Load } from '../helpers/faults-load.ts';
import { processesOf } from '../helpers/faults-proc.ts';
import { untilGone } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
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
  await using reader = await connectClient(server.port);
  assert.equal(await reader.ask('hi'), 'HI');
  // It takes none of a long reply, so that its worker comes to no end.
  reader.socket.pause();
  reader.send(Buffer.alloc(16 * 1024 * 1024, 'a'));
  await using waiting = await connectClient(server.port);
  waiting.send('waits');
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /the grace of 200 ms is over: 1 connection is cut off, 1 that waits is refused\n/);
  assert.match(server.stdout, /; 1 refused, 1 cut off\n$/);
});
