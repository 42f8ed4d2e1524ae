// Text that is safe on a terminal and in one line, whatever was received: bounded in columns, one character a cell, and
// nothing in it that a reader might not see. Pure. Used by log-format.ts and the clients.

/** How many columns of a terminal a preview has at most. */
const PREVIEW_COLUMNS = 40;
/** A character has two UTF-16 code units at most. */
const MOST_UNITS = 2;

/**
 * What a terminal might obey, what a reader might not see, and what shares a cell with its neighbour: control and
 * format characters, halves of surrogate pairs, code points that mean nothing (yet), spaces other than ` `, separators,
 * whatever Unicode says may be ignored, blanks that are letters or signs by name; combining marks, the vowels and
 * finals of Hangul that join the syllable before them, skin tones, and the letters of which two make a flag.
 */
const HIDDEN = new RegExp('(?! )[' + [
  '\\p{C}\\p{Z}\\p{M}\\p{Default_Ignorable_Code_Point}', '\\u2800\\u{13441}\\u{13442}\\u{1d159}',
  '\\u1160-\\u11ff\\ud7b0-\\ud7ff', '\\p{Emoji_Modifier}\\p{Regional_Indicator}',
].join('') + ']', 'u');
const ALL_HIDDEN = new RegExp(HIDDEN, 'gu');
/** Most texts are plain, and this tells it in a fifth of the time. */
const PLAIN = /^[ -~]*$/;
/**
 * What takes two columns: the East Asian Width W and F of Unicode, with all emoji that are coloured by themselves. The
 * ranges also cover gaps, in which there are only hidden characters, or signs whose width has changed to W.
 */
const WIDE = new RegExp('[\\p{Emoji_Presentation}' + [
  '\\u1100-\\u115e\\u2329\\u232a\\u2e80-\\u303e\\u3041-\\u3247\\u3250-\\ua4c6\\ua960-\\ua97c\\uac00-\\ud7a3',
  '\\uf900-\\ufaff\\ufe10-\\ufe6b\\uff01-\\uff60\\uffe0-\\uffe6',
  '\\u{16fe0}-\\u{18dff}\\u{1aff0}-\\u{1b2fb}\\u{1d300}-\\u{1d376}\\u{1f200}-\\u{1f2ff}\\u{20000}-\\u{3ffff}',
].join('') + ']', 'u');

/** What a character below 0x10000 is, once it was looked up: that costs most of a preview. */
const verdicts = new Uint8Array(0x10000);
const NARROW = 1;
const TWO_COLUMNS = 2;
const IS_HIDDEN = 3;

const BACKSLASH = 0x5c;
const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r' };

export interface Preview {
  /** Visible characters; others, backslashes and bytes that are not UTF-8 as `\n` `\x1b` `\u{202e}` `\\` `\xff`. */
  text: string;
  /** How many bytes `text` stands for, from the first on. */
  bytes: number;
  /** Whether there is more than is shown. */
  cut: boolean;
}

/**
 * The beginning of a message, looking at no more of it than is shown.
 * @param bytes They may change afterwards.
 * @param columns How many columns of a terminal `text` may take; an escape takes as many as it has characters.
 */
export function previewOf(bytes: Buffer, columns = PREVIEW_COLUMNS): Preview {
  const end = Math.min(bytes.length, columns);
  let at = 0;
  while (at < end && isPlain(bytes[at]!)) at += 1;
  let text = bytes.toString('latin1', 0, at);
  let taken = at;
  while (at < bytes.length) {
    const codePoint = decodeAt(bytes, at);
    const shown = codePoint === undefined ? hex(bytes[at]!) : show(codePoint);
    taken += shown.startsWith('\\') ? shown.length : verdictOn(codePoint!);
    if (taken > columns) return { text, bytes: at, cut: true };
    text += shown;
    at += codePoint === undefined ? 1 : lengthOf(codePoint);
  }
  return { text, bytes: at, cut: false };
}

/** `text` with everything hidden in it escaped, as {@link previewOf} does; backslashes stay as they are. */
export function escapeHidden(text: string): string {
  return hasHidden(text) ? text.replace(ALL_HIDDEN, (character) => escape(character.codePointAt(0)!)) : text;
}

/** How many columns of a terminal `text` takes after {@link escapeHidden}. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    const codePoint = character.codePointAt(0)!;
    const verdict = verdictOn(codePoint);
    columns += verdict === IS_HIDDEN ? escape(codePoint).length : verdict;
  }
  return columns;
}

/** `text` as {@link escapeHidden} has it, cut where it is too long. @param columns How many it may take, 1 at least. */
export function fitText(text: string, columns: number): string {
  // What is cut off need not be looked at: of a longer text the rest would be one more column at least.
  const shown = escapeHidden(text.length > MOST_UNITS * columns ? text.slice(0, MOST_UNITS * columns) : text);
  let taken = 0;
  let fits = '';
  for (const character of shown) {
    taken += verdictOn(character.codePointAt(0)!);
    if (taken <= columns - 1) fits += character;
    else if (taken > columns) return `${fits}…`;
  }
  return shown;
}

/** JSON in one line, in which everything hidden is written `\uXXXX`. */
export function toJson(value: unknown): string {
  const json = JSON.stringify(value);
  return hasHidden(json) ? json.replace(ALL_HIDDEN, unicodeEscapes) : json;
}

function hasHidden(text: string): boolean {
  return !PLAIN.test(text) && HIDDEN.test(text);
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== BACKSLASH;
}

function show(codePoint: number): string {
  if (codePoint === BACKSLASH) return '\\\\';
  return verdictOn(codePoint) === IS_HIDDEN ? escape(codePoint) : String.fromCodePoint(codePoint);
}

/** Whether it is hidden, or how many columns it takes. */
function verdictOn(codePoint: number): typeof NARROW | typeof TWO_COLUMNS | typeof IS_HIDDEN {
  const known = verdicts[codePoint];
  if (known === NARROW || known === TWO_COLUMNS || known === IS_HIDDEN) return known;
  const character = String.fromCodePoint(codePoint);
  const verdict = HIDDEN.test(character) ? IS_HIDDEN : WIDE.test(character) ? TWO_COLUMNS : NARROW;
  if (codePoint < verdicts.length) verdicts[codePoint] = verdict;
  return verdict;
}

/** Below 0x80 as a byte and above as a code point, because `\x85` is a byte that is not UTF-8. */
function escape(codePoint: number): string {
  return NAMED[codePoint] ?? (codePoint < 0x80 ? hex(codePoint) : `\\u{${codePoint.toString(16)}}`);
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function unicodeEscapes(character: string): string {
  let escapes = '';
  for (let i = 0; i < character.length; i++) escapes += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escapes;
}

/** The character that starts at `at`, or undefined when none does: the Unicode Standard, table 3-7. */
function decodeAt(bytes: Buffer, at: number): number | undefined {
  const first = bytes[at]!;
  if (first < 0x80) return first;
  if (first < 0xc2 || first > 0xf4) return undefined;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  let codePoint = first & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const next = bytes[at + i];
    if (next === undefined || (next & 0xc0) !== 0x80) return undefined;
    codePoint = (codePoint << 6) | (next & 0x3f);
  }
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  return lengthOf(codePoint) === length && codePoint <= 0x10ffff && !isSurrogate ? codePoint : undefined;
}

/** How many bytes a character has in UTF-8. */
function lengthOf(codePoint: number): number {
  return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
}
