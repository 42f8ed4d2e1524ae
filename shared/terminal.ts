// Terminal: the one way in which any process of a group writes to the standard output that they share. The server, its
// workers and the demos print with it. Nobody may touch process.stdout: that changes the descriptor for all of them.
//
// Blocks pile up here while another process prints; then all of them go out in one hold of the group's lock.
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from './errors.ts';
import { Output } from './terminal-output.ts';

/** What the terminal needs of a lock; the toolkit's `Lock` has it. */
export interface TerminalLock {
  acquire(timeoutMs?: number): Promise<boolean>;
  release(): Promise<void>;
  /** Set while held if the holder before has died: the line that it was printing may be half done. */
  readonly abandonedBy?: unknown;
}

export interface TerminalOptions {
  /** The descriptor to write to. Default: 1, the standard output. */
  fd?: number;
  /** One lock for all processes that write to the same terminal. */
  lock: TerminalLock;
  /** How many bytes may pile up before blocks are dropped. Default: 4 MiB. */
  limit?: number;
  /** The line that tells how many lines were dropped. Default: `N lines dropped`. */
  droppedLine?: (count: number) => string;
}

/** Most of a second at 50,000 lines a second: a machine with too much to do can stand still for longer than a tenth. */
const DEFAULT_LIMIT = 4 * 1024 * 1024;
/**
 * At least this long from one hold of the lock to the next, in milliseconds. A hold that others contend for costs a
 * millisecond of processor time, as much as two thousand lines; and half of it is how long a line waits when it is busy.
 */
const PACE_MS = 40;
/** How large the memory for blocks is at first, in bytes. It doubles as needed, and is new for each batch. */
const FIRST_CAPACITY = 16 * 1024;
/** The most bytes that one UTF-16 code unit takes in UTF-8. */
const MOST_BYTES = 3;
/** How long to wait before a full disk is tried again, in milliseconds. */
const FULL_DISK_WAIT_MS = 1000;
/** The lock is asked for again after this long, in milliseconds: to wait for it keeps the process alive. */
const ASK_AGAIN_MS = 500;
const FULL_DISK: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** How long close() waits for a write that ought to return at once, in milliseconds: its thread may have to wait for a CPU. */
const LAST_WRITE_MS = 300;
const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

interface Waiter {
  /** The number of the batch with which all that it waits for is written. */
  readonly batch: number;
  readonly settle: (written: boolean) => void;
}

export class Terminal {
  readonly #lock: TerminalLock;
  readonly #output: Output;
  readonly #limit: number;
  readonly #droppedLine: (count: number) => string;
  #state: 'open' | 'gone' | 'closed' = 'open';

  /** What was accepted and is not in a batch yet: the first bytes of this. Strings would cost the garbage collector. */
  #queue = NOTHING;
  #queuedBytes = 0;
  /** What is being written: taken out of the queue, not freed before all of it is written. */
  #batchBytes = 0;
  /** How many batches have been taken out of the queue; so this is also the number of the next one. */
  #batches = 0;
  /** Lines that were dropped before the first block of the queue and have not been told of yet. */
  #untold = 0;
  /** Lines that were dropped after the last block of the queue. While there are any, the queue takes no more. */
  #missed = 0;
  #dropped = 0;
  /** The last byte written was not a newline, and the rest of its line was dropped. */
  #torn = false;

  #running: Promise<void> | undefined;
  /** When the lock may be taken next, on the clock of performance.now(). */
  #nextHold = 0;
  #endPause: (() => void) | undefined;
  readonly #waiters = new Set<Waiter>();

  constructor({ fd = 1, lock, limit = DEFAULT_LIMIT, droppedLine = defaultDroppedLine }: TerminalOptions) {
    this.#lock = lock;
    this.#output = new Output(fd);
    this.#limit = limit;
    this.#droppedLine = droppedLine;
  }

  /** How many bytes have been accepted and are not written yet. */
  get pending(): number {
    return this.#queuedBytes + this.#batchBytes;
  }

  /** How many lines have been dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Prints one or more whole lines, in one piece and in the order of the calls. Returns at once and is written later.
   * @param block The lines. A final newline is added if it is missing.
   * @returns Whether the block was accepted. If not, it is dropped and its lines are counted: too much has piled up, or
   *   the terminal is gone or closed.
   */
  print(block: string): boolean {
    if (this.#state === 'open') {
      this.#running ??= this.#run();
      if (this.#hasRoomFor(block)) {
        this.#append(block);
        return true;
      }
    }
    this.#drop(block);
    return false;
  }

