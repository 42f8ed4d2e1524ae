import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { helpText } from '../server/config.ts';

const root = new URL('..', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { scripts: Record<string, string> };

describe('the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'echopool-readme-'));
  after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');

  const examples = [...readme.matchAll(/```ts\n(.*?)\/\/ prints: (.*?)\n```/gs)];

  test('has an example of every primitive', () => {
    for (const name of ['Process', 'Lock', 'Queue', 'JoinableQueue', 'Pipe', 'Manager', 'Pool']) {
      assert.ok(examples.some(([, code]) => new RegExp(`\\b(new )?${name}\\b[<(]`).test(code!)), name);
    }
  });

  for (const [, code, expected] of examples) {
    const title = /export (?:async )?function (\w+)/.exec(code!)![1]!;
    test(`shows an example, ${title}, that prints what it says`, { timeout: 20_000 }, async () => {
      const file = join(folder, `${title}.ts`);
      writeFileSync(file, code!.replaceAll("'./shared/", `'${new URL('shared/', root).href}`));
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], { cwd: fileURLToPath(root) });
      assert.equal(stdout.trim(), expected);
    });
  }

  test('names every flag that the server has, and no other', () => {
    const inHelp = new Set([...helpText().matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag));
    const table = readme.slice(readme.indexOf('## Flags'), readme.indexOf('Signals to the master'));
    assert.deepEqual(new Set([...table.matchAll(/`(--[a-z-]+)[ `]/g)].map(([, flag]) => flag)), inHelp);
  });

  test('names only npm scripts that there are', () => {
    for (const [, script] of readme.matchAll(/npm run (?:--silent )?([a-z:]+)/g)) assert.ok(manifest.scripts[script!], script);
  });

  test('names only files that there are', () => {
    for (const [, path] of readme.matchAll(/\]\(([^)#]+)\)/g)) assert.doesNotThrow(() => readFileSync(new URL(path!, root)), path);
  });
});
