// The rules of the house that no compiler knows: which room may import which, and how long files and lines may be.
// `npm run check` runs this alone, after the type check.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../helpers/paths.ts';

const TOOLKIT = 'shared/multiprocessing';
/** From the ground up. A room is a folder, or a file that stands alone; it may import itself and what is below it. */
const ROOMS = [
  ...[
    'base', 'values', 'transport', 'process', 'manager', 'lock', 'synchronize', 'pipe', 'queue/owner', 'queue/client',
    'queue', 'kinds', 'pool', 'child', 'index',
  ].map((room) => `${TOOLKIT}/${room}`),
  'shared', 'shared/flags', 'shared/terminal', 'shared/log', 'shared/status',
  ...['uppercase', 'signals', 'worker', 'totals', 'connections', 'workers', 'admin'].map((room) => `server/${room}`),
  'server', 'server/embed',
  ...['echo-client', 'output', 'endpoint', 'interactive'].map((room) => `client/${room}`),
  'client', 'client/load', 'client/admin',
  'demos/stage', 'demos',
  'server/echopool',
];
/** What each part of the project may import besides itself. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  [TOOLKIT]: [], shared: [TOOLKIT], server: ['shared', TOOLKIT], client: ['shared', TOOLKIT],
  demos: ['client', 'shared', TOOLKIT],
  // The one command stands above all programs.
  'server/echopool': ['server', 'client', 'demos', 'shared'],
};
const IMPORT = /^(?:import|export)\b[^'"`;]*? from '([^']+)';|^import '([^']+)';|\bimport\('([^']+)'\)/gm;
const MOST_LINES = 300;
const LONGEST_LINE = Number(/max_line_length = (\d+)/.exec(readFileSync(join(ROOT, '.editorconfig'), 'utf8'))?.[1]);

/** The longest of these names that the path begins with: the room, or the part, that a file is in. */
function placeOf(path: string, places: readonly string[]): string {
  const around = places.filter((place) => path.startsWith(`${place}/`) || path === `${place}.ts`);
  return around.sort((a, b) => b.length - a.length)[0] ?? assert.fail(`${path} is in none of ${places.join(', ')}`);
}

function filesIn(...folders: string[]): string[] {
  return folders.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`));
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const sources = filesIn('server', 'client', 'shared', 'demos');

/** The rule that an import breaks, as a sentence; undefined when it breaks none. */
function brokenBy(path: string, imported: string): string | undefined {
  if (imported.startsWith('node:')) return undefined;
  if (!imported.startsWith('.')) return `${path} imports the package ${imported}`;
  const target = join(path, '..', imported);
  const [part, targetPart] = [path, target].map((file) => placeOf(file, Object.keys(PARTS))) as [string, string];
  if (part !== targetPart && !PARTS[part]!.includes(targetPart)) return `${path}: ${part} may not import ${target}`;
  const [room, targetRoom] = [path, target].map((file) => placeOf(file, ROOMS)) as [string, string];
  if (ROOMS.indexOf(targetRoom) > ROOMS.indexOf(room)) return `${path} imports upward: ${target} is above ${room}`;
  return undefined;
}

test('imports point one way: no room imports one that is above it, and nothing but node: from outside', () => {
  assert.match(brokenBy(`${TOOLKIT}/base/fifo.ts`, '../queue/queue.ts') ?? '', /imports upward/);
  assert.match(brokenBy(`${TOOLKIT}/base/fifo.ts`, '../../errors.ts') ?? '', /may not import shared\/errors\.ts/);
  assert.match(brokenBy('server/main.ts', 'left-pad') ?? '', /imports the package left-pad/);
  const imports = sources.flatMap((path) => [...read(path).matchAll(IMPORT)]
    .map(([, imported, alone, later]) => [path, (imported ?? alone ?? later)!] as const));
  assert.ok(imports.length > 3 * sources.length / 2, `only ${imports.length} imports found`);
  assert.deepEqual(imports.flatMap(([path, imported]) => brokenBy(path, imported) ?? []), []);
});

test('a file of sources is short enough to be read at once', () => {
  const long = sources.map((path) => [path, read(path).trimEnd().split('\n').length] as const);
  assert.deepEqual(long.filter(([, lines]) => lines > MOST_LINES), []);
});

test('lines are as long as .editorconfig allows, and none is left to do', () => {
  assert.ok(LONGEST_LINE > 0);
  const bad = [...sources, ...filesIn('test')].flatMap((path) => read(path).split('\n').flatMap((line, index) =>
    line.length > LONGEST_LINE || /\bTO[D]O\b/.test(line) ? [`${path}:${index + 1}`] : []));
  assert.deepEqual(bad, []);
});

test('a test has a minute or more: a limit is for what hangs, and does not say how fast the machine is', () => {
  const short = filesIn('test').flatMap((path) => [...read(path).matchAll(/\{[^}]*\btimeout: ([\d_]+)/g)]
    .filter(([, limit = '']) => Number(limit.replaceAll('_', '')) < 60_000).map(([found]) => `${path}: ${found}`));
  assert.deepEqual(short, []);
});
