// The tests' clients tell a FIN from a reset, however late they read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { resetConnection } from '../../shared/reset.ts';
import { connectClient } from '../helpers/test-client.ts';

for (const [fate, finish] of [
  ['FIN', (socket: Socket) => { socket.end(); }],
  ['ECONNRESET', resetConnection],
] as const) {
  test(`a client of the tests takes a ${fate} that comes with the last bytes for what it is`, async () => {
    // In the same turn of the event loop that the client has: it reads when both are there.
    const server = createServer((socket) => socket.once('data', () => {
      socket.write('last');
      finish(socket);
    }));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    for (const allowHalfOpen of [false, true]) {
      const client = await connectClient(port, { allowHalfOpen });
      client.send('go');
      assert.equal(await client.readText('last'), 'last');
      if (fate === 'FIN') assert.equal((await client.readToEnd()).length, 0);
      else await assert.rejects(client.readToEnd(), /ECONNRESET/);
      if (allowHalfOpen) client.socket.end();
      assert.equal(await client.fate, fate);
    }
    server.close();
  });
}
