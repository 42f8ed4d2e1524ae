// Builds the programs in C that the benchmark uses. Called by peers.ts and load.ts.
import { join } from 'node:path';
import { ROOT } from '../helpers/paths.ts';
import { run } from './children.ts';

const BUILD_LIMIT_MS = 120_000;

/** @param source From the folder of package.json. @returns Why it cannot be built; undefined: it was. */
export async function buildC(source: string, program: string): Promise<string | undefined> {
  const { code, stderr } = await run(['cc', '-O3', '-o', program, join(ROOT, source)], BUILD_LIMIT_MS);
  if (code === 0) return undefined;
  return code !== null && code < 0 ? 'cc is not installed' : `cc could not build it: ${stderr.trim().split('\n')[0]}`;
}
