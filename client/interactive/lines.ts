// What a person or a pipe sends: lines without the white space around them, and no empty ones. Pure. Used by relay.ts
// and conversation.ts.

const LF = 0x0a;

/** Space, tab, vertical tab, form feed, carriage return; what surrounds a line may be bytes of any encoding. */
function isBlank(code: number): boolean {
  return code <= 0x20 && (code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d));
}

/** The line without the ASCII white space around it. */
export function trimLine(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

/**
 * The same for a stream of bytes in pieces cut anywhere: what comes out are the trimmed lines that are not empty, each
 * with a newline. Memory is bounded by the longest run of white space, not by the longest line.
 */
export class LineTrimmer {
  /** How many messages have been given out whole. */
  messages = 0;
  /** Whether the line has had a byte that is not white space. */
  #started = false;
  /** White space from earlier pieces that counts only if the line goes on after it. */
  #blanks: Buffer[] = [];

  /** Takes the next bytes of the input; gives what can be sent of it, in order. */
  push(chunk: Uint8Array): Buffer[] {
    const out = Buffer.allocUnsafe(chunk.length);
    let pieces: Buffer[] = [];
    let held = this.#blanks;
    let started = this.#started;
    let length = 0; // of what is sure to be sent
    let blanks = 0; // of the white space behind it, which may yet turn out to be inside a line
    for (let at = 0; at < chunk.length; at += 1) { // Not for-of: three times as slow, and this is a pipe's speed.
      const byte = chunk[at] as number;
      if (isBlank(byte)) {
        if (started) out[length + blanks++] = byte;
      } else if (byte === LF) {
        if (started) {
          out[length++] = LF;
          this.messages += 1;
        }
        started = false;
        if (held.length > 0) held = [];
        blanks = 0;
      } else {
        if (held.length > 0) {
          // They come first, as since they were put aside nothing but white space has been seen.
          pieces = held;
          held = [];
        }
        started = true;
        length += blanks;
        blanks = 0;
        out[length++] = byte;
      }
    }
    if (blanks > 0) held.push(Buffer.from(out.subarray(length, length + blanks)));
    this.#blanks = held;
    this.#started = started;
    if (length > 0) pieces.push(out.subarray(0, length));
    return pieces;
  }

  /** The end of the input: gives the newline that the last line may lack. */
  end(): Buffer[] {
    return this.#started ? this.push(Buffer.from('\n')) : [];
  }
}
