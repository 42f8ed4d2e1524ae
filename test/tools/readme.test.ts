// The README: that its examples do what they say, and that what it names is there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { helpText } from '../../server/help.ts';
import { ROOT } from '../helpers/paths.ts';

const run = promisify(execFile);
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

describe('the examples of the README', () => {
  const examples = [...readme.matchAll(/```ts\n(.*?)\/\/ prints: (.*?)\n```/gs)].map(([, code, printed]) => (
    { name: /export (?:async )?function (\w+)/.exec(code!)![1]!, code: code!, printed: printed! }));

  /** A clone, as far as they need it, with each example saved in it. */
  const clone = mkdtempSync(join(tmpdir(), 'echopool-readme-'));
  after(() => rmSync(clone, { recursive: true }));
  before(async () => {
    for (const part of ['package.json', 'tsconfig.json', 'shared']) {
      cpSync(join(ROOT, part), join(clone, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
    for (const { name, code } of examples) writeFileSync(join(clone, `${name}.ts`), code);
    const compilerOptions = { noEmit: false, rootDir: '.', outDir: 'build' };
    const config = { extends: './tsconfig.json', compilerOptions, include: ['*.ts', 'shared'] };
    writeFileSync(join(clone, 'tsconfig.examples.json'), JSON.stringify(config));
    // Once for all: through tsx each of their processes would be compiled by itself, which takes longer than all the
    // rest.
    await run('node_modules/.bin/tsc', ['-p', 'tsconfig.examples.json'], { cwd: clone });
  });

  test('have one of every primitive', () => {
    for (const name of ['Process', 'Lock', 'Queue', 'JoinableQueue', 'Pipe', 'Manager', 'Pool']) {
      assert.ok(examples.some(({ code }) => new RegExp(`\\b(new )?${name}\\b[<(]`).test(code)), name);
    }
  });

  for (const { name, printed } of examples) {
    test(`print what they say: ${name}`, { timeout: 20_000 }, async () => {
      const { stdout } = await run(process.execPath, [`build/${name}.js`], { cwd: clone });
      assert.equal(stdout.trim(), printed);
    });
  }

  test('run through tsx, as the README says', { timeout: 20_000 }, async () => {
    // With one process of its own, which is compiled anew as each is.
    const { name, printed } = examples.find(({ code }) => code.split('new Process(').length === 2)!;
    assert.match(readme, /`node --import tsx FILE\.ts`/);
    const { stdout } = await run(process.execPath, ['--import', 'tsx', `${name}.ts`], {
      cwd: clone, env: { ...process.env, TMPDIR: clone },
    });
    assert.equal(stdout.trim(), printed);
  });
});

describe('the README', () => {
  test('names every flag that the server has, and no other', () => {
    const inHelp = new Set([...helpText().matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag));
    const table = readme.slice(readme.indexOf('## Flags'), readme.indexOf('Signals to the master'));
    assert.deepEqual(new Set([...table.matchAll(/`(--[a-z-]+)[ `]/g)].map(([, flag]) => flag)), inHelp);
  });

  test('names only npm scripts that there are', () => {
    for (const [, script] of readme.matchAll(/npm run (?:--silent )?([a-z:]+)/g)) {
      assert.ok(manifest.scripts[script!], script);
    }
  });

  test('names only files that there are', () => {
    for (const [, path] of readme.matchAll(/\]\(([^)#]+)\)/g)) assert.ok(existsSync(join(ROOT, path!)), path);
  });
});
