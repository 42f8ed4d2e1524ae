// The server as a user meets it: started by its command line, talked to over real sockets.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../helpers/paths.ts';
import { runServer, startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient, TestClientOptions } from '../helpers/test-client.ts';

const CPUS = availableParallelism();
/** Not the one that the server listens on unless it is told. */
const HOST = '127.0.0.2';
const oneCpu = CPUS < 2 && 'needs two CPUs, and there is one';
const addresses = Object.values(networkInterfaces()).flat().map((one) => one?.address);
const noIPv6 = !addresses.includes('::1') && 'there is no ::1 here';

describe('the echo', { concurrency: true }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(['--workers', '99'], { env: { ECHOPOOL_WORKERS: '1', ECHOPOOL_HOST: HOST } });
  });
  after(() => server[Symbol.asyncDispose]());
  const connect = (options?: TestClientOptions): Promise<TestClient> => (
    connectClient(server.port, { host: HOST, ...options }));

  test('is offered in one line with the address that a variable names, and nothing on standard error', () => {
    const ready = server.lines().filter((line) => line.includes('listening on'));
    assert.equal(ready.length, 1);
    assert.match(ready[0]!, new RegExp(`listening on 127\\.0\\.0\\.2:${server.port} with `));
    assert.notEqual(server.port, 0);
    assert.equal(server.stderr, '');
  });

  test('is by one worker a CPU when more are asked for, and it says so; a flag wins over a variable', () => {
    assert.match(server.stdout, new RegExp(`--workers 99 is lowered to ${CPUS}, the number of usable CPUs`));
    assert.equal(server.workers().length, CPUS);
  });

  test('is in upper case and comes at once, without a newline', async () => {
    await using client = await connect();
    assert.equal(await client.ask('hi'), 'HI');
    client.send('stra\u00dfe, \ufb01ne, \u0149\n');
    assert.equal(await client.readText('STRASSE, FINE, \u02bcN\n'), 'STRASSE, FINE, \u02bcN\n');
    assert.equal(await client.ask(' and again'), ' AND AGAIN');
  });

  test('holds an incomplete character until the rest of it comes, wherever it is cut', async () => {
    await using client = await connect();
    for (const character of ['ß', 'ά', '€', 'ﬃ', '𐐨', '😀']) {
      const bytes = Buffer.from(character);
      for (let cut = 1; cut < bytes.length; cut++) {
        client.send(Buffer.concat([Buffer.from('a'), bytes.subarray(0, cut)]));
        // Everything before the character has been answered, so the two parts are two reads.
        assert.equal(await client.readText('A'), 'A');
        assert.equal(client.length, 0);
        client.send(Buffer.concat([bytes.subarray(cut), Buffer.from('z')]));
        assert.equal(await client.readText(`${character}z`.toUpperCase()), `${character}Z`.toUpperCase());
      }
    }
  });

  test('sends an incomplete character as it is at the end of the input', async () => {
    for (const rest of [[0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98]]) {
      await using client = await connect();
      client.end(Buffer.from([0x61, ...rest]));
      assert.deepEqual([...await client.readToEnd()], [0x41, ...rest]);
      assert.equal(await client.fate, 'FIN');
    }
  });

  test('gives back bytes that are not UTF-8 unchanged', async () => {
    await using client = await connect();
    const sent = Buffer.from('a\xff\xfeb\xc3(\xed\xa0\x80c\xf5d\0e\n', 'latin1');
    client.send(sent);
    assert.equal((await client.read(sent.length)).toString('latin1'), 'A\xff\xfeB\xc3(\xed\xa0\x80C\xf5D\0E\n');
  });

  test('does not depend on how TCP cut the input', async () => {
    await using client = await connect();
    const text = 'ab€ß😀ü\nΰx '.repeat(40);
    for (const byte of Buffer.from(text)) {
      client.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await client.readText(text.toUpperCase()), text.toUpperCase());
  });

  test('answers a client that half-closes, and ends its own side after the reply', async () => {
    await using client = await connect();
    client.end('hi');
    assert.equal((await client.readToEnd()).toString(), 'HI');
    assert.equal(await client.fate, 'FIN');
  });

  test('ends its side when a client ends without a word', async () => {
    await using client = await connect();
    client.end();
    assert.equal((await client.readToEnd()).length, 0);
    assert.equal(await client.fate, 'FIN');
  });

  test('reaches a client whole that half-closes first and then reads slowly', async () => {
    await using client = await connect({ paused: true });
    // More than the buffers of both sides hold: the FIN comes when the server has long stopped reading.
    const line = 'slowly, ſlowly\n';
    const lines = 600_000;
    client.end(line.repeat(lines));
    const expected = Buffer.from(line.toUpperCase().repeat(lines));
    let at = 0;
    while (at < expected.length) {
      client.socket.resume();
      const part = await client.read(Math.min(65_536, expected.length - at));
      client.socket.pause();
      assert.ok(part.equals(expected.subarray(at, at + part.length)), `wrong from byte ${at}`);
      at += part.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    assert.equal((await client.readToEnd()).length, 0);
  });

  test('is each client\'s own, among many at once', async () => {
    const clients = await Promise.all(Array.from({ length: 40 }, () => connect()));
    await Promise.all(clients.map(async (client, number) => {
      for (let round = 0; round < 10; round++) {
        const text = `client ${number} says ß in round ${round}\n`.repeat(2 * round + 1);
        assert.equal(await client.ask(text), text.toUpperCase());
      }
      client.end();
      assert.equal((await client.readToEnd()).length, 0);
    }));
  });
});

