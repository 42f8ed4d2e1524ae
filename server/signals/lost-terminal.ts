// The end of a process whose terminal is gone. Used by the master, in belonging.ts, and by worker.ts.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Closes, at the end of this process, each standard descriptor that is a terminal now and none any more by then. Node sets
 * back the modes of terminals at its end, and Node 20 ends by an assertion when it cannot.
 */
export function forgetLostTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  if (terminals.length === 0) return;
  process.once('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
