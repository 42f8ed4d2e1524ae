// The PROXY protocol headers that the load generator sends: what they are, and that our reader understands them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Generator } from '../../client/load/generator.ts';
import { PROXY_VERSIONS, proxyHeader, type Ends } from '../../client/load/proxy-sender.ts';
import { ProxyHeader } from '../../server/worker/proxy-header.ts';
import { serve, upperCase } from '../fixtures/upper-server.ts';
import { clientOf, oracle, PAYLOAD } from '../helpers/proxy-oracle.ts';
import { randomFrom } from '../helpers/random.ts';

const DEADLINE = { timeout: 60_000 };

function ends(localAddress: string, localPort: number, remoteAddress: string, remotePort: number): Ends {
  return { localAddress, localPort, remoteAddress, remotePort };
}

/** Whom the reader takes for the client. */
function sourceIn(header: Buffer): string | undefined {
  const outcome = new ProxyHeader().push(header);
  if (outcome.type !== 'done') assert.fail(JSON.stringify(outcome));
  assert.deepEqual([outcome.isLocal, outcome.rest.length], [false, 0]);
  const { client } = oracle(Buffer.concat([header, PAYLOAD])) ?? {};
  assert.equal(clientOf(outcome.source), client);
  return outcome.source;
}

describe('a header for a connection of our own', () => {
  test('of version 1 is a line', () => {
    const line = (of: Ends): string => String(proxyHeader('v1', of));
    assert.equal(line(ends('192.0.2.1', 1234, '192.0.2.2', 80)), 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n');
    assert.equal(line(ends('2001:db8::1', 1, '2001:db8::2', 2)), 'PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n');
    assert.equal(line({}), 'PROXY UNKNOWN\r\n');
  });

  test('of version 2 has the addresses and a checksum', () => {
    const signature = '0d0a0d0a000d0a515549540a';
    const hex = (of: Ends): string => proxyHeader('v2', of).toString('hex');
    assert.match(hex(ends('192.0.2.1', 1234, '192.0.2.2', 80)), new RegExp(
      `^${signature}21110013c0000201c000020204d20050030004.{8}$`));
    assert.match(hex(ends('2001:db8::1', 1234, '2001:db8:0:0:1::', 80)), new RegExp(
      `^${signature}2121002b20010db800000000000000000000000120010db800000000000100000000000004d20050030004.{8}$`));
    assert.match(hex({}), new RegExp(`^${signature}21000007030004.{8}$`));
  });

  test('tells our reader who we are, whatever our address', () => {
    const random = randomFrom(7);
    const below = (most: number): number => Math.floor(random() * most);
    const ipv4 = (): string => Array.from({ length: 4 }, () => below(256)).join('.');
    const ipv6 = (): string => Array.from({ length: 8 }, () => (below(0x10000) * below(2)).toString(16)).join(':');
    for (const version of PROXY_VERSIONS) {
      for (const [address, client] of [
        ['127.0.0.1', '127.0.0.1'], ['::1', '[::1]'], ['::', '[::]'], ['1:2:3:4:5:6:7:8', '[1:2:3:4:5:6:7:8]'],
        ['::ffff:127.0.0.1', '127.0.0.1'], ['64:ff9b::192.0.2.1', '[64:ff9b::c000:201]'], ['fe80::1%lo', '[fe80::1]'],
      ] as const) {
        assert.equal(sourceIn(proxyHeader(version, ends(address, 40_000, address, 8080))), `${client}:40000`);
      }
      for (let i = 0; i < 500; i++) {
        const [address, port] = [i % 2 === 0 ? ipv4() : ipv6(), below(65_536)];
        const source = sourceIn(proxyHeader(version, ends(address, port, address, 1)));
        assert.equal(clientOf(source), clientOf(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`));
      }
      assert.equal(sourceIn(proxyHeader(version, {})), undefined);
    }
  });
});

for (const proxy of PROXY_VERSIONS) {
  for (const churn of [false, true]) {
    const which = churn ? 'of many connections' : 'connection';
    test(`a load begins each ${which} with a ${proxy} header`, DEADLINE, async (t) => {
      let connections = 0;
      const { port } = await serve(t, (socket) => {
        const reader = new ProxyHeader();
        const real = `${socket.remoteAddress}:${socket.remotePort}`;
        connections++;
        socket.on('data', function header(bytes) {
          const outcome = reader.push(bytes);
          if (outcome.type === 'more') return;
          assert.ok(outcome.type === 'done' && outcome.source === real);
          socket.removeListener('data', header);
          upperCase(socket);
          if (outcome.rest.length > 0) socket.emit('data', outcome.rest);
        });
      });
      const load = new Generator({
        host: '127.0.0.1', port, connections: 3, size: 64, depth: churn ? 1 : 4, durationMs: 60_000, messages: 50,
        text: 'utf8', churn, processes: 1, firstConnection: 1, proxy,
      });
      await load.connect();
      const { messages, wrong, lost, failure } = await load.measure();
      assert.deepEqual([messages, wrong, lost, failure], [50, undefined, 0, undefined]);
      assert.equal(connections, churn ? 50 : 3);
    });
  }
}
