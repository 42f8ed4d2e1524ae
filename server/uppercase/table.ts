// What upper-casing changes in the UTF-8 bytes of each character, learnt from toUpperCase() as characters turn up.
// Used by uppercaser.ts.
import { LOOK_CLOSER, pairFlips } from './kernel.ts';

/**
 * The bits in which a character's UTF-8 differs from that of its upper case: an exclusive or with them upper-cases the
 * character in place, and 0 leaves it alone. A negative flip stands for an upper case of another length (ı, ﬁ, ΐ),
 * which is `otherUppers[~flip]`.
 */
type Flip = number;

/** The UTF-8 of the upper cases that are longer or shorter than their characters. */
export const otherUppers: Buffer[] = [];

/** How many code points are learnt at once: all characters of three bytes with the same first byte are a block. */
const BLOCK = 4096;
const UNCHANGED = new Int32Array(BLOCK);
const blocks: (Int32Array | undefined)[] = new Array(0x110000 / BLOCK).fill(undefined);

/** The flip of a code point, to be laid over the last three bytes of its UTF-8 (or over all two). */
export function flipOf(codePoint: number): Flip {
  return (blocks[codePoint >> 12] ?? learn(codePoint >> 12))[codePoint & 0xfff]!;
}

// What is not learnt yet needs a closer look, and is learnt then. The row of one second byte is copied for the others:
// a loop over all would be the first to wake V8's optimizing compiler, which takes a megabyte.
pairFlips.fill(0x20, 0x61, 0x7a + 1);
pairFlips.fill(LOOK_CLOSER, 0xc2, 0xf4 + 1);
for (let second = 1; second < 64; second++) pairFlips.copyWithin(second << 8, 0, 256);

/** The index in `pairFlips` of the first two bytes of a code point from 0x80 on. */
function pairOf(codePoint: number): number {
  if (codePoint < 0x800) return 0xc0 | (codePoint >> 6) | ((codePoint & 63) << 8);
  if (codePoint < 0x10000) return 0xe0 | (codePoint >> 12) | (((codePoint >> 6) & 63) << 8);
  return 0xf0 | (codePoint >> 18) | (((codePoint >> 12) & 63) << 8);
}

/** Takes up to two milliseconds: little when a script is met for the first time, too much for all 272 at the start. */
function learn(block: number): Int32Array {
  const start = Math.max(0x80, block * BLOCK);
  const end = (block + 1) * BLOCK;
  let flips = UNCHANGED;
  for (let codePoint = start; codePoint < end; codePoint++) pairFlips[pairOf(codePoint)] = 0;
  for (let codePoint = start; codePoint < end; codePoint++) {
    const character = String.fromCodePoint(codePoint);
    const upper = character.toUpperCase();
    if (upper === character) continue;
    if (flips === UNCHANGED) flips = new Int32Array(BLOCK);
    const flip = difference(Buffer.from(character), Buffer.from(upper));
    flips[codePoint & 0xfff] = flip;
    const isPair = codePoint < 0x800 && flip >= 0;
    pairFlips[pairOf(codePoint)] = isPair ? (flip >> 8) | ((flip & 0xff) << 8) : LOOK_CLOSER;
  }
  blocks[block] = flips;
  return flips;
}

function difference(character: Buffer, upper: Buffer): Flip {
  const fits = character.length === upper.length && (character.length < 4 || character[0] === upper[0]);
  if (!fits) return ~(otherUppers.push(upper) - 1);
  return character.reduce((flip, byte, at) => ((flip << 8) | (byte ^ upper[at]!)) & 0xffffff, 0);
}
