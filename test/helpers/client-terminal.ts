// The client on a real terminal, with a history of its own. Used by test/client-terminal*.test.ts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CLIENT_ENV } from './client-env.ts';
import { nodeArgs } from './paths.ts';
import { startOnPty, type Pty } from './pty.ts';

/** What node needs to run the client. */
export const CLIENT = nodeArgs('client/main.ts');

/** A folder for the state of one test's clients, where nothing has been remembered yet. */
export function newState(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'client-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Starts the client on a terminal, and ends it with the test. */
export function openClient(t: TestContext, port: number, state = newState(t), ...flags: string[]): Pty {
  return openCommand(t, [process.execPath, ...CLIENT, '--port', `${port}`, ...flags], state);
}

/** The same for whatever starts the client. */
export function openCommand(t: TestContext, command: readonly string[], state: string): Pty {
  const pty = startOnPty(command, { ...CLIENT_ENV, XDG_STATE_HOME: state });
  t.after(async () => {
    pty.hangUp();
    await pty.ended;
  });
  return pty;
}
