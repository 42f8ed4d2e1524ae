// Upper-cases a stream of bytes as UTF-8, and leaves what is not UTF-8 as it is. Pure; echo sessions use it.
//
// A message of valid UTF-8 goes through the kernel (kernel.ts): 16 bytes of ASCII at a time, or 4 of anything. A
// character whose upper case has another length, or whose script is met for the first time, gets a closer look here,
// and the table learns from it. Short messages, those with bytes that are no UTF-8, and processors without SIMD go one
// character after the other.
import { isUtf8 } from 'node:buffer';
import { CHUNK, INPUT, LAST_BLOCK, loadKernel, MOST_GROWTH, OUTPUT, pairFlips } from './kernel.ts';
import type { Kernel } from './kernel.ts';
import { flipOf, otherUppers } from './table.ts';

/**
 * Upper-cases one stream, chunk by chunk: every valid UTF-8 character becomes what `toUpperCase()` makes of it, every
 * other byte stays, and where the stream was cut makes no difference.
 */
export class Uppercaser {
  #held: Buffer;

  /** @param held what an earlier Uppercaser of the same stream still held (0 to 3 bytes); it is copied. */
  constructor(held: Uint8Array = NONE) {
    this.#held = held.length === 0 ? NONE : Buffer.from(held);
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

/** The upper case of a whole message, by the same rules. As far as it fits, it is written over `bytes`. */
export function toUpper(bytes: Buffer): Buffer {
  if (bytes.length < WORTHWHILE || !isUtf8(bytes)) return upperOneByOne(bytes);
  const kernel = loadKernel();
  return kernel === undefined ? upperOneByOne(bytes) : upperChunks(kernel, bytes);
}

/** From so many bytes on, the way to the kernel and back pays. */
const WORTHWHILE = 128;

/** Valid UTF-8, by way of the kernel's memory. */
function upperChunks(kernel: Kernel, bytes: Buffer): Buffer {
  let upper = bytes;
  let write = 0;
  for (let read = 0; read < bytes.length;) {
    const end = characterStart(bytes, read + CHUNK);
    kernel.memory.set(end - read === bytes.length ? bytes : bytes.subarray(read, end), INPUT);
    const length = upperInput(kernel, end - read);
    if (upper === bytes && write + length > end) {
      upper = Buffer.allocUnsafe(write + length + MOST_GROWTH * (bytes.length - end));
      bytes.copy(upper, 0, 0, write);
    }
    upper.set(kernel.memory.subarray(OUTPUT, OUTPUT + length), write);
    read = end;
    write += length;
  }
  return write === upper.length ? upper : upper.subarray(0, write);
}

/** The last place up to `at` where no character is amid its bytes. */
function characterStart(bytes: Buffer, at: number): number {
  if (at >= bytes.length) return bytes.length;
  while ((bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

/** How many bytes are done one by one after one that needs it: in Georgian, for example, the next ones do too. */
const CLOSER_LOOK = 64;

/** Upper-cases so many bytes of the kernel's input. @returns How many bytes of output that makes. */
function upperInput({ memory, run }: Kernel, length: number): number {
  const end = INPUT + length;
  const lastBlock = end - LAST_BLOCK;
  let read = INPUT;
  let write = OUTPUT;
  while (read < end) {
    const stop = run(read, write, lastBlock);
    write += stop - read;
    read = upperCharacters(memory, stop, Math.min(stop + CLOSER_LOOK, end));
    for (let at = stop; at < read; at++) memory[write++] = memory[at]!;
    if (read < end && read < stop + CLOSER_LOOK) {
      const upper = otherUppers[~flipOf(codePointAt(memory, read))]!;
      for (let i = 0; i < upper.length; i++) memory[write++] = upper[i]!;
      read += lengthFrom(memory[read]!);
    }
  }
  return write - OUTPUT;
}

const flips = pairFlips; // V8 knows a constant of this module better than an import: 6 % faster

/** Whatever bytes they are, one character after the other. Other lengths move what comes after. */
function upperOneByOne(bytes: Buffer): Buffer {
  let read = 0;
  let write = 0; // never beyond `read`
  for (;;) {
    const stop = upperCharacters(bytes, read, bytes.length);
    if (write < read) bytes.copyWithin(write, read, stop);
    write += stop - read;
    if (stop === bytes.length) return write === stop ? bytes : bytes.subarray(0, write);

    const upper = otherUppers[~flipOf(codePointAt(bytes, stop))]!;
    read = stop + lengthFrom(bytes[stop]!);
    if (write + upper.length > read) {
      const wide = widen(bytes, write, read);
      read += wide.length - bytes.length;
      bytes = wide;
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

const LONGEST = 4; // bytes of a character

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
