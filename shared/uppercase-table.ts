// What upper-casing changes in the UTF-8 bytes of each character, learnt from toUpperCase() as characters turn up.
// Used by uppercase.ts.
//
// Nearly every upper case is as many bytes long as its character, and is kept as a flip: the bits that differ. One
// exclusive or then upper-cases the character where it stands, and the flip 0 says that there is nothing to do.

/** The flip of a character whose upper case has another length (ı, ﬁ, ΐ): `otherUpper` has it. */
export const OTHER_LENGTH = -1;

/** A block is what is learnt at once: 4,096 characters, in UTF-8 those with the same first byte or (4 bytes) two. */
const BLOCK = 4096;
const UNCHANGED = new Int32Array(BLOCK);
const blocks: (Int32Array | undefined)[] = new Array(0x110000 / BLOCK).fill(undefined);
const otherUppers = new Map<number, Uint8Array>();

/** A code point's flip: to be exclusive-ored into the last three bytes (or two) of its UTF-8, or `OTHER_LENGTH`. */
export function flipOf(codePoint: number): number {
  return (blocks[codePoint >> 12] ?? learn(codePoint >> 12))[codePoint & 0xfff]!;
}

/** The UTF-8 of the upper case of a code point whose flip is `OTHER_LENGTH`. */
export function otherUpper(codePoint: number): Uint8Array {
  return otherUppers.get(codePoint)!;
}

/** Set in a pair's flip: these two bytes do not tell. No upper case sets it: it would make a letter of a lead byte. */
export const LOOK_CLOSER = 0x40;

/**
 * Flips by two bytes that follow each other: a character's first byte and the next one, wherever they stand. The index
 * is the low 14 bits of the pair as a little-endian number (a continuation byte's other two bits are always the same),
 * the value is the flip of the pair as such a number. So ASCII letters and 2-byte characters are upper-cased by it, ß
 * (to SS) included; any other pair has 0 where nothing ever changes, as at a continuation byte, or else `LOOK_CLOSER`,
 * which a block that nobody has met has too.
 */
export const pairFlips = new Uint16Array(1 << 14);
for (let second = 0; second < 64; second++) {
  for (let first = 0x61; first <= 0x7a; first++) pairFlips[first | (second << 8)] = 0x20;
  for (let first = 0xc2; first <= 0xf4; first++) pairFlips[first | (second << 8)] = LOOK_CLOSER;
}

function pairOf(codePoint: number): number {
  if (codePoint < 0x800) return 0xc0 | (codePoint >> 6) | ((codePoint & 63) << 8);
  if (codePoint < 0x10000) return 0xe0 | (codePoint >> 12) | (((codePoint >> 6) & 63) << 8);
  return 0xf0 | (codePoint >> 18) | (((codePoint >> 12) & 63) << 8);
}

/** Takes about as long as echoing 500 KB, once for a block: a script or two for each client, at start too much. */
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
    if (flip === OTHER_LENGTH) otherUppers.set(codePoint, Buffer.from(upper));
    const asPair = codePoint < 0x800 && flip !== OTHER_LENGTH;
    pairFlips[pairOf(codePoint)] = asPair ? (flip >> 8) | ((flip & 0xff) << 8) : LOOK_CLOSER;
  }
  blocks[block] = flips;
  return flips;
}

function difference(character: Buffer, upper: Buffer): number {
  if (character.length !== upper.length || (character.length === 4 && character[0] !== upper[0])) return OTHER_LENGTH;
  return character.reduce((flip, byte, at) => ((flip << 8) | (byte ^ upper[at]!)) & 0xffffff, 0);
}
