// A folder for a demo's files that is gone when the demo is, also after Ctrl-C (main.ts ends by process.exit then).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

process.once('exit', () => {
  for (const folder of folders) remove(folder);
});

/** Makes a folder, runs `work` with its path and removes it with all that is in it. @returns What `work` returns. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'echopool-demo-'));
  folders.add(folder);
  try {
    return await work(folder);
  } finally {
    remove(folder);
  }
}

function remove(folder: string): void {
  // A process that is just being ended may still put a file in: then the folder is not empty, and it is tried again.
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  folders.delete(folder);
}
