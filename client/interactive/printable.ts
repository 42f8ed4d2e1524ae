// What a server sends, as a terminal may show it: it obeys nothing of it, and nothing is hidden. Pure. Used by
// conversation.ts and relay.ts.

import { StringDecoder } from 'node:string_decoder';
import { escapeHidden } from '../../shared/terminal/preview.ts';

/**
 * What the log escapes and people write: tabs, and up to three marks on a letter, as Hindi, Thai, Hebrew and
 * upper-casing (U+0390) need them. More than that is a pile that covers the lines above.
 */
const WRITTEN = /(\t|(?<=\p{L})(?:(?!\p{Default_Ignorable_Code_Point})\p{M}){1,3})/u;
/** The last letter of a piece: its marks may be in the next one. */
const OPEN_END = /\p{L}\p{M}{0,3}$/u;

/** One line's text with everything escaped that a terminal might obey or a reader might not see. */
export function printable(line: string): string {
  return line.split(WRITTEN).map((piece, at) => (at % 2 === 1 ? piece : escapeHidden(piece))).join('');
}

/** The same for a stream of bytes in pieces that are cut anywhere. Newlines stay. */
export class PrintableLines {
  /** Bytes that are not UTF-8 come out as U+FFFD. */
  readonly #decoder = new StringDecoder('utf8');
  #held = '';

  push(bytes: Buffer): string {
    const text = this.#held + this.#decoder.write(bytes);
    const end = OPEN_END.exec(text)?.index ?? text.length;
    this.#held = text.slice(end);
    return escapeLines(text.slice(0, end));
  }

  /** What was held back because it might go on. */
  end(): string {
    return escapeLines(this.#held + this.#decoder.end());
  }
}

function escapeLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
