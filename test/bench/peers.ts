// The servers that are compared: ours, and what people would use instead. Each listens on a free port of the loopback.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { run } from './children.ts';

/** How a server is started, or why it cannot be. */
export type Start = { readonly command: readonly string[] } | { readonly absent: string };

const NODE = process.execPath;
const BUILD_LIMIT_MS = 120_000;
const TRY_LIMIT_MS = 10_000;

const PEERS: Readonly<Record<string, (workers: number, folder: string) => Promise<Start>>> = {
  'ours': async (workers) => ours(workers, 'none'),
  'ours-logging': async (workers) => ours(workers, 'messages'),
  'cluster': async (workers) => ({ command: [NODE, here('cluster.mjs'), String(workers)] }),
  'hand-off': async (workers) => ({ command: [NODE, here('hand-off.mjs'), String(workers)] }),
  'python': async () => await tool('python3', ['--version'], [here('process-per-connection.py')]),
  'go': startGo,
  'bun': async () => await tool('bun', ['--version'], [here('bun.mjs')]),
};

/** All that can be compared. The first one is what the others are compared with. */
export const PEER_NAMES: readonly string[] = Object.keys(PEERS);

/** The one whose lines in a file are counted. */
export const LOGGING_PEER = 'ours-logging';

/** @param folder Where a program may be built. */
export function howToStart(name: string, workers: number, folder: string): Promise<Start> {
  return PEERS[name]!(workers, folder);
}

function ours(workers: number, log: string): Start {
  const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));
  return { command: [NODE, '--import', 'tsx', main, '--port', '0', '--workers', String(workers), '--log', log] };
}

async function tool(program: string, attempt: readonly string[], args: readonly string[]): Promise<Start> {
  const { code } = await run([program, ...attempt], TRY_LIMIT_MS);
  return code === 0 ? { command: [program, ...args] } : { absent: `${program} is not installed` };
}

async function startGo(_workers: number, folder: string): Promise<Start> {
  const found = await tool('go', ['version'], []);
  if ('absent' in found) return found;
  const program = join(folder, 'go-echo');
  // GOTOOLCHAIN: what is installed will do; nothing is fetched.
  const build = ['env', 'GOTOOLCHAIN=local', 'go', 'build', '-o', program, here('echo.go')];
  const { code, stderr } = await run(build, BUILD_LIMIT_MS);
  return code === 0 ? { command: [program] } : { absent: `go could not build it: ${stderr.trim().split('\n').at(-1)}` };
}

function here(file: string): string {
  return fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
}
