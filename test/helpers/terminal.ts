// What the tests of the Terminal have in common: a lock, and pipes whose both ends are in the test's hands.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { TestContext } from 'node:test';
import { codeOf } from '../../shared/errors.ts';
import type { TerminalLock } from '../../shared/terminal/terminal.ts';


const folder = mkdtempSync(join(tmpdir(), 'terminal-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

/** A path where there is nothing yet, for as long as the test file runs. */
export function newPath(): string {
  return join(folder, String(files++));
}

/** Free unless the test holds it; counts how often it was taken. */
export class FakeLock implements TerminalLock {
  acquired = 0;
  abandonedBy: unknown;
  #held = false;
  readonly #waiting: (() => void)[] = [];

  async acquire(): Promise<boolean> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#held = true;
    this.acquired += 1;
    return true;
  }

  async release(): Promise<void> {
    const next = this.#waiting.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}

export interface Pipe {
  readonly writeEnd: number;
  /** What is in the pipe now, at most `limit` bytes. */
  read(limit?: number): string;
  closeReadEnd(): void;
}

/** A pipe with both ends in this process; only a named one can be had without a child. */
export function newPipe(t: TestContext): Pipe {
  const { path, readEnd, writeEnd } = newFifo();
  let open = true;
  const closeReadEnd = (): void => {
    if (open) closeSync(readEnd);
    open = false;
  };
  t.after(() => {
    closeSync(writeEnd);
    closeReadEnd();
    rmSync(path);
  });
  return {
    writeEnd,
    closeReadEnd,
    read(limit = Infinity) {
      const buffer = Buffer.alloc(65536);
      let text = '';
      while (text.length < limit) {
        const count = readNow(readEnd, buffer.subarray(0, Math.min(buffer.length, limit - text.length)));
        if (count === 0) break;
        text += buffer.toString('latin1', 0, count);
      }
      return text;
    },
  };
}

/** A named pipe, whose read end does not block. */
export function newFifo(): { path: string; readEnd: number; writeEnd: number } {
  const path = newPath();
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { path, readEnd, writeEnd: openSync(path, constants.O_WRONLY) };
}

function readNow(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}
