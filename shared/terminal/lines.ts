// The lines that a Terminal has taken and not printed yet, and the count of those that it could not take. Pure and
// bounded; and every line that is taken goes out in a batch, or is counted. Only terminal.ts uses it.

/**
 * The line that says how many were dropped: so many at most, and so many at least. The two differ when the process that
 * printed for this one was killed: what it had begun may be printed, or not.
 */
export type DroppedLine = (count: number, least: number) => string;

/** One or more whole lines. */
export interface Block {
  readonly text: string;
  /** How many lines are lost with it: its own, or more if it is the line that says how many were dropped. */
  readonly lines: number;
}

/** Where in the bytes a block is that counts for another number of lines than it has. */
interface Mark {
  readonly start: number;
  readonly end: number;
  readonly lines: number;
}

/** How large the memory for lines is at first, in bytes. It doubles as needed, and is new for each batch. */
const FIRST_CAPACITY = 16 * 1024;
/** The most bytes that one UTF-16 code unit takes in UTF-8. */
const MOST_BYTES = 3;
/** The most bytes in one block of a batch that is handed over: a process with little room left can take some blocks. */
const MOST_IN_BLOCK = 64 * 1024;
const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

/** What is printed in one piece. */
export class Batch {
  readonly bytes: Buffer;
  readonly #marks: readonly Mark[];
  readonly #told: number;

  readonly #toldInDoubt: number;

  /**
   * @param told How many lines were dropped before, as the first line says.
   * @param toldInDoubt How many of these may be printed all the same.
   */
  constructor(bytes: Buffer, marks: readonly Mark[], told = 0, toldInDoubt = 0) {
    this.bytes = bytes;
    this.#marks = marks;
    this.#told = told;
    this.#toldInDoubt = toldInDoubt;
  }

  /** How many of the lines that were dropped before nobody hears of, if only the first `written` bytes are written. */
  toldAfter(written: number): number {
    return this.#told > 0 && written < this.#marks[0]!.end ? this.#told : 0;
  }

  /** Where the line ends that is cut after the first `written` bytes; `written`, when none is. */
  lineEnd(written: number): number {
    if (written === 0 || this.bytes[written - 1] === NEWLINE) return written;
    const newline = this.bytes.indexOf(NEWLINE, written);
    return newline === -1 ? this.bytes.length : newline + 1;
  }

  /** How many lines are lost if only the first `written` bytes are written; one that is cut is lost, too. */
  linesAfter(written: number): number {
    let lines = countNewlines(this.bytes, written, this.bytes.length);
    for (const { start, end, lines: weight } of this.#marks) {
      if (end > written) lines += weight - countNewlines(this.bytes, Math.max(start, written), end);
    }
    return lines;
  }

  /** How many of those are perhaps not lost, if up to `perhaps` bytes may be written. */
  inDoubtAfter(written: number, perhaps: number): number {
    const before = this.toldAfter(perhaps) > 0 ? this.#toldInDoubt : 0;
    return this.linesAfter(written) - this.linesAfter(perhaps) + before;
  }

  /** The lines from the one on that starts there. */
  blocksAfter(from: number): Block[] {
    const blocks: Block[] = [];
    let at = from;
    const upTo = (end: number): void => {
      while (at < end) {
        const next = end - at <= MOST_IN_BLOCK ? end : this.#lastLineEnd(at, at + MOST_IN_BLOCK);
        blocks.push({ text: this.bytes.toString('utf8', at, next), lines: countNewlines(this.bytes, at, next) });
        at = next;
      }
    };
    for (const { start, end, lines } of this.#marks) {
      if (end <= from) continue;
      upTo(start);
      blocks.push({ text: this.bytes.toString('utf8', at, end), lines });
      at = end;
    }
    upTo(this.bytes.length);
    return blocks;
  }

  /** The last line's end up to `most`, or the first one after it. */
  #lastLineEnd(from: number, most: number): number {
    const last = this.bytes.lastIndexOf(NEWLINE, most - 1) + 1;
    return last > from ? last : this.lineEnd(most);
  }
}

export class LineQueue {
  readonly #limit: number;
  /** The first `#length` bytes are lines that are not in a batch yet. Strings would burden the garbage collector. */
  #bytes = NOTHING;
  #length = 0;
  #marks: Mark[] = [];
  /** The batch that is being written. */
  #underway: Batch | undefined;
  /** How many lines were dropped before the first of the queue, and no line has said so yet. */
  #untold = 0;
  /** How many of these may be printed, or told of, all the same. */
  #inDoubt = 0;
  /** How many were dropped after the last of the queue. While there are any, the queue takes no more. */
  #missed = 0;

