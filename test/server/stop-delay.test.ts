// --stop-delay: for a balancer that has yet to learn that the server leaves, it goes on as before.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { untilGone } from '../helpers/processes.ts';
import { startTestServer, TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

/** Longer than any test. */
const LONG = '100000';

describe('a server that is to stop, with --stop-delay', { concurrency: true }, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`lets clients in after ${signal}, serves and reloads, and ends at once after a second one`, async () => {
      await using server = await startTestServer(['--workers', '1', '--stop-delay', LONG]);
      await using before = await connectClient(server.port);
      assert.equal(await before.ask('before'), 'BEFORE');
      server.signal(signal);
      await server.printed(/ stopping in 100000000 ms; clients are let in until then\n/);
      await using meanwhile = await connectClient(server.port);
      assert.equal(await meanwhile.ask('meanwhile'), 'MEANWHILE');
      server.signal('SIGHUP');
      await server.printed(/the reload is done/);
      assert.equal(await before.ask('still here'), 'STILL HERE');
      const workers = server.workers();
      const again = setInterval(() => server.signal(signal), 150);
      try {
        assert.deepEqual(await server.exit(), { code: 130, signal: null });
      } finally {
        clearInterval(again);
      }
      assert.doesNotMatch(server.stdout, / stopping: /);
      await untilGone(...workers);
    });
  }

  test('ends everybody in order when the delay is over, also who came meanwhile', async () => {
    const flags = ['--workers', '1', '--stop-delay', '6', '--grace', LONG, '--log', 'connections'];
    await using server = await startTestServer(flags);
    await using before = await connectClient(server.port);
    assert.equal(await before.ask('before'), 'BEFORE');
    server.signal('SIGTERM');
    await server.printed(/ stopping in 6000 ms; clients are let in until then\n/);
    await using meanwhile = await connectClient(server.port);
    assert.equal(await meanwhile.ask('meanwhile'), 'MEANWHILE');
    for (const client of [before, meanwhile]) {
      assert.equal((await client.readToEnd()).length, 0);
      assert.equal(await client.fate, 'FIN');
    }
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.match(server.stdout, / stopping in 6000 ms[^]* stopping: 2 connections to end, /);
    assert.match(server.stdout, /served 2 connections, .* 0 refused, 0 cut off\n$/);
  });

  test('grants the grace when the delay is over', async () => {
    const flags = ['--workers', '1', '--stop-delay', '0.5', '--grace', '0.5', '--log', 'connections'];
    await using server = await startTestServer(flags);
    await using stuck = await connectClient(server.port, { paused: true });
    stuck.send(Buffer.alloc(64 * 1024 * 1024, 'a'));
    await server.printed(/connected/);
    const began = performance.now();
    server.signal('SIGTERM');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.ok(performance.now() - began >= 1000, 'the delay and the grace were not granted');
    assert.match(server.stdout, / stopping in 500 ms[^]* stopping: 1 connection to end, /);
    assert.match(server.stdout, /the grace of 500 ms is over/);
  });

  test('does not wait when it was not ready yet: nobody has been sent to it', async () => {
    await using server = new TestServer(['--port', '0', '--workers', '2', '--stop-delay', LONG]);
    await server.when(() => server.workers().length > 0 || undefined, 'a worker');
    server.signal('SIGTERM');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.doesNotMatch(server.stdout, /stopping in|listening on/);
  });
});
