// Ctrl-Z at the prompt, and what comes back after it. Used by conversation.ts.

import type { Interface } from 'node:readline';
import type { ReadStream } from 'node:tty';

/**
 * Lets the shell have the terminal when the user wants it, as any program does, and takes it back with `fg`.
 *
 * By itself readline stops one process only: under npm the shell waits for npm, which goes on. And it leaves its input
 * paused, so that no key works afterwards.
 * @param redraw Shows the line again: by then others have written to the terminal.
 */
export function controlJob(terminal: Interface, input: ReadStream, redraw: () => void): void {
  let isClosed = false;
  const takeBack = (): void => {
    if (isClosed) return;
    // Twice, because Node does nothing when it believes that the mode is set already; the shell may have changed it.
    input.setRawMode(false);
    input.setRawMode(true);
    redraw();
  };
  terminal.on('SIGTSTP', () => {
    input.setRawMode(false);
    // To all that the shell has started in one command. It stops us here, until we are continued; or it does nothing,
    // where no shell is there to continue us.
    process.kill(0, 'SIGTSTP');
    takeBack();
  });
  // After a stop that did not come from the keyboard. In the background it stops us again: only `fg` gives a terminal.
  process.on('SIGCONT', takeBack);
  terminal.once('close', () => {
    isClosed = true;
    process.off('SIGCONT', takeBack);
  });
}
