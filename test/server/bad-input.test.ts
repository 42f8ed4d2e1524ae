// Wrong flags, hostile bytes and rude clients: each gets a clear error or correct service, and the server goes on.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { memoryOf, runServer, startTestServer } from '../helpers/server.ts';
import type { StartOptions, TestServer } from '../helpers/server.ts';
import { connectClient, fillUp, fillUpReply } from '../helpers/test-client.ts';

const MiB = 1024 * 1024;
const NOBODY = 65_534;

/** The one line that the server printed instead of serving, without its newline. */
async function refusal(flags: string[], expectedCode: number, options: StartOptions = {}): Promise<string> {
  const run = await runServer(flags, { ...options, env: { RES_OPTIONS: 'timeout:1 attempts:1', ...options.env } });
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /^echopool-server: [^\n]+\n$/);
  assert.equal(run.code, expectedCode);
  return run.stderr.slice('echopool-server: '.length, -1);
}

/** Why no process of nobody's can be started here that is kept from port 80; or undefined, and with it how. */
function unprivileged(): { missing: string } | { command: string[] } {
  const lowest = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  if (lowest <= 80) return { missing: 'here every user may listen on port 80' };
  const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all'];
  const command = [...process.getuid!() === 0 ? asNobody : [], process.execPath];
  const [program, ...args] = command;
  const readsUs = spawnSync(program!, [...args, '-e', `fs.readFileSync(${JSON.stringify(import.meta.filename)})`]);
  return readsUs.status === 0 ? { command } : { missing: 'nobody but root can read these files here' };
}

describe('a server that cannot be as asked says why in one line on standard error', { concurrency: true }, () => {
  let server: TestServer;
  before(async () => { server = await startTestServer(['--workers', '1']); });
  after(() => server[Symbol.asyncDispose]());

  test('a wrong flag or variable: its name, its value and what is allowed, and exit code 2', async () => {
    assert.deepEqual(await Promise.all([
      refusal(['--prot', '80'], 2),
      refusal(['--log', 'loud\u001b[31m'], 2),
      refusal([], 2, { env: { PORT: 'http' } }),
    ]), [
      'unknown flag "--prot": did you mean --port? (--help lists all)',
      '--log must be messages, connections or none, not "loud\\u001b[31m"',
      'environment variable PORT must be a whole number from 0 to 65535, not "http"',
    ]);
  });

  test('a port in use: exit code 1, and the server that has it goes on', async () => {
    const { port } = server;
    assert.equal(
      await refusal(['--port', `${port}`], 1),
      `cannot listen on 127.0.0.1:${port}: another program does already; choose another --port, or 0 for any free one`,
    );
    assert.equal(
      await refusal([], 1, { env: { PORT: `${port}` } }),
      `cannot listen on 127.0.0.1:${port}: another program does already; choose another PORT, or 0 for any free one`,
    );
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
  });

  test('a host that is not ours: exit code 1', async () => {
    const [address, name] = await Promise.all([
      refusal(['--host', '192.0.2.1', '--port', '0'], 1), refusal(['--host', 'nowhere.invalid', '--port', '0'], 1),
    ]);
    assert.equal(address, 'cannot listen on 192.0.2.1:0: --host "192.0.2.1" is no address of this machine');
    assert.equal(name, 'cannot listen on nowhere.invalid:0: --host "nowhere.invalid" is no address of this machine');
    assert.equal(
      await refusal(['--port', '0'], 1, { env: { ECHOPOOL_HOST: '192.0.2.1' } }),
      'cannot listen on 192.0.2.1:0: ECHOPOOL_HOST "192.0.2.1" is no address of this machine',
    );
    assert.equal(
      await refusal(['--host', 'fe80::1%nowhere', '--port', '0'], 1),
      'cannot listen on [fe80::1%nowhere]:0: --host "fe80::1%nowhere" is no address of this machine',
    );
  });

  test('help and version that cannot be written: exit code 1', async (t) => {
    if (!existsSync('/dev/full')) return t.skip('there is no /dev/full');
    const full = openSync('/dev/full', 'w');
    t.after(() => closeSync(full));
    for (const flag of ['--help', '--version']) {
      const run = await runServer([flag], { stdout: full });
      assert.match(run.stderr, /^echopool-server: \d+ lines? could not be printed: ENOSPC\n$/);
      assert.equal(run.code, 1);
    }
  });

  test('a port that needs special rights: exit code 1', async (t) => {
    const how = unprivileged();
    if ('missing' in how) return t.skip(how.missing);
    assert.equal(
      await refusal(['--port', '80'], 1, { command: how.command, env: { HOME: tmpdir() } }),
      'cannot listen on 127.0.0.1:80: that needs special rights; choose a --port from 1024 to 65535',
    );
  });
});

