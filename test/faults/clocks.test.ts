// A server that stands still for longer than its limits: that is neither the silence of its clients nor their time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { standStill } from '../helpers/faults-proc.ts';
import { suspend } from '../helpers/faults-server.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient, fillUp, fillUpReply } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

/** In a process group of its own, which can be suspended whole. */
const OWN_GROUP = { command: ['setsid', process.execPath] };

/** A client that has yet to read a long reply, and how much it has sent. */
async function connectStuck(server: TestServer): Promise<{ stuck: TestClient; sent: number }> {
  const stuck = await connectClient(server.port, { paused: true });
  await using other = await connectClient(server.port);
  return { stuck, sent: await fillUp(stuck, other) };
}

describe('a standstill', { concurrency: true }, () => {
  const whose: [string, (server: TestServer, ms: number, meanwhile?: () => void) => Promise<void>][] = [
    ['of all', suspend],
    ['of the worker alone', async (server, ms, meanwhile = () => {}) => {
      const worker = server.pidOf(1);
      await standStill(worker);
      meanwhile();
      await sleep(ms); // The fault itself.
      process.kill(worker, 'SIGCONT');
    }],
  ];

  for (const [who, standsStill] of whose) {
    test(`${who}, longer than --idle-timeout, ends nobody who sends meanwhile`, async () => {
      const flags = ['--workers', '1', '--log', 'connections', '--idle-timeout', '5'];
      await using server = await startTestServer(flags, OWN_GROUP);
      const clients = await Promise.all(Array.from({ length: 3 }, () => connectClient(server.port)));
      for (const client of clients) assert.equal(await client.ask('before'), 'BEFORE');
      await standsStill(server, 6000, () => {
        for (const client of clients) client.send('meanwhile');
      });
      for (const client of clients) assert.equal(await client.readText('MEANWHILE'), 'MEANWHILE', server.stdout);
      for (const client of clients) await client[Symbol.asyncDispose]();
      assert.equal(await server.stop(), 0);
    });
  }

  test('longer than --grace, in a stop, cuts off nobody who reads', async () => {
    await using server = await startTestServer(['--workers', '1', '--log', 'connections', '--grace', '5'], OWN_GROUP);
    const { stuck } = await connectStuck(server);
    server.signal('SIGTERM');
    await server.printed(/stopping: /);
    await suspend(server, 6000);
    stuck.socket.resume();
    const reply = await stuck.readToEnd();
    assert.ok(reply.length > 0 && reply.equals(fillUpReply(reply.length)));
    assert.equal(await stuck.fate, 'FIN');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.doesNotMatch(server.stdout, /the grace of|[1-9] cut off/);
  });

  for (const [who, standsStill] of whose) {
    test(`${who}, longer than --grace, in a reload, cuts off nobody who reads`, async () => {
      const flags = ['--workers', '1', '--log', 'connections', '--grace', '5', '--worker-timeout', '60'];
      await using server = await startTestServer(flags, OWN_GROUP);
      const { stuck, sent } = await connectStuck(server);
      server.signal('SIGHUP');
      await server.printed(/gives its connections back/);
      await standsStill(server, 8000);
      stuck.socket.resume();
      await server.printed(/the reload is done/);
      assert.ok((await stuck.read(sent)).equals(fillUpReply(sent)));
      assert.equal(await stuck.ask('after'), 'AFTER');
      await stuck[Symbol.asyncDispose]();
      assert.equal(await server.stop(), 0);
      assert.doesNotMatch(server.stdout, /not quiet in time|has not ended|[1-9] cut off/);
    });
  }
});
