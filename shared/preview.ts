// Text that is safe on a terminal and in one line, whatever a client sends. Pure. Used by log-format.ts.

/** How many characters of a message are shown; an escape counts as the characters it is written with. */
const PREVIEW_WIDTH = 40;

/**
 * What a terminal might obey, or a reader might not see: control characters, format characters (of text direction, of
 * width zero), line and paragraph separators, halves of surrogate pairs, and code points that mean nothing (yet).
 */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;
const ALL_HIDDEN = new RegExp(HIDDEN, 'gu');
/** What HIDDEN has said of the characters below 0x10000, because to ask it costs most of a preview. */
const verdicts = new Uint8Array(0x10000);
const VERDICT = { visible: 1, hidden: 2 } as const;

const BACKSLASH = 0x5c;
const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r' };

export interface Preview {
  /** Visible characters; others, backslashes and bytes that are not UTF-8 as `\n` `\x1b` `\u{202e}` `\\` `\xff`. */
  text: string;
  /** Whether there is more than is shown. */
  cut: boolean;
}

/** The beginning of a message, looking at no more of it than is shown. `bytes` may change afterwards. */
export function previewOf(bytes: Buffer): Preview {
  const end = Math.min(bytes.length, PREVIEW_WIDTH);
  let at = 0;
  while (at < end && isPlain(bytes[at]!)) at += 1;
  let text = bytes.toString('latin1', 0, at);
  let width = at;
  while (at < bytes.length) {
    const codePoint = decodeAt(bytes, at);
    const shown = codePoint === undefined ? hex(bytes[at]!) : show(codePoint);
    width += shown.startsWith('\\') ? shown.length : 1;
    if (width > PREVIEW_WIDTH) return { text, cut: true };
    text += shown;
    at += codePoint === undefined ? 1 : lengthOf(codePoint);
  }
  return { text, cut: false };
}

/** `text` with everything hidden in it escaped, as {@link previewOf} does; backslashes stay as they are. */
export function escapeHidden(text: string): string {
  return HIDDEN.test(text) ? text.replace(ALL_HIDDEN, (character) => escape(character.codePointAt(0)!)) : text;
}

/** JSON in one line, in which everything hidden is written `\uXXXX`. */
export function toJson(value: unknown): string {
  const json = JSON.stringify(value);
  return HIDDEN.test(json) ? json.replace(ALL_HIDDEN, unicodeEscapes) : json;
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== BACKSLASH;
}

function show(codePoint: number): string {
  if (codePoint === BACKSLASH) return '\\\\';
  const character = String.fromCodePoint(codePoint);
  const verdict = verdicts[codePoint] || (HIDDEN.test(character) ? VERDICT.hidden : VERDICT.visible);
  if (codePoint < verdicts.length) verdicts[codePoint] = verdict;
  return verdict === VERDICT.hidden ? escape(codePoint) : character;
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
