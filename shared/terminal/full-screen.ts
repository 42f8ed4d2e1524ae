// A program that has the whole terminal: the other screen, no echo of keys, no cursor. Whichever way it ends, all is as
// it was. For one that shares its terminal with nobody. Used by client/admin/top.ts.
import type { ReadStream, WriteStream } from 'node:tty';

/** The other screen, the cursor hidden, and no line broken by itself; and back, in the reverse order. */
const ENTER = '\x1b[?1049h';
const SET_UP = '\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const CTRL_Z = '\x1a';

export class FullScreen {
  readonly #input: ReadStream;
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
    this.#input = streams.stdin;
    this.#output = streams.stdout;
    this.#redraw = redraw;
    this.#input.setEncoding('utf8').on('data', (keys: string) => {
      for (const key of keys) {
        if (key === CTRL_Z) this.#stop();
        else if (!this.#isOver) press(key);
      }
    });
    for (const event of ['end', 'error', 'close'] as const) this.#input.on(event, () => { if (!this.#isOver) lost(); });
    this.#output.on('error', () => { if (!this.#isOver) lost(); });
    this.#output.on('resize', this.#anew);
    // After a stop that did not come from the keyboard, the shell has had the terminal meanwhile.
    process.on('SIGCONT', this.#takeBack);
    // Also after an error that nobody has caught: what is said of it then stays on the screen.
    process.on('exit', this.#leave);
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
    this.#leave();
    this.#isOver = true;
    process.off('exit', this.#leave).off('SIGCONT', this.#takeBack);
    this.#output.off('resize', this.#anew);
    this.#input.destroy();
  }

  #enter(): void {
    // Twice, because Node does nothing when it believes that the mode is set already; the shell may have changed it.
    this.#input.setRawMode(false);
    this.#input.setRawMode(true);
    this.#output.write(`${this.#isIn ? '' : ENTER}${SET_UP}`);
    this.#isIn = true;
  }

  readonly #leave = (): void => {
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#output.write(LEAVE);
    if (!this.#input.destroyed) this.#input.setRawMode(false);
  };

  readonly #anew = (): void => {
    if (!this.#isIn) return;
    this.#output.write('\x1b[2J');
    this.#redraw();
  };

  readonly #takeBack = (): void => {
    if (this.#isOver) return;
    this.#enter();
    this.#redraw();
  };

  #stop(): void {
    this.#leave();
    // To all that the shell has started in one command: npm is among them. It stops us here, until we are continued; or
    // it does nothing, where no shell is there to continue us.
    process.kill(0, 'SIGTSTP');
    this.#takeBack();
  }
}
