// The one command: `echopool` becomes the program that its first word names.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { nodeArgs } from '../helpers/paths.ts';
import { DEADLINE } from '../helpers/processes.ts';
import { cleanEnvironment, startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const COMMAND = nodeArgs('server/echopool.ts');
const NAMES = ['serve', 'client', 'load', 'demo', 'status', 'top'];

function echopool(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...COMMAND, ...args], { env: cleanEnvironment() }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

test('its help lists all programs, and is there whatever else is said', DEADLINE, async () => {
  for (const args of [['--help'], ['help'], ['--port', 'x', '-h']]) {
    const { code, stdout, stderr } = await echopool(...args);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Usage: echopool \[serve\] \[flags\]\n/);
    assert.deepEqual([...stdout.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name), NAMES);
    assert.deepEqual(stdout.split('\n').filter((line) => line.length > 80), []);
  }
});

test('each program says in its help how it was called', { timeout: 120_000 }, async () => {
  for (const name of NAMES) {
    const { code, stdout } = await echopool(name, '--help');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^(?:Usage:)? +echopool ${name} `, 'm'));
    assert.doesNotMatch(stdout, /npm (?:run|start)/);
  }
});

test('without a word, or with "serve", this very process is the server', DEADLINE, async () => {
  for (const words of [[], ['serve']]) {
    await using server = await startTestServer(['--workers', '1'], { main: [...COMMAND, ...words] });
    assert.match(server.stdout, new RegExp(`listening on .* \\(pid ${server.process.pid}\\)`));
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('straße'), 'STRASSE');
    assert.equal(await server.stop(), 0);
    assert.equal(server.stderr, '');
  }
});

for (const [args, complaint] of [
  [['clinet'], 'echopool: there is no command "clinet": did you mean client? (serve, client, load, demo, status, top)'],
  [['9000'], 'echopool: there is no command "9000" (serve, client, load, demo, status, top)'],
  [['toString'], 'echopool: there is no command "toString" (serve, client, load, demo, status, top)'],
  [['', '--help'], 'echopool: there is no command "" (serve, client, load, demo, status, top)'],
  [['--port', 'x'], 'echopool: --port must be a whole number from 0 to 65535, not "x"'],
  [['serve', 'client'], 'echopool serve: unexpected argument "client": there are only flags (--help lists them)'],
  [['client', '--port', 'x'], 'echopool client: --port must be a whole number from 1 to 65535, not "x"'],
  [['load', '-c', '0'], 'echopool load: -c must be a whole number from 1 to 100000, not "0"'],
  [['top'], 'echopool top: --admin ADDRESS or ECHOPOOL_ADMIN is needed: what the server was given with --admin'],
] as const) {
  test(`wrong use is one line, and the exit code 2: echopool ${args.join(' ')}`, DEADLINE, async () => {
    const { code, stdout, stderr } = await echopool(...args);
    assert.deepEqual([stdout, stderr, code], ['', `${complaint}\n`, 2]);
  });
}

test('the version is that of the package', DEADLINE, async () => {
  const { stdout } = await echopool('--version');
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal((await echopool('client', '--version')).stdout, stdout);
});
