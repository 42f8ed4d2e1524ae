// Terminal: the one way in which any process of a group writes to the standard output that they share. The server, its
// workers and the demos print with it. Nobody may touch process.stdout: that changes the descriptor for all of them.
//
// Lines pile up here while another process prints; then all of them go out in one hold of the group's lock. A process
// that leaves hands what it could not print yet to one that stays. Whoever has printed half a line keeps the lock until
// the other half is out, or until it ends: the next holder learns of that from the lock.
import { codeOf } from '../errors.ts';
import { Flushes } from './flushes.ts';
import { LineLock } from './line-lock.ts';
import type { TerminalLock } from './line-lock.ts';
import { defaultDroppedLine, linesIn, LineQueue } from './lines.ts';
import type { Batch, Block, DroppedLine } from './lines.ts';
import { isPassing, openOutput } from './output.ts';
import type { Output } from './output.ts';

export type { Block, DroppedLine } from './lines.ts';
export type { TerminalLock } from './line-lock.ts';

export interface TerminalOptions {
  /** The descriptor to write to. Default: 1, the standard output. */
  fd?: number;
  /** One lock for all processes that write to the same terminal. */
  lock: TerminalLock;
  /** How many bytes may pile up before lines are dropped. Default: 4 MiB. */
  limit?: number;
  /** The line that tells how many lines were dropped. Default: `N lines dropped`, or `M to N lines dropped`. */
  droppedLine?: DroppedLine;
  /**
   * Gives lines to a process that prints them by {@link Terminal.print}, in this order: what this one has not printed
   * when it leaves; and all, if the descriptor is one on which only a process of its own can write without blocking.
   * Settles when they are on their way.
   */
  handTo?: (blocks: Block[]) => Promise<void>;
}

/** Most of a second at 50,000 lines a second: a busy machine can stand still for longer than a tenth of one. */
const DEFAULT_LIMIT = 4 * 1024 * 1024;
/**
 * At least this long from one hold of the lock to the next, in milliseconds. Half of it is how long a line waits on a
 * busy terminal; but a hold that others wait for costs a millisecond of processor time, as much as two thousand lines.
 */
const PACE_MS = 40;
/** How long to wait before a full disk is tried again, in milliseconds. */
const TRY_AGAIN_MS = 1000;
const FRESH_LINE = Buffer.from('\n');

export class Terminal {
  readonly #output: Output;
  readonly #lock: LineLock;
  readonly #lines: LineQueue;
  readonly #droppedLine: DroppedLine;
  readonly #handTo: ((blocks: Block[]) => Promise<void>) | undefined;
  /** `handing`: others print what comes. `gone`: nobody can. */
  #state: 'printing' | 'handing' | 'gone' | 'closed' = 'printing';

  /** How many batches have been taken out of the queue; so this is also the number of the next one. */
  #batches = 0;
  #dropped = 0;
  #trouble: unknown;

  #running: Promise<void> | undefined;
  /** When the lock may be taken next, on the clock of performance.now(). */
  #nextHold = 0;
  #endPause: (() => void) | undefined;
  readonly #flushes = new Flushes();

