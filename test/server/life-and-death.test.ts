// What the server does when it is told to stop, and when it is not asked.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { codeOf } from '../../shared/errors.ts';
import { standsStill, standStill } from '../helpers/faults-proc.ts';
import { DEADLINE_MS, startTestServer, TestServer } from '../helpers/server.ts';
import { untilGone } from '../helpers/processes.ts';
import { connectClient, fillUp, fillUpReply } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

/** In a process group of its own, as a shell with job control and systemd would start it. */
const OWN_GROUP = { command: ['setsid', process.execPath] };
const SUMMARY = new RegExp(
  'served (\\d+) connections?, (\\d+) messages?, (\\d+) bytes? in, (\\d+) bytes? out; '
  + '(\\d+) refused, (\\d+) cut off\n$',
);

/** A client that reads nothing of a long reply: a stop has to wait for it, up to the grace. */
async function connectStuck(server: TestServer): Promise<{ stuck: TestClient; sent: number }> {
  const stuck = await connectClient(server.port, { paused: true });
  await using other = await connectClient(server.port);
  return { stuck, sent: await fillUp(stuck, other) };
}

/** Why nobody can connect any more. Who still gets in leaves at once. */
async function refused(port: number): Promise<string | undefined> {
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    try {
      await (await connectClient(port))[Symbol.asyncDispose]();
    } catch (error) {
      // The system had accepted it, and the server closed its listener before it did: reset, and not refused.
      if (codeOf(error) !== 'ECONNRESET') return codeOf(error);
    }
  }
  return undefined;
}

