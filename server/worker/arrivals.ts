// Tells when all is read that had arrived. Made by an EchoSession that drains: what comes later, nobody waits for.
import type { Socket } from 'node:net';

/**
 * The most that Node reads at a time, in bytes. A read that returns less has emptied the kernel's buffer, or has come
 * to the urgent mark (MSG_OOB), of which there is one at a time. So two short reads have read all of it.
 */
const FULL_READ = 64 * 1024;
const SHORT_READS = 2;
/** After so many turns of the event loop without anything to read, nothing had arrived. */
const QUIET_TURNS = 3;

export class Arrivals {
  readonly #socket: Socket;
  readonly #allRead: () => void;
  /** How many bytes the last read returned; 0: none since we looked. */
  #lastRead = 0;
  #looks = 0;

  /** @param socket Its listeners of 'data' are the caller's to remove. @param allRead May be told more than once. */
  constructor(socket: Socket, allRead: () => void) {
    this.#socket = socket;
    this.#allRead = allRead;
    socket.on('data', (bytes: Buffer) => { this.#lastRead = bytes.length; });
  }

  /** Looks until all is read, or the socket is paused: then this is to be called again when it is not any more. */
  look(): void {
    const looks = ++this.#looks;
    const look = (quietTurns: number, shortReads: number): void => {
      if (looks !== this.#looks || this.#socket.isPaused()) return;
      const read = this.#lastRead;
      this.#lastRead = 0;
      const quiet = read === 0 ? quietTurns + 1 : 0;
      const short = read > 0 && read < FULL_READ ? shortReads + 1 : shortReads;
      if (quiet === QUIET_TURNS || short === SHORT_READS) this.#allRead();
      else setImmediate(look, quiet, short);
    };
    // By then the stream has delivered what it had read before: what it reads from now on was in the kernel.
    setImmediate(() => {
      this.#lastRead = 0;
      setImmediate(look, 0, 0);
    });
  }
}
