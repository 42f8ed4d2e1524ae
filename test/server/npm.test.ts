// The server under npm, as most people start it, and as the first process of a container.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { ROOT } from '../helpers/paths.ts';
import { until, untilGone } from '../helpers/processes.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';
import { portIn, signalIfAlive, TestServer } from '../helpers/server.ts';
import { connectClient, fillUp } from '../helpers/test-client.ts';

const TIMEOUT = { timeout: 120_000 };
const START = ['start', '--', '--port', '0', '--workers', '1'];

interface Npm {
  readonly process: ChildProcess;
  output(): string;
  /** The ids of all processes of the server that it has told of. */
  pids(): number[];
  /** Settles when npm has ended, and nobody is left that could print: `output` is whole. */
  readonly closed: Promise<unknown>;
  /** Settles with the ids of the master and of its workers, when the server listens. */
  listening(): Promise<{ master: number; all: number[]; port: number }>;
}

function startNpm(t: TestContext, args: string[]): Npm {
  const npm = spawn('npm', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(npm, 'close');
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => { output += text; });
  }
  t.after(() => {
    npm.kill('SIGKILL');
    for (const pid of pids()) signalIfAlive(pid, 'SIGKILL');
  });
  const pids = (): number[] => [...output.matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
  return {
    process: npm,
    closed,
    output: () => output,
    pids,
    async listening() {
      await until(() => output.includes('listening on'), 'the server listens');
      const all = pids();
      return { master: all.at(-1)!, all, port: portIn(output) };
    },
  };
}

describe('under npm start', { concurrency: 2 }, () => {
  test('it reloads, tells of flags that npm kept for itself, and ending npm stops it in order', TIMEOUT, async (t) => {
    const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8');
    const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> };
    assert.equal(scripts['start'], 'exec node --import ./shared/loader.mjs server/main.ts');
    const npm = startNpm(t, ['start', '--grace=3', '--', '--port', '0', '--workers', '1']);
    const { master, port } = await npm.listening();
    assert.match(npm.output(), /npm has kept "--grace=3" for itself: .* npm start -- --grace /);
    const client = await connectClient(port);
    assert.equal(await client.ask('straße'), 'STRASSE');
    process.kill(master, 'SIGHUP');
    await until(() => npm.output().includes('the reload is done'), 'the reload is done');
    assert.equal(await client.ask('again'), 'AGAIN');
    npm.process.kill('SIGTERM');
    assert.equal(await client.fate, 'FIN');
    await untilGone(...npm.pids());
    await npm.closed;
    assert.match(npm.output(), /5000 ms at most/);
    assert.match(npm.output(), /served 1 connection, 2 messages, 12 bytes in, 12 bytes out; 0 refused, 0 cut off/);
  });

  test('even when npm can pass nothing on any more', TIMEOUT, async (t) => {
    const npm = startNpm(t, START);
    const { all, port } = await npm.listening();
    const client = await connectClient(port);
    assert.equal(await client.ask('hi'), 'HI');
    npm.process.kill('SIGKILL');
    assert.equal(await client.fate, 'FIN');
    await untilGone(...all);
    await npm.closed;
    assert.match(npm.output(), /the npm that started it is gone/);
    assert.match(npm.output(), /served 1 connection, /);
  });

  test('one Ctrl-C, which comes from the terminal and from npm, is one wish: clients may finish', {
    ...TIMEOUT, skip: ptyMissing(),
  }, async (t) => {
    const pty = startOnPty(['npm', ...START, '--grace', '1000']);
    t.after(() => pty.hangUp());
    const shows = (text: string): Promise<void> => (
      until(() => pty.screen().includes(text), `it shows ${text}`)
    );
    await shows('listening on');
    const port = portIn(pty.screen());
    const other = await connectClient(port);
    const stuck = await connectClient(port, { paused: true });
    await fillUp(stuck, other);
    await other[Symbol.asyncDispose]();
    pty.type('\x03');
    await shows('stopping: ');
    stuck.socket.resume();
    assert.ok((await stuck.readToEnd()).length > 0);
    assert.equal(await stuck.fate, 'FIN');
    await shows('0 refused, 0 cut off');
    await untilGone(...[...pty.screen().matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid)));
    await pty.ended;
  });
});

/** Why no process can be the first of a namespace of its own here, or false. */
function noNamespace(): string | false {
  const made = spawnSync('unshare', ['-pf', '--mount-proc', 'true']);
  return made.status === 0 ? false : 'unshare(1) is not there, or not allowed';
}

test('Node itself reads the sources where it can keep what it makes of them, and else tsx does', TIMEOUT, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'loader-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // With more than types, which tsx understands and Node refuses.
  writeFileSync(join(folder, 'more.ts'), 'enum Reader { tsx }\nconsole.log(Reader[0], import.meta.url);\n');
  const { NODE_OPTIONS: _flags, NODE_DISABLE_COMPILE_CACHE: _off, ...rest } = process.env;
  const read = (env: NodeJS.ProcessEnv): string => {
    const args = ['--import', './shared/loader.mjs', join(folder, 'more.ts')];
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: ROOT, env: { ...rest, TMPDIR: folder, ...env }, encoding: 'utf8',
    });
    return stdout + stderr;
  };
  assert.match(read({ NODE_DISABLE_COMPILE_CACHE: '1' }), /^tsx /);
  const asks = ['-p', 'process.features.typescript'];
  const { stdout } = spawnSync(process.execPath, asks, { env: rest, encoding: 'utf8' });
  const strips = /strip|transform/.test(stdout);
  assert.match(read({ NODE_COMPILE_CACHE: folder }), strips ? /ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX/ : /^tsx /);
});

test('as the first process of a container it stops in order, and a second signal ends it', {
  ...TIMEOUT, skip: noNamespace(),
}, async (t) => {
  const command = ['unshare', '-pf', '--mount-proc', '--kill-child', process.execPath];
  for (const grace of ['5', '1000']) {
    await using server = new TestServer(['--port', '0', '--workers', '1', '--grace', grace], { command });
    await server.printed(/listening on .*\(pid 1\)/);
    const pid = Number(readFileSync(`/proc/${server.process.pid}/task/${server.process.pid}/children`, 'utf8'));
    t.after(() => signalIfAlive(pid, 'SIGKILL'));
    const port = portIn(server.stdout);
    const client = await connectClient(port, { paused: grace !== '5' });
    if (grace === '5') {
      assert.equal(await client.ask('hi'), 'HI');
      process.kill(pid, 'SIGTERM');
      assert.equal(await client.fate, 'FIN');
      assert.equal((await server.exit()).code, 0);
      assert.match(server.stdout, /served 1 connection, /);
    } else {
      const other = await connectClient(port);
      await fillUp(client, other);
      await other[Symbol.asyncDispose]();
      process.kill(pid, 'SIGTERM');
      await server.printed(/stopping: /);
      const again = setInterval(() => signalIfAlive(pid, 'SIGTERM'), 200);
      t.after(() => clearInterval(again));
      assert.equal((await server.exit()).code, 130);
      client.socket.resume();
      await client.fate;
    }
    await untilGone(pid);
  }
});
