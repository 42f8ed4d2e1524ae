// The listener: connections come paused, unread and with their peer's address.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { accepting, tcp } from '../helpers/listening.ts';

const addresses = Object.values(networkInterfaces()).flat().map((one) => one?.address);
const noIPv6 = !addresses.includes('::1') && 'there is no ::1 here';

async function connectTo(t: TestContext, port: number, host: string): Promise<Socket> {
  const client = connect({ port, host });
  t.after(() => client.destroy());
  await once(client, 'connect');
  return client;
}

test('a connection comes with its peer\'s address, paused, with its first bytes unread', async (t) => {
  const { listener, port, next } = await accepting(t);
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
  const { listener, port, next } = await accepting(t, tcp('::1'));
  assert.equal(listener.address, `[::1]:${port}`);
  const client = await connectTo(t, port, '::1');
  const { host, peer } = await next();
  assert.equal(host, '::1');
  assert.equal(peer, `[::1]:${client.localPort}`);
});

test('what the system says when it cannot listen is thrown', async (t) => {
  const { port } = await accepting(t);
  await assert.rejects(accepting(t, tcp('127.0.0.1', port)), { name: 'ListenError', code: 'EADDRINUSE' });
  await assert.rejects(accepting(t, tcp('192.0.2.1')), { name: 'ListenError', code: 'EADDRNOTAVAIL' });
});

test('a closed listener accepts nobody, and leaves whom it has accepted alone', async (t) => {
  const { listener, port, next } = await accepting(t);
  const client = await connectTo(t, port, '127.0.0.1');
  const { socket } = await next();
  listener.close();
  await assert.rejects(connectTo(t, port, '127.0.0.1'), { code: 'ECONNREFUSED' });
  client.write('hi');
  const [bytes] = await once(socket.resume(), 'data') as [Buffer];
  assert.equal(bytes.toString(), 'hi');
});
