// What was typed in earlier sessions, in a file. Used by conversation.ts. All of it is small and rare, so it is done at
// once: what was typed is remembered even if the client is killed the next moment.

import {
  chmodSync, closeSync, constants, fstatSync, mkdirSync, openSync, readSync, renameSync, unlinkSync, writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** How many lines are kept, and how long each may be, in characters. */
export const HISTORY_LINES = 1_000;
const LONGEST_LINE = 4_096;
/** How much of the end of the file is read. Beyond that, or twice the lines, it is written anew. */
const MOST_BYTES = 1024 * 1024;
/** For the user's eyes only. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** A terminal might obey such a line when it is called up again. */
const CONTROL = /\p{Cc}/u;

export class History {
  readonly #path: string;
  #last: string | undefined;
  /** What is kept of a file that has become too long: it is written anew with the next line. */
  #kept: readonly string[] | undefined;

  /** @param path Of the file; it and its folders need not be there. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The lines, the newest one first.
   * @throws The system's error when there is a file that cannot be read, or Error when it is no regular file.
   */
  read(): string[] {
    let file: number;
    try {
      file = this.#open(constants.O_RDONLY);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    let text: string;
    let isLong: boolean;
    try {
      const { size } = fstatSync(file);
      isLong = size > MOST_BYTES;
      const from = Math.max(0, size - MOST_BYTES);
      const bytes = Buffer.alloc(size - from);
      text = bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, from));
    } finally {
      closeSync(file);
    }
    const all = text.split('\n').slice(isLong ? 1 : 0); // Its first line is cut.
    const kept = all.filter((line) => isKept(line)).slice(-HISTORY_LINES);
    if (isLong || all.length > 2 * HISTORY_LINES) this.#kept = kept;
    this.#last = kept.at(-1);
    return kept.toReversed();
  }

  /** Adds a line, unless it is the same as the one before it. @throws The system's error when that fails. */
  add(line: string): void {
    if (line === this.#last || !isKept(line)) return;
    this.#last = line;
    if (this.#kept !== undefined) {
      const lines = [...this.#kept, line];
      this.#kept = undefined;
      return this.#rewrite(lines);
    }
    mkdirSync(dirname(this.#path), { recursive: true, mode: FOLDER_MODE });
    const file = this.#open(constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
    try {
      writeSync(file, `${line}\n`);
    } finally {
      closeSync(file);
    }
  }

  /** A file that somebody else can read is for the user alone from now on. */
  #open(flags: number): number {
    // Without O_NONBLOCK a pipe of that name would hold us up for ever.
    const file = openSync(this.#path, flags | constants.O_NONBLOCK, FILE_MODE);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw new Error(`${this.#path} is no regular file`);
      if ((stats.mode & 0o077) !== 0) chmodSync(this.#path, FILE_MODE);
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  /** By rename: another client that reads it now sees all of the old file or all of the new one. */
  #rewrite(lines: readonly string[]): void {
    const fresh = `${this.#path}.${process.pid}`;
    const file = openSync(fresh, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
    try {
      writeSync(file, lines.map((line) => `${line}\n`).join(''));
      renameSync(fresh, this.#path);
    } catch (error) {
      unlinkSync(fresh);
      throw error;
    } finally {
      closeSync(file);
    }
  }
}

function isKept(line: string): boolean {
  return line.trim() !== '' && line.length <= LONGEST_LINE && !CONTROL.test(line);
}
