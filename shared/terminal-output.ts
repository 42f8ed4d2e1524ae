// One inherited descriptor as the Terminal writes to it: every byte, in order, and so that a reader that has stopped
// blocks neither the event loop nor the end of the process. Only terminal.ts uses it.
//
// A write that blocks for ever sits in a thread of libuv's pool, and process.exit() waits for those threads. So writes
// must fail with EAGAIN instead of blocking. But O_NONBLOCK belongs to the open file, which is shared with processes
// that cannot bear it (a shell's echo, console.log). What is done depends on what the descriptor is:
// - a pipe, a terminal: opened again, which gives an open file of our own, with O_NONBLOCK;
// - a socket (as Node and systemd give their children) cannot be opened again: O_NONBLOCK is set on the shared one;
// - a file, /dev/null: used as it is. Writes never block for ever, and the offset must stay the shared one.
import { closeSync, constants, fstatSync, openSync, readFileSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { codeOf } from './errors.ts';

/** How long to wait before a full pipe is tried again, in milliseconds: doubled from the first to the last. */
const FIRST_WAIT_MS = 1;
const LAST_WAIT_MS = 50;

/** How many bytes were written, and what stopped the rest. */
export interface Outcome {
  written: number;
  error?: unknown;
}

export class Output {
  readonly #fd: number;
  /** Opened here, so closed here. */
  readonly #own: boolean;
  readonly #shared: SharedNonblocking | undefined;
  #ended = false;
  #writing = false;
  #endWait: (() => void) | undefined;

  /** @param fd An open descriptor. Errors of a bad one come out of {@link writeAll}. */
  constructor(fd: number) {
    const reopened = reopen(fd);
    this.#own = reopened !== undefined;
    this.#fd = reopened ?? fd;
    if (reopened === undefined) this.#shared = SharedNonblocking.of(fd);
  }

  /**
   * Writes all of `bytes`, for as long as that takes: short writes go on, EAGAIN is waited for. One call at a time.
   * @returns Never rejects. When not all is written, `error` is the system's, or none because of end().
   */
  async writeAll(bytes: Uint8Array): Promise<Outcome> {
    let written = 0;
    let wait = FIRST_WAIT_MS;
    while (written < bytes.length && !this.#ended) {
      this.#shared?.renew();
      const { count, error } = await this.#writeOnce(bytes, written);
      written += count;
      if (error === undefined) {
        wait = FIRST_WAIT_MS;
      } else if (codeOf(error) === 'EAGAIN') {
        await this.#wait(wait);
        wait = Math.min(wait * 2, LAST_WAIT_MS);
      } else {
        return { written, error };
      }
    }
    return { written };
  }

  /** Ends a writeAll that waits, and closes what was opened here. Nothing can be written any more. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#endWait?.();
    if (!this.#writing) this.#close();
  }

  /** The last resort when a write blocks all the same: if the descriptor is a socket, it is shut down. */
  async unblock(): Promise<void> {
    await this.#shared?.shutDown();
  }

  #writeOnce(bytes: Uint8Array, from: number): Promise<{ count: number; error: unknown }> {
    this.#writing = true;
    return new Promise((resolve) => {
      write(this.#fd, bytes, from, bytes.length - from, null, (error, count) => {
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
    if (this.#own) closeSync(this.#fd);
  }
}

/**
 * The same pipe or terminal, opened once more without blocking; undefined when it is something else, or the system says
 * no: another user's (EACCES), no reader left (ENXIO), no /proc. A terminal is used as it is then, and may block.
 */
function reopen(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO() && !isatty(fd)) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return undefined;
  }
}

/**
 * O_NONBLOCK on an open file that is shared with others: a `net.Socket` around the descriptor sets it. It gets lost,
 * for all, whenever a process of the group forks (libuv makes the child's standard streams blocking) or ends (Node
 * restores them), so it is looked at before every write.
 */
class SharedNonblocking {
  readonly #fd: number;
  #socket: Socket | undefined;

  static of(fd: number): SharedNonblocking | undefined {
    try {
      const stat = fstatSync(fd);
      return stat.isSocket() || stat.isFIFO() ? new SharedNonblocking(fd) : undefined;
    } catch {
      return undefined;
    }
  }

  private constructor(fd: number) {
    this.#fd = fd;
  }

  renew(): void {
    if (this.#socket !== undefined && this.#isSet()) return;
    try {
      // The one before is left open: destroying it might close the descriptor.
      this.#socket = new Socket({ fd: this.#fd, readable: false, writable: true }).unref().on('error', () => {});
    } catch {
      // Not a stream socket: its writes block.
    }
  }

  /** Ends the socket for writing, for all who share it. A write that blocks fails with EPIPE then. */
  shutDown(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket === undefined) resolve();
      else this.#socket.ref().end(resolve); // Called with an error, too.
    });
  }

  #isSet(): boolean {
    try {
      const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${this.#fd}`, 'latin1'))?.[1] ?? '0';
      return (parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
    } catch {
      return true; // No way to know; it was set once.
    }
  }
}
