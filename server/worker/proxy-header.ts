// Reads the PROXY protocol's header at the beginning of a connection, of either version, as haproxy/haproxy,
// doc/proxy-protocol.txt, has it. Pure: it knows no socket and no clock. Used by the worker that serves the connection.
import { SIGNATURE } from '../../shared/proxy-protocol/binary.ts';
import { bad, MORE, type BadHeader, type HeaderOutcome, type Progress } from './proxy-outcome.ts';
import { BEGIN_TEXT, readText } from './proxy-v1.ts';
import { readBinary } from './proxy-v2.ts';

const NOTHING = Buffer.alloc(0);

/**
 * A header as it arrives, cut anywhere. While it answers `more`, {@link held} has what there is of it, and a reader
 * made of these bytes goes on where this one stands. After any other answer a reader has done its work.
 */
export class ProxyHeader {
  #held: Buffer;

  /** @param held What an earlier reader of the same connection held. */
  constructor(held: Uint8Array = NOTHING) {
    this.#held = Buffer.from(held);
  }

  /** A copy of what has come of a header that is not whole; nothing before its first byte and after its last. */
  get held(): Buffer {
    return this.#held;
  }

  /** @param bytes What the next read returned. `rest` is a part of them, or of a copy. */
  push(bytes: Buffer): HeaderOutcome {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const progress = read(all);
    if (progress.type === 'more') this.#held = all === bytes ? Buffer.from(bytes) : all;
    else this.#held = NOTHING;
    if (progress.type !== 'done') return progress;
    const { length, ...done } = progress;
    return { ...done, rest: all.subarray(length) };
  }

  /** The client's FIN has come and the header is not whole. With nothing {@link held} it has sent nothing at all. */
  end(): BadHeader {
    return bad('incomplete', `it ends after ${this.#held.length} bytes`);
  }
}

function read(bytes: Buffer): Progress {
  for (const [begin, readOn] of [[SIGNATURE, readBinary], [BEGIN_TEXT, readText]] as const) {
    const length = Math.min(begin.length, bytes.length);
    if (!bytes.subarray(0, length).equals(begin.subarray(0, length))) continue;
    return length < begin.length ? MORE : readOn(bytes);
  }
  return bad('missing', 'the first bytes are no PROXY protocol header');
}
