// Clients that leave while they wait: their places are free when others need them, and whoever is owed an answer stays.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { closing, disconnected } from '../../server/connections/disconnected.ts';
import { UNTOUCHED } from '../../server/worker/messages.ts';
import { accepting } from '../helpers/listening.ts';
import { startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient, TestClientOptions } from '../helpers/test-client.ts';

const addresses = Object.values(networkInterfaces()).flat().map((one) => one?.address);
const noIPv6 = !addresses.includes('::1') && 'there is no ::1 here';
const ONE_PLACE = ['--workers', '1', '--connections-per-worker', '1', '--log', 'connections'];

/** How many the log says have gone so far. */
function gone(server: TestServer): number {
  const told = [...server.stdout.matchAll(/(\d+) connections? gone: left while waiting/g)];
  return told.reduce((sum, match) => sum + Number(match[1]), 0);
}

const ways: ((client: TestClient) => void)[] = [
  (client) => client.socket.destroy(),
  (client) => client.reset(),
  // A word that nobody has answered, and no half-close: on this machine that is seen.
  (client) => {
    client.send('hello?');
    client.socket.destroySoon();
  },
];

const folder = mkdtempSync(join(tmpdir(), 'disconnected-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'a.sock');

/** How the system tells of clients differs with the family of the listener, and of the client. */
const families: [listens: string, connect: readonly TestClientOptions[]][] = [
  ['127.0.0.1:0', [{ host: '127.0.0.1' }]],
  ...(noIPv6 ? [] : [['[::]:0', [{ host: '127.0.0.1' }, { host: '::1' }]]] as [string, TestClientOptions[]][]),
  [`unix:${path}`, [{ path }]],
];

describe('those that wait and leave', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer([...ONE_PLACE, '--waiting', '10', ...families.flatMap(([at]) => ['--bind', at])]);
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [i, [listens, connects]] of families.entries()) {
    test(`give their places to others, however they left, on ${listens}`, async () => {
      const port = Number(/:(\d+)$/.exec(server.listening()[i]!)?.[1] ?? 0);
      for (const where of connects) {
        await using first = await connectClient(port, where);
        assert.equal(await first.ask('first'), 'FIRST');
        const connect = (): Promise<TestClient> => connectClient(port, where);
        const tenMore = (): Promise<TestClient[]> => Promise.all(Array.from({ length: 10 }, connect));
        let line = await tenMore();
        for (const leave of ways) {
          for (const client of line) leave(client);
          await Promise.all(line.map(({ fate }) => fate));
          line = await tenMore();
        }
        for (const [i, client] of line.entries()) client.end(`other ${i}`);
        // All of those ten are let in before: who comes after them is refused.
        const tooMany = await connectClient(port, where);
        assert.equal((await tooMany.readToEnd()).length, 0);
        first.end();
        for (const [i, client] of line.entries()) assert.equal((await client.readToEnd()).toString(), `OTHER ${i}`);
      }
    });
  }

  test('leave nobody else refused or cut off', async () => {
    assert.equal(await server.stop(), 0);
    // One for each way to connect: who came when all places were taken.
    const refused = families.flatMap(([, connects]) => connects).length;
    assert.match(server.stdout, new RegExp(`served \\d+ connections, .* ${refused} refused, 0 cut off`));
  });

  test('give back their share of --connections-per-address', async () => {
    await using server = await startTestServer([...ONE_PLACE, '--connections-per-address', '3']);
    await using first = await connectClient(server.port, { localAddress: '127.0.0.2' });
    assert.equal(await first.ask('first'), 'FIRST');
    for (let round = 0; round < 2; round++) {
      const waiting = await Promise.all([1, 2, 3].map(() => connectClient(server.port)));
      for (const client of waiting) await client[Symbol.asyncDispose]();
    }
    first.end();
    await first.fate;
    assert.equal(await server.stop(), 0);
    assert.match(server.stdout, / 0 refused, 0 cut off/);
  });
});

