// What the server prints: every event one whole line, on whatever its standard output is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { helpText } from '../../server/help.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { until } from '../helpers/processes.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';
import { portIn, startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const TIME = '\\d\\d:\\d\\d:\\d\\d\\.\\d{3}';
const WHOLE_LINE = new RegExp(`^${TIME} (?:master  |worker \\d+)  .+$`);
const noBash = existsSync('/bin/bash') ? false : 'needs bash';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'server-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** What happened to one client, in the order of the lines, without the time. */
function linesAbout(server: TestServer, peer: string): string[] {
  return server.lines().filter((line) => line.includes(` ${peer} `)).map((line) => line.slice('12:34:56.789 '.length));
}

describe('the log', { concurrency: true }, () => {
  test('shows of every message who, which worker, how many bytes and a preview, each in one line', async () => {
    await using server = await startTestServer(['--workers', '1'], { env: { FORCE_COLOR: '1', TERM: 'xterm' } });
    await using client = await connectClient(server.port);
    await client.ask('hi "there"');
    await client.ask('\n');
    await client.ask('x'.repeat(50));
    client.end();
    await client.fate;
    await server.printed(/closed/);
    const { peer } = client;
    assert.deepEqual(linesAbout(server, peer), [
      `worker 1  ${peer}  connected`,
      `worker 1  ${peer}  10 bytes  "hi \\"there\\""`,
      `worker 1  ${peer}  1 byte  "\\n"`,
      `worker 1  ${peer}  50 bytes  "${'x'.repeat(40)}"...`,
      `worker 1  ${peer}  closed: client ended, 3 messages, 61 bytes in, 61 bytes out`,
    ]);
    for (const line of server.lines()) assert.match(line, WHOLE_LINE);
    assert.ok(!server.stdout.includes('\x1b'), 'there are colours without a terminal');
  });

  test('as JSON is one object a line with the same facts, and those of the server\'s own events', async () => {
    await using server = await startTestServer(['--workers', '1', '--log-format', 'json', '--grace', '7']);
    await using client = await connectClient(server.port);
    await client.ask('hi "there"\n\u2028');
    client.end();
    await client.fate;
    await server.printed(/"closed"/);
    server.signal('SIGHUP');
    await server.printed(/"event":"reloaded"/);
    assert.equal(await server.stop(), 0);
    const events = server.lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const { time, level } of events) {
      assert.equal(new Date(String(time)).toISOString(), time);
      assert.equal(level, 'info');
    }
    const factsOf = ({ time, level, message, ...facts }: Record<string, unknown>): Record<string, unknown> => facts;
    const { peer } = client;
    assert.deepEqual(events.filter((event) => event['peer'] === peer).map(factsOf), [
      { event: 'connected', worker: 1, peer },
      { event: 'message', worker: 1, peer, bytes: 14, preview: 'hi "there"\n\u2028' },
      { event: 'closed', worker: 1, peer, reason: 'client ended', messages: 1, bytesIn: 14, bytesOut: 14 },
    ]);
    const told = (name: string): Record<string, unknown> => factsOf(events.find(({ event }) => event === name) ?? {});
    const { pid } = server.process;
    assert.deepEqual(told('listening'), { event: 'listening', host: '127.0.0.1', port: server.port, pid, workers: 1 });
    const { pid: worker } = told('worker');
    assert.equal(typeof worker, 'number');
    assert.deepEqual(told('worker'), { event: 'worker', worker: 1, pid: worker });
    assert.deepEqual(told('retire'), { event: 'retire', worker: 1, pid: worker, why: 'reload' });
    assert.deepEqual(told('stopping'), { event: 'stopping', connections: 0, graceMs: 7000 });
    const last = events.at(-1)!;
    assert.match(String(last['message']), /^served 1 /);
    assert.deepEqual(factsOf(last), {
      event: 'summary', served: 1, messages: 1, bytesIn: 14, bytesOut: 14, refused: 0, cutOff: 0,
    });
  });

  for (const [level, expected] of [['connections', 2], ['none', 0]] as const) {
    test(`with --log ${level} has ${expected} lines of a client and the server's own, one as singular`, async () => {
      await using server = await startTestServer(['--workers', '1', '--log', level]);
      await using client = await connectClient(server.port);
      await client.ask('a');
      client.end();
      await client.fate;
      assert.equal(await server.stop(), 0);
      assert.deepEqual(linesAbout(server, client.peer).map((line) => /connected|closed|bytes /.exec(line)?.[0]), [
        'connected', 'closed',
      ].slice(0, expected));
      assert.match(server.stdout, /listening on[^]*stopping/);
      assert.match(server.stdout, /served 1 connection, 1 message, 1 byte in, 1 byte out; 0 refused, 0 cut off\n$/);
    });
  }

  test('of several workers under load has every message, in one whole line, in its client\'s order', async (t) => {
    const path = join(newFolder(t), 'log');
    const file = openSync(path, 'a');
    await using server = await startTestServer(['--workers', '2'], { stdout: file });
    closeSync(file);
    const port = await server.when(() => portIn(readFileSync(path, 'utf8')) || undefined, 'listening line');
    const rounds = 100;
    const clients = await Promise.all(Array.from({ length: 16 }, () => connectClient(port)));
    await Promise.all(clients.map(async (client, number) => {
      for (let round = 0; round < rounds; round++) await client.ask(`client ${number} round ${round}.`);
      client.end();
      await client.fate;
    }));
    assert.equal(await server.stop(), 0);
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    for (const line of lines) assert.match(line, WHOLE_LINE);
    for (const [number, { peer }] of clients.entries()) {
      const about = lines.filter((line) => line.includes(` ${peer}  `));
      const messages = about.map((line) => line.split('  ').at(-1)).filter((part) => part?.startsWith('"'));
      assert.deepEqual(messages, Array.from({ length: rounds }, (_, round) => `"client ${number} round ${round}."`));
    }
  });

  test('that nobody reads any more (| head -1) stops neither the echo nor the end', { skip: noBash }, async () => {
    // exec: so that the process that we signal is the server itself. What head prints comes to our stderr.
    const script = 'exec "$@" > >(exec grep --max-count=1 --line-buffered listening >&2)';
    const command = ['bash', '-c', script, 'bash', process.execPath];
    await using server = await startTestServer(['--workers', '1'], { command, stdout: 1 });
    const port = await server.when(() => portIn(server.stderr) || undefined, 'listening line');
    await using client = await connectClient(port);
    for (let round = 0; round < 100; round++) assert.equal(await client.ask('hi there'), 'HI THERE');
    assert.equal(server.workers().length > 0, true);
    assert.equal(await server.stop(), 0);
    // What it could not print it says at its end, unless a slow machine leaves no time for that.
    assert.match(
      server.stderr, /^[^\n]*listening on[^\n]*\n(echopool-server: \d+ lines could not be printed: EPIPE\n)?$/,
    );
  });

  test('that nobody reads although it is open stops neither the echo nor the end', async (t) => {
    const path = join(newFolder(t), 'pipe');
    assert.equal(spawnSync('mkfifo', [path]).status, 0);
    const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    t.after(() => closeSync(readEnd));
    const writeEnd = openSync(path, constants.O_WRONLY);
    await using server = await startTestServer(['--workers', '1'], { stdout: writeEnd });
    closeSync(writeEnd);
    let output = '';
    const port = await server.when(() => {
      output += readNow(readEnd);
      return portIn(output) || undefined;
    }, 'listening line');
    // From here on nobody reads. Each message makes a line of 100 bytes or so, in all far more than a pipe holds.
    const clients = await Promise.all(Array.from({ length: 16 }, () => connectClient(port)));
    await Promise.all(clients.map(async (client) => {
      for (let round = 0; round < 150; round++) {
        assert.equal(await client.ask('a message of some length'), 'A MESSAGE OF SOME LENGTH');
      }
    }));
    for (const client of clients) client.send('last words');
    server.signal('SIGTERM');
    for (const client of clients) assert.equal((await client.readToEnd()).toString(), 'LAST WORDS');
    assert.deepEqual(await server.exit(), { code: 0, signal: null });
  });
});

