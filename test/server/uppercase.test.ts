// server/uppercase/uppercaser.ts: every character there is, random bytes, and every way to cut a stream.

import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { endianness } from 'node:os';
import test from 'node:test';
import { loadKernel } from '../../server/uppercase/kernel.ts';
import { toUpper, Uppercaser } from '../../server/uppercase/uppercaser.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { randomFrom } from '../helpers/random.ts';

/** The rule, as plainly as it can be said. */
function reference(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const isCharacter = (length: number) => at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length));
    const length = [1, 2, 3, 4].find(isCharacter);
    const part = bytes.subarray(at, at + (length ?? 1));
    parts.push(length === undefined ? part : Buffer.from(part.toString().toUpperCase()));
    at += part.length;
  }
  return Buffer.concat(parts);
}

/** What a stream becomes that comes in these chunks; with `move`, another Uppercaser takes over after each. */
function stream(chunks: Buffer[], move: (chunk: number) => boolean = () => false): Buffer {
  let uppercaser = new Uppercaser();
  const replies = chunks.map((chunk, at) => {
    const reply = Buffer.from(uppercaser.push(Buffer.from(chunk)));
    assert.ok(uppercaser.held.length <= 3, 'held more than 3 bytes');
    if (move(at)) uppercaser = new Uppercaser(uppercaser.held);
    return reply;
  });
  return Buffer.concat([...replies, uppercaser.end()]);
}

function cut(bytes: Buffer, places: number[]): Buffer[] {
  const ends = [...places.sort((a, b) => a - b), bytes.length];
  return ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end));
}

/** Fails with `what`, such as the seed, and with where the two differ first: whole buffers are too long to read. */
function assertSame(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  const near = (bytes: Buffer) => bytes.subarray(Math.max(0, at - 8), at + 8).toString('hex');
  assert.fail(`${what}: byte ${at} differs, near it ${near(actual)} instead of ${near(expected)}`);
}

/** Numbers from 0 to below `n`, the same for the same seed. */
function numbersFrom(seed: number): (n: number) => number {
  const random = randomFrom(seed);
  return (n) => Math.floor(random() * n);
}

const TEXT = 'plain ASCII, straße señor naïve été Ελλάδα привет 你好，世界 データ 한국어 “quoted” 😀 '.split(/(?<= )/);
/** Upper cases of other lengths, of three bytes and four, and characters at the edges of what UTF-8 can say. */
const LETTERS = [...'ŉǰΐΰևßıſﬁﬃﬖẖᾳὖᲀⱥɐȿȺქꭰⓐｚ→ệ𐐨𞤢𐓘ǆʼ\u{1c89}\u{e0041}\u{10ffff}\ufffd\0\x7f\x80'];
/** What is no UTF-8: nothing to begin with, too long a form, a surrogate, above U+10FFFF, or cut short. */
const BROKEN = [
  '80', 'bf', 'c0af', 'c1', 'e08080', 'e09f', 'f08080af', 'eda080', 'edbfbf', 'f4908080', 'f5', 'fe', 'ff',
  'c3', 'e280', 'f0', 'f09f', 'f09f98', 'c3c3', 'e1e1', 'f0f0', 'c361', 'e18361', 'f0909061', 'e2c3a9',
].map((hex) => Buffer.from(hex, 'hex'));

/** Up to `most` pieces: words, letters with odd upper cases, any code point at all, and unless `valid` broken ones. */
function randomBytes(random: (n: number) => number, most: number, valid: boolean): Buffer {
  const kinds = [
    () => Buffer.from(TEXT[random(TEXT.length)]!),
    () => Buffer.from(TEXT[random(TEXT.length)]!),
    () => Buffer.from(LETTERS[random(LETTERS.length)]!),
    () => Buffer.from(String.fromCodePoint(random(0x3000)).repeat(1 + random(3))),
    () => Buffer.from(String.fromCodePoint(random(0x110000))),
    () => BROKEN[random(BROKEN.length)]!,
    () => Buffer.from([random(256)]),
  ];
  const used = 1 + random(valid ? 5 : kinds.length);
  return Buffer.concat(Array.from({ length: random(most) }, () => kinds[random(used)]!()));
}

/** Every code point but the surrogates. */
function* codePoints(): Generator<number> {
  for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
    if (codePoint < 0xd800 || codePoint > 0xdfff) yield codePoint;
  }
}

test('the first message of a process may be of any script', () => {
  const text = TEXT.concat(LETTERS).join('');
  assert.equal(toUpper(Buffer.from(text)).toString(), text.toUpperCase());
});

test('every character alone becomes its upper case', () => {
  for (const codePoint of codePoints()) {
    const character = String.fromCodePoint(codePoint);
    const upper = toUpper(Buffer.from(character)).toString();
    if (upper !== character.toUpperCase()) assert.fail(`U+${codePoint.toString(16)} became ${upper}`);
  }
});

