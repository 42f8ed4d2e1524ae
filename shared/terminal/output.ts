// One inherited descriptor as the Terminal writes to it: every byte, in order, and so that a reader that has stopped
// blocks neither the event loop nor the end of the process. Only terminal.ts and last-words.ts use it.
//
// A write that blocks keeps a thread of libuv's pool, and process.exit() waits for that thread, for ever if nobody
// reads. Nor may the descriptor be made non-blocking: O_NONBLOCK belongs to the open file, which others share that
// cannot bear it (a shell's echo, another program's console.log), and shutdown(2) would end it for all. So it depends
// on what it is:
// - a pipe, a terminal: opened again, which gives an open file of our own, with O_NONBLOCK;
// - a file, /dev/null: used as it is. Writes never block for ever, and the offset must stay the shared one;
// - what cannot be opened again, a socket (as Node and systemd give their children) or another user's terminal: by a
//   process of its own (relay.ts), which can be ended while it waits.
import { closeSync, constants, fstatSync, openSync, write } from 'node:fs';
import { isatty } from 'node:tty';
import { codeOf } from '../errors.ts';
import { RELAY_LOST, RelayOutput } from './relay.ts';

/** Errors that lose what was to be written, while what comes later may be written again. */
const PASSING: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', RELAY_LOST]);

export function isPassing(error: unknown): boolean {
  return PASSING.has(codeOf(error));
}

/** How many bytes were written, and what stopped the rest. */
export interface Outcome {
  readonly written: number;
  /** Up to here they may be written all the same: who wrote them has died, and cannot say. Default: `written`. */
  readonly perhaps?: number;
  readonly error?: unknown;
}

export interface Output {
  /** Whether writing needs a process of its own. */
  readonly isRelayed: boolean;
  /**
   * Writes all of `bytes`, for as long as that takes. One call at a time.
   * @returns Never rejects. When not all is written, `error` is the system's, or none because of stop() or end().
   */
  writeAll(bytes: Uint8Array): Promise<Outcome>;
  /** Ends the writeAll that waits for the reader, if there is one. */
  stop(): void;
  /** The same for good: closes or ends what was opened or started here. */
  end(): void;
}

/** How long to wait before a full pipe is tried again, in milliseconds: doubled from the first to the last. */
const FIRST_WAIT_MS = 1;
const LAST_WAIT_MS = 50;
/** So much a pipe takes in one piece or not at all (PIPE_BUF on Linux): no line is cut when its reader stops. */
const MOST_AT_ONCE = 4096;
const NEWLINE = 10;

/** The output for an open descriptor. Errors of a bad one come out of {@link Output.writeAll}. */
export function openOutput(fd: number): Output {
  try {
    const kind = fstatSync(fd);
    if (kind.isFIFO() || isatty(fd)) {
      const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      return new DescriptorOutput(own, { isOwn: true, inPieces: true });
    }
    if (kind.isSocket()) return new RelayOutput(fd);
  } catch (error) {
    // ENXIO: a pipe that nobody reads any more, so that no write blocks. EBADF: not open.
    if (!['ENXIO', 'EBADF'].includes(codeOf(error) ?? '')) return new RelayOutput(fd);
  }
  return new DescriptorOutput(fd, { isOwn: false, inPieces: false });
}

export interface DescriptorOptions {
  /** Opened for this output, so closed with it. */
  readonly isOwn: boolean;
  /** Whether to write a few whole lines at a time, because the reader may stop in between. */
  readonly inPieces: boolean;
}

export class DescriptorOutput implements Output {
  readonly isRelayed = false;
  readonly #fd: number;
  readonly #isOwn: boolean;
  readonly #inPieces: boolean;
  readonly #begins: ((written: number, upTo: number) => Promise<void>) | undefined;
  #stopped = false;
  #ended = false;
  #writing = false;
  #endWait: (() => void) | undefined;

  /** @param begins Is told before each piece how many bytes are written and up to where it goes, and awaited. */
  constructor(
    fd: number, { isOwn, inPieces }: DescriptorOptions, begins?: (written: number, upTo: number) => Promise<void>,
  ) {
    this.#fd = fd;
    this.#isOwn = isOwn;
    this.#inPieces = inPieces;
    this.#begins = begins;
  }

  /** Short writes go on, EAGAIN is waited for. */
  async writeAll(bytes: Uint8Array): Promise<Outcome> {
    let written = 0;
    let wait = FIRST_WAIT_MS;
    this.#stopped = false;
    while (written < bytes.length && !this.#stopped && !this.#ended) {
      const upTo = this.#inPieces ? pieceEnd(bytes, written) : bytes.length;
      if (this.#begins !== undefined) await this.#begins(written, upTo);
      const { count, error } = await this.#writeOnce(bytes, written, upTo);
      written += count;
      if (error === undefined) {
        wait = FIRST_WAIT_MS;
      } else if (codeOf(error) === 'EAGAIN') {
        if (!this.#stopped && !this.#ended) await this.#wait(wait);
        wait = Math.min(wait * 2, LAST_WAIT_MS);
      } else {
        return { written, error };
      }
    }
    return { written };
  }

  stop(): void {
    this.#stopped = true;
    this.#endWait?.();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endWait?.();
    if (!this.#writing) this.#close();
  }

  #writeOnce(bytes: Uint8Array, from: number, to: number): Promise<{ count: number; error: unknown }> {
    this.#writing = true;
    return new Promise((resolve) => {
      write(this.#fd, bytes, from, to - from, null, (error, count) => {
        this.#writing = false;
        if (this.#ended) this.#close();
        resolve({ count: error === null ? count : 0, error: error ?? undefined });
      });
    });
  }

  async #wait(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endWait = undefined;
  }

  #close(): void {
    if (this.#isOwn) closeSync(this.#fd);
  }
}

/** As many whole lines as fit, or as much of a long one. */
function pieceEnd(bytes: Uint8Array, from: number): number {
  const most = from + MOST_AT_ONCE;
  if (bytes.length <= most) return bytes.length;
  const lines = bytes.lastIndexOf(NEWLINE, most - 1) + 1;
  return lines > from ? lines : most;
}