  /**
   * Waits until all that was printed so far is written.
   * @param timeoutMs How long to wait, in milliseconds. Without it there is no limit.
   * @returns false when the time ran out, the disk is full, or the terminal is gone or closed.
   */
  flush(timeoutMs?: number): Promise<boolean> {
    if (this.#state !== 'open') return Promise.resolve(false);
    if (!this.#hasWork() && this.#batchBytes === 0) return Promise.resolve(true);
    const batch = this.#missed > 0 ? this.#batches + 1 : this.#hasWork() ? this.#batches : this.#batches - 1;
    return new Promise((resolve) => {
      const settle = (written: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(written);
      };
      const waiter: Waiter = { batch, settle };
      const timer = timeoutMs === undefined ? undefined : setTimeout(settle, timeoutMs, false);
      this.#waiters.add(waiter);
      this.#endPause?.();
    });
  }

  /**
   * Ends the terminal for this process. What cannot be written in time is dropped and counted. Soon after that nothing
   * here keeps the process alive, or process.exit() waiting, even if nobody reads. Before, lines not written do.
   * @param timeoutMs How long to wait for the rest to be written, in milliseconds.
   * @returns Whether all was written.
   */
  async close(timeoutMs: number): Promise<boolean> {
    const written = await this.flush(timeoutMs);
    this.#end('closed');
    if (this.#batchBytes > 0) {
      const lastWrite = this.#running!.then(() => true);
      if (!await Promise.race([lastWrite, sleep(LAST_WRITE_MS, false, { ref: false })])) await this.#output.unblock();
    }
    return written;
  }

  /** Batch after batch, each in one hold of the lock, until nothing is left. */
  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // The rest of what this turn of the event loop prints.
    while (this.#state === 'open' && this.#hasWork()) {
      await this.#pause(this.#nextHold - performance.now());
      if (this.#state !== 'open') break;
      try {
        if (!await this.#acquire()) break;
        this.#nextHold = performance.now() + PACE_MS;
        if (this.#state === 'open') await this.#writeBatch();
        await this.#lock.release();
      } catch {
        this.#end('gone');
      }
    }
    this.#running = undefined;
  }

  /** @throws What the lock throws when the process in which it lives is dead. */
  async #acquire(): Promise<boolean> {
    while (this.#state === 'open') if (await this.#lock.acquire(ASK_AGAIN_MS)) return true;
    return false;
  }

  #hasWork(): boolean {
    return this.#queuedBytes > 0 || this.#untold > 0;
  }

  #hasRoomFor(block: string): boolean {
    if (this.#missed > 0) return false;
    const room = this.#limit - this.pending;
    // To ask for the exact length costs as much as to write it.
    return MOST_BYTES * block.length < room || Buffer.byteLength(block) + (endsLine(block) ? 0 : 1) <= room;
  }

  #append(block: string): void {
    const most = this.#queuedBytes + MOST_BYTES * block.length + 1;
    if (most > this.#queue.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, 2 * this.#queue.length, FIRST_CAPACITY));
      this.#queue.copy(larger, 0, 0, this.#queuedBytes);
      this.#queue = larger;
    }
    let end = this.#queuedBytes + this.#queue.write(block, this.#queuedBytes);
    if (block === '' || this.#queue[end - 1] !== NEWLINE) this.#queue[end++] = NEWLINE;
    this.#queuedBytes = end;
  }

  #drop(block: string): void {
    const lines = countLines(Buffer.from(block)) + (endsLine(block) ? 0 : 1);
    this.#dropped += lines;
    if (this.#state !== 'open') return;
    if (this.#queuedBytes === 0) this.#untold += lines;
    else this.#missed += lines;
  }

  /** Waits, but not while somebody waits for the result. */
  async #pause(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#waiters.size > 0) return;
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

  async #writeBatch(): Promise<void> {
    const told = this.#untold;
    const freshLine = this.#torn || this.#lock.abandonedBy !== undefined ? '\n' : '';
    const head = Buffer.from(told > 0 ? `${freshLine}${this.#droppedLine(told)}\n` : freshLine);
    const blocks = this.#queue.subarray(0, this.#queuedBytes);
    const bytes = head.length > 0 ? Buffer.concat([head, blocks]) : blocks;
    const batch = this.#batches++;
    this.#queue = NOTHING;
    this.#queuedBytes = 0;
    this.#batchBytes = bytes.length;
    this.#untold = this.#missed;
    this.#missed = 0;

    const { written, error } = await this.#output.writeAll(bytes);
    this.#batchBytes = 0;
    if (written > 0) this.#torn = bytes[written - 1] !== NEWLINE;
    if (written === bytes.length) {
      this.#settleWaiters(true, batch);
      return;
    }
    const lost = countLines(bytes.subarray(Math.max(written, head.length)));
    this.#dropped += lost;
    if (FULL_DISK.has(codeOf(error))) {
      this.#untold += lost + (written < head.length ? told : 0);
      this.#nextHold = performance.now() + FULL_DISK_WAIT_MS;
      this.#settleWaiters(false);
    } else {
      this.#end('gone');
    }
  }

  #settleWaiters(written: boolean, upTo = Infinity): void {
    for (const waiter of [...this.#waiters]) if (waiter.batch <= upTo) waiter.settle(written);
  }

  #end(state: 'gone' | 'closed'): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    this.#dropped += countLines(this.#queue.subarray(0, this.#queuedBytes));
    this.#queue = NOTHING;
    this.#queuedBytes = 0;
    this.#untold = 0;
    this.#missed = 0;
    this.#output.end();
    this.#endPause?.();
    this.#settleWaiters(false);
  }
}

function defaultDroppedLine(count: number): string {
  return `${count} lines dropped`;
}

function endsLine(block: string): boolean {
  return block.charCodeAt(block.length - 1) === NEWLINE;
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