test('every character becomes its upper case in a row of all, and amid text at any alignment', () => {
  const all = Array.from(codePoints(), (codePoint) => String.fromCodePoint(codePoint));
  // Beyond U+1FFFF no character has a case: amid text, and wherever it begins, one such is as good as the next.
  const some = all.filter((character) => character.codePointAt(0)! < 0x20000 || character.codePointAt(0)! % 64 === 63);
  const rows = ['', 'ж', 'x', '你', '😀é'].map((between) => some.join(between));
  for (const row of [all.join(''), ...rows, `a${rows[0]}`, `ab${rows[0]}`, `abc${rows[0]}`]) {
    assertSame(toUpper(Buffer.from(row)), Buffer.from(row.toUpperCase()), `a row that begins ${row.slice(1, 9)}`);
  }
});

test('valid text becomes what toUpperCase() makes of it, however long', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const bytes = randomBytes(numbersFrom(seed), 6000, true);
    assertSame(toUpper(Buffer.from(bytes)), Buffer.from(bytes.toString().toUpperCase()), `seed ${seed}`);
  }
});

test('random bytes become what the rule says: characters upper-cased, all other bytes as they were', () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const bytes = randomBytes(numbersFrom(seed), 40, seed % 2 === 0);
    assertSame(toUpper(Buffer.from(bytes)), reference(bytes), `seed ${seed}`);
  }
});

test('it makes no difference where a stream is cut, nor where another Uppercaser takes over', () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = numbersFrom(seed);
    const bytes = randomBytes(random, 40, seed % 2 === 0);
    const expected = reference(bytes);
    const places = Array.from({ length: random(12) }, () => random(bytes.length + 1));
    assertSame(stream(cut(bytes, places)), expected, `seed ${seed}, cut at ${places.join()}`);
    assertSame(stream(cut(bytes, places), () => random(2) === 0), expected, `seed ${seed}, moved`);
  }
});

test('a stream may come byte by byte, or in any two parts', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const bytes = randomBytes(numbersFrom(seed), 16, seed % 2 === 0);
    const expected = reference(bytes);
    const single = cut(bytes, Array.from(bytes.keys()));
    assertSame(stream(single), expected, `seed ${seed}, byte by byte`);
    assertSame(stream(single, () => true), expected, `seed ${seed}, byte by byte and moved each time`);
    for (let at = 0; at <= bytes.length; at++) {
      assertSame(stream(cut(bytes, [at]), () => true), expected, `seed ${seed}, cut at ${at}`);
    }
  }
});

test('only the start of a valid character is held, and all before it is given at once', () => {
  /** Their bytes as digits of one number, with a 1 before them: as strings they take longer than all the rest. */
  const starts = new Set<number>();
  const numberOf = (bytes: Buffer): number => bytes.reduce((number, byte) => number * 256 + byte, 1);
  for (const codePoint of codePoints()) {
    // The last byte of a character is in no start: of those that differ in it only, one is enough.
    if (codePoint >= 0x80 && codePoint % 64 !== 0) continue;
    const bytes = Buffer.from(String.fromCodePoint(codePoint));
    for (let length = 1; length < bytes.length; length++) starts.add(numberOf(bytes.subarray(0, length)));
  }
  const check = (...bytes: number[]) => {
    const sent = Buffer.from(bytes);
    const endsIn = (length: number): boolean => starts.has(numberOf(sent.subarray(sent.length - length)));
    const count = [3, 2, 1].find((length) => length <= sent.length && endsIn(length)) ?? 0;
    const given = sent.subarray(0, sent.length - count);
    const uppercaser = new Uppercaser();
    const reply = uppercaser.push(Buffer.from(sent));
    if (uppercaser.held.equals(sent.subarray(given.length)) && reply.equals(reference(given))) return;
    assert.fail(`${sent.toString('hex')} gave ${reply.toString('hex')}, held ${uppercaser.held.toString('hex')}`);
  };
  for (let first = 0; first < 256; first++) {
    check(first);
    for (let second = 0x7f; second <= 0xff; second++) {
      check(0x61, first, second);
      for (const third of [0x61, 0x80, 0xbf, 0xe1]) check(first, second, third);
    }
  }
});

test('at the end of the stream the held bytes come as they are, once', () => {
  const uppercaser = new Uppercaser();
  assert.equal(uppercaser.push(Buffer.from('61f09f98', 'hex')).toString(), 'A');
  assert.deepEqual(uppercaser.end(), Buffer.from('f09f98', 'hex'));
  assert.deepEqual(uppercaser.end(), Buffer.alloc(0));
  assert.deepEqual(uppercaser.held, Buffer.alloc(0));
});

test('held bytes are copies, on the way in and out', () => {
  const mine = Buffer.from('c3', 'hex');
  const uppercaser = new Uppercaser(mine);
  mine[0] = 0;
  uppercaser.held[0] = 0;
  assert.equal(uppercaser.push(Buffer.from('a9', 'hex')).toString(), 'É');
  const chunk = Buffer.from('c3', 'hex');
  uppercaser.push(chunk);
  chunk[0] = 0;
  assert.equal(uppercaser.push(Buffer.from('a9', 'hex')).toString(), 'É');
});

test('an empty chunk changes nothing', () => {
  const uppercaser = new Uppercaser(Buffer.from('c3', 'hex'));
  assert.equal(uppercaser.push(Buffer.alloc(0)).length, 0);
  assert.deepEqual(uppercaser.held, Buffer.from('c3', 'hex'));
});

