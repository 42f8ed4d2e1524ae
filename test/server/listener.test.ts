// The listener: connections come paused, unread and with their peer's address.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { listen } from '../../server/connections/listener.ts';
import type { Listener } from '../../server/connections/listener.ts';

const addresses = Object.values(networkInterfaces()).flat().map((one) => one?.address);
const noIPv6 = !addresses.includes('::1') && 'there is no ::1 here';

interface Accepted {
  socket: Socket;
  host: string;
  peer: string;
}

interface Started {
  listener: Listener;
  port: number;
  /** The next connection. */
  next(): Promise<Accepted>;
}

/** A listener on a free port. */
async function start(t: TestContext, host: string): Promise<Started> {
  const came: Accepted[] = [];
  let wake = (): void => {};
  const listener = await listen(host, 0, {
    connection({ socket, host: from, peer }) {
      t.after(() => socket.destroy());
      came.push({ socket, host: from, peer });
      wake();
    },
    failed: (error) => assert.fail(error),
  });
  t.after(() => listener.close());
  return {
    listener,
    port: Number(/\d+$/.exec(listener.address)?.[0]),
    async next() {
      while (came.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
      return came.shift()!;
    },
  };
}

async function connectTo(t: TestContext, port: number, host: string): Promise<Socket> {
  const client = connect({ port, host });
  t.after(() => client.destroy());
  await once(client, 'connect');
  return client;
}

test('a connection comes with its peer\'s address, paused, with its first bytes unread', async (t) => {
  const { listener, port, next } = await start(t, '127.0.0.1');
  assert.equal(listener.address, `127.0.0.1:${port}`);
  const client = await connectTo(t, port, '127.0.0.1');
  client.end('early');
  const { socket, host, peer } = await next();
  // By the time that others have come and gone, one that is not paused has read its bytes.
  for (let i = 0; i < 3; i++) {
    await connectTo(t, port, '127.0.0.1');
    await next();
  }
  assert.equal(host, '127.0.0.1');
  assert.equal(peer, `127.0.0.1:${client.localPort}`);
  assert.equal(socket.bytesRead, 0);
  assert.equal(socket.allowHalfOpen, true);
  const [bytes] = await once(socket.resume(), 'data') as [Buffer];
  assert.equal(bytes.toString(), 'early');
});

test('an IPv6 address is in brackets', { skip: noIPv6 }, async (t) => {
  const { listener, port, next } = await start(t, '::1');
  assert.equal(listener.address, `[::1]:${port}`);
  const client = await connectTo(t, port, '::1');
  const { host, peer } = await next();
  assert.equal(host, '::1');
  assert.equal(peer, `[::1]:${client.localPort}`);
});

test('what the system says when it cannot listen is thrown', async (t) => {
  const { port } = await start(t, '127.0.0.1');
  const events = { connection: () => {}, failed: () => {} };
  await assert.rejects(listen('127.0.0.1', port, events), { code: 'EADDRINUSE' });
  await assert.rejects(listen('192.0.2.1', 0, events), { code: 'EADDRNOTAVAIL' });
});

test('a closed listener accepts nobody, and leaves whom it has accepted alone', async (t) => {
  const { listener, port, next } = await start(t, '127.0.0.1');
  const client = await connectTo(t, port, '127.0.0.1');
  const { socket } = await next();
  listener.close();
  await assert.rejects(connectTo(t, port, '127.0.0.1'), { code: 'ECONNREFUSED' });
  client.write('hi');
  const [bytes] = await once(socket.resume(), 'data') as [Buffer];
  assert.equal(bytes.toString(), 'hi');
});
