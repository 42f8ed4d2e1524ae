// The lock of the group around the terminal, which is released only where a line ends. Only terminal.ts uses it.
import { isPassing } from './output.ts';
import type { Output } from './output.ts';

/** What the terminal needs of a lock; the toolkit's `Lock` has it. */
export interface TerminalLock {
  acquire(timeoutMs?: number): Promise<boolean>;
  release(): Promise<void>;
  /** Set while held if the holder before has died: the line that it was printing may be half done. */
  readonly abandonedBy?: unknown;
}

/** The lock is asked for again after this long, in milliseconds: to wait for it keeps the process alive. */
const ASK_AGAIN_MS = 500;
/** How long to wait before a full disk is tried again, in milliseconds. */
const TRY_AGAIN_MS = 1000;

export class LineLock {
  readonly #lock: TerminalLock;
  readonly #output: Output;
  #stopped = false;
  #ended = false;
  #endAsking: (() => void) | undefined;
  /** While half a line is out and the lock is kept for the other half. */
  #mending: Promise<false> | undefined;

  constructor(lock: TerminalLock, output: Output) {
    this.#lock = lock;
    this.#output = output;
  }

  /** Whether the last holder has died, and may have left half a line. */
  get isAfterDeath(): boolean {
    return this.#lock.abandonedBy !== undefined;
  }

  /**
   * Waits for the lock.
   * @returns Whether this process has it; false after stop().
   * @throws What the lock throws when the process in which it lives is dead.
   */
  async take(): Promise<boolean> {
    while (!this.#stopped) {
      const asked = this.#mending ?? this.#lock.acquire(ASK_AGAIN_MS);
      const stopped = new Promise<undefined>((resolve) => { this.#endAsking = () => resolve(undefined); });
      const got = await Promise.race([asked, stopped]);
      this.#endAsking = undefined;
      if (got === true) return true;
      // It may come all the same, and is not wanted any more.
      if (got === undefined) asked.then((late) => late ? this.#lock.release() : undefined).catch(() => {});
    }
    return false;
  }

  release(): Promise<void> {
    return this.#lock.release();
  }

  /**
   * Half a line is out: the lock is kept until `rest` follows it, or this process ends, which its next holder learns.
   * @param lost Is called if it never follows.
   */
  keepFor(rest: Uint8Array, lost: () => void = () => {}): void {
    this.#mending = this.#write(rest).then(async (isWhole): Promise<false> => {
      if (isWhole) {
        this.#mending = undefined;
        await this.#lock.release().catch(() => {});
      } else {
        lost();
      }
      return false;
    });
  }

  /** This process does not wait for the lock any more. */
  stop(): void {
    this.#stopped = true;
    this.#endAsking?.();
  }

  /** The same, and leaves half a line as it is. Settles when nothing is being written; the output must have ended. */
  async end(): Promise<void> {
    this.#ended = true;
    this.stop();
    await this.#mending;
  }

  /** @returns Whether nothing is left to be done: it is written, or nobody is there to read it. */
  async #write(rest: Uint8Array): Promise<boolean> {
    let at = 0;
    while (at < rest.length && !this.#ended) {
      const { written, error } = await this.#output.writeAll(rest.subarray(at));
      at += written;
      if (error === undefined) continue;
      if (!isPassing(error)) return true;
      await new Promise<void>((resolve) => setTimeout(resolve, TRY_AGAIN_MS).unref());
    }
    return at === rest.length;
  }
}