  constructor(options: TerminalOptions) {
    const { fd = 1, lock, limit = DEFAULT_LIMIT, droppedLine = defaultDroppedLine, handTo } = options;
    this.#output = openOutput(fd);
    this.#lock = new LineLock(lock, this.#output);
    this.#lines = new LineQueue(limit);
    this.#droppedLine = droppedLine;
    this.#handTo = handTo;
    if (this.#output.isRelayed) this.handOver();
  }

  /** How many bytes have been accepted and are not written yet. */
  get pending(): number {
    return this.#lines.pending;
  }

  /** How many lines have been dropped since the start, at most. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many of these nobody has been told of: at most, and at least. */
  get untold(): number {
    return this.#lines.untold;
  }

  get leastUntold(): number {
    return this.#lines.leastUntold;
  }

  /** How many lines would be lost, and nobody told, if this process died now. */
  get unprinted(): number {
    return this.#lines.unprinted;
  }

  /** The system's code of the last error in writing: `EPIPE`, `ENOSPC` … */
  get trouble(): string | undefined {
    return codeOf(this.#trouble);
  }

  /**
   * Prints one or more whole lines, in one piece and in the order of the calls. Returns at once and is written later.
   * @param block The lines. A final newline is added if it is missing.
   * @param lines How many lines are lost with it, if that is not the number of its own.
   * @returns Whether the block was accepted. If not, it is dropped and its lines are counted: too much has piled up, or
   *   the terminal is gone or closed.
   */
  print(block: string, lines?: number): boolean {
    const isOpen = this.#isOpen;
    if (isOpen) this.#running ??= this.#run();
    if (isOpen && this.#lines.add(block, lines)) return true;
    const lost = lines ?? linesIn(block);
    this.#dropped += lost;
    this.#lines.drop(lost);
    return false;
  }

  /**
   * Waits until all that was printed so far is written.
   * @param timeoutMs How long to wait, in milliseconds in which this process runs. Without it there is no limit.
   * @returns false when the time ran out, the disk is full, or the terminal is gone or closed.
   */
  flush(timeoutMs?: number): Promise<boolean> {
    if (!this.#isOpen) return Promise.resolve(false);
    if (!this.#lines.hasWork && !this.#lines.isUnderway) return Promise.resolve(true);
    const batch = this.#lines.hasMissed ? this.#batches + 1 : this.#lines.hasWork ? this.#batches : this.#batches - 1;
    const flushed = this.#flushes.wait(batch, timeoutMs);
    this.#endPause?.();
    return flushed;
  }

  /** From now on others print what comes and what has piled up, if there is a {@link TerminalOptions.handTo}. */
  handOver(): void {
    if (this.#handTo === undefined || this.#state === 'handing' || this.#state === 'closed') return;
    this.#state = 'handing';
    this.#output.stop();
    this.#endPause?.();
    this.#lock.stop();
    if (this.#lines.hasWork) this.#running ??= this.#run();
  }

  /**
   * Ends the terminal for this process, and hands over first, if it can. What is not written in time is dropped and
   * counted as {@link untold}. Then nothing keeps the process alive or process.exit() waiting, even if nobody reads.
   * @param timeoutMs How long to wait, in milliseconds in which this process runs. Without it there is no limit.
   * @returns Whether all was written.
   */
  async close(timeoutMs?: number): Promise<boolean> {
    this.handOver();
    const written = await this.flush(timeoutMs);
    const writing = this.#lines.isUnderway ? this.#running : undefined;
    this.#handRest();
    this.#end('closed');
    await writing; // At once: a write that waits for its reader can be given up.
    await this.#lock.end();
    return written;
  }

  get #isPrinting(): boolean {
    return this.#state === 'printing';
  }

  get #isOpen(): boolean {
    return this.#state === 'printing' || this.#state === 'handing';
  }

  /** Batch after batch, each in one hold of the lock, until nothing is left. */
  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // The rest of what this turn of the event loop prints.
    while (this.#isOpen && this.#lines.hasWork) {
      try {
        if (this.#state === 'handing') await this.#hand(this.#take(), 0);
        else await this.#printUnderLock();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#running = undefined;
  }

  /** @throws What the lock throws when the process in which it lives is dead. */
  async #printUnderLock(): Promise<void> {
    await this.#pause(this.#nextHold - performance.now());
    if (!this.#isPrinting || !await this.#lock.take()) return;
    this.#nextHold = performance.now() + PACE_MS;
    const keepsLock = this.#isPrinting && await this.#printBatch();
    if (!keepsLock) await this.#lock.release();
  }

  /** Waits, but not while somebody waits for the result. */
  async #pause(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#flushes.areAwaited) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      if (milliseconds > PACE_MS) timer.unref(); // A full disk keeps no process alive.
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endPause = undefined;
  }

  /** @returns Whether the lock is kept, because half a line is out. */
  async #printBatch(): Promise<boolean> {
    if (this.#lock.isAfterDeath) {
      const { written, error } = await this.#output.writeAll(FRESH_LINE);
      if (written === 0) {
        if (error !== undefined) this.#failed(error);
        return this.#keepUnlessOver(FRESH_LINE, error);
      }
      if (!this.#isPrinting) return false;
    }
    const batch = this.#take();
    const { written, perhaps = written, error } = await this.#output.writeAll(batch.bytes);
    if (written === batch.bytes.length) {
      this.#finished();
      return false;
    }
    const lineEnd = batch.lineEnd(written);
    const isTorn = lineEnd > written;
    if (error === undefined && this.#handTo !== undefined) {
      if (isTorn) this.#lock.keepFor(batch.bytes.subarray(written, lineEnd), () => this.#handLost(1));
      await this.#hand(batch, lineEnd);
      return isTorn;
    }
    this.#dropped += this.#lines.lose(batch, written, perhaps);
    if (error !== undefined) this.#failed(error);
    return (isTorn || perhaps > written) && this.#keepUnlessOver(FRESH_LINE, error);
  }

  /** @returns Whether the lock is kept for the rest of a line: there may be somebody who reads it. */
  #keepUnlessOver(rest: Uint8Array, error: unknown): boolean {
    const isOver = error !== undefined && !isPassing(error);
    if (!isOver) this.#lock.keepFor(rest);
    return !isOver;
  }

  /** Gives the lines from the one on that starts there to another process. */
  async #hand(batch: Batch, from: number): Promise<void> {
    try {
      await this.#handTo!(batch.blocksAfter(from));
      this.#finished();
    } catch (error) {
      this.#dropped += this.#lines.lose(batch, from);
      this.#trouble = error;
      this.#end('gone');
    }
  }

  /** The last lines when this one closes: it need not wait until they are on their way. */
  #handRest(): void {
    while (this.#state === 'handing' && this.#lines.hasWork) this.#handTo!(this.#take().blocksAfter(0)).catch(() => {});
  }

  #handLost(lines: number): void {
    this.#dropped += lines;
    this.#handTo!([{ text: `${this.#droppedLine(lines, lines)}\n`, lines }]).catch(() => {});
  }

  #take(): Batch {
    this.#batches++;
    return this.#lines.take(this.#droppedLine);
  }

  #finished(): void {
    this.#lines.done();
    this.#flushes.settle(true, this.#batches - 1);
  }

  #failed(error: unknown): void {
    this.#trouble = error;
    if (!this.#isPrinting) return; // By now others print, and perhaps can.
    if (isPassing(error)) {
      this.#nextHold = performance.now() + TRY_AGAIN_MS;
      this.#flushes.settle(false);
    } else {
      this.#end('gone');
    }
  }

  #end(state: 'gone' | 'closed'): void {
    if (this.#state === 'closed') return;
    this.#state = state;
    this.#dropped += this.#lines.clear();
    this.#output.end();
    this.#endPause?.();
    void this.#lock.end();
    this.#flushes.settle(false);
  }
}
