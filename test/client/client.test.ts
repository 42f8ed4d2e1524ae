// The client as a filter in a pipe, and what it says on the way out.
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { clientHelp } from '../../client/config.ts';
import { answerAfter, serve, upperCase } from '../fixtures/upper-server.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';

const CLIENT = nodeArgs('client/main.ts');

interface Running {
  child: ChildProcessWithoutNullStreams;
  stdout: Promise<Buffer>;
  stderr: Promise<string>;
  exitCode: Promise<number | null>;
}

function start(t: TestContext, args: readonly string[]): Running {
  const child = spawn(process.execPath, [...CLIENT, ...args], { env: CLIENT_ENV });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  t.after(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  child.stdin.on('error', () => {}); // A client that leaves early closes its input.
  return { child, stdout: buffer(child.stdout), stderr: text(child.stderr), exitCode: exit.then(([code]) => code) };
}

async function pipe(t: TestContext, port: number, input: string | Buffer, ...flags: string[]) {
  const { child, ...rest } = start(t, ['--port', `${port}`, ...flags]);
  child.stdin.end(input);
  const stdout = await rest.stdout;
  return { stdout, text: stdout.toString(), stderr: await rest.stderr, exitCode: await rest.exitCode };
}

describe('the client in a pipe', { concurrency: 3 }, () => {
  test('prints one trimmed reply a line, skips empty lines, and passes what is not UTF-8', async (t) => {
    const { port } = await serve(t);
    const bytes = Buffer.from('a\xff\xfeb\n\xc3\n\x00\x85z\n', 'latin1');
    const input = Buffer.concat([Buffer.from('  hi \n\n \t\nstraße\r\n'), bytes, Buffer.from('last one')]);
    const { stdout, stderr, exitCode } = await pipe(t, port, input);
    const replies = Buffer.from('A\xff\xfeB\n\xc3\n\x00\x85Z\n', 'latin1');
    assert.deepEqual(stdout, Buffer.concat([Buffer.from('HI\nSTRASSE\n'), replies, Buffer.from('LAST ONE\n')]));
    assert.equal(stderr, '');
    assert.equal(exitCode, 0);
  });

  test('passes over a greeting with --greeting, however it comes', async (t) => {
    const { port } = await serve(t, (socket) => {
      socket.write('hello ');
      socket.once('data', (bytes) => {
        socket.write(`you\n${bytes.toString().toUpperCase()}`);
        upperCase(socket);
      });
    });
    const { text, stderr, exitCode } = await pipe(t, port, 'one\n', '--greeting');
    assert.deepEqual([text, stderr, exitCode], ['ONE\n', '', 0]);
  });

  test('an empty input ends well without a word', async (t) => {
    // This server never ends its side: with nothing outstanding there is nothing to wait for.
    const { port } = await serve(t, (socket) => void socket.resume());
    const { text, stderr, exitCode } = await pipe(t, port, '\n  \n');
    assert.deepEqual([text, stderr, exitCode], ['', '', 0]);
  });

  test('many lines and long lines come back whole, with the replies cut anywhere', async (t) => {
    const { port } = await serve(t, (socket) => {
      upperCase(socket, (bytes) => {
        for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 65_521) {
          socket.write(bytes.subarray(at, at + size));
        }
      });
    });
    const short = Array.from({ length: 60_000 }, (_, index) => `line ${index}\n`).join('');
    const input = Buffer.from(`${'long '.repeat(300_000)}end\n${short}`);
    const { stdout, stderr, exitCode } = await pipe(t, port, input);
    assert.ok(stdout.equals(Buffer.from(input.toString().toUpperCase())));
    assert.deepEqual([stderr, exitCode], ['', 0]);
  });

  test('a reply comes before the input ends', async (t) => {
    const { port } = await serve(t);
    const { child, exitCode } = start(t, ['--port', `${port}`]);
    child.stdin.write('one\n');
    assert.equal(String((await once(child.stdout, 'data'))[0]), 'ONE\n');
    child.stdin.end('two');
    assert.equal(String((await once(child.stdout, 'data'))[0]), 'TWO\n');
    assert.equal(await exitCode, 0);
  });

  test('says in one line that nobody listens, also while its input is open', async (t) => {
    const { port, close } = await serve(t);
    await close();
    const { stdout, stderr, exitCode } = start(t, ['--port', `${port}`]);
    assert.equal(await stderr, `echopool-client: No server is listening on 127.0.0.1:${port} (ECONNREFUSED).\n`);
    assert.equal(await exitCode, 1);
    assert.equal((await stdout).length, 0);
  });

  test('says how many replies are missing when the server goes away', async (t) => {
    const { port } = await serve(t, answerAfter(4, 'A\nB\nC'));
    const { text, stderr, exitCode } = await pipe(t, port, 'a\nb\nc\nd\n');
    assert.equal(stderr, `echopool-client: 127.0.0.1:${port} closed the connection. 2 of 4 replies are missing.\n`);
    assert.deepEqual([text, exitCode], ['A\nB\nC', 1]);
  });

  test('does not wait for more input when the server has gone away', async (t) => {
    const { port } = await serve(t, answerAfter(1, ''));
    const { child, stderr, exitCode } = start(t, ['--port', `${port}`]);
    child.stdin.write('a\n');
    const why = '1 of 1 reply is missing (and the input had not ended)';
    assert.equal(await stderr, `echopool-client: 127.0.0.1:${port} closed the connection. ${why}.\n`);
    assert.equal(await exitCode, 1);
  });

  test('says so when the server answers more than it was asked', async (t) => {
    const { port } = await serve(t, answerAfter(1, 'A\nB\n'));
    const { stderr, exitCode } = await pipe(t, port, 'a');
    assert.equal(stderr, `echopool-client: 127.0.0.1:${port} sent 2 lines for 1 message.\n`);
    assert.equal(exitCode, 1);
  });

  test('says so when the first line was a greeting, also if the reply comes late', async (t) => {
    const { port } = await serve(t, (socket) => {
      socket.write('hello you\n');
      socket.once('data', (bytes) => socket.once('end', () => socket.end(bytes.toString().toUpperCase())));
    });
    const { text, stderr, exitCode } = await pipe(t, port, 'a\n');
    assert.equal(text, 'hello you\nA\n');
    assert.equal(stderr, `echopool-client: 127.0.0.1:${port} sent 2 lines for 1 message.\n`);
    assert.equal(exitCode, 1);
  });

  test('ends well when all is answered and the server does not end', async (t) => {
    const { port } = await serve(t, (socket) => void socket.on('data', () => socket.write('A\n')));
    const { text, stderr, exitCode } = await pipe(t, port, 'a\n');
    assert.deepEqual([text, stderr, exitCode], ['A\n', '', 0]);
  });

  test('ends when all is answered, also by a server that answers more and goes on', async (t) => {
    const { port } = await serve(t, (socket) => void socket.on('data', () => socket.write('A\nB\nC\n')));
    const { text, stderr, exitCode } = await pipe(t, port, 'a\nb\n');
    assert.equal(text, 'A\nB\nC\n');
    assert.equal(stderr, `echopool-client: 127.0.0.1:${port} sent 3 lines for 2 messages.\n`);
    assert.equal(exitCode, 1);
  });

  test('a terminal gets only what it may show, also from a pipe', { skip: ptyMissing() }, async (t) => {
    const hostile = '\x1b]0;title\x07 \u202e\u2028\u200b\u{e0041}\u009b1m \xff\r\n';
    const { port } = await serve(t, (socket) => {
      // Byte by byte, so that characters are cut.
      socket.once('data', () => { for (const byte of Buffer.from(hostile)) socket.write(Buffer.of(byte)); });
    });
    const client = [process.execPath, ...CLIENT, '--port', `${port}`].map((word) => `'${word}'`).join(' ');
    const pty = startOnPty(['sh', '-c', `echo hi | ${client}`], CLIENT_ENV);
    t.after(() => pty.hangUp());
    const shown = String.raw`\x1b]0;title\x07 \u{202e}\u{2028}\u{200b}\u{e0041}\u{9b}1m \u{ff}\r`;
    await pty.see(shown.replace(String.raw`\u{ff}`, 'ÿ'));
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('says so when its output cannot be written', async (t) => {
    if (!existsSync('/dev/full')) return t.skip('there is no /dev/full');
    const { port } = await serve(t);
    const full = openSync('/dev/full', 'w');
    t.after(() => closeSync(full));
    for (const args of [['--port', `${port}`], ['--help'], ['--version']]) {
      const child = spawn(process.execPath, [...CLIENT, ...args], { env: CLIENT_ENV, stdio: ['pipe', full, 'pipe'] });
      t.after(() => child.kill('SIGKILL'));
      child.stdin!.on('error', () => {});
      child.stdin!.end('a\n');
      const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
      assert.match(stderr, /^echopool-client: Cannot write to standard output: ENOSPC.*\n$/);
      assert.equal(code, 1);
    }
  });

  test('a reset while there is much to send ends it with one line', async (t) => {
    const { port } = await serve(t, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const { child, stderr, exitCode } = start(t, ['--port', `${port}`]);
    Readable.from(endless()).pipe(child.stdin);
    assert.match(await stderr, /^echopool-client: Lost the connection to 127\.0\.0\.1:\d+: .*replies are missing.*\n$/);
    assert.equal(await exitCode, 1);
  });

  test('leaves quietly when nobody reads its output any more, as in | head -1', async (t) => {
    const { port } = await serve(t);
    const { child, stderr, exitCode, stdout } = start(t, ['--port', `${port}`]);
    stdout.catch(() => {}); // It is cut off below.
    Readable.from(endless()).pipe(child.stdin);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.equal(await stderr, '');
    assert.equal(await exitCode, 0);
  });

  test('--help, --version and a bad flag need no server', async (t) => {
    const help = start(t, ['--help']);
    assert.equal((await help.stdout).toString(), clientHelp('npm run client --'));
    const version = start(t, ['--version']);
    assert.match((await version.stdout).toString(), /^\d+\.\d+\.\d+\n$/);
    const bad = start(t, ['--port', 'x']);
    assert.equal(await bad.stderr, 'echopool-client: --port must be a whole number from 1 to 65535, not "x"\n');
    assert.deepEqual(await Promise.all([help, version, bad].map(({ exitCode }) => exitCode)), [0, 0, 2]);
  });
});

function* endless(): Generator<string> {
  for (;;) yield 'line after line\n'.repeat(1_000);
}
