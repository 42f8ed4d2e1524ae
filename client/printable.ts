// What a server sends, as a terminal may show it: it obeys nothing of it, and nothing is hidden. Used by main.ts and
// conversation.ts.

import { StringDecoder } from 'node:string_decoder';
import { escapeHidden } from '../shared/preview.ts';

/** One line's text with everything escaped that a terminal might obey or a reader might not see, but for the tab. */
export function printable(line: string): string {
  return line.split('\t').map(escapeHidden).join('\t');
}

/** The same for a stream of bytes in pieces that are cut anywhere. Newlines stay. */
export class PrintableLines {
  /** Bytes that are not UTF-8 come out as U+FFFD. */
  readonly #decoder = new StringDecoder('utf8');

  push(bytes: Buffer): string {
    return this.#escape(this.#decoder.write(bytes));
  }

  /** What was held back because it might have been the beginning of a character. */
  end(): string {
    return this.#escape(this.#decoder.end());
  }

  #escape(text: string): string {
    return text.split('\n').map(printable).join('\n');
  }
}