test('ASCII of any length at any place in memory is upper-cased, and nothing around it', () => {
  const memory = Buffer.from(new ArrayBuffer(400));
  for (let length = 0; length <= 300; length++) {
    for (let offset = 0; offset < 8; offset++) {
      memory.fill('azZ@`{[m');
      const before = Buffer.from(memory);
      const chunk = memory.subarray(offset, offset + length);
      for (let i = 0; i < length; i++) chunk[i] = (i * 37 + length) & 0x7f;
      const expected = Buffer.from(chunk.toString().toUpperCase());
      assertSame(toUpper(chunk), expected, `${length} bytes at ${offset}`);
      assertSame(memory.subarray(0, offset), before.subarray(0, offset), 'the bytes before');
      assertSame(memory.subarray(offset + length), before.subarray(offset + length), 'the bytes after');
    }
  }
});

test('a byte that is not UTF-8 leaves the ASCII around it alone, wherever it is', () => {
  const text = 'azZ@`{['.repeat(14);
  for (let byte = 0x80; byte <= 0xff; byte++) {
    for (let at = 0; at < 20; at++) {
      const message = Buffer.from(text);
      const expected = Buffer.from(text.toUpperCase());
      message[at] = expected[at] = byte;
      assertSame(toUpper(message), expected, `byte ${byte} at ${at}`);
    }
  }
});

test('bytes outside the chunk are neither read nor changed', () => {
  const around = Buffer.from('\u00e9a\u0439z\u{10428}', 'utf8');
  for (let seed = 1; seed <= 1500; seed++) {
    const random = numbersFrom(seed);
    const bytes = randomBytes(random, 40, random(2) === 0);
    const start = random(around.length + 1);
    const end = random(around.length + 1);
    const memory = Buffer.from(new ArrayBuffer(start + bytes.length + around.length));
    around.copy(memory, 0, around.length - start);
    bytes.copy(memory, start);
    around.copy(memory, start + bytes.length, end);
    const before = Buffer.from(memory);
    const stop = start + bytes.length;
    assertSame(toUpper(memory.subarray(start, stop)), reference(bytes), `seed ${seed}`);
    assertSame(memory.subarray(0, start), before.subarray(0, start), `seed ${seed}, before`);
    assertSame(memory.subarray(stop), before.subarray(stop), `seed ${seed}, after`);
  }
});

test('a reply may be three times as long as the message, or far shorter', () => {
  for (const character of ['ΐ', 'ŉ', 'ᾂ', 'ⱥ', 'ﬁ', 'ı', 'ﬁΐ', 'ΐaﬁ', 'жΐ你', 'ﬁﬁﬁﬁﬁﬁﬁΐ']) {
    for (const count of [1, 20, 50_000]) {
      const text = character.repeat(count);
      assertSame(toUpper(Buffer.from(text)), Buffer.from(text.toUpperCase()), `${count} times ${character}`);
    }
  }
});

test('one broken byte among megabytes changes nothing else', () => {
  const text = TEXT.concat(LETTERS).join('').repeat(4000);
  const upper = Buffer.from(text.toUpperCase());
  const broken = Buffer.from('ff', 'hex');
  const message = Buffer.concat([Buffer.from(text), broken, Buffer.from(text)]);
  assertSame(toUpper(message), Buffer.concat([upper, broken, upper]), 'a broken byte');
});

test('the kernel is in use where numbers are little-endian, so that no fault in it hides behind the slow way', () => {
  assert.equal(loadKernel() !== undefined, endianness() === 'LE');
});

test('nothing is compiled before a message is long enough to need it', () => {
  const module = moduleUrl('server/uppercase/uppercaser.ts');
  const program = `
    import { writeFileSync } from 'node:fs';
    let compiled = 0;
    WebAssembly.Module = class extends WebAssembly.Module { constructor(code) { super(code); compiled++; } };
    const { toUpper } = await import(${JSON.stringify(module.href)});
    const counts = [1, 100, 1000, 1000].map((length) => (toUpper(Buffer.alloc(length, 'x')), compiled));
    writeFileSync(1, String(counts));`;
  const flags = [...process.execArgv.filter((arg) => arg !== '--test'), '--input-type=module'];
  assert.equal(String(execFileSync(process.execPath, [...flags, '-e', program])), '0,0,1,1');
});

test('without WebAssembly, as under --jitless, the same comes out', () => {
  const module = moduleUrl('server/uppercase/uppercaser.ts');
  const text = TEXT.concat(LETTERS).join('').repeat(300);
  const program = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { toUpper } from ${JSON.stringify(module.href)};
    if (typeof WebAssembly !== 'undefined') throw new Error('this Node still has WebAssembly');
    writeFileSync(1, toUpper(readFileSync(0)));`;
  const flags = [...process.execArgv.filter((arg) => arg !== '--test'), '--jitless', '--input-type=module'];
  const upper = execFileSync(process.execPath, [...flags, '-e', program], { input: text });
  assertSame(upper, Buffer.from(text.toUpperCase()), 'every script');
});
