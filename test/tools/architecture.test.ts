// What the pages for those who work on echopool say of its files: that these are there, that each has what is to be
// found in it, and that no folder is left out. And that comments name only files that there are.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../helpers/paths.ts';

const TOOLKIT = 'shared/multiprocessing/';
const PAGES = [
  'ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', 'docs/design.md', 'docs/faults.md', 'docs/lessons.md',
];
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const architecture = read('ARCHITECTURE.md');

/** These folders and all below them, from the folder of package.json; a folder ends with a slash. */
function below(...folders: string[]): string[] {
  const paths = folders.flatMap((folder) => [
    folder, ...readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  ]);
  return paths.map((path) => (statSync(join(ROOT, path)).isDirectory() ? `${path}/` : path));
}

const sources = below('server', 'client', 'shared', 'demos');
const tests = below('test');

/** A path in a page is one from the root, from the toolkit, or from the folder that its paragraph begins with. */
function whereIs(path: string, paragraph = ''): string | undefined {
  const [, folder = ''] = /`([\w/-]+\/)`/.exec(paragraph) ?? [];
  const bases = ['', TOOLKIT, folder, `${TOOLKIT}${folder}`];
  return bases.map((base) => `${base}${path}`).find((full) => existsSync(join(ROOT, full)));
}

/** What the page has in backquotes that is a path, and what begins with a folder of ours; NAME stands for any. */
function* pathsIn(page: string): Generator<[path: string, paragraph: string]> {
  for (const paragraph of read(page).split(/\n\n|\n(?=- )/)) {
    const quoted = [...paragraph.matchAll(/`((?:[\w.-]+\/)+[\w.-]*|[\w.-]+\.(?:ts|md|json))`/g)];
    const ours = paragraph.matchAll(/(?<![\w./-])((?:server|client|shared|demos|test|docs)\/[\w./-]*\w\/?)/g);
    for (const [, path] of [...quoted, ...ours]) if (!path!.includes('NAME')) yield [path!, paragraph];
  }
}

/** The files with a function, a class … that ARCHITECTURE.md says is in them, line by line. */
function pairsIn(line: string): [path: string, name: string][] {
  return [...line.matchAll(/`([\w./-]+\.ts)`(?: \|)? `(#?\w+)`/g)].map(([, path, name]) => [path!, name!]);
}

function declares(source: string, name: string): boolean {
  const modifiers = '(?:(?:export|static|async|readonly|get|abstract) )*';
  return new RegExp(`^(?:${modifiers}(?:function\\*?|class|const|let|interface|type) ${name}\\b`
    + `| {2,4}${modifiers}\\*?${name}(?:<.*>)?(?:\\(|: | = ))`, 'm').test(source);
}

for (const page of PAGES) {
  test(`${page} names only files and folders that there are`, () => {
    const named = [...pathsIn(page)];
    assert.ok(named.length > 5, `${named.length} paths found`);
    const missing = named.filter(([path, paragraph]) => whereIs(path, paragraph) === undefined);
    assert.deepEqual(missing.map(([path]) => path), []);
  });
}

test('each file of which ARCHITECTURE.md says so declares that function or class', () => {
  const lock = read(`${TOOLKIT}lock/lock.ts`);
  assert.ok(declares(lock, 'acquire') && !declares(lock, 'acquires'));
  const pairs = pairsIn(architecture);
  assert.ok(pairs.length > 50, `${pairs.length} found`);
  const isThere = (path: string | undefined, name: string): boolean => path !== undefined && declares(read(path), name);
  assert.deepEqual(pairs.filter(([path, name]) => !isThere(whereIs(path), name)), []);
});

test('ARCHITECTURE.md says where to look for twenty behaviours and more, each in a file and a name', () => {
  const [, table = ''] = /## Where to look when…\n+((?:\|.*\n)+)/.exec(architecture) ?? [];
  const rows = table.trim().split('\n').slice(2);
  assert.ok(rows.length >= 20, `${rows.length} rows`);
  assert.deepEqual(rows.filter((row) => pairsIn(row).length !== 1), []);
});

test('ARCHITECTURE.md tells three ways, and names a file and a function of each hop', () => {
  const ways = [...architecture.matchAll(/## The way of .*\n([^]*?)(?=\n## |$)/g)].map(([, way]) => way!);
  assert.equal(ways.length, 3);
  for (const way of ways) {
    const hops = way.split(/\n(?=\d+\. |\n)/).filter((line) => /^\d+\. /.test(line));
    assert.ok(hops.length > 5, way);
    assert.deepEqual(hops.filter((hop) => pairsIn(hop).length === 0), []);
  }
});

test('ARCHITECTURE.md says of each folder of sources and of tests what it is for', () => {
  const isRoom = (path: string): boolean => path.endsWith('/') && !/^test\/(?:$|\w+\/\w)/.test(path);
  const folders = [...sources, ...tests].filter(isRoom);
  const quoted = new Set([...architecture.matchAll(/`([\w/-]+\/)`/g)].map(([, path]) => whereIs(path!)));
  assert.deepEqual(folders.filter((folder) => !quoted.has(folder)), []);
});

test('ARCHITECTURE.md can be read at once: two pages', () => {
  assert.ok(architecture.split('\n').length <= 140);
});

test('comments name only files that there are', () => {
  const files = [...sources, ...tests].filter((path) => !path.endsWith('/'));
  const wrong = files.filter((path) => path.endsWith('.ts')).flatMap((path) => {
    const comments = read(path).match(/(?<=^|\s)\/\/ .*|^ *\/?\*.*/gm) ?? [];
    const named = comments.join('\n').match(/(?<![\w./-])(?:[\w-]+\/)*[\w-][\w.-]*\.(?:ts|mjs|py)\b/g) ?? [];
    const missing = named.filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`)));
    return missing.map((name) => `${path}: ${name}`);
  });
  assert.deepEqual(wrong, []);
});
