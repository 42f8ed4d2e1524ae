// The examples of README.md and docs/toolkit.md: that they do what they say.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { MODULES, ROOT } from '../helpers/paths.ts';

const run = promisify(execFile);
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, string> };
const pages = ['README.md', 'docs/toolkit.md'].map((page) => readFileSync(join(ROOT, page), 'utf8'));

describe('the examples of the pages', () => {
  const blocks = new Set(pages.flatMap((page) => [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, block]) => block!)));
  const examples = [...blocks].flatMap((block) => {
    const [, code, printed] = /^(.*)\/\/ prints: (.*?)\n$/s.exec(block) ?? [];
    if (code === undefined) return [];
    return [{ name: /export (?:async )?function (\w+)/.exec(code)![1]!, code, printed: printed! }];
  });
  const canBeInstalled = exports['./server'] !== undefined && exports['./client'] !== undefined;
  const inTests = canBeInstalled ? [...blocks].find((block) => block.includes("from 'echopool/server'")) : undefined;

  /** A clone, as far as they need it, with each example saved in it. */
  const clone = mkdtempSync(join(tmpdir(), 'echopool-readme-'));
  after(() => rmSync(clone, { recursive: true }));
  before(async () => {
    for (const part of ['package.json', 'tsconfig.json', 'shared', 'server', 'client', 'demos']) {
      cpSync(join(ROOT, part), join(clone, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
    for (const { name, code } of examples) writeFileSync(join(clone, `${name}.ts`), code);
    if (inTests !== undefined) writeFileSync(join(clone, 'own.test.ts'), inTests);
    // Where the package has its modules, so that an example finds them by the package's name. Those that are compiled
    // for the tests are taken as they are; the compiler then has the examples alone, and what they import.
    const compilerOptions = { noEmit: false, rootDir: '.', outDir: 'dist' };
    const parts = ['shared', 'server', 'client', 'demos'];
    const isCompiled = MODULES !== '';
    for (const part of isCompiled ? parts : []) {
      cpSync(join(ROOT, MODULES, part), join(clone, 'dist', part), { recursive: true });
    }
    const include = isCompiled ? ['*.ts'] : ['*.ts', ...parts];
    const config = { extends: './tsconfig.json', compilerOptions, include };
    writeFileSync(join(clone, 'tsconfig.examples.json'), JSON.stringify(config));
    // Once for all: through tsx each of their processes would be compiled by itself, which takes longer than all the
    // rest.
    await run('node_modules/.bin/tsc', ['-p', 'tsconfig.examples.json'], { cwd: clone });
  });

  test('have one of every primitive', () => {
    const names = [
      'Process', 'Lock', 'Event', 'Semaphore', 'Barrier', 'Queue', 'JoinableQueue', 'Pipe', 'wait', 'Manager', 'Pool',
    ];
    for (const name of names) {
      assert.ok(examples.some(({ code }) => new RegExp(`\\b(new )?${name}\\b[<(]`).test(code)), name);
    }
    assert.equal(new Set(examples.map(({ name }) => name)).size, examples.length, 'each has a name of its own');
  });

  for (const { name, printed } of examples) {
    test(`print what they say: ${name}`, { timeout: 120_000 }, async () => {
      const { stdout } = await run(process.execPath, [`dist/${name}.js`], { cwd: clone });
      assert.equal(stdout.trim(), printed);
    });
  }

  test('start a server of their own in a test, as README.md does', {
    timeout: 60_000, skip: canBeInstalled ? false : 'the package has no echopool/server',
  }, async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ['--test', '--test-reporter=tap', 'dist/own.test.js'];
    assert.match((await run(process.execPath, args, { cwd: clone, env })).stdout, /^# pass 1$/m);
  });

  test('run through tsx, as both pages say', { timeout: 120_000 }, async () => {
    // With one process of its own, which is compiled anew as each is.
    const { name, printed } = examples.find(({ code }) => code.split('new Process(').length === 2)!;
    for (const page of pages) assert.match(page, /`node --import tsx FILE\.ts`/);
    const { stdout } = await run(process.execPath, ['--import', 'tsx', `${name}.ts`], {
      cwd: clone, env: { ...process.env, TMPDIR: clone },
    });
    assert.equal(stdout.trim(), printed);
  });
});
