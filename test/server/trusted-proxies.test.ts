// Who may send a PROXY protocol header, with data.
import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { describe, test } from 'node:test';
import { DEFAULT_PROXIES, proxyRange, TrustedProxies } from '../../server/connections/trusted-proxies.ts';
import { numberOf } from '../helpers/proxy-oracle.ts';
import { randomFrom } from '../helpers/random.ts';

function trusting(list: string): (host: string | undefined) => boolean {
  const proxies = new TrustedProxies(list.split(',').map((text) => proxyRange.parse(text) ?? assert.fail(text)));
  return (host) => proxies.trusts(host);
}

describe('who is trusted to send a PROXY header', () => {
  test('is, if nothing is said, this machine and whoever may open a Unix socket', () => {
    const trusts = trusting(DEFAULT_PROXIES);
    for (const host of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1', undefined]) {
      assert.ok(trusts(host), host);
    }
    for (const host of ['128.0.0.1', '126.255.255.255', '::2', '::', '::127.0.0.1', '2001:db8::1', 'localhost', '']) {
      assert.ok(!trusts(host), host);
    }
  });

  test('is what is in the list and nobody else', () => {
    const trusts = trusting('192.0.2.7, 10.1.2.3/8,2001:db8::/32,fe80::/10');
    for (const host of ['192.0.2.7', '10.200.0.1', '::ffff:10.200.0.1', '2001:DB8:ff::1', 'fe80::1%eth0']) {
      assert.ok(trusts(host), host);
    }
    for (const host of ['192.0.2.8', '127.0.0.1', '11.0.0.0', '2001:db9::1', '::1', undefined]) {
      assert.ok(!trusts(host), host);
    }
    assert.ok(trusting('unix')(undefined));
    assert.ok(trusting('0.0.0.0/0')('192.0.2.1') && !trusting('0.0.0.0/0')('2001:db8::1'));
    assert.ok(trusting('::/0')('2001:db8::1'));
  });

  test('is the same whether a range or an address is written as IPv4 or as IPv6 has it', () => {
    const trusts = trusting('::ffff:10.0.0.0/104,::ffff:c000:207');
    for (const host of ['10.9.9.9', '::ffff:10.9.9.9', '192.0.2.7', '::ffff:192.0.2.7']) assert.ok(trusts(host), host);
    for (const host of ['11.0.0.1', '192.0.2.6', '::ffff:192.0.2.6']) assert.ok(!trusts(host), host);
  });

  test('is reckoned rightly, with ranges and addresses at random', () => {
    const random = randomFrom(1);
    const below = (most: number): number => Math.floor(random() * most);
    const ipv4 = (): string => [10, 128 * below(2), below(4), below(256)].join('.');
    const ipv6 = (): string => (random() < 0.3
      ? `::ffff:${ipv4()}`
      : `2001:db8:${Array.from({ length: 6 }, () => (below(0x10000) * below(2)).toString(16)).join(':')}`);
    for (let i = 0; i < 5000; i++) {
      const [range, host] = [random() < 0.5 ? ipv4() : ipv6(), random() < 0.5 ? ipv4() : ipv6()];
      const bits = below(isIPv4(range) ? 33 : 129);
      const different = BigInt((isIPv4(range) ? 32 : 128) - bits);
      const expected = numberOf(range)! >> different === numberOf(host)! >> different;
      assert.equal(trusting(`${range}/${bits}`)(host), expected, `${host} in ${range}/${bits}`);
    }
  });
});

test('what is no address, no range and not unix is no element of the list', () => {
  for (const text of [
    '', ' ', 'localhost', 'Unix', 'unix:/run/a.sock', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '/8',
    '10.0.0', '010.0.0.1', '10.0.0.0/255.0.0.0', '::1/129', ':::1', '[::1]', 'fe80::1%eth0', '10.0.0.1:80', '::1 ::2',
  ]) {
    assert.equal(proxyRange.parse(text), undefined, text);
  }
});
