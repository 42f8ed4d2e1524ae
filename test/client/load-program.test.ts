// The load generator's command line: its output, its signals and its exit codes.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { LoadReport } from '../../client/load/report.ts';
import { serve, startServer, upperCase } from '../fixtures/upper-server.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';

const DEADLINE = { timeout: 60_000 };
const LOAD = nodeArgs('client/load/main.ts');

describe('the program', { concurrency: true }, () => {
  /** Runs it to its end. */
  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [...LOAD, ...args], { env: CLIENT_ENV }, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
    });
  }

  test('passes over the greeting of each connection with --greeting', DEADLINE, async (t) => {
    const server = await startServer((socket) => {
      socket.write('hel');
      setImmediate(() => socket.write('lo\n'));
      upperCase(socket);
    });
    t.after(() => server.close());
    for (const flags of [['--greeting'], ['--greeting', '--churn']]) {
      const { code, stdout } = await run('--port', String(server.port), '-n', '50', '-c', '3', '--json', ...flags);
      const { messages, wrong } = JSON.parse(stdout) as LoadReport;
      assert.deepEqual({ code, messages, wrong }, { code: 0, messages: 50, wrong: null });
    }
  });

  test('prints JSON for scripts, also with several processes, and nothing beside it', DEADLINE, async (t) => {
    const server = await startServer(upperCase);
    t.after(() => server.close());
    const flags = ['--connections', '4', '-n', '101', '--json', '--processes', '2'];
    const { code, stdout, stderr } = await run('--host', 'localhost', '--port', String(server.port), ...flags);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const report = JSON.parse(stdout) as LoadReport;
    assert.equal(report.messages, 101);
    assert.equal(report.histogramUs.reduce((sum, { count }) => sum + count, 0), 101);
    assert.ok(report.connectUs.max > 0);
    assert.ok(report.rate > 0 && report.latencyUs.p50 > 0 && report.latencyUs.max >= report.latencyUs.p999);
    const { wrong, missing, lost, problems } = report;
    assert.deepEqual({ wrong, missing, lost, problems }, { wrong: null, missing: 0, lost: 0, problems: [] });
    assert.equal(report.processes, 2);
  });

  test('ends with 1 and says where, when a reply is wrong', DEADLINE, async (t) => {
    const server = await startServer((socket) => socket.pipe(socket));
    t.after(() => server.close());
    const { code, stdout, stderr } = await run('--port', String(server.port), '-n', '1000');
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
    assert.match(stderr, /^load: Wrong reply on connection \d+, message 1, byte \d+ of 64: expected "[^\n]+"\.\n$/);
  });

  test('ends with 1 when it cannot connect, with 2 for wrong flags, and one line either way', DEADLINE, async () => {
    const [away, misused] = await Promise.all([run('--port', '1'), run('--port', 'x')]);
    const stderr = 'load: No server is listening on 127.0.0.1:1 (ECONNREFUSED).\n';
    assert.deepEqual(away, { code: 1, stdout: '', stderr });
    assert.equal(misused.code, 2);
    assert.match(misused.stderr, /^load: --port must be [^\n]+, not "x"\n$/);
  });

  test('shows on a terminal how far it is, and only there', { ...DEADLINE, skip: ptyMissing() }, async (t) => {
    const server = await startServer(upperCase);
    t.after(() => server.close());
    const args = [...LOAD, '--port', String(server.port), '--seconds', '60'];
    const terminal = startOnPty([process.execPath, ...args], CLIENT_ENV);
    await terminal.see('of 60 s');
    await terminal.see('messages/s');
    terminal.type('\x03');
    await terminal.see('latency: p50');
    assert.equal((await terminal.ended).exitCode, 130);
  });

  test('prints what was measured when Ctrl-C ends it', DEADLINE, async (t) => {
    const server = await startServer(upperCase);
    t.after(() => server.close());
    const first = server.connection(); // The program asks for the address with it.
    const args = [...LOAD, '--port', String(server.port), '--seconds', '60'];
    const child = execFile(process.execPath, args, { env: CLIENT_ENV });
    t.after(() => child.kill('SIGKILL'));
    let stdout = '';
    child.stdout!.on('data', (text: string) => { stdout += text; });
    await first;
    await once(await server.connection(), 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close') as [number];
    assert.equal(code, 130);
    assert.match(stdout, /^[\d,]+ messages\/s.*\n +latency: .*p99.*\n +connect: /);
  });

  test('prints what was measured when Ctrl-C ends it with --churn, and no stack', DEADLINE, async (t) => {
    const { port, connection: next } = await serve(t);
    for (let time = 0; time < 2; time++) {
      const args = [...LOAD, '--port', `${port}`, '--churn', '-n', '1000000'];
      const child = spawn(process.execPath, args, { env: CLIENT_ENV });
      t.after(() => child.kill('SIGKILL'));
      const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number]>]);
      for (let connection = 0; connection < 100; connection++) await next();
      child.kill('SIGINT');
      const [stdout, stderr, [code]] = await output;
      assert.deepEqual({ code, stderr }, { code: 130, stderr: '' });
      assert.match(stdout, /^[\d,]+ connections\/s/);
    }
  });

  test('ends with 1 and one line when its report cannot be written', DEADLINE, async (t) => {
    if (!existsSync('/dev/full')) return t.skip('there is no /dev/full');
    const { port } = await serve(t);
    const full = openSync('/dev/full', 'w');
    t.after(() => closeSync(full));
    for (const flags of [['--json'], [], ['--help']]) {
      const args = [...LOAD, '--port', `${port}`, '-n', '10', ...flags];
      const child = spawn(process.execPath, args, { env: CLIENT_ENV, stdio: ['ignore', full, 'pipe'] });
      t.after(() => child.kill('SIGKILL'));
      const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close') as Promise<[number]>]);
      assert.match(stderr, /^load: Cannot write to standard output: ENOSPC[^\n]*\n$/);
      assert.equal(code, 1);
    }
  });
});
