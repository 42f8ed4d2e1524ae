// SIGUSR2: the status in the log, as a table for people and as one JSON object for programs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEADLINE } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

test('SIGUSR2 prints a table of what is now, and every line of it is a line of the log', DEADLINE, async () => {
  await using server = await startTestServer(['--workers', '1', '--worker-timeout', '0', '--log', 'none']);
  const client = await connectClient(server.port);
  assert.equal(await client.ask('hello'), 'HELLO');
  server.signal('SIGUSR2');
  await server.printed(/workers +0 died.*\n/);
  const table = server.lines().slice(server.lines().findIndex((line) => line.includes('listening on')) + 1);
  for (const line of table) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} master /, line);
  assert.match(table.join('\n'), new RegExp(`1 ready +${server.pidOf(1)} `));
  assert.match(table.join('\n'), /now +1 connection, [^]*echoed +1 message, 5B in, 5B out/, 'what is open counts');
  assert.equal(await client.ask('again'), 'AGAIN');
  client.end();
  await client.readToEnd();
  assert.equal(await server.stop(), 0);
});

test('as JSON it is one event with all members of the status', DEADLINE, async () => {
  await using server = await startTestServer(['--workers', '1', '--log', 'none', '--log-format', 'json']);
  const client = await connectClient(server.port);
  assert.equal(await client.ask('hi'), 'HI');
  server.signal('SIGUSR2');
  const [line] = await server.printed(/^.*"event":"status".*$/m);
  const { workers, totals, phase, current } = JSON.parse(line) as {
    workers: { slot: number; connections: number }[]; totals: { messages: number; bytesIn: number }; phase: string;
    current: number;
  };
  assert.deepEqual([phase, current, totals.messages, totals.bytesIn], ['ready', 1, 1, 2]);
  assert.deepEqual(workers.map(({ slot, connections }) => [slot, connections]), [[1, 1]]);
  client.end();
  await client.readToEnd();
});

test('a worker that gets the signal, as one of the group, goes on', DEADLINE, async () => {
  await using server = await startTestServer(['--workers', '1', '--log', 'none']);
  process.kill(server.pidOf(1), 'SIGUSR2');
  server.signal('SIGUSR2');
  await server.printed(/workers +0 died/);
  const client = await connectClient(server.port);
  assert.equal(await client.ask('hi'), 'HI');
  client.end();
  await client.readToEnd();
  assert.equal(await server.stop(), 0);
});
