// The keys of a terminal, one by one and without an echo. Whichever way the program ends, the terminal is as it was.
// For one that shares its keyboard with nobody. Used by full-screen.ts and by the demo scheduler.
import { emitKeypressEvents } from 'node:readline';
import type { ReadStream } from 'node:tty';

const CTRL_Z = '\x1a';

export interface KeyReader {
  /** Is called with each key, but for Ctrl-Z: with the characters that the terminal sends for it. */
  readonly press: (key: string) => void;
  /** Is called when the terminal is gone. */
  readonly lost: () => void;
  /** Is called when the terminal is about to be given back: at the end, and when the shell gets it by Ctrl-Z. */
  readonly leave?: () => void;
  /** Is called when the keys are ours again after a stop. */
  readonly again?: () => void;
}

export class RawKeys {
  readonly #input: ReadStream;
  readonly #reader: KeyReader;
  #isOver = false;

  constructor(input: ReadStream, reader: KeyReader) {
    this.#input = input;
    this.#reader = reader;
    emitKeypressEvents(input);
    input.on('keypress', (_: unknown, { sequence }: { sequence: string }) => {
      if (sequence === CTRL_Z) this.#stop();
      else if (!this.#isOver) reader.press(sequence);
    });
    const lost = (): void => { if (!this.#isOver) reader.lost(); };
    for (const event of ['end', 'error', 'close'] as const) input.on(event, lost);
    // After a stop that did not come from the keyboard, the shell has had the terminal meanwhile.
    process.on('SIGCONT', this.#takeBack);
    // Also after an error that nobody has caught: what is said of it then stays on the screen.
    process.on('exit', this.#leave);
    this.#enter();
  }

  /** Gives the terminal back. */
  close(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#isOver = true;
    process.off('exit', this.#leave).off('SIGCONT', this.#takeBack);
    this.#input.destroy();
  }

  #enter(): void {
    // Twice, because Node does nothing when it believes that the mode is set already; the shell may have changed it.
    this.#input.setRawMode(false);
    this.#input.setRawMode(true);
  }

  readonly #leave = (): void => {
    this.#reader.leave?.();
    if (!this.#input.destroyed) this.#input.setRawMode(false);
  };

  readonly #takeBack = (): void => {
    if (this.#isOver) return;
    this.#enter();
    this.#reader.again?.();
  };

  #stop(): void {
    this.#leave();
    // To all that the shell has started in one command: npm is among them. It stops us here, until we are continued; or
    // it does nothing, where no shell is there to continue us.
    process.kill(0, 'SIGTSTP');
    this.#takeBack();
  }
}