describe('a stop', { concurrency: true }, () => {
  const ways: [string, NodeJS.Signals, (server: TestServer) => number][] = [
    ['by SIGTERM', 'SIGTERM', ({ process }) => process.pid!],
    // As a terminal's Ctrl-C, and as systemd and timeout(1) do it.
    ['by SIGINT to the whole process group', 'SIGINT', ({ process }) => -process.pid!],
  ];
  for (const [how, signal, whom] of ways) {
    test(`${how} answers what was received, ends each connection with a FIN, sums up and exits with 0`, async () => {
      await using server = await startTestServer(['--workers', '1'], OWN_GROUP);
      const workers = server.workers();
      const [silent, talking, half] = [
        await connectClient(server.port), await connectClient(server.port), await connectClient(server.port),
      ] as const;
      assert.equal(await talking.ask('before'), 'BEFORE');
      assert.equal(await half.ask('half'), 'HALF');
      talking.send('last words');
      half.send(Buffer.from('ß').subarray(0, 1));
      process.kill(whom(server), signal);
      assert.equal((await talking.readToEnd()).toString(), 'LAST WORDS');
      assert.deepEqual([...await half.readToEnd()], [0xc3], 'the half of a character that was held');
      assert.equal((await silent.readToEnd()).length, 0);
      assert.deepEqual(await Promise.all([silent.fate, talking.fate, half.fate]), ['FIN', 'FIN', 'FIN']);
      assert.deepEqual(await server.exit(), { code: 0, signal: null });
      assert.deepEqual(SUMMARY.exec(server.stdout)?.slice(1), ['3', '4', '21', '21', '0', '0']);
      assert.equal(server.stderr, '');
      await untilGone(...workers);
    });
  }

  test('answers all that had come when the worker learns of it', async (t) => {
    await using server = await startTestServer(['--workers', '1', '--worker-timeout', '0']);
    const client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
    await standStill(server.pidOf(1));
    server.signal('SIGTERM');
    assert.equal(await refused(server.port), 'ECONNREFUSED');
    // When it goes on, it hears of the stop first, and then reads this.
    client.send('just in time');
    if (!standsStill(server.pidOf(1))) return t.skip('somebody else has let the worker go on');
    process.kill(server.pidOf(1), 'SIGCONT');
    assert.equal((await client.readToEnd()).toString(), 'JUST IN TIME');
    assert.equal((await server.exit()).code, 0);
  });

  test('under load gives every client the upper case of a beginning of what it sent, and a FIN', async (t) => {
    await using server = await startTestServer(['--log', 'none', '--grace', '1000', '--workers', '2']);
    // One that does not mind the FIN, and goes on sending: nobody waits out the grace for it.
    const rude = await connectClient(server.port, { allowHalfOpen: true });
    assert.equal(await rude.ask('rude'), 'RUDE');
    const flood = setInterval(() => rude.send('more'), 1);
    t.after(() => clearInterval(flood));
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectClient(server.port)));
    for (const client of clients) {
      const pump = (): void => {
        // Until the FIN has come; the first answer to it is our own.
        if (client.socket.writable) setImmediate(pump);
        client.send('abcdefghijklmnopqrstuvwxyz');
      };
      client.socket.once('end', () => client.end());
      pump();
    }
    const answered = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.repeat(10);
    for (const client of clients) assert.equal(await client.readText(answered), answered);
    server.signal('SIGTERM');
    for (const client of clients) {
      const rest = await client.readToEnd();
      assert.ok(rest.every((byte, at) => byte === 'A'.charCodeAt(0) + at % 26));
    }
    for (const client of clients) await client[Symbol.asyncDispose]();
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.equal(SUMMARY.exec(server.stdout)?.[6], '0');
    await rude[Symbol.asyncDispose]();
  });

  test('lets nobody in and a slow client finish, takes signals that come together for one, and no others', async () => {
    await using server = await startTestServer(['--grace', '1000', '--workers', '1', '--log', 'connections']);
    const { stuck, sent } = await connectStuck(server);
    // One to each process, and one to the group: so timeout(1) does it. They are here together, whatever the machine's
    // mood.
    await standStill(server.process.pid!);
    server.signal('SIGINT');
    server.signal('SIGTERM');
    server.signal('SIGCONT');
    await server.printed(/stopping: /);
    // Those in the backlog when it closes are still let in.
    while (await refused(server.port) === undefined);
    assert.equal(await refused(server.port), 'ECONNREFUSED');
    // What it is told now is not done, and not said to be.
    for (const signal of ['SIGHUP', 'SIGTTIN', 'SIGTTOU'] as const) server.signal(signal);
    stuck.socket.resume();
    const reply = await stuck.readToEnd();
    assert.ok(reply.length > 0 && reply.length <= sent);
    assert.ok(reply.equals(fillUpReply(reply.length)));
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    assert.match(server.stdout, SUMMARY);
    assert.doesNotMatch(server.stdout, /reload|is to have|as before/);
  });

  for (const [when, flags] of [['by the stop', []], ['before it', ['--close-after', '2']]] as const) {
    test(`cuts nobody off who has all, our FIN ${when} too, and does not close, however short the grace`, async () => {
      await using server = await startTestServer(['--grace', '0.9', '--workers', '1', ...flags]);
      await using client = await connectClient(server.port, { allowHalfOpen: true });
      assert.equal(await client.ask('hi'), 'HI');
      if (flags.length > 0) await client.readToEnd();
      server.signal('SIGTERM');
      await client.readToEnd();
      assert.deepEqual(await server.exit(), { code: 0, signal: null });
      assert.match(server.stdout, /served 1 connection, 1 message, .*; 0 refused, 0 cut off\n/);
    });
  }

  test('is over at once after a second signal', async () => {
    await using server = await startTestServer(['--grace', '1000', '--workers', '1', '--log', 'connections']);
    const { stuck } = await connectStuck(server);
    const workers = server.workers();
    server.signal('SIGINT');
    await server.printed(/stopping/);
    // Whenever the first is long enough ago, one more of these is the second.
    const again = setInterval(() => server.signal('SIGINT'), 150);
    try {
      assert.deepEqual(await server.exit(), { code: 130, signal: null });
    } finally {
      clearInterval(again);
    }
    await untilGone(...workers);
    await stuck[Symbol.asyncDispose]();
  });

  test('resets at a second signal who is owed a reply: nobody takes what came for all', async () => {
    await using server = await startTestServer(['--grace', '1000', '--workers', '1', '--delay', '1000']);
    await using owed = await connectClient(server.port);
    owed.send('a');
    await server.printed(/1 byte /);
    server.signal('SIGINT');
    await server.printed(/stopping/);
    const again = setInterval(() => server.signal('SIGINT'), 150);
    try {
      assert.equal(await owed.fate, 'ECONNRESET');
      assert.deepEqual(await server.exit(), { code: 130, signal: null });
    } finally {
      clearInterval(again);
    }
  });

  for (const kind of ['SOCK_DGRAM', 'SOCK_SEQPACKET']) {
    test(`is over at once after a second signal, even when nobody reads its standard output, a ${kind}`, {
      skip: spawnSync('python3', ['-c', '']).status === 0 ? false : 'needs python3',
    }, async () => {
      // The other end of the socket is left open in the server itself; nobody reads it.
      const program = [
        'import os, socket, sys',
        `ends = socket.socketpair(socket.AF_UNIX, socket.${kind})`,
        'os.set_inheritable(ends[0].fileno(), True)',
        'os.dup2(ends[1].fileno(), 1)',
        'try:',
        '    while True: ends[1].send(bytes(1000), socket.MSG_DONTWAIT)',
        'except BlockingIOError: pass',
        'os.execv(sys.argv[1], sys.argv[1:])',
      ].join('\n');
      const command = ['python3', '-c', program, process.execPath];
      await using server = new TestServer(['--port', '0', '--workers', '1'], { command });
      const [worker] = await server.when(() => (server.workers().length > 0 ? server.workers() : undefined), 'worker');
      const again = setInterval(() => server.signal('SIGTERM'), 200);
      const { code, signal } = await server.exit().finally(() => clearInterval(again));
      const isStopped = signal === null ? code === 0 || code === 130 : ['SIGINT', 'SIGTERM'].includes(signal);
      assert.ok(isStopped, `${code} ${signal}`);
      await untilGone(worker!);
    });
  }

  test('is over after --grace, with clients that do not read cut off and counted', async () => {
    await using server = await startTestServer(['--grace', '0.3', '--workers', '1', '--log', 'connections']);
    const { stuck, sent } = await connectStuck(server);
    await server.printed(/ closed: /); // The other client is no longer there.
    const workers = server.workers();
    const began = performance.now();
    assert.equal(await server.stop(), 0);
    assert.ok(performance.now() - began >= 300, 'the grace was not granted');
    assert.match(server.stdout, /the grace of 300 ms is over: 1 /);
    assert.equal(SUMMARY.exec(server.stdout)?.[6], '1');
    await untilGone(...workers);
    stuck.socket.resume();
    await stuck.fate;
    assert.ok(stuck.length < sent);
  });

  test('is possible while the workers start', async () => {
    await using server = new TestServer(['--port', '0', '--workers', '2'], OWN_GROUP);
    const workers = await server.when(() => {
      const both = server.workers();
      return both.length === 2 ? both : undefined;
    }, 'workers');
    process.kill(-server.process.pid!, 'SIGINT');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
    // On a machine that stands still now and then they are ready by then, now and then.
    assert.doesNotMatch(server.stdout, /stopping:[^]*listening on/);
    for (const [, pid] of server.stdout.matchAll(/is ready \(pid (\d+)\)/g)) {
      assert.ok(workers.includes(Number(pid)), 'more workers were started');
    }
    assert.equal(server.stderr, '');
    await untilGone(...workers);
  });
});

describe('two workers', () => {
  let server: TestServer;
  before(async () => { server = await startTestServer(['--workers', '2']); });
  after(() => server[Symbol.asyncDispose]());

  test('are replaced by SIGHUP, and a client stays connected', async () => {
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('before'), 'BEFORE');
    const before = server.workers();
    server.signal('SIGHUP');
    await server.printed(/the reload is done/);
    assert.equal(await client.ask('after'), 'AFTER');
    const now = server.workers();
    assert.equal(now.length, before.length);
    assert.deepEqual(now.filter((pid) => before.includes(pid)), []);
    await untilGone(...before);
  });

  test('end when the master is killed, busy or not, and their clients are cut off', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => connectClient(server.port)));
    for (const client of clients) assert.equal(await client.ask('hi'), 'HI');
    const { stuck } = await connectStuck(server);
    const workers = server.workers();
    assert.equal(workers.length, 2);
    server.signal('SIGKILL');
    assert.equal((await server.exit()).signal, 'SIGKILL');
    await untilGone(...workers);
    stuck.socket.resume();
    for (const client of [...clients, stuck]) await client.fate;
  });
});
