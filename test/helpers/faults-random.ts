// Random choices that a seed repeats, and the messages that the verifying load sends. Used by the fault tests and the
// soak.
import { randomFrom } from './random.ts';

/** Choices that are the same for the same seed. */
export class Random {
  /** From 0 to 1, without 1. */
  readonly fraction: () => number;

  /** @param seed A whole number below 2^32. */
  constructor(seed: number) {
    this.fraction = randomFrom(seed);
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** One of them, which must not be none. */
  oneOf<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)]!;
  }

  /** Another such source, whose numbers do not depend on how many are taken from this one later. */
  fork(): Random {
    return new Random(this.between(0, 2 ** 32 - 1));
  }
}

/** What is sent, and what must come back. */
export interface Message {
  readonly sent: Buffer;
  readonly reply: Buffer;
}

/** One to four bytes; upper case shorter, as long, longer, several characters, or none at all. */
const ALPHABETS = [
  'abcdefghijklmnopqrstuvwxyz 0123456789\n', 'äöüàéîøåñßŉŷžłőſ', 'αβγδεζηθΐΰᾳὑὦς', 'абвгдежзијљњћџщъыэюя',
  'ɐɑɒɽɫⱥⱦıǰẖỿﬁﬂﬃﬓևწꭰ', '漢字仮名交じり文한국어ไทย', '𐐨𐐩𐓘𐳀𞤢😀🎉𝒳🏳️‍🌈',
];

/**
 * Messages of 1 byte to `longest`, short ones as likely as long ones of ten times the length, in a mixture of scripts.
 * The reply is that of the whole string, so that no cut made on the way can change what is expected.
 */
export function makeMessages(random: Random, count: number, longest: number): Message[] {
  return Array.from({ length: count }, () => {
    const bytes = Math.min(longest, Math.round(Math.exp(random.fraction() * Math.log(longest + 1))));
    const text = makeText(random, bytes);
    return { sent: Buffer.from(text), reply: Buffer.from(text.toUpperCase()) };
  });
}

function makeText(random: Random, bytes: number): string {
  let text = '';
  let left = bytes;
  while (left > 0) {
    const letters = [...random.oneOf(ALPHABETS)];
    for (let run = random.between(1, 40); run > 0 && left > 0; run--) {
      const letter = random.oneOf(letters);
      const size = Buffer.byteLength(letter);
      // At the end what is left may be too short for this one.
      text += size <= left ? letter : 'x';
      left -= size <= left ? size : 1;
    }
  }
  return text;
}