describe('the start', { concurrency: true }, () => {
  test('listens for both families at once, and shows an IPv4 address as such', { skip: noIPv6 }, async () => {
    await using server = await startTestServer(['--host', '::', '--workers', '1', '--connections-per-address', '1']);
    assert.match(server.stdout, /listening on \[::\]:\d+ /);
    await using client = await connectClient(server.port, { host: '127.0.0.1' });
    assert.equal(await client.ask('hi'), 'HI');
    await server.printed(/worker 1 +127\.0\.0\.1:\d+  connected/);
    const second = await connectClient(server.port, { host: '127.0.0.1' });
    await second.fate;
    await server.printed(/1 connection refused: more than 1 from one address .*, the last from 127\.0\.0\.1\n/);
    await using other = await connectClient(server.port, { host: '::1' });
    assert.equal(await other.ask('ho'), 'HO');
    await server.printed(new RegExp(`\\[::1\\]:${other.socket.localPort}  2 bytes  "ho"`));
  });

  test('--version and --help print and end with 0, and do not serve', async () => {
    const [version, help] = await Promise.all([runServer(['--version']), runServer(['--help'])]);
    const { version: expected } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.deepEqual([version.stdout, version.stderr, version.code], [`${expected}\n`, '', 0]);
    assert.deepEqual([help.stderr, help.code], ['', 0]);
    assert.match(help.stdout, /--connections-per-worker/);
    assert.doesNotMatch(help.stdout, /listening on 127/);
  });
});

