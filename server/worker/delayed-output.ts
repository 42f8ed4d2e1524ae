// Holds each reply back for a while on its way to the socket: --delay. Loaded by behavior.ts.
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { Fifo } from '../../shared/multiprocessing/base/fifo.ts';

/** When so many bytes wait, no more are to be written: whoever writes waits for 'drain'. */
const MOST_WAITING = 64 * 1024;

/**
 * What is written here is written to the socket when its time has come, in order; an empty write has no time of its
 * own. It counts as written when the system has taken it. The end is passed on behind all that was written before.
 */
export class DelayedOutput extends Writable {
  readonly #socket: Socket;
  readonly #delayMs: number;
  /** When each part that waits is due, on the clock of performance.now(). */
  readonly #due = new Fifo<number>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  constructor(socket: Socket, delayMs: number) {
    super({ highWaterMark: MOST_WAITING });
    this.#socket = socket;
    this.#delayMs = delayMs;
    // The socket's own error tells what is wrong.
    this.on('error', () => {});
  }

  /** A figure that changes at each look while a reply waits for its time: that is not the client's silence. */
  get looks(): number {
    if (this.#timer !== undefined) this.#looks++;
    return this.#looks;
  }

  override write(bytes: Buffer, ...rest: never[]): boolean {
    if (!this.writableEnded) this.#due.push(bytes.length === 0 ? 0 : performance.now() + this.#delayMs);
    return super.write(bytes, ...rest);
  }

  override end(bytes?: unknown): this {
    if (Buffer.isBuffer(bytes)) this.write(bytes);
    return super.end();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    const waitMs = this.#due.shift()! - performance.now();
    const send = (): void => {
      this.#timer = undefined;
      this.#socket.write(bytes, written);
    };
    if (waitMs > 0) this.#timer = setTimeout(send, waitMs);
    else send();
  }

  override _final(ended: (error?: Error | null) => void): void {
    this.#socket.end(ended);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    done(error);
  }
}
