// The servers that are compared: ours, and what people would use instead. Each listens on a free port of the loopback.
// Ours runs as this program does: compiled, as in production.
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { modulePath, nodeArgs, ROOT } from '../helpers/paths.ts';
import { run } from './children.ts';
import { buildC } from './compiler.ts';

/** How a server is started, or why it cannot be. */
export type Start = { readonly command: readonly string[] } | { readonly absent: string };

const NODE = process.execPath;
const OURS = [NODE, ...nodeArgs('server/main.ts')];
const PEERS_FOLDER = 'test/bench/peers';
const BUILD_LIMIT_MS = 120_000;
const TRY_LIMIT_MS = 10_000;

/** In the folder of the servers' output. */
export const ADMIN_SOCKET = 'admin.sock';

const PEERS: Readonly<Record<string, (workers: number, folder: string) => Promise<Start>>> = {
  'ours': async (workers) => ({ command: [...OURS, ...flagsOfOurs(workers, 'none')] }),
  'ours-logging': async (workers) => ({ command: [...OURS, ...flagsOfOurs(workers, 'messages')] }),
  'ours-admin': async (workers, folder) => ({
    command: [...OURS, ...flagsOfOurs(workers, 'none'), '--admin', `unix:${join(folder, ADMIN_SOCKET)}`],
  }),
  'cluster': async (workers) => ({ command: [NODE, here('cluster.mjs'), String(workers)] }),
  'hand-off': async (workers) => ({ command: [NODE, here('hand-off.mjs'), String(workers)] }),
  'kept-copy': async (workers) => ({ command: [NODE, here('kept-copy.mjs'), String(workers)] }),
  'kept-copy-logging': async (workers) => ({ command: [NODE, here('kept-copy.mjs'), String(workers), 'log'] }),
  'kept-copy-modules': async (workers) => ({
    command: [NODE, here('kept-copy.mjs'), String(workers), 'none', '0', ...modulesOfOurs(modulePath)],
  }),
  'python': async () => await tool('python3', ['--version'], [here('process-per-connection.py')]),
  'go': startGo,
  'c': startC,
  'bun': async () => await tool('bun', ['--version'], [here('bun.mjs')]),
};

/** All that can be compared. The first one is what the others are compared with. */
export const PEER_NAMES: readonly string[] = Object.keys(PEERS);

/** What a process of ours loads: nearly all of the master's modules, and of a worker's. */
const MODULES = [
  ['server/config.ts', 'server/server.ts', 'server/signals/signals.ts', 'shared/terminal/terminal.ts'],
  ['server/worker/worker.ts'],
];

function modulesOfOurs(fileOf: (path: string) => string): readonly string[] {
  return MODULES.map((paths) => paths.map((path) => pathToFileURL(fileOf(path)).href).join(','));
}

/** The one whose lines in a file are counted. */
export const LOGGING_PEER = 'ours-logging';

/** The one that can be watched. */
export const WATCHED_PEER = 'ours-admin';

/** @param folder Where a program may be built. */
export function howToStart(name: string, workers: number, folder: string): Promise<Start> {
  return PEERS[name]!(workers, folder);
}

/** What `npm start` runs, and the module in it. */
const { scripts: { start: START } } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: { readonly start: string };
};
const STARTED = 'server/main.ts';

/**
 * As `npm start` starts ours, with the same loader: ours, node:cluster or kept-copy, also with our modules. Each
 * replaces its workers at SIGHUP.
 */
export function commandAsStarted(name: string, workers: number, port: number): readonly string[] {
  const [module, ...args] = {
    'ours': [STARTED, ...flagsOfOurs(workers, 'none', port)],
    'cluster': [`${PEERS_FOLDER}/cluster.mjs`, `${workers}`, `${port}`],
    'kept-copy': [`${PEERS_FOLDER}/kept-copy.mjs`, `${workers}`, 'none', `${port}`],
    'kept-copy-modules': [
      `${PEERS_FOLDER}/kept-copy.mjs`, `${workers}`, 'none', `${port}`, ...modulesOfOurs((path) => join(ROOT, path)),
    ],
  }[name]!;
  if (!START.includes(STARTED)) throw new Error(`npm start does not run ${STARTED}, but ${JSON.stringify(START)}`);
  // With this Node, and no other.
  const path = `${dirname(NODE)}${delimiter}${process.env['PATH']}`;
  const script = `cd ${quoted(ROOT)} && ${START.replace(STARTED, module!)} "$@"`;
  return ['env', `PATH=${path}`, 'sh', '-c', script, 'sh', ...args];
}

function quoted(path: string): string {
  return `'${path.replaceAll('\'', '\'\\\'\'')}'`;
}

function flagsOfOurs(workers: number, log: string, port = 0): readonly string[] {
  return ['--port', String(port), '--workers', String(workers), '--log', log];
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

async function startC(workers: number, folder: string): Promise<Start> {
  const program = join(folder, 'c-echo');
  const absent = await buildC(join(PEERS_FOLDER, 'hand-off.c'), program);
  return absent === undefined ? { command: [program, String(workers)] } : { absent };
}

function here(file: string): string {
  return join(ROOT, PEERS_FOLDER, file);
}
