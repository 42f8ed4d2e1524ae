// Where targets are found, what a program without a guard is told, and what a child is started with.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { JoinableQueue, Lock, Manager, Pipe, Pool, Process, Queue } from '../../shared/multiprocessing/index.ts';
import { flagsForChildren } from '../../shared/multiprocessing/process/fork.ts';
import { surroundings } from '../fixtures/pool-work.ts';
import * as work from '../fixtures/process-work.ts';
import { moduleUrl, nodeArgs, ROOT } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'modules-')));
after(() => rmSync(folder, { recursive: true }));
const module = moduleUrl('test/fixtures/process-work.ts');
const TOOLKIT = moduleUrl('shared/multiprocessing/index.ts').href;
/** Whatever node needs to run a module of ours, without the module. */
const FLAGS = nodeArgs('').slice(0, -1);
const wrong = { name: 'WrongUse', code: 'ERR_WRONG_USE' };

/** Saves a program, which may use the toolkit; returns its path. */
function save(path: string, source: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `import { activeChildren, isMain, Pool, Process } from '${TOOLKIT}';\n${source}`);
  return file;
}

/** Writes the package.json beside a file. */
function manifest(file: string, content: object): void {
  writeFileSync(join(dirname(file), 'package.json'), JSON.stringify(content));
}