describe('clients that come one after the other, each when the one before has left', () => {
  async function oneByOne(server: TestServer, options: TestClientOptions = {}): Promise<void> {
    for (let i = 0; i < 30; i++) {
      const client = await connectClient(server.port, options);
      client.end('hi');
      assert.equal((await client.readToEnd()).toString(), 'HI', `client ${i}`);
    }
    for (let i = 0; i < 30; i++) {
      const client = await connectClient(server.port, options);
      assert.equal(await client.ask('hi'), 'HI', `client ${30 + i}`);
      client.reset();
    }
  }

  test('are all let in with --connections-per-address 1; all clients of a Unix socket are one address', async () => {
    const path = join(folder, 'b.sock');
    const flags = ['--workers', '1', '--log', 'none', '--connections-per-address', '1'];
    await using server = await startTestServer([...flags, '--bind', `127.0.0.1:0,unix:${path}`]);
    await server.when(() => server.listening().length === 2 || undefined, 'listening on both');
    await oneByOne(server);
    assert.doesNotMatch(server.stdout, /refused|cut off/);
    await oneByOne(server, { path });
    await using first = await connectClient(0, { path });
    assert.equal(await first.ask('first'), 'FIRST');
    const second = await connectClient(0, { path });
    assert.equal((await second.readToEnd()).length, 0);
    await server.printed(/1 connection refused: more than 1 from one address .*, the last from unix:\S+b\.sock\n/);
    assert.equal(await first.ask('still here'), 'STILL HERE');
    first.end();
    await first.fate;
    assert.equal(await server.stop(), 0);
    assert.match(server.stdout, /served 121 connections, .* 1 refused, 0 cut off/);
  });

  test('are all let in to one place; who comes while one still reads is not, although that has sent all', async () => {
    await using server = await startTestServer([...ONE_PLACE, '--waiting', '0']);
    await oneByOne(server);
    assert.doesNotMatch(server.stdout, /refused|cut off/);
    await using reader = await connectClient(server.port, { allowHalfOpen: true });
    assert.equal(await reader.ask('hi'), 'HI');
    reader.socket.pause();
    reader.end(Buffer.alloc(16 * 1024 * 1024, 'a'));
    const tooMany = await connectClient(server.port);
    assert.equal((await tooMany.readToEnd()).length, 0);
    await server.printed(/1 connection refused: all workers and the waiting line are full/);
  });
});

describe('who half-closes', () => {
  let server: TestServer;
  before(async () => { server = await startTestServer([...ONE_PLACE, '--waiting', '2']); });
  after(() => server[Symbol.asyncDispose]());

  test('and is owed an answer keeps the place, and who comes then is refused', async () => {
    await using first = await connectClient(server.port);
    assert.equal(await first.ask('first'), 'FIRST');
    const [half, silent] = [await connectClient(server.port), await connectClient(server.port)];
    half.end('half');
    await once(half.socket, 'finish');
    const tooMany = await connectClient(server.port);
    assert.equal((await tooMany.readToEnd()).length, 0);
    await server.printed(/1 connection refused: all workers and the waiting line are full/);
    first.end();
    assert.equal((await half.readToEnd()).toString(), 'HALF');
    assert.equal(await silent.ask('silent'), 'SILENT');
    assert.equal(gone(server), 0);
    await silent[Symbol.asyncDispose]();
  });

  test('without a word gets the end at once when others need the place', async () => {
    await using first = await connectClient(server.port);
    assert.equal(await first.ask('first'), 'FIRST');
    const empty = await connectClient(server.port, { allowHalfOpen: true });
    await using silent = await connectClient(server.port);
    empty.end();
    await once(empty.socket, 'finish');
    await using next = await connectClient(server.port);
    assert.equal((await empty.readToEnd()).length, 0);
    assert.equal(await empty.fate, 'FIN');
    first.end();
    assert.equal(await silent.ask('silent'), 'SILENT');
    silent.end();
    assert.equal(await next.ask('next'), 'NEXT');
  });
});

test('of a connection that the table does not know, as of another network namespace, the socket itself tells', () => {
  const end = { localAddress: '127.0.0.1', localPort: 9, remoteAddress: '127.0.0.1', remotePort: 9 };
  const socket = { ...end, destroyed: false, errored: null as Error | null, write: () => true };
  assert.deepEqual(closing([{ socket: socket as unknown as Socket }]), []);
  socket.errored = new Error('reset');
  assert.equal(closing([{ socket: socket as unknown as Socket }]).length, 1);
});

test('what an earlier worker has read is an answer that is owed', async (t: TestContext) => {
  const { port, next } = await accepting(t);
  const client = await connectClient(port, { allowHalfOpen: true });
  client.end();
  await once(client.socket, 'finish');
  const { socket } = await next();
  const traffic = { messages: 1, bytesIn: 1, bytesOut: 0 };
  const moved = { ...UNTOUCHED, traffic };
  assert.deepEqual(disconnected([{ socket, moved: { ...moved, unread: Uint8Array.of(1) } }]), []);
  assert.equal(disconnected([{ socket, moved }]).length, 1);
  socket.destroy();
  assert.equal(await client.fate, 'FIN');
});
