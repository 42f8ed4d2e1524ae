// Upper-cases a stream of bytes as UTF-8, and leaves what is not UTF-8 as it is. Pure; echo sessions use it.

import { isUtf8 } from 'node:buffer';
import { endianness } from 'node:os';
import { flipOf, LOOK_CLOSER, OTHER_LENGTH, otherUpper, pairFlips } from './uppercase-table.ts';

/**
 * Upper-cases one stream, piece by piece: every valid UTF-8 character becomes what `toUpperCase()` makes of it, every
 * other byte stays, and where the stream was cut makes no difference.
 */
export class Uppercaser {
  #held: Buffer;

  /** @param held what an earlier Uppercaser of the same stream still held (0 to 3 bytes); it is copied. */
  constructor(held: Uint8Array = EMPTY) {
    this.#held = Buffer.from(held);
  }

  /**
   * Gives the upper case of all that has come, except the start of a character at the very end (3 bytes at most).
   * The chunk is the Uppercaser's from now on: its bytes may be changed and be the reply.
   */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const complete = bytes.length - unfinishedAtEnd(bytes);
    if (complete === bytes.length) {
      this.#held = EMPTY;
      return toUpper(bytes);
    }
    this.#held = Buffer.from(bytes.subarray(complete));
    return toUpper(bytes.subarray(0, complete));
  }

  /** At the end of the stream: what is still held, as it came. Nothing is held after. */
  end(): Buffer {
    const held = this.#held;
    this.#held = EMPTY;
    return held;
  }

  /** A copy of what is held: 0 to 3 bytes. */
  get held(): Buffer {
    return Buffer.from(this.#held);
  }
}

const EMPTY = Buffer.alloc(0);

/**
 * The upper case of a whole message, by the same rules as `Uppercaser`. It is written over `bytes` as far as it fits.
 *
 * Most of it is done four bytes at a time without asking where characters begin, as branches on the lengths of the
 * characters of mixed text are guessed wrong too often: three times as fast as the best loop of one character a turn.
 */
export function toUpper(bytes: Buffer): Buffer {
  const words = wordsOf(bytes);
  const start = upperAscii(bytes, words);
  if (start === bytes.length) return bytes;
  return upperUtf8(bytes, LITTLE_ENDIAN && isUtf8(bytes) ? words : NO_WORDS, start);
}

const NO_WORDS = new Int32Array(0);
const WORDS_PAY = 64; // bytes; making the view costs as much as upper-casing this many one by one
const LITTLE_ENDIAN = endianness() === 'LE'; // pairFlips is made for words that begin with their lowest byte

/** The bytes as 32-bit words, as far as the memory's alignment allows. */
function wordsOf(bytes: Buffer): Int32Array {
  if (bytes.length < WORDS_PAY) return NO_WORDS;
  const unaligned = -bytes.byteOffset & 3;
  return new Int32Array(bytes.buffer, bytes.byteOffset + unaligned, (bytes.length - unaligned) >> 2);
}

/** Upper-cases the ASCII at the start of `bytes`. Gives where it ends. */
function upperAscii(bytes: Buffer, words: Int32Array): number {
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
    if (byte >= 0x61 && byte <= 0x7a) bytes[at] = byte - 0x20;
  }
  return at;
}

/** Upper-cases words from `at` on, and stops before the first that is not all ASCII. Gives the word it came to. */
function upperAsciiWords(words: Int32Array, at: number, end: number): number {
  for (; at < end; at++) {
    const word = words[at]!;
    if (word & 0x80808080) break;
    // The first sum has bit 7 in every byte from a on, the second from { on: the letters' bytes differ by 0x20.
    words[at] = word ^ (((word + 0x1f1f1f1f) & ~(word + 0x05050505) & 0x80808080) >>> 2);
  }
  return at;
}

