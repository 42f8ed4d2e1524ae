// A server whose next workers come up only when a test says so: for what happens while there is none.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT } from './paths.ts';
import { startTestServer } from './server.ts';
import type { TestServer } from './server.ts';

export interface Gated {
  readonly server: TestServer;
  /** Lets them come up from now on. */
  readonly open: () => void;
}

/** It has one worker, which is ready. */
export async function startGated(t: TestContext, flags: string[]): Promise<Gated> {
  const folder = mkdtempSync(join(tmpdir(), 'gated-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const gate = join(folder, 'gate');
  const open = (): void => writeFileSync(gate, '');
  open();
  const late = pathToFileURL(join(ROOT, 'test/fixtures/late-worker.mjs')).href;
  const server = await startTestServer(['--workers', '1', ...flags], {
    env: { NODE_OPTIONS: `--import ${late}`, GATE: gate },
  });
  t.after(() => server[Symbol.asyncDispose]());
  rmSync(gate);
  return { server, open };
}