/** Runs node, and returns what it printed. `input` is given to it on standard input. */
async function node(
  args: string[], input = '', env: NodeJS.ProcessEnv = process.env,
): Promise<{ out: string; errors: string; code: number }> {
  const child = spawn(process.execPath, [...FLAGS, ...args], { cwd: ROOT, env });
  // EPIPE: it ended without reading its input.
  child.stdin.on('error', () => {}).end(input);
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  const [out, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { out, errors, code };
}

describe('a program without a guard', { concurrency: 2 }, () => {
  const guard = /cannot be started while .* imports file:.*noguard.*`if \(isMain\(import\.meta\)\) \{ … \}`/;

  test('that starts a process is told so by its children, which start no more', DEADLINE, async () => {
    const program = save('noguard-process.mjs', `
      export function work() {}
      const child = new Process({ module: import.meta.url, target: work });
      child.start();
      await child.join();
      console.log(child.error.message, child.error.cause.name);`);
    const { out, code } = await node([program]);
    assert.match(out, guard);
    assert.match(out, / WrongUse\n$/);
    assert.equal(code, 0);
  });

  test('that makes a pool is told so by its workers', DEADLINE, async () => {
    const program = save('noguard-pool.mjs', `
      export function work() {}
      const pool = new Pool(1);
      const error = await pool.apply({ module: import.meta.url, target: work }).catch((error) => error);
      pool.terminate();
      console.log(error.message);`);
    assert.match((await node([program])).out, guard);
  });
});

test('a program without a guard that starts a process once imported makes a short line of them', DEADLINE, async () => {
  const program = save('noguard-later.mjs', `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { writeSync } from 'node:fs';
    export function work() {}
    async function main() {
      await sleep(1);
      writeSync(1, 'started ');
      const child = new Process({ module: import.meta.url, target: work });
      child.start();
      await child.join();
    }
    main().catch((error) => writeSync(1, error.message));`);
  const { out } = await node([program]);
  assert.match(out, new RegExp(
    '^(started ){5}Process-\\S+ cannot be started: '
    + '4 processes that were started for work of file:.* descend from one another already',
  ));
  assert.match(out, /behind `if \(isMain\(import\.meta\)\) \{ … \}`$/);
});

test('a program without a guard that makes a pool once it was imported makes few of them', DEADLINE, async () => {
  const program = save('noguard-later-pool.mjs', `
    import { setTimeout as sleep } from 'node:timers/promises';
    import { writeSync } from 'node:fs';
    export async function work() { await sleep(50); }
    async function main() {
      await sleep(1);
      const pool = new Pool(1);
      writeSync(1, 'made ');
      await pool.apply({ module: import.meta.url, target: work });
      pool.close();
      await pool.join();
    }
    main().catch((error) => writeSync(1, error.message));`);
  const { out } = await node([program]);
  assert.match(
    out,
    /^(made ){2}Pool-1 cannot be started: 2 processes that were started for serveTasks of .* descend from one another/,
  );
});

describe('isMain', { concurrency: 2 }, () => {
  const source = 'console.log(isMain(import.meta), activeChildren().length);';
  const started: Record<string, () => string[]> = {
    'a file': () => [save('file.mjs', source)],
    'a folder with a package.json': () => {
      manifest(save('app/start.js', source), { type: 'module', main: 'start.js' });
      return [join(folder, 'app')];
    },
    'a folder with an index.js': () => {
      manifest(save('indexed/index.js', source), { type: 'module' });
      return [join(folder, 'indexed')];
    },
    'a file without its extension': () => {
      manifest(save('bare/run.js', source), { type: 'module' });
      return [join(folder, 'bare/run')];
    },
    'a symbolic link': () => {
      symlinkSync(save('linked.mjs', source), join(folder, 'link.mjs'));
      return [join(folder, 'link.mjs')];
    },
    'a file behind --import': () => ['--import', pathToFileURL(save('first.mjs', '')).href, save('behind.mjs', source)],
    'TypeScript by tsx': () => ['--import', 'tsx', save('typed.mts', `${source} const unused: number = 1;`)],
    'the command line': () => [
      '--input-type=module', '-e', `import { activeChildren, isMain } from '${TOOLKIT}'; ${source}`,
    ],
  };
  for (const [what, args] of Object.entries(started)) {
    test(`is true in a program that was started as ${what}`, DEADLINE, async () => {
      assert.deepEqual(await node(args()), { out: 'true 0\n', errors: '', code: 0 });
    });
  }

  test('is false in what the program imports, and in a child', DEADLINE, async () => {
    const module = pathToFileURL(save('child-is-main.mjs', `
      export const there = isMain(import.meta);
      export function tell() { return there; }`)).href;
    const program = save('asks-child.mjs', `
      import { tell, there } from '${module}';
      const pool = new Pool(1);
      console.log(there, await pool.apply({ module: '${module}', target: tell }));
      pool.terminate();`);
    assert.equal((await node([program])).out, 'false false\n');
  });
});

describe('a module', { concurrency: 4 }, () => {
  const answer = 'export function answer() { return 42; }';

  test('is the same file for a pool and for a process, whatever is in its path', DEADLINE, async (t) => {
    const pool = new Pool(1);
    t.after(() => pool.terminate());
    save('a b.mjs', 'export function answer() { return "the wrong one"; }');
    const { answer: target } = await import(pathToFileURL(save('plain.mjs', answer)).href) as { answer: () => number };
    for (const name of ['a%20b.mjs', 'a#b.mjs', 'a?b.mjs', "a'b ß.mjs"]) {
      const path = save(name, answer);
      assert.equal(await pool.apply({ module: path, target }), 42, name);
      assert.equal(await pool.apply({ module: pathToFileURL(path), target }), 42, name);
      const { process } = startProcess(t, { module: path, target });
      await process.join();
      assert.deepEqual([process.exitCode, process.error], [0, undefined], name);
    }
  });

  test('may be a package, which is found from the program wherever that was started', DEADLINE, async () => {
    const main = save('node_modules/both/index.cjs', '');
    writeFileSync(main, 'exports.where = function where() { return "of the program"; };');
    manifest(main, { name: 'both', main: 'index.cjs' });
    const program = save('package.mjs', `
      import { basename } from 'node:path';
      import { where } from 'both';
      if (isMain(import.meta)) {
        const pool = new Pool(1);
        console.log(await pool.apply({ module: 'both', target: where }));
        console.log(await pool.map({ module: 'node:path', target: basename }, ['/a/b']));
        const child = new Process({ module: 'both', target: where });
        child.start();
        await child.join();
        console.log(child.exitCode);
        pool.terminate();
      }`);
    assert.deepEqual(await node([program]), { out: "of the program\n[ 'b' ]\n0\n", errors: '', code: 0 });
  });

  test('is refused in a sentence when it cannot be the same one everywhere', DEADLINE, async (t) => {
    const pool = new Pool(1);
    t.after(() => pool.terminate());
    const target = work.nothing;
    const refused = new Map<unknown, RegExp>([
      ['./a.js', /'\.\/a\.js' is relative/], ['../a.js', /relative/], ['.', /relative/], ['..', /relative/],
      ['file:a.js', /relative/],
      ['', /''/], [undefined, /undefined is none/], [5, /5 is none/], [null, /null is none/], [{}, /\{\} is none/],
      ['no-such-package', /'no-such-package' is not found from/], ['[stdin]', /no file/],
      ['file:///x/[eval1]', /no file/],
    ]);
    for (const [module, message] of refused) {
      const given = { module: module as string, target };
      assert.throws(() => new Process(given), { ...wrong, message });
      await assert.rejects(pool.apply(given), { ...wrong, message });
    }
    for (const target of [undefined, 'name', (() => () => {})()]) {
      const given = { module: import.meta.url, target: target as () => void };
      assert.throws(() => new Process(given), { ...wrong, message: /exported function with a name/ });
      await assert.rejects(pool.apply(given), { ...wrong, message: /exported function with a name/ });
    }
  });

  test('that exports the target by another name is told of with what it exports', DEADLINE, async (t) => {
    const path = save('renamed.mjs', `
      function inner() {}
      export { inner as outer };
      export const two = 2;
      export default function byDefault() {}`);
    const pool = new Pool(1);
    t.after(() => pool.terminate());
    const exports = await import(pathToFileURL(path).href) as { outer: () => void; default: () => void };
    const { process } = startProcess(t, { module: path, target: exports.outer });
    await process.join();
    assert.match(process.error!.message, /does not export a function 'inner'; it exports it by the name 'outer'/);
    const byDefault = { message: /function 'byDefault'; it exports it by the name 'default'/ };
    await assert.rejects(pool.apply({ module: path, target: exports.default }), byDefault);
    const others = { message: /'nothing'; it exports default, outer, two\. Only an exported function can / };
    await assert.rejects(pool.apply({ module: path, target: work.nothing }), others);
  });
});

describe('a target that is written in place', { concurrency: 2 }, () => {
  test('is refused with what to do, even if the module has one of the name that JavaScript gives it', DEADLINE,
    async (t) => {
      const path = save('in-place.mjs', `
        export const target = (n) => n + 1;
        export const other = (n) => n;`);
      const { target } = await import(pathToFileURL(path).href) as { target: (n: number) => number };
      await using pool = new Pool(1);
      assert.equal(await pool.apply({ module: path, target }, [1]), 2);
      const k = 3;
      const message = / the function that was given in place as the target; it exports other, target\. Only /;
      await assert.rejects(pool.map({ module: path, target: (n: number) => n * k }, [1]), { message });
      const { process } = startProcess(t, { module: path, target: () => k });
      await process.join();
      assert.match(process.error!.message, message);
    });

  test('is found in a default export too, as of CommonJS whose names cannot be seen', DEADLINE, async () => {
    const path = join(folder, 'computed.cjs');
    writeFileSync(path, 'const make = () => ({ double(n) { return 2 * n; } }); module.exports = make();');
    const { default: exports } = await import(pathToFileURL(path).href) as {
      default: { double: (n: number) => number };
    };
    await using pool = new Pool(1);
    assert.equal(await pool.apply({ module: path, target: exports.double }, [4]), 8);
    const toString = { toString: (): string => '' }.toString;
    await assert.rejects(pool.apply({ module: path, target: toString }), /does not export a function 'toString'/);
  });
});

describe('a child', { concurrency: 4 }, () => {
  test('gets the flags of its parent that suit it', () => {
    const fit = (flags: string): string => flagsForChildren(flags.split(' ')).join(' ');
    assert.equal(fit('--import tsx --input-type module --eval code'), '--import tsx');
    assert.equal(fit('--input-type=module -e code --conditions x'), '--conditions x');
    assert.equal(fit('--inspect --inspect-brk=0 --inspect-port 7 --no-warnings'), '--no-warnings');
    assert.equal(fit('--watch --watch-path=x --test --test-reporter tap --cpu-prof'), '--cpu-prof');
    assert.equal(fit('-p a=b -i -c --print x'), '');
  });

  const simple = save('simple.mjs', "export function work() { console.log(process.execArgv.join(' ')); }");
  const child = pathToFileURL(simple).href;
  const program = `
    import { Process } from '${TOOLKIT}';
    import { work } from '${child}';
    const child = new Process({ module: '${child}', target: work });
    child.start();
    await child.join();
    console.log(child.exitCode, child.error);`;
  const printed = `${FLAGS.join(' ')}\n0 undefined\n`;

  test('can be started by a program from the command line', DEADLINE, async () => {
    assert.deepEqual(await node(['--input-type=module', '-e', program]), { out: printed, errors: '', code: 0 });
  });

  test('can be started by a program from standard input', DEADLINE, async () => {
    assert.deepEqual(await node(['--input-type=module', '-'], program), { out: printed, errors: '', code: 0 });
  });

  test('does not ask for the port of a debugger that its parent has', DEADLINE, async () => {
    const file = join(folder, 'debugged.mjs');
    writeFileSync(file, program);
    const debug = '--inspect=127.0.0.1:0';
    for (const [flags, NODE_OPTIONS] of [[[debug], ''], [[], debug]] as const) {
      const { out, errors } = await node([...flags, file], '', { ...process.env, NODE_OPTIONS });
      assert.equal(out, printed);
      assert.equal(errors.match(/Debugger listening/g)?.length, 1, errors);
    }
  });

  test('has the environment, folder, flags and streams that it is given', DEADLINE, async (t) => {
    const inside = { PATH: process.env['PATH'], ONLY: 'this' };
    const options = { env: inside, cwd: folder, execArgv: [...FLAGS, '--no-warnings'], stdio: 'pipe' } as const;
    const { process: first, mail } = startProcess(t, { module, target: work.tellsSurroundings, ...options });
    first.stdin!.end('said to it');
    assert.equal(await text(first.stdout!), 'heard: said to it');
    assert.deepEqual(await mail.next(), { env: 'this', home: undefined, cwd: folder, flags: options.execArgv });
    assert.equal(await first.join(), true);
    assert.equal(first.exitCode, 0);
    const pool = new Pool({ size: 1, env: inside, cwd: pathToFileURL(folder) });
    t.after(() => pool.terminate());
    const { env, cwd } = await pool.apply({ module: moduleUrl('test/fixtures/pool-work.ts'), target: surroundings });
    assert.deepEqual([env, cwd], ['this', folder]);
    const lost = startProcess(t, { module, target: work.nothing, cwd: join(folder, 'nowhere') }).process;
    await lost.join();
    assert.match(lost.error!.message, /ENOENT.*nowhere/);
  });
});

test('console.log of a primitive says which and how it is', async () => {
  const lock = new Lock();
  const [end, other] = Pipe();
  await lock.acquire();
  other.close();
  const manager = new Manager();
  const line = { breakLength: Infinity };
  assert.deepEqual([lock, new Queue(3), new JoinableQueue(), end, other, manager.dict(), manager.list(), manager]
    .map((primitive) => inspect(primitive, line)), [
    'Lock { isHeldHere: true, abandonedBy: undefined }', 'Queue { maxsize: 3 }', 'JoinableQueue { maxsize: 0 }',
    "Connection { state: 'here' }", "Connection { state: 'closed' }", 'DictProxy { isHere: true }',
    'ListProxy { isHere: true }', 'Manager { isShutDown: false }',
  ]);
});

test('console.log of a process and of a pool says which and how they are', DEADLINE, async () => {
  const process = new Process({ module: import.meta.url, target: work.nothing, name: 'Ada' });
  const line = { breakLength: Infinity };
  const shown = "Process { name: 'Ada', pid: undefined, daemon: false, isAlive: false, exitCode: null }";
  assert.equal(inspect(process, line), shown);
  const pool = new Pool(1);
  const figures = 'waiting: 0, running: 0, done: 0';
  assert.match(inspect(pool, line), new RegExp(`^Pool { name: 'Pool-\\d+', size: 1, state: 'open', ${figures} }$`));
  pool.terminate();
  await pool.join();
});
