// What `npm run build` makes and `npm pack` would publish: plain JavaScript that plain node runs, and nothing else.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ask, portOf } from '../helpers/admin.ts';
import { ROOT } from '../helpers/paths.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const run = promisify(execFile);
const { version, bin, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string; bin: Record<string, string>; scripts: Record<string, string>;
};

/** The package as it would be after `npm run build`, with something that does not belong into it. */
const folder = mkdtempSync(join(tmpdir(), 'package-'));
const mainOf = (command: string): string => join(folder, bin[command]!);
after(() => rmSync(folder, { recursive: true }));

before(async () => {
  assert.match(scripts['build']!, /^tsc -p tsconfig\.build\.json$/);
  const build = ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')];
  await run(join(ROOT, 'node_modules/.bin/tsc'), build, { cwd: ROOT });
  for (const file of ['package.json', 'README.md', 'LICENSE']) copyFileSync(join(ROOT, file), join(folder, file));
  cpSync(join(ROOT, 'server/admin/page'), join(folder, 'server/admin/page'), { recursive: true });
  for (const other of ['server', 'test', 'node_modules/tsx']) {
    mkdirSync(join(folder, other), { recursive: true });
    writeFileSync(join(folder, other, 'main.ts'), '');
  }
});

test('the built server and client run with plain node, and start by their names', async () => {
  for (const command of Object.keys(bin)) {
    // As npm installs them: executable, behind a symbolic link.
    chmodSync(mainOf(command), 0o755);
    symlinkSync(mainOf(command), join(folder, command));
  }
  // Not from the folder of the sources, where tsx could be found.
  const command = [join(folder, 'echopool-server')];
  await using server = await startTestServer(['--workers', '1', '--admin', '0'], { command, main: [] });
  await using client = await connectClient(server.port);
  assert.equal(await client.ask('straße'), 'STRASSE');
  const [, admin] = await server.printed(/admin on (\S+)/);
  const { status, body } = await ask(portOf(admin!), '/');
  assert.deepEqual([status, body], [200, readFileSync(join(ROOT, 'server/admin/page/index.html'), 'utf8')]);
  const talk = run(join(folder, 'echopool-client'), ['--port', `${server.port}`], { cwd: folder });
  talk.child.stdin!.end('hi\n');
  assert.deepEqual(await talk, { stdout: 'HI\n', stderr: '' });
  assert.equal(await server.stop(), 0);
  assert.equal(server.stderr, '');
});

test('each command finds its version', async () => {
  for (const command of Object.keys(bin)) {
    assert.equal((await run(join(folder, command), ['--version'], { cwd: tmpdir() })).stdout, `${version}\n`);
  }
});

test('the toolkit can be imported by the name of the package', async () => {
  const program = "import { Lock } from 'echopool'; await new Lock().withLock(() => console.log('locked'));";
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: folder });
  assert.equal(stdout, 'locked\n');
});

test('the package holds the built files and what npm always adds', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: folder });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  const page = readdirSync(join(ROOT, 'server/admin/page')).map((name) => `server/admin/page/${name}`);
  const others = ['LICENSE', 'README.md', 'package.json', ...page];
  assert.deepEqual(paths.filter((path) => !path.startsWith('dist/')).sort(), others.sort());
  for (const main of Object.values(bin)) assert.ok(paths.includes(main), `${main} is missing`);
  const built = paths.filter((path) => path.startsWith('dist/'));
  assert.deepEqual(built.filter((path) => !/\.(?:js|d\.ts)$/.test(path)), []);
  assert.ok(!paths.some((path) => path.startsWith('dist/test/')));
});
