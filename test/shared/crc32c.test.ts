// The checksum of PROXY protocol headers, by the examples of RFC 3720, B.4, which has the same one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../shared/proxy-protocol/crc32c.ts';

test('a CRC32C is what the RFC says, of one part or of several', () => {
  const rising = Uint8Array.from({ length: 32 }, (_, i) => i);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(rising), 0x46dd794e);
  assert.equal(crc32c(Uint8Array.from(rising).reverse()), 0x113fdb5c);
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  for (let at = 0; at <= 32; at++) assert.equal(crc32c(rising.subarray(0, at), rising.subarray(at)), 0x46dd794e);
  assert.equal(crc32c(), 0);
});
