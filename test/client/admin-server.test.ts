// `npm run status` and `npm run top` with the real server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isStatus } from '../../client/admin/check.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const run = promisify(execFile);
const commandOf = (program: string): string[] => [process.execPath, ...nodeArgs(`client/admin/${program}.ts`)];

test('status prints what the real server says of itself, by HTTP and by a Unix socket, also as JSON', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'admin-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const admin of ['0', `unix:${join(folder, 'admin.sock')}`]) {
    await using server = await startTestServer(['--workers', '1', '--admin', admin]);
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
    const [, address] = await server.printed(/admin on (\S+)/);
    const [node, ...args] = [...commandOf('status'), '--admin', address!];
    const { stdout } = await run(node!, args, { cwd: ROOT, env: CLIENT_ENV });
    assert.match(stdout, new RegExp(`^echopool \\S+  ready  127\\.0\\.0\\.1:${server.port}  up `));
    assert.match(stdout, new RegExp(`^ +1 ready +${server.pidOf(1)} .* 1 █`, 'm'));
    const json = await run(node!, [...args, '--json'], { cwd: ROOT, env: CLIENT_ENV });
    const status: unknown = JSON.parse(json.stdout);
    assert.ok(isStatus(status));
    assert.equal(status.current, 1);
    assert.equal(await server.stop(), 0);
  }
});

test('top reloads the real server, says that it is gone, and leaves', { skip: ptyMissing() }, async (t) => {
  await using server = await startTestServer(['--workers', '1', '--admin', '0', '--admin-actions']);
  const [, address] = await server.printed(/admin on (\S+)/);
  const pty = startOnPty([...commandOf('top'), '--admin', address!], { ...CLIENT_ENV, NO_COLOR: '1' });
  t.after(async () => {
    pty.hangUp();
    await pty.ended;
  });
  await pty.see(`${server.pidOf(1)}`);
  pty.type('r');
  await pty.see('All workers are replaced');
  await pty.see('1 reload');
  assert.equal(await server.stop(), 0);
  await pty.see('q leave   (the server is looked for every second)');
  pty.type('q');
  assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
});
