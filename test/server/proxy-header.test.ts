// The reader of PROXY protocol headers, with data: by the specification, cut anywhere, changed anywhere, and at random.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { ProxyHeader } from '../../server/worker/proxy-header.ts';
import type { HeaderOutcome } from '../../server/worker/proxy-outcome.ts';
import { NLB_CHECK, NO_SUM, RIGHT, V4, V6, WRONG } from '../helpers/proxy-headers.ts';
import { binaryHeader, clientOf, oracle, PAYLOAD, tlv, withChecksum } from '../helpers/proxy-oracle.ts';
import { randomFrom } from '../helpers/random.ts';

/** Reads the bytes in pieces that end at the cuts, until it is decided. @returns After how many bytes, too. */
function readIn(bytes: Buffer, cuts: Iterable<number>): { outcome: HeaderOutcome; after: number } {
  const reader = new ProxyHeader();
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const outcome = reader.push(bytes.subarray(from, to));
    if (outcome.type !== 'more') return { outcome, after: to };
    assert.ok(reader.held.equals(bytes.subarray(0, to)));
    from = to;
  }
  return { outcome: { type: 'more' }, after: bytes.length };
}

const everyByte = (bytes: Buffer): number[] => Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);

/** Compares the reader with the oracle; the bytes are longer than any header. @returns After how many it is decided. */
function compare(bytes: Buffer, cuts: Iterable<number> = []): number {
  const { outcome, after } = readIn(bytes, cuts);
  const expected = oracle(bytes);
  const where = (): string => bytes.subarray(0, 110).toString('latin1');
  if (outcome.type !== 'done') {
    if (outcome.type !== 'bad' || expected !== undefined) assert.fail(`it is ${outcome.type}: ${where()}`);
    return after;
  }
  const { source, isLocal, rest } = outcome;
  const read = { client: clientOf(source), isLocal, length: after - rest.length };
  if (!isDeepStrictEqual(read, expected)) assert.deepEqual(read, expected, where());
  assert.ok(rest.equals(bytes.subarray(read.length, after)));
  return after;
}

describe('a header that is right', () => {
  test('tells who the client is', () => {
    for (const [what, header, source] of RIGHT) {
      const outcome = new ProxyHeader().push(header);
      const host = source?.replace(/^\[?(.*?)\]?:\d+$/, '$1');
      const isLocal = what.startsWith('v2, LOCAL');
      assert.deepEqual(outcome, { type: 'done', host, source, isLocal, rest: Buffer.alloc(0) }, what);
      compare(Buffer.concat([header, PAYLOAD]));
    }
  });

  test('may come in two pieces, cut at any byte, the second one with what the client sent', () => {
    for (const [what, header, source] of RIGHT) {
      const bytes = Buffer.concat([header, Buffer.from('hello')]);
      for (let cut = 1; cut <= bytes.length; cut++) {
        const { outcome, after } = readIn(bytes, [cut]);
        const where = `${what}, cut at ${cut}`;
        assert.ok(outcome.type === 'done' && outcome.source === source, where);
        assert.equal(after, cut < header.length ? bytes.length : cut, where);
        assert.deepEqual(outcome.rest, bytes.subarray(header.length, after));
      }
    }
  });

  test('may come byte by byte, and is whole with its last byte', () => {
    for (const [what, header, source] of RIGHT) {
      const { outcome, after } = readIn(header, everyByte(header));
      assert.ok(outcome.type === 'done' && outcome.source === source && after === header.length, what);
    }
  });

  test('may be read on by another reader, which gets what the first one held', () => {
    for (const [what, header, source] of RIGHT) {
      for (let cut = 0; cut < header.length; cut++) {
        const first = new ProxyHeader();
        if (cut > 0) assert.equal(first.push(header.subarray(0, cut)).type, 'more', what);
        const outcome = new ProxyHeader(new Uint8Array(first.held)).push(header.subarray(cut));
        assert.ok(outcome.type === 'done' && outcome.source === source && outcome.rest.length === 0, what);
      }
    }
  });

  test('is not spoilt when the memory of a read is used again', () => {
    const header = RIGHT[0]![1];
    const reader = new ProxyHeader();
    const piece = Buffer.from(header.subarray(0, 20));
    reader.push(piece);
    piece.fill(0);
    assert.equal(reader.push(header.subarray(20)).type, 'done');
    assert.equal(reader.held.length, 0);
  });
});

describe('a header that is wrong', () => {
  test('is refused with its kind and a reason, in one piece and byte by byte', () => {
    for (const [header, kind, reason] of WRONG) {
      const bytes = Buffer.from(header as string, 'latin1');
      for (const cuts of [[], everyByte(bytes)]) {
        const { outcome } = readIn(bytes, cuts);
        const what = bytes.toString('latin1');
        assert.ok(outcome.type === 'bad', what);
        assert.equal(outcome.kind, kind, what);
        assert.match(outcome.reason, reason, what);
      }
      compare(Buffer.concat([bytes, PAYLOAD]));
    }
  });

  test('is refused as soon as it is certain', () => {
    for (const text of [
      'G', 'PROXY-', 'PROXY T4', 'PROXY TCP5', 'PROXY UNKNOWNS', 'PROXY TCP4\r', `PROXY UNKNOWN ${' '.repeat(92)}`,
      ...['256', '1.2.3.4.', '01', '1..', '1 ', '1\r'].map((word) => `PROXY TCP4 ${word}`),
      ...['12345', '1::2::', '::g', '::1%', '1:2:3:4:5:6:7:8:', '::256.', ':1'].map((word) => `PROXY TCP6 ${word}`),
      ...['00', '65536', ' ', '1 1 ', '1 1\n', '1\r', '1 \r'].map((words) => `PROXY TCP4 1.1.1.1 1.1.1.1 ${words}`),
      '\r\n\r\n\0\r\nQUIT\r',
      ...['\x10', '\x22', '\x21\x12', '\x21\x41', '\x20\x00\x11', '\x20\x00\x10\x01', '\x21\x11\x00\x0b']
        .map((bytes) => `\r\n\r\n\0\r\nQUIT\n${bytes}`),
    ]) {
      const bytes = Buffer.from(text, 'latin1');
      const { outcome, after } = readIn(bytes, everyByte(bytes));
      assert.deepEqual([outcome.type, after], ['bad', bytes.length], JSON.stringify(text));
    }
  });

  test('that has only begun when the client leaves is incomplete', () => {
    const reader = new ProxyHeader();
    reader.push(Buffer.from('PROXY '));
    assert.deepEqual(reader.end(), { type: 'bad', kind: 'incomplete', reason: 'it ends after 6 bytes' });
  });
});

