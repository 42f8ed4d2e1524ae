// What the load generator sends, and what has to come back: both made once, before the first connection. Pure.
// Called by generator.ts.

/** What the messages are made of. */
export type TextKind = 'ascii' | 'utf8';
/** What the server makes of them. */
export type Expected = 'upper' | 'same';

/**
 * Messages that differ from each other, so that a reply which goes to the wrong client, comes twice or out of order is
 * noticed. They come round: after the last one the first follows.
 */
export interface Text {
  /** The length of each message, in bytes. */
  readonly size: number;
  /** How many different messages there are. */
  readonly variants: number;
  /** All of them, and then the first ones again: so many in a row can be sent in one write, wherever it begins. */
  readonly requests: Buffer;
  /** Each of them alone. */
  readonly messages: readonly Buffer[];
  /** The replies to all, and then the first ones again: what one read returned can be compared in one go. */
  readonly replies: Buffer;
  /** Where in `replies` each reply ends. The last one's end is the length of a round. */
  readonly replyEnds: Uint32Array;
}

const ASCII_WORDS = 'the quick brown fox jumps over a lazy dog; Packs MY box with 5 dozen jugs, 0123456789!'.split(' ');
const UTF8_WORDS = [
  'straße', 'señor', 'été', 'Ελλάδα', 'привет', 'мир', '你好', '世界', 'データ', 'naïve', 'plain', 'text', '😀', 'ﬁn',
];
/** So many different messages, or as many as fit into so many bytes. */
const MOST_VARIANTS = 64;
const VARIANTS_BYTES = 256 * 1024;

/**
 * @param size The length of a message in bytes, at least 1. It ends with a newline, if there is room for one.
 * @param inARow How many messages are sent in one write at most.
 * @param oneRead How many bytes one read returns at most.
 */
export function makeText(
  kind: TextKind, size: number, inARow: number, oneRead: number, expected: Expected = 'upper',
): Text {
  const variants = Math.min(MOST_VARIANTS, Math.max(2, Math.floor(VARIANTS_BYTES / size)));
  const random = randomFrom(7);
  const words = kind === 'utf8' ? UTF8_WORDS : ASCII_WORDS;
  const texts = Array.from({ length: variants }, () => message(words, size, random));
  const replies = texts.map((text) => Buffer.from(expected === 'upper' ? text.toUpperCase() : text));
  const round = Buffer.concat(texts.map((text) => Buffer.from(text)));
  const replyRound = Buffer.concat(replies);
  let end = 0;
  return {
    size,
    variants,
    requests: repeated(round, round.length + inARow * size),
    messages: texts.map((_, at) => round.subarray(at * size, (at + 1) * size)),
    replies: repeated(replyRound, replyRound.length + oneRead),
    replyEnds: Uint32Array.from(replies, ({ length }) => end += length),
  };
}

/** Whole words as long as they fit, then single letters. Exactly `size` bytes. */
function message(words: readonly string[], size: number, random: (n: number) => number): string {
  if (size === 1) return String.fromCharCode(97 + random(26));
  const parts: string[] = [];
  let left = size - 1;
  for (;;) {
    const word = `${words[random(words.length)]!} `;
    const length = Buffer.byteLength(word);
    if (length > left) break;
    parts.push(word);
    left -= length;
  }
  for (; left > 0; left--) parts.push(String.fromCharCode(97 + random(26)));
  return `${parts.join('')}\n`;
}

function repeated(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** Numbers from 0 to below `n`, the same each time (a linear congruential generator, as in Numerical Recipes). */
function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}
