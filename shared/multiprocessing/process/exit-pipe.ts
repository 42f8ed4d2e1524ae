// The last words of a process. What it gave to its channel may still wait in Node when it exits, which drops it then.
// So a child writes what may not have left it into a pipe of its own, and blocks until its parent has taken it; the
// parent takes in what did not come over the channel, by the messages' numbers, and only then tells that it ended; an
// end without a good-bye is told as such. child.ts writes, process.ts reads.
import { readFileSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Channel } from '../transport/channel.ts';

/** Says that all was written which had been sent until the process exited. */
const GOOD_BYE = 'good-bye';
const NEWLINE = 0x0a;
/**
 * For so many turns of the event loop in which nothing comes, the end of a dead child's channel is awaited. What it
 * wrote is here by then, and each turn reads all that there is; so only somebody else can have kept it open.
 */
const MOST_SILENT_TURNS = 100;

/**
 * From now on everything goes out by this pipe, at once: first what the channel may not have got rid of.
 * For a process that exits: it blocks until the parent has room, or is gone.
 * @param fd The pipe. Node opened it blocking, and keeps it from children of this process.
 */
export function leaveBy(fd: number, channel: Channel): void {
  let isGone = false;
  const write = (message: unknown): void => {
    if (isGone) return;
    try {
      let rest = Buffer.from(`${JSON.stringify(message)}\n`);
      while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
    } catch {
      isGone = true; // Nobody is left to read it.
    }
  };
  channel.divert(write);
  write(GOOD_BYE);
}

/** The parent's end. */
export class LastWords {
  /** What it wrote here, which may have come over the channel too. */
  readonly messages: unknown[] = [];
  /** Whether the child left in good order. */
  saidGoodBye = false;
  /**
   * The number of the signal that ended the child, 0 if none did: Node does not tell all of them. Undefined when that
   * was not seen: when Node hears that some child has died it asks how all did, and nothing of this one may be read by
   * then.
   */
  signal: number | undefined;
  #hasExited = false;
  readonly #line: Buffer[] = [];
  #isOver = false;
  /** For how many turns of the event loop nothing has come. */
  #silent = 0;

  constructor(pipe: Readable, pid: number) {
    pipe.on('data', (bytes: Buffer) => this.#read(bytes));
    pipe.on('error', () => {}); // It says 'close' after it.
    pipe.once('end', () => {
      // Mostly Node has not asked yet how it died: it hears of ends before it looks for signals, SIGCHLD among them.
      if (!this.#hasExited) this.signal = signalThatEnded(pid);
    });
    pipe.once('close', () => { this.#isOver = true; });
  }

  /** For a child that has exited. @param hasChannelEnded Whether all that came over the channel was read. */
  whenComplete(hasChannelEnded: () => boolean, complete: () => void): void {
    this.#hasExited = true;
    if ((this.#isOver && hasChannelEnded()) || this.#silent++ >= MOST_SILENT_TURNS) complete();
    else setImmediate(() => this.whenComplete(hasChannelEnded, complete));
  }

  #read(bytes: Buffer): void {
    this.#silent = 0;
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, begin)) {
      this.#line.push(bytes.subarray(begin, end));
      this.#take(Buffer.concat(this.#line.splice(0)).toString());
      begin = end + 1;
    }
    if (begin < bytes.length) this.#line.push(bytes.subarray(begin));
  }

  /** Whatever else the child may have written there passes by. */
  #take(line: string): void {
    try {
      const message: unknown = JSON.parse(line);
      if (message === GOOD_BYE) this.saidGoodBye = true;
      else this.messages.push(message);
    } catch {
      // Not ours.
    }
  }
}

/** What proc(5) calls exit_code: the number is in its lowest bits. Undefined when it cannot be told. */
function signalThatEnded(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').trim().split(' ').at(-1)) & 0x7f;
  } catch {
    return undefined;
  }
}