describe('the three traps', () => {
  test('a check by a balancer: LOCAL, TCP over IPv4, and no addresses, only TLVs', () => {
    assert.equal(NLB_CHECK.length, 16 + 84);
    // Its checksum, which was made elsewhere, is the one that is reckoned here.
    assert.deepEqual(withChecksum(binaryHeader(0x20, 0x11, NO_SUM, tlv(4, new Uint8Array(0x4a)))), NLB_CHECK);
    const { outcome } = readIn(Buffer.concat([NLB_CHECK, Buffer.from('x')]), []);
    const nobody = { host: undefined, source: undefined };
    assert.deepEqual(outcome, { type: 'done', ...nobody, isLocal: true, rest: Buffer.from('x') });
  });

  test('a TLV of no bytes is none that is cut off', () => {
    const header = binaryHeader(0x21, 0x11, V4, tlv(4), tlv(1));
    for (const cuts of [[], everyByte(header)]) assert.equal(readIn(header, cuts).outcome.type, 'done');
  });

  test('what the client sent comes in the same segment as the header, and may look like one more', () => {
    for (const [what, header] of RIGHT) {
      const outcome = new ProxyHeader().push(Buffer.concat([header, header]));
      assert.ok(outcome.type === 'done', what);
      assert.deepEqual(outcome.rest, header, what);
    }
  });
});

describe('compared with the simplest of all readers', () => {
  const SHORT = 60;
  /** What means something in a line, or nearly does. */
  const TELLING = Buffer.from('0159aFg:. PRT6U\r\n\0/%\x80', 'latin1');

  test('every change of one byte is understood, or refused; in long headers, of one bit', () => {
    for (const [, header] of RIGHT) {
      const bytes = Buffer.concat([header, PAYLOAD]);
      const isShort = header.length <= SHORT;
      for (let at = 0; at < Math.min(header.length, 300); at++) {
        const right = bytes[at]!;
        for (let change = 1; change < 256; change += isShort ? 1 : change) {
          bytes[at] = right ^ change;
          compare(bytes);
        }
        bytes[at] = right;
      }
    }
  });

  test('the same byte by byte; and whatever is not refused yet can still become right', () => {
    const short = RIGHT.flatMap(([, header]) => (header.length <= SHORT ? [header] : []));
    const tails = short.flatMap((line) => Array.from(line, (_, at) => line.subarray(at)));
    for (const line of short.filter(([first]) => first === 0x50)) {
      const bytes = Buffer.concat([line, PAYLOAD]);
      for (let at = 0; at < line.length; at++) {
        for (const byte of TELLING) {
          line.copy(bytes);
          bytes[at] = byte;
          const after = compare(bytes, everyByte(bytes.subarray(0, 120)));
          const begun = bytes.subarray(0, after - 1);
          const isPossible = (tail: Buffer): boolean => oracle(Buffer.concat([begun, tail, PAYLOAD])) !== undefined;
          assert.ok(isPossible(line.subarray(after - 1)) || tails.some(isPossible), begun.toString('latin1'));
        }
      }
    }
  });

  test('bytes at random are understood, or refused', () => {
    const WORDS = ['TCP4 ', 'TCP6 ', 'UNKNOWN', ' ', '\r\n', '\r', '1.2.3.4 ', '::1 ', '1:2', ':', '.', '0', '65535 '];
    for (let seed = 1; seed <= 3000; seed++) {
      const random = randomFrom(seed);
      const below = (most: number): number => Math.floor(random() * most);
      const noise = (most: number): Buffer => Buffer.from(Array.from({ length: below(most) }, () => below(256)));
      const pick = <T>(all: readonly T[]): T => all[below(all.length)]!;
      const bytes = Buffer.concat([
        pick([
          () => noise(40),
          () => Buffer.from(['PROXY ', ...Array.from({ length: below(12) }, () => pick(WORDS))].join('')),
          () => binaryHeader(0x20 + below(3), pick([0, 0x11, 0x21, 0x31, below(256)]), noise(300)),
          () => binaryHeader(0x21, 0x11, V4, ...Array.from({ length: below(5) }, () => tlv(below(6), noise(8)))),
          () => withChecksum(binaryHeader(0x21, 0x21, V6, tlv(4, noise(50)), NO_SUM, tlv(below(6), noise(5)))),
          () => Buffer.concat([pick(RIGHT)[1].subarray(0, below(60)), noise(3), pick(RIGHT)[1].subarray(below(60))]),
        ])(),
        PAYLOAD,
      ]);
      try {
        compare(bytes, everyByte(bytes.subarray(0, 600)).filter(() => random() < 0.1));
      } catch (error) {
        throw new Error(`seed ${seed} failed`, { cause: error });
      }
    }
  });
});
