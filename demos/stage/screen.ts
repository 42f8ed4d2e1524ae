// The terminal as all processes of a demo share it: main.ts makes one Screen, and each child one from the same lock.
import { isatty } from 'node:tty';
import { paintWarning, paintWho, useColor } from '../../shared/terminal/color.ts';
import { Lock } from '../../shared/multiprocessing/index.ts';
import { Terminal } from '../../shared/terminal/terminal.ts';
import { outputColumns, wrap } from './columns.ts';
import { bars, timeline } from './drawing.ts';
import type { Bar, Row } from './drawing.ts';

export class Screen {
  /** Goes to the children in their arguments. */
  readonly lock: Lock;
  /** How wide lines and pictures may be. */
  readonly columns = outputColumns(process.env);
  readonly #terminal: Terminal;
  readonly #color = useColor(process.env, isatty(1));

  constructor(lock: Lock = new Lock()) {
    this.lock = lock;
    this.#terminal = new Terminal({ lock });
  }

  /**
   * Prints lines in one piece, broken where they are too long. Settles when they are printed: what anybody says after
   * that comes after them.
   */
  async say(lines: string): Promise<void> {
    this.#terminal.print(wrap(lines, this.columns));
    await this.#terminal.flush();
  }

  /** Prints a picture of what happened when. */
  async timeline(rows: readonly Row[]): Promise<void> {
    await this.say(timeline(rows, this.columns));
  }

  /** Prints values as bars. */
  async bars(rows: readonly Bar[]): Promise<void> {
    await this.say(bars(rows, this.columns));
  }

  /** Prints a heading. */
  async title(text: string): Promise<void> {
    await this.say(`\n${this.#color ? `\x1b[1m${text}\x1b[22m` : text}`);
  }

  /** In the colour of the worker of that number, 1 or more. */
  ofWorker(worker: number, text: string): string {
    return this.#color ? paintWho(worker, text) : text;
  }

  /** In the colour of what goes wrong, if `isWrong`. */
  wrong(text: string, isWrong = true): string {
    return this.#color && isWrong ? paintWarning(text) : text;
  }

  /** Waits until the last lines are printed. */
  async close(): Promise<void> {
    await this.#terminal.close();
  }
}
