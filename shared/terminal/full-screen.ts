// A program that has the whole terminal: the other screen, no echo of keys, no cursor. Whichever way it ends, all is as
// it was. For one that shares its terminal with nobody. Used by client/admin/top.ts.
import type { ReadStream, WriteStream } from 'node:tty';
import { RawKeys } from './raw-keys.ts';

/** The other screen, the cursor hidden, and no line broken by itself; and back, in the reverse order. */
const ENTER = '\x1b[?1049h';
const SET_UP = '\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';

export class FullScreen {
  readonly #keys: RawKeys;
  readonly #output: WriteStream;
  readonly #redraw: () => void;
  #isIn = false;
  #isOver = false;

  /**
   * @param redraw Is called when the picture is to be drawn again: at another size, or after a stop.
   * @param press Is called with each key, but for Ctrl-Z.
   * @param lost Is called when the terminal is gone.
   */
  constructor(
    streams: { readonly stdin: ReadStream; readonly stdout: WriteStream },
    { redraw, press, lost }: { redraw: () => void; press: (key: string) => void; lost: () => void },
  ) {
    this.#output = streams.stdout;
    this.#redraw = redraw;
    this.#keys = new RawKeys(streams.stdin, {
      press,
      lost,
      leave: () => this.#leave(),
      again: () => {
        this.#enter();
        redraw();
      },
    });
    this.#output.on('error', () => { if (!this.#isOver) lost(); });
    this.#output.on('resize', this.#anew);
    this.#enter();
  }

  /** How many lines, and columns a line, a picture may have. */
  get size(): { columns: number; rows: number } {
    const { columns, rows } = this.#output;
    return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 };
  }

  /** @param lines As many as there are rows, none of them too long. */
  draw(lines: readonly string[]): void {
    if (!this.#isIn) return;
    // A line is cleared before it is written: after it the cursor may stand on its last character.
    this.#output.write(`\x1b[H${lines.map((line) => `\x1b[K${line}`).join('\r\n')}`);
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#output.off('resize', this.#anew);
    this.#keys.close();
  }

  #enter(): void {
    this.#output.write(`${this.#isIn ? '' : ENTER}${SET_UP}`);
    this.#isIn = true;
  }

  #leave(): void {
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#output.write(LEAVE);
  }

  readonly #anew = (): void => {
    if (!this.#isIn) return;
    this.#output.write('\x1b[2J');
    this.#redraw();
  };
}
