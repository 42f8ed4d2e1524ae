// echopool/server: what a program is told when its server ends or never starts, and what a start that is called off
// leaves behind.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startEchoServer } from '../../server/embed/index.ts';
import { WhyEnded } from '../../server/embed/why-ended.ts';
import { DEADLINE } from '../helpers/processes.ts';
import { signalIfAlive } from '../helpers/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'embed-end-'));
after(() => rmSync(folder, { recursive: true }));

/** What Node reads for the servers that this test starts. */
function nodeOptions(t: TestContext, options: string): void {
  const before = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = options;
  t.after(() => {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
  });
}

test('a start that Node itself refuses rejects with the error, and not with what Node says below it', DEADLINE,
  async (t) => {
    const missing = pathToFileURL(join(folder, 'missing.mjs')).href;
    nodeOptions(t, `--import ${missing}`);
    await assert.rejects(startEchoServer(), {
      code: 'ERR_ECHOPOOL_SERVER_START', message: /^the echo server exited with code 1: Error .*missing\.mjs/,
    });
  });

test('what it once warned of is not why it was killed', DEADLINE, async (t) => {
  nodeOptions(t, '--import data:text/javascript,process.emitWarning(String(1))');
  const said: unknown[] = [];
  const server = await startEchoServer({ log: ({ event }) => void said.push(event) });
  t.after(() => void signalIfAlive(server.pid, 'SIGKILL'));
  process.kill(server.pid, 'SIGKILL');
  assert.equal((await server.whenEnded())?.message, `the echo server was ended by SIGKILL (pid ${server.pid})`);
  assert.ok(said.includes('output'), 'it has warned of nothing');
});

test('a start that is called off when it is half done leaves no file of a socket', DEADLINE, async (t) => {
  const path = join(folder, 'off.sock');
  const calledOff = new AbortController();
  const reason = new Error('no more');
  const watcher = watch(folder, () => { if (existsSync(path)) calledOff.abort(reason); });
  t.after(() => watcher.close());
  // On a slow machine it may have started before the file is seen: then it is closed.
  await startEchoServer({ bind: `unix:${path}`, signal: calledOff.signal }).then(
    (server) => server.close(), (error: unknown) => assert.equal(error, reason),
  );
  assert.ok(!existsSync(path));
});

describe('why it ended', () => {
  const VERSION = 'Node.js v20.20.2';
  const OFF = 'startEchoServer: cannot listen on 127.0.0.1:80';
  const LOST = 'startEchoServer: 3 lines could not be printed';
  for (const [heard, code, signal, why] of [
    [['(node:1) Warning: old'], 0, null, undefined],
    [[], 1, null, 'the echo server exited with code 1'],
    [[OFF, LOST, 'Waiting for the debugger to disconnect...'], 1, null, OFF],
    [[OFF], null, 'SIGTERM', OFF],
    [['TypeError: of a worker'], null, 'SIGKILL', 'the echo server was ended by SIGKILL'],
    [['file:///a.js:1', 'TypeError [ERR_X]: y', '    at a.js', '', VERSION], 1, null,
      'the echo server exited with code 1: TypeError [ERR_X]: y'],
    [['node: --x is not allowed in NODE_OPTIONS', ''], 9, null,
      'the echo server exited with code 9: node: --x is not allowed in NODE_OPTIONS'],
  ] as const) {
    test(`is ${why ?? 'nothing after a clean stop'}, having heard ${JSON.stringify(heard)}`, () => {
      const hearer = new WhyEnded();
      for (const line of heard) hearer.hear(line);
      assert.equal(hearer.tell(code, signal), why);
    });
  }
});