describe('on a real terminal', { concurrency: true, skip: ptyMissing() }, () => {
  const command = [process.execPath, ...nodeArgs('server/main.ts'), '--port', '0', '--workers', '1'];
  const { NO_COLOR: _, ...env } = process.env;
  const COLORED = /\x1b\[\d+mworker \d+ *\x1b\[39m/;

  test('the workers have colours; Ctrl-C ends the server with 0', async (t) => {
    const pty = startOnPty(command, env);
    t.after(() => pty.hangUp());
    await pty.see('listening on');
    const port = portIn(await untilPort(pty.screen));
    await using client = await connectClient(port);
    assert.equal(await client.ask('hi'), 'HI');
    await pty.see('"hi"');
    assert.match(pty.screen(), COLORED);
    pty.type('\x03');
    assert.equal((await client.readToEnd()).length, 0);
    await pty.see('served 1 ');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('NO_COLOR takes the colours away', async (t) => {
    const pty = startOnPty(command, { ...env, NO_COLOR: '1' });
    t.after(() => pty.hangUp());
    await pty.see('listening on');
    await using client = await connectClient(portIn(await untilPort(pty.screen)));
    await client.ask('hi');
    await pty.see('"hi"');
    pty.type('\x03');
    await pty.ended;
    assert.ok(!pty.screen().includes('\x1b['));
  });
});

/** The screen once the port is whole on it. */
async function untilPort(screen: () => string): Promise<string> {
  await until(() => /listening on \S+:\d+ /.test(screen()), 'the port is on the screen');
  return screen();
}

function readNow(fd: number): string {
  const buffer = Buffer.alloc(65_536);
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

for (const [text, flag] of [['the help', '--help'], ['the version', '--version']] as const) {
  test(`${text} waits for a reader that is slow, however long`, { skip: noBash }, () => {
    // The pipe is full when the program starts, and stays so for a second.
    const script = '(head -c 65536 /dev/zero; exec "$@") | (sleep 1; exec tr -d "\\0")';
    const command = ['-c', script, 'bash', process.execPath, ...nodeArgs('server/main.ts'), flag];
    const { stdout, stderr } = spawnSync('/bin/bash', command, { encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.equal(stdout.trimEnd() === helpText().trimEnd(), flag === '--help');
    if (flag === '--version') assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });
}