describe('one worker goes on serving', () => {
  let server: TestServer;
  let worker: number;
  before(async () => {
    server = await startTestServer(['--workers', '1']);
    worker = server.pidOf(1);
  });
  after(() => server[Symbol.asyncDispose]());

  test('bytes that are no text', async () => {
    await using client = await connectClient(server.port);
    // Every ASCII character, control characters too, between bytes that are part of no character.
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i % 3 === 0 ? 0xf5 + i % 11 : i % 128)));
    client.end(bytes);
    const reply = await client.readToEnd();
    assert.ok(reply.equals(bytes.map((byte) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte))));
  });

  test('a line of 100 MB without a newline, in bounded memory', async () => {
    const chunk = Buffer.from('no newline, straße, '.repeat(5000));
    const rounds = Math.ceil(100 * MiB / chunk.length);
    const expected = createHash('sha1');
    const reply = Buffer.from(chunk.toString().toUpperCase());
    for (let i = 0; i < rounds; i++) expected.update(reply);

    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    const received = createHash('sha1');
    socket.on('data', (bytes) => received.update(bytes));
    const ended = new Promise<void>((resolve, reject) => socket.on('error', reject).on('end', resolve));
    for (let i = 0; i < rounds; i++) {
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    socket.end();
    await ended;
    assert.equal(received.digest('hex'), expected.digest('hex'));
    assert.ok(memoryOf(worker, 'VmHWM') < 300 * MiB, `the worker took ${memoryOf(worker, 'VmHWM')} bytes`);
  });

  test('a client that never reads: it stops itself only, and gets all when it does read', async () => {
    await using other = await connectClient(server.port);
    await using client = await connectClient(server.port, { paused: true });
    const before = memoryOf(worker, 'VmRSS');
    const sent = await fillUp(client, other);
    assert.ok(sent < 64 * MiB, `${sent} bytes were taken of a client that reads nothing`);
    assert.ok(memoryOf(worker, 'VmRSS') - before < 64 * MiB);
    assert.equal(await other.ask('i am served'), 'I AM SERVED');
    client.end();
    client.socket.resume();
    const reply = await client.readToEnd();
    assert.equal(reply.length, sent);
    assert.ok(reply.equals(fillUpReply(sent)));
  });

  test('a client that never reads and leaves', async () => {
    await using other = await connectClient(server.port);
    const client = await connectClient(server.port, { paused: true });
    await fillUp(client, other);
    client.socket.destroy();
    await server.printed(new RegExp(`${client.peer}  closed: error (?:ECONNRESET|EPIPE)`));
    assert.equal(await other.ask('i am served'), 'I AM SERVED');
  });

  test('escape sequences aimed at the terminal', async () => {
    await using client = await connectClient(server.port);
    const hostile = '\x1b]0;owned\x07\x1b[2J\x9b31m\r\b\0\x7f\u202e\u2028{"a":"\n"}';
    assert.equal(await client.ask(hostile), hostile.toUpperCase());
    const line = await server.printed(new RegExp(`.*${client.peer}  \\d+ bytes .*\n`));
    assert.match(line[0], /"\\x1b\]0;owned\\x07\\x1b\[2J/);
    assert.doesNotMatch(server.stdout, /[^\n\P{C}]|[\p{Zl}\p{Zp}]/u);
  });

  test('clients that reset at once, some with a word before it', async () => {
    const rude = Array.from({ length: 200 }, (_, number) => new Promise<void>((resolve) => {
      const socket = connect({ port: server.port, host: '127.0.0.1' }, () => {
        if (number % 2 === 0) socket.write('lost');
        socket.resetAndDestroy();
      });
      socket.on('error', () => {}).on('close', () => resolve());
    }));
    await Promise.all(rude);
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('still there?'), 'STILL THERE?');
  });

  test('clients that leave at once, with or without a FIN, or with half a character', async () => {
    for (let round = 0; round < 20; round++) {
      const [silent, half, unread] = [
        await connectClient(server.port), await connectClient(server.port),
        await connectClient(server.port, { paused: true }),
      ] as const;
      silent.socket.destroy();
      half.end(Buffer.from('€').subarray(0, 2));
      assert.deepEqual([...await half.readToEnd()], [0xe2, 0x82]);
      unread.send(Buffer.from('half €').subarray(0, 7));
      unread.socket.destroy();
    }
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('still there?'), 'STILL THERE?');
  });

  test('all of them, with the worker that it began with, and ends with nobody left', async () => {
    // They are served in their order: with the last one, all have been.
    const last = await connectClient(server.port);
    assert.equal(await last.ask('the last one'), 'THE LAST ONE');
    await last[Symbol.asyncDispose]();
    await server.when(() => server.stdout.includes(`${last.peer}  closed: `) || undefined, 'end of the last one');
    const count = (event: RegExp): number => server.lines().filter((line) => event.test(line)).length;
    await server.when(() => count(/  connected$/) === count(/  closed: /) || undefined, 'end of all connections');
    assert.deepEqual(server.workers(), [worker]);
    assert.equal(await server.stop(), 0);
    assert.match(server.stdout, /stopping: 0 connections to end/);
    assert.equal(server.stderr, '');
  });
});