  /** @param limit The most bytes that may pile up, those of the batch that is being written included. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many bytes were taken and are not written yet. */
  get pending(): number {
    return this.#length + (this.#underway?.bytes.length ?? 0);
  }

  /** How many lines were dropped, and nobody was told; at most, and at least. */
  get untold(): number {
    return this.#untold + this.#missed;
  }

  get leastUntold(): number {
    return this.untold - this.#inDoubt;
  }

  /** How many lines would be lost, and nobody told, if all of this was gone. */
  get unprinted(): number {
    return this.untold + this.#lines() + (this.#underway?.linesAfter(0) ?? 0);
  }

  /** Whether lines were dropped since the last one was taken: the batch after the next says so. */
  get hasMissed(): boolean {
    return this.#missed > 0;
  }

  /** Whether a batch was taken out and is not done yet. */
  get isUnderway(): boolean {
    return this.#underway !== undefined;
  }

  get hasWork(): boolean {
    return this.#length > 0 || this.#untold > 0;
  }

  /** @param lines How many lines it counts for, if not the number of its own. @returns Whether there was room. */
  add(block: string, lines?: number): boolean {
    if (this.#missed > 0 || !this.#hasRoomFor(block)) return false;
    const most = this.#length + MOST_BYTES * block.length + 1;
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(most, 2 * this.#bytes.length, FIRST_CAPACITY));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    const start = this.#length;
    let end = start + this.#bytes.write(block, start);
    if (block === '' || this.#bytes[end - 1] !== NEWLINE) this.#bytes[end++] = NEWLINE;
    this.#length = end;
    if (lines !== undefined) this.#marks.push({ start, end, lines });
    return true;
  }

  /** So many lines find no room; a line after the queue will say so. */
  drop(lines: number): void {
    if (this.#length === 0) this.#untold += lines;
    else this.#missed += lines;
  }

  /**
   * Only the first `written` bytes of the batch that was taken out are written, or perhaps the first `perhaps`. A line
   * before what is in the queue will say how many lines are lost with the rest.
   * @returns How many those are, at most, without those of which its first line had told.
   */
  lose(batch: Batch, written: number, perhaps = written): number {
    this.done();
    const lines = batch.linesAfter(written);
    this.#untold += lines;
    this.#inDoubt += batch.inDoubtAfter(written, perhaps);
    return lines - batch.toldAfter(written);
  }

  /** Takes out all that is in the queue, after a line that says how many were dropped, if any were. */
  take(droppedLine: DroppedLine): Batch {
    const lines = this.#untold;
    const inDoubt = this.#inDoubt;
    const head = Buffer.from(lines > 0 ? `${droppedLine(lines, lines - inDoubt)}\n` : '');
    const blocks = this.#bytes.subarray(0, this.#length);
    const moved = this.#marks.map(({ start, end, lines: weight }) => (
      { start: start + head.length, end: end + head.length, lines: weight }));
    const marks = lines > 0 ? [{ start: 0, end: head.length, lines }, ...moved] : moved;
    const batch = new Batch(lines > 0 ? Buffer.concat([head, blocks]) : blocks, marks, lines, inDoubt);
    this.#empty();
    this.#untold = this.#missed;
    this.#inDoubt = 0;
    this.#missed = 0;
    this.#underway = batch;
    return batch;
  }

  /** The batch that was taken out is written, handed over or lost. */
  done(): void {
    this.#underway = undefined;
  }

  /** Drops everything. @returns How many lines that were, without those that had been dropped before. */
  clear(): number {
    const lines = this.#lines();
    this.#empty();
    this.#untold += this.#missed + lines;
    this.#missed = 0;
    return lines;
  }

  #lines(): number {
    return new Batch(this.#bytes.subarray(0, this.#length), this.#marks).linesAfter(0);
  }

  #hasRoomFor(block: string): boolean {
    const room = this.#limit - this.pending;
    // To ask for the exact length costs as much as to write it.
    return MOST_BYTES * block.length < room || Buffer.byteLength(block) + (endsLine(block) ? 0 : 1) <= room;
  }

  #empty(): void {
    this.#bytes = NOTHING;
    this.#length = 0;
    this.#marks = [];
  }
}

/** How many lines a block has. */
export function linesIn(block: string): number {
  const bytes = Buffer.from(block);
  return countNewlines(bytes, 0, bytes.length) + (endsLine(block) ? 0 : 1);
}

export function defaultDroppedLine(count: number, least: number): string {
  return `${least < count ? `${least} to ` : ''}${count} ${count === 1 ? 'line' : 'lines'} dropped`;
}

function endsLine(block: string): boolean {
  return block.charCodeAt(block.length - 1) === NEWLINE;
}

function countNewlines(bytes: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE, from); at !== -1 && at < to; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