/** Upper-cases from `at` on, with the words of all of `bytes` if they are valid UTF-8. */
function upperUtf8(bytes: Buffer, words: Int32Array, at: number): Buffer {
  let read = at;
  let write = at; // never after `read`
  for (;;) {
    const stop = upperWhileLengthsStay(bytes, words, read);
    if (write < read) bytes.copyWithin(write, read, stop);
    write += stop - read;
    if (stop === bytes.length) return write === stop ? bytes : bytes.subarray(0, write);

    const upper = otherUpper(codePointAt(bytes, stop));
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

/** A copy with a gap between what is written and what is to be read, so wide that nothing to come can fill it. */
function widen(bytes: Buffer, write: number, read: number): Buffer {
  const unread = bytes.length - read;
  const wide = Buffer.allocUnsafe(write + MOST_GROWTH * (unread + 4));
  bytes.copy(wide, 0, 0, write);
  bytes.copy(wide, wide.length - unread, read);
  return wide;
}

const MOST_GROWTH = 3; // 2 bytes become 6 at most (U+0390)

const CLOSER_LOOK = 64; // bytes; where one such character is, more are likely

/** Upper-cases in place up to the first character whose upper case has another length, or the end. Gives where. */
function upperWhileLengthsStay(bytes: Buffer, words: Int32Array, at: number): number {
  if (words.length === 0) return upperCharacters(bytes, at, bytes.length);
  const offset = words.byteOffset - bytes.byteOffset;
  const lastWord = words.length - 1;
  for (;;) {
    const word = (at - offset + 3) >> 2;
    let stop = offset + 4 * word;
    if (word < lastWord) {
      at = upperCharacters(bytes, at, stop);
      if (at < stop) return at;
      at = offset + 4 * upperWords(words, word, lastWord);
      while (isContinuation(bytes[at]!)) at++;
      stop = Math.min(at + CLOSER_LOOK, bytes.length);
    } else {
      stop = bytes.length;
    }
    at = upperCharacters(bytes, at, stop);
    if (at < stop || at === bytes.length) return at;
  }
}

const SPAN = 32; // words; 

/**
 * Upper-cases words of valid UTF-8 from word `at` on, where no character may begin before and need flips within. Stops
 * at `end`, or before the first word with a pair to look at closer. Gives the word it came to.
 */
function upperWords(words: Int32Array, at: number, end: number): number {
  const flips = pairFlips; // an imported table is looked up anew each time: 1.25 times as long
  while (at < end) {
    at = upperAsciiWords(words, at, end);
    const stop = Math.min(at + SPAN, end);
    let word = words[at]!;
    let carry = 0; // the flip of this word's first byte, where it is the second of a pair
    for (; at < stop; at++) {
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
    if (at < stop) return at;
  }
  return at;
}

/**
 * Upper-cases character by character from `at` on until `stop` is reached, or just before a character whose upper case
 * has another length. Gives where it came to. Bytes that are no valid character are passed over.
 */
function upperCharacters(bytes: Buffer, at: number, stop: number): number {
  while (at < stop) {
    const first = bytes[at]!;
    if (first < 0x80) {
      if (first >= 0x61 && first <= 0x7a) bytes[at] = first - 0x20;
      at++;
      continue;
    }
    const codePoint = codePointAt(bytes, at);
    if (codePoint < 0) {
      at++;
      continue;
    }
    const flip = flipOf(codePoint);
    if (flip === OTHER_LENGTH) return at;
    at += lengthFrom(first);
    if (flip === 0) continue;
    bytes[at - 1]! ^= flip;
    bytes[at - 2]! ^= flip >> 8;
    if (codePoint >= 0x800) bytes[at - 3]! ^= flip >> 16;
  }
  return at;
}

/** The code point of the valid character at `at`; -1 if there is none. */
function codePointAt(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length = lengthFrom(first);
  if (length < 2 || at + length > bytes.length) return length === 1 ? first : -1;
  const second = bytes[at + 1]!;
  if (!canBeSecond(first, second)) return -1;
  if (length === 2) return ((first & 0x1f) << 6) | (second & 0x3f);
  const third = bytes[at + 2]!;
  if (!isContinuation(third)) return -1;
  if (length === 3) return ((first & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
  const fourth = bytes[at + 3]!;
  if (!isContinuation(fourth)) return -1;
  return ((first & 0x07) << 18) | ((second & 0x3f) << 12) | ((third & 0x3f) << 6) | (fourth & 0x3f);
}

/** How many bytes at the end begin a valid character but do not end it: 0 to 3. */
function unfinishedAtEnd(bytes: Buffer): number {
  const most = Math.min(3, bytes.length);
  for (let count = 1; count <= most; count++) {
    const at = bytes.length - count;
    const first = bytes[at]!;
    if (isContinuation(first)) continue;
    const isUnfinished = lengthFrom(first) > count && (count === 1 || canBeSecond(first, bytes[at + 1]!));
    return isUnfinished ? count : 0;
  }
  return 0;
}

/** How many bytes a character has that begins with `first`; 0 if none does. */
function lengthFrom(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/** The second byte rules out what fewer bytes can say, surrogates, and all above U+10FFFF (Unicode, table 3-7). */
function canBeSecond(first: number, second: number): boolean {
  if (!isContinuation(second)) return false;
  if (first === 0xe0) return second >= 0xa0;
  if (first === 0xed) return second < 0xa0;
  if (first === 0xf0) return second >= 0x90;
  return first !== 0xf4 || second < 0x90;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
