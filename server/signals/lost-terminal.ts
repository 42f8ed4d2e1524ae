// How a process ends whose terminal is gone. Used by the master (belonging.ts) and by worker.ts.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * At the end of this process, closes each standard descriptor that was a terminal and is none any more. Node restores
 * the modes of terminals when it ends, and Node 20 aborts when it cannot.
 */
export function forgetLostTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  if (terminals.length === 0) return;
  process.once('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