describe('the choice of a worker', { concurrency: true }, () => {
  test('takes the one with the fewest connections', { skip: oneCpu }, async () => {
    await using server = await startTestServer(['--workers', '2', '--log', 'connections']);
    const connect = async (): Promise<[TestClient, number]> => {
      const client = await connectClient(server.port);
      return [client, await server.slotOf(client.peer)];
    };
    const first = [await connect(), await connect(), await connect(), await connect()];
    assert.deepEqual(first.map(([, slot]) => slot).sort(), [1, 1, 2, 2]);
    // Leave worker 1, whoever of them is there, and it gets the next two.
    for (const [client] of first.filter(([, slot]) => slot === 1)) {
      client.end();
      await server.printed(new RegExp(`${client.peer}  closed`));
    }
    const second = [await connect(), await connect()];
    assert.deepEqual(second.map(([, slot]) => slot), [1, 1]);
    for (const [client] of [...first, ...second]) await client[Symbol.asyncDispose]();
  });

  test('lets those wait for whom there is no room, serves them in order, and refuses when the line is full', {
    skip: oneCpu,
  }, async () => {
    await using server = await startTestServer(
      ['--workers', '2', '--connections-per-worker', '1', '--waiting', '2', '--log', 'connections'],
    );
    const [first, second, third, fourth] = [
      await connectClient(server.port), await connectClient(server.port),
      await connectClient(server.port), await connectClient(server.port),
    ] as const;
    assert.equal(await first.ask('one'), 'ONE');
    assert.equal(await second.ask('two'), 'TWO');
    // What those who wait have sent is kept for them, and so is the end of their input.
    third.send('three');
    fourth.end('four');

    const tooMany = await connectClient(server.port);
    assert.equal((await tooMany.readToEnd()).length, 0);
    await server.printed(/1 connection refused: all workers and the waiting line are full/);

    assert.equal(await second.ask('still here'), 'STILL HERE');
    assert.equal(third.length + fourth.length, 0);
    second.end();
    assert.equal(await third.readText('THREE'), 'THREE');
    assert.equal(await first.ask('still here'), 'STILL HERE');
    assert.equal(fourth.length, 0, 'the fourth was served before there was room');
    third.end();
    assert.equal((await fourth.readToEnd()).toString(), 'FOUR');
    first.end();
    assert.equal(await first.fate, 'FIN');

    assert.equal(await server.stop(), 0);
    assert.match(server.stdout, /served 4 connections, .*; 1 refused, 0 cut off/);
  });

  test('passes over a client that has left the line', async () => {
    await using server = await startTestServer(['--workers', '1', '--connections-per-worker', '1']);
    await using first = await connectClient(server.port);
    assert.equal(await first.ask('one'), 'ONE');
    const [reset, left] = [await connectClient(server.port), await connectClient(server.port)];
    await using last = await connectClient(server.port);
    reset.send('lost');
    reset.reset();
    left.end('left');
    left.socket.destroy();
    last.send('last');
    first.end();
    assert.equal(await last.readText('LAST'), 'LAST');
  });
});

test('--idle-timeout ends the connection of a silent client, and another one is served', async () => {
  await using server = await startTestServer(['--idle-timeout', '0.3'], { env: { ECHOPOOL_WORKERS: '1' } });
  assert.match(server.stdout, /listening on 127\.0\.0\.1:\d+ with 1 worker /);
  await using silent = await connectClient(server.port);
  assert.equal(await silent.ask('once'), 'ONCE');
  assert.equal(await silent.fate, 'FIN');
  await server.printed(new RegExp(`${silent.peer}  closed: idle, 1 message`));
  await using next = await connectClient(server.port);
  assert.equal(await next.ask('next'), 'NEXT');
});

test('the system asks after a silent client\'s machine (TCP keep-alive), whichever worker it is with', {
  skip: !existsSync('/proc/net/tcp') && 'needs /proc/net/tcp',
}, async () => {
  await using server = await startTestServer(['--workers', '1']);
  await using client = await connectClient(server.port);
  // In the column `tr`: 02 when the timer that runs is that of the keep-alive.
  const timer = (): string | undefined => {
    const hex = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const ends = `${hex(server.port)} ${hex(client.socket.localPort!)}`;
    const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n');
    return lines.find((line) => line.includes(ends))?.trim().split(/\s+/)[5]?.slice(0, 2);
  };
  assert.equal(await client.ask('one'), 'ONE');
  await server.when(() => timer() === '02' || undefined, 'keep-alive for the connection');
  server.signal('SIGHUP');
  await server.printed(/the reload is done/);
  assert.equal(await client.ask('two'), 'TWO');
  await server.when(() => timer() === '02' || undefined, 'keep-alive with the next worker');
});
