// Upper-cases a stream of bytes as UTF-8, and leaves what is not UTF-8 as it is. Pure; echo sessions use it.

import { isUtf8 } from 'node:buffer';
import { endianness } from 'node:os';
import { flipOf, LOOK_CLOSER, otherUppers, pairFlips } from './uppercase-table.ts';

/**
 * Upper-cases one stream, chunk by chunk: every valid UTF-8 character becomes what `toUpperCase()` makes of it, every
 * other byte stays, and where the stream was cut makes no difference.
 */
export class Uppercaser {
  #held: Buffer;

  /** @param held what an earlier Uppercaser of the same stream still held (0 to 3 bytes); it is copied. */
  constructor(held: Uint8Array = NONE) {
    this.#held = Buffer.from(held);
  }

  /**
   * Gives the upper case of all that has come, without the start of a character at the very end (3 bytes at most),
   * which is held for the next time. The chunk is given away: its bytes may be changed and be part of the reply.
   */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const unfinished = unfinishedAtEnd(bytes);
    if (unfinished === 0) {
      this.#held = NONE;
      return toUpper(bytes);
    }
    const end = bytes.length - unfinished;
    this.#held = Buffer.from(bytes.subarray(end));
    return toUpper(bytes.subarray(0, end));
  }

  /** At the end of the stream: what is held, as it came. Nothing is held after. */
  end(): Buffer {
    const held = this.#held;
    this.#held = NONE;
    return held;
  }

  /** A copy of what is held: 0 to 3 bytes. */
  get held(): Buffer {
    return Buffer.from(this.#held);
  }
}

const NONE = Buffer.alloc(0);

/**
 * The upper case of a whole message, by the same rules. As far as it fits, it is written over `bytes`.
 *
 * It is done four bytes at a time, and without asking where characters begin: a loop that takes one character a turn
 * has to guess at each how long it is, and in mixed text that takes three times as long.
 */
export function toUpper(bytes: Buffer): Buffer {
  const words = wordsOf(bytes);
  const ascii = upperAsciiStart(bytes, words);
  if (ascii === bytes.length) return bytes;
  return upperUtf8(bytes, words.length > 0 && isUtf8(bytes) ? words : NO_WORDS, ascii);
}

const flips = pairFlips; // V8 knows a constant of this module better than an import: 6 % faster
const LITTLE_ENDIAN = endianness() === 'LE'; // as the pairs in pairFlips are
const FEW = 64; // bytes, which are done one by one while a view of words is made
const NO_WORDS = new Int32Array(0);

/** The same bytes as 32-bit words, as far as their place in memory allows. */
function wordsOf(bytes: Buffer): Int32Array {
  if (bytes.length <= FEW || !LITTLE_ENDIAN) return NO_WORDS;
  const unaligned = -bytes.byteOffset & 3;
  return new Int32Array(bytes.buffer, bytes.byteOffset + unaligned, (bytes.length - unaligned) >> 2);
}

/** Upper-cases the ASCII that `bytes` begin with. Gives where it ends. */
function upperAsciiStart(bytes: Buffer, words: Int32Array): number {
  if (words.length === 0) return upperAsciiBytes(bytes, 0, bytes.length);
  const firstWord = words.byteOffset - bytes.byteOffset;
  const at = upperAsciiBytes(bytes, 0, firstWord);
  if (at < firstWord) return at;
  return upperAsciiBytes(bytes, firstWord + 4 * upperAsciiWords(words, 0, words.length), bytes.length);
}

function upperAsciiBytes(bytes: Buffer, at: number, end: number): number {
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x80) break;
    bytes[at] = byte ^ flips[byte]!; // asking whether it is a letter is one more guess: three times as long
  }
  return at;
}

/** Upper-cases words from `at` on up to one that is not all ASCII, or to `end`. Gives where. */
function upperAsciiWords(words: Int32Array, at: number, end: number): number {
  for (; at < end; at++) {
    const word = words[at]!;
    if (word & 0x80808080) break;
    // Bit 7 is set by the first sum in each byte from a on, by the second in each above z. Two below it is the case.
    words[at] = word ^ (((word + 0x1f1f1f1f) & ~(word + 0x05050505) & 0x80808080) >>> 2);
  }
  return at;
}

/** Upper-cases from `at` on, by `words` too if all of `bytes` is valid. Other lengths move what comes after. */
function upperUtf8(bytes: Buffer, words: Int32Array, at: number): Buffer {
  let read = at;
  let write = at; // never beyond `read`
  for (;;) {
    const stop = upperInPlace(bytes, words, read);
    if (write < read && read < stop) bytes.copyWithin(write, read, stop);
    write += stop - read;
    if (stop === bytes.length) return write === stop ? bytes : bytes.subarray(0, write);

    const upper = otherUppers[~flipOf(codePointAt(bytes, stop))]!;
    read = stop + lengthFrom(bytes[stop]!);
    if (write + upper.length > read) {
      const wide = widen(bytes, write, read);
      read += wide.length - bytes.length;
      bytes = wide;
      if (words.length > 0) words = wordsOf(bytes);
    }
    for (let i = 0; i < upper.length; i++) bytes[write++] = upper[i]!;
  }
}

/** A copy with a gap between what is written and what is left to read, which no upper case to come can fill. */
function widen(bytes: Buffer, write: number, read: number): Buffer {
  const left = bytes.length - read;
  const wide = Buffer.allocUnsafe(write + MOST_GROWTH * (LONGEST + left));
  bytes.copy(wide, 0, 0, write);
  bytes.copy(wide, wide.length - left, read);
  return wide;
}

