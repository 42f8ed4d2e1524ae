// A program on a real terminal, for tests of what a person sees. Used by test/client/client.test.ts. Needs python3.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from './paths.ts';

/** What was left when the program ended. A negative exit code is a signal's number. */
export interface PtyEnd {
  exitCode: number;
  /** Whether the terminal's settings were as before; null after a hang-up. */
  restored: boolean | null;
}

export interface Pty {
  /** All that the screen was sent so far. */
  screen(): string;
  /** Presses keys; `\x03` is Ctrl-C, `\x04` Ctrl-D, `\r` Enter, `\x1b[A` the up arrow. */
  type(keys: string): void;
  /** Resolves when `text` is on the screen behind all that was waited for before; rejects after a minute. */
  see(text: string): Promise<void>;
  /** Takes the terminal away, as closing its window does. */
  hangUp(): void;
  /** Settles when the program has ended. */
  readonly ended: Promise<PtyEnd>;
}

/** Asked once: a test file may ask for each of its tests. */
let missing: string | false | undefined;

/** Why no terminal can be had here, or false. Fits a test's `skip` option. */
export function ptyMissing(): string | false {
  const needed = 'import fcntl, os, termios; os.openpty()';
  return missing ??= spawnSync('python3', ['-c', needed]).status === 0
    ? false
    : 'needs python3, which is not there or has no pty';
}

/** Starts `command` on a terminal of 80 columns and 24 rows. */
export function startOnPty(command: readonly string[], env: NodeJS.ProcessEnv = process.env): Pty {
  const script = join(ROOT, 'test/helpers/pty.py');
  const helper = spawn('python3', [script, ...command], { env: { ...env, TERM: 'xterm' } });
  let screen = '';
  let seen = 0;
  let report = '';
  helper.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  helper.stderr.setEncoding('utf8').on('data', (text: string) => (report += text));
  helper.stdin.on('error', () => {}); // Keys pressed after the end.
  const ended = once(helper, 'close').then(() => {
    if (!report.startsWith('{')) throw new Error(`the terminal failed: ${report}`);
    return JSON.parse(report) as PtyEnd;
  });
  ended.catch(() => {}); // Reported to whoever awaits it.
  return {
    screen: () => screen,
    type: (keys) => void helper.stdin.write(keys),
    hangUp: () => void helper.stdin.end(),
    ended,
    async see(text) {
      const deadline = AbortSignal.timeout(60_000);
      for (let at = screen.indexOf(text, seen); ; at = screen.indexOf(text, seen)) {
        if (at !== -1) return void (seen = at + text.length);
        const complaint = `${JSON.stringify(text)} is not on the screen: ${JSON.stringify(screen.slice(seen))}`;
        const over = helper.stdout.readableEnded || deadline.aborted;
        if (over) throw new Error(complaint);
        await Promise.race([once(helper.stdout, 'data', { signal: deadline }), ended]).catch(() => {});
      }
    },
  };
}