const MOST_GROWTH = 3; // times: ΐ has 2 bytes, its upper case 6
const LONGEST = 4; // bytes of a character

/** Upper-cases from `at` on up to a character whose upper case has another length, or to the end. Gives where. */
function upperInPlace(bytes: Buffer, words: Int32Array, at: number): number {
  if (words.length === 0) return upperCharacters(bytes, at, bytes.length);
  const firstWord = words.byteOffset - bytes.byteOffset;
  const lastWord = words.length - 1;
  for (;;) {
    const word = (at - firstWord + 3) >> 2;
    if (word >= lastWord) return upperCharacters(bytes, at, bytes.length);
    let stop = firstWord + 4 * word;
    at = upperCharacters(bytes, at, stop);
    if (at < stop) return at;
    at = firstWord + 4 * upperWords(words, word, lastWord); // which may be amid a character that is done
    stop = Math.min(at + CLOSER_LOOK, bytes.length);
    at = upperCharacters(bytes, at, stop);
    if (at < stop) return at;
  }
}

const SPAN = 16; // words, after which there may be ASCII again, which alone is done three times as fast
const CLOSER_LOOK = 64; // bytes; where one character needs it, as in Georgian, the next ones do too

/**
 * Upper-cases words of valid UTF-8 from `at` on, up to one with a pair to look at closer, or to `end`. Gives where.
 * Characters begun before `at` must be done, and there must be a word at `end`, to see what follows the last byte.
 */
function upperWords(words: Int32Array, at: number, end: number): number {
  for (;;) {
    at = upperAsciiWords(words, at, end);
    const stop = Math.min(at + SPAN, end);
    at = upperMixedWords(words, at, stop);
    if (at < stop || at === end) return at;
  }
}

function upperMixedWords(words: Int32Array, at: number, end: number): number {
  let word = words[at]!;
  let carry = 0; // the flip of a first byte that ends a pair with the word before
  for (; at < end; at++) {
    const next = words[at + 1]!;
    const a = flips[word & 0x3fff]!;
    const b = flips[(word >>> 8) & 0x3fff]!;
    const c = flips[(word >>> 16) & 0x3fff]!;
    const d = flips[((word >>> 24) | (next << 8)) & 0x3fff]!;
    if ((a | b | c | d) & LOOK_CLOSER) break;
    words[at] = word ^ carry ^ a ^ (b << 8) ^ (c << 16) ^ (d << 24);
    carry = d >>> 8;
    word = next;
  }
  words[at] = word ^ carry;
  return at;
}

/**
 * Upper-cases character by character from `at` on up to one whose upper case has another length, or until `stop` is
 * reached. Gives where. Bytes that are no valid character are passed over.
 */
function upperCharacters(bytes: Buffer, at: number, stop: number): number {
  while (at < stop) {
    const first = bytes[at]!;
    if (first < 0x80) {
      bytes[at++] = first ^ flips[first]!;
      continue;
    }
    const codePoint = codePointAt(bytes, at);
    if (codePoint < 0) {
      at++;
      continue;
    }
    const flip = flipOf(codePoint);
    if (flip < 0) return at;
    at += lengthFrom(first);
    if (flip === 0) continue;
    bytes[at - 1]! ^= flip;
    bytes[at - 2]! ^= flip >> 8;
    if (codePoint >= 0x800) bytes[at - 3]! ^= flip >> 16;
  }
  return at;
}

/** The code point of the valid character of more bytes than one at `at`, or -1: Unicode's table 3-7. */
function codePointAt(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length = lengthFrom(first);
  if (length < 2 || at + length > bytes.length) return -1;
  // A byte that continues a character is below 64 once its mark is taken off.
  const second = bytes[at + 1]! ^ 0x80;
  if (length === 2) return second < 64 ? ((first & 0x1f) << 6) | second : -1;
  const third = bytes[at + 2]! ^ 0x80;
  if (length === 3) {
    const codePoint = ((first & 0x0f) << 12) | (second << 6) | third;
    const isValid = (second | third) < 64 && codePoint >= 0x800 && (codePoint < 0xd800 || codePoint > 0xdfff);
    return isValid ? codePoint : -1;
  }
  const fourth = bytes[at + 3]! ^ 0x80;
  const codePoint = ((first & 0x07) << 18) | (second << 12) | (third << 6) | fourth;
  return (second | third | fourth) < 64 && codePoint >= 0x10000 && codePoint <= 0x10ffff ? codePoint : -1;
}

/** How many bytes a character has that begins with `first`; 0 if none does. */
function lengthFrom(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

/** How many bytes at the end are the start of a valid character, but not all of it: 0 to 3. */
function unfinishedAtEnd(bytes: Buffer): number {
  const most = Math.min(bytes.length, LONGEST - 1);
  for (let count = 1; count <= most; count++) {
    const first = bytes[bytes.length - count]!;
    if ((first & 0xc0) === 0x80) continue;
    if (lengthFrom(first) <= count) return 0;
    // The second byte decides; any continuation may follow.
    const second = bytes[bytes.length - count + 1];
    return second === undefined || codePointAt(Buffer.of(first, second, 0x80, 0x80), 0) >= 0 ? count : 0;
  }
  return 0;
}
