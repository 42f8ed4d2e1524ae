import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { CLIENT_HELP, parseClientCommand } from '../client/config.ts';
import { startServer, upperCase, type UpperServer } from './fixtures/upper-server.ts';
import { nodeArgs } from './helpers/paths.ts';
import { ptyMissing, startOnPty, type Pty } from './helpers/pty.ts';

const CLIENT = nodeArgs('client/main.ts');
const { HOST: _host, PORT: _port, ...ENV } = process.env;

async function serve(t: TestContext, handler = (socket: Socket) => upperCase(socket), port = 0): Promise<UpperServer> {
  const server = await startServer(handler, port);
  t.after(() => server.close());
  return server;
}

/** Answers with `reply` and ends the connection when that many lines have arrived. */
function answerAfter(lines: number, reply: string) {
  return (socket: Socket): void => {
    let seen = 0;
    socket.on('data', (chunk) => {
      for (const byte of chunk) seen += byte === 0x0a ? 1 : 0;
      if (seen >= lines) socket.end(reply);
    });
  };
}

interface Running {
  child: ChildProcessWithoutNullStreams;
  stdout: Promise<Buffer>;
  stderr: Promise<string>;
  exitCode: Promise<number | null>;
}

function start(t: TestContext, args: readonly string[]): Running {
  const child = spawn(process.execPath, [...CLIENT, ...args], { env: ENV });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  t.after(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  child.stdin.on('error', () => {}); // A client that leaves early closes its input.
  return { child, stdout: buffer(child.stdout), stderr: text(child.stderr), exitCode: exit.then(([code]) => code) };
}

async function pipe(t: TestContext, port: number, input: string | Buffer) {
  const { child, ...rest } = start(t, ['--port', `${port}`]);
  child.stdin.end(input);
  const stdout = await rest.stdout;
  return { stdout, text: stdout.toString(), stderr: await rest.stderr, exitCode: await rest.exitCode };
}

describe('the flags of the client', () => {
  const endpoint = (args: string[], env = {}) => {
    const command = parseClientCommand(args, env);
    return command.kind === 'talk' ? command.endpoint : command.kind;
  };

  test('flags win over the environment, the environment over the defaults', () => {
    assert.deepEqual(endpoint([]), { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(endpoint([], { HOST: '::1', PORT: '9' }), { host: '::1', port: 9 });
    assert.deepEqual(endpoint(['--host=localhost', '--port', '65535'], { HOST: '::1', PORT: '9' }), {
      host: 'localhost',
      port: 65535,
    });
    assert.deepEqual(endpoint([], { HOST: '', PORT: '' }), { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(endpoint(['--host', 'x', '--port', '1'], { HOST: ' ', PORT: ' ' }), { host: 'x', port: 1 });
    assert.equal(endpoint(['--help', '--port', '1'], { PORT: 'x' }), 'help');
    assert.equal(endpoint(['-h']), 'help');
    assert.equal(endpoint(['--version']), 'version');
  });

  test('a bad value is refused in a sentence with the flag, the value and what is allowed', () => {
    const port = 'must be a whole number from 1 to 65535, not';
    const host = 'must be a host name or an IP address, not';
    const refusals: [string[], string][] = [
      [['--port', '0'], `--port ${port} "0"`],
      [['--port', '65536'], `--port ${port} "65536"`],
      [['--port', '-1'], `--port ${port} "-1"`],
      [['--port=8e1'], `--port ${port} "8e1"`],
      [['--port'], '--port needs a value: a whole number from 1 to 65535'],
      [['--host', '127.0.0.1:80'], `--host ${host} "127.0.0.1:80"`],
      [['--host', 'http://x/'], `--host ${host} "http://x/"`],
      [['--host', 'a\nb'], `--host ${host} "a\\nb"`],
      [['--host='], `--host ${host} ""`],
      [['--host', '--port'], '--host needs a value: a host name or an IP address'],
      [['--prot', '1'], 'unknown flag "--prot" (--help lists all)'],
      [['hello\n'], 'unexpected argument "hello\\n": there are only flags (--help lists them)'],
      [['--help=yes'], '--help takes no value, not "yes"'],
    ];
    for (const [args, message] of refusals) {
      assert.throws(() => parseClientCommand(args, {}), { name: 'UsageError', message });
    }
    assert.throws(() => parseClientCommand([], { PORT: 'http' }), { message: `environment variable PORT ${port} "http"` });
    assert.throws(() => parseClientCommand([], { HOST: 'a b' }), { message: `environment variable HOST ${host} "a b"` });
  });
});

describe('the client in a pipe', { concurrency: 3 }, () => {
  test('prints one trimmed reply a line, in order, and skips empty lines', async (t) => {
    const { port } = await serve(t);
    const { text, stderr, exitCode } = await pipe(t, port, '  hi \n\n \t\nstraße\r\nlast one');
    assert.equal(text, 'HI\nSTRASSE\nLAST ONE\n');
    assert.equal(stderr, '');
    assert.equal(exitCode, 0);
  });

  test('passes bytes that are not UTF-8 unchanged', async (t) => {
    const { port } = await serve(t);
    const { stdout } = await pipe(t, port, Buffer.from('a\xff\xfeb\n\xc3\n\x00\x85z\n', 'latin1'));
    assert.deepEqual(stdout, Buffer.from('A\xff\xfeB\n\xc3\n\x00\x85Z\n', 'latin1'));
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
    const short = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join('');
    const input = Buffer.from(`${'long '.repeat(800_000)}end\n${short}`);
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
    assert.match(stderr, /It sent 2 lines for 1 messages\.\n$/);
    assert.equal(exitCode, 1);
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
    assert.equal((await help.stdout).toString(), CLIENT_HELP);
    const version = start(t, ['--version']);
    assert.match((await version.stdout).toString(), /^\d+\.\d+\.\d+\n$/);
    const bad = start(t, ['--port', 'x']);
    assert.equal(await bad.stderr, 'echopool-client: --port must be a whole number from 1 to 65535, not "x"\n');
    assert.deepEqual(await Promise.all([help, version, bad].map(({ exitCode }) => exitCode)), [0, 0, 2]);
  });
});

describe('the client on a terminal', { concurrency: 3, skip: ptyMissing() }, () => {
  function open(t: TestContext, port: number): Pty {
    const pty = startOnPty([process.execPath, ...CLIENT, '--port', String(port)], ENV);
    t.after(async () => {
      pty.hangUp();
      await pty.ended;
    });
    return pty;
  }

  test('prompts, trims, skips empty lines, remembers, and leaves with Ctrl-D', async (t) => {
    const { port } = await serve(t);
    const pty = open(t, port);
    await pty.see(`Connected to 127.0.0.1:${port}.`);
    await pty.see('> ');
    pty.type('straße\r');
    await pty.see('\x1b[0JSTRASSE\r\n');
    await pty.see('> ');
    pty.type('   \r');
    await pty.see('> ');
    pty.type('  trim me \r');
    await pty.see('\x1b[0JTRIM ME\r\n');
    await pty.see('> ');
    pty.type('\x1b[A');
    await pty.see('>   trim me ');
    // Key by key: what comes in one piece is a paste to readline, which it adds at the end of the line.
    pty.type('\x1b[A');
    await pty.see('> straße');
    pty.type('\x1b[D');
    await pty.see('\x1b[1D');
    pty.type('x');
    await pty.see('> straßxe');
    pty.type('\r');
    await pty.see('\x1b[0JSTRASSXE\r\n');
    await pty.see('> ');
    pty.type('\x04');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('prints a reply of 200,000 characters whole', async (t) => {
    // Readline would take long to be typed such a line, so the server is the one that is wordy.
    const reply = 'Long reply. '.repeat(16_667);
    const { port } = await serve(t, (socket) => void socket.on('data', () => socket.write(`${reply}\n`)));
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('x\r');
    await pty.see(`\x1b[0J${reply}\r\n`);
    await pty.see('> ');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('shows control characters of a reply instead of obeying them', async (t) => {
    const reply = '\x1b[2J\x07\u009b1m\tok\n';
    const { port } = await serve(t, (socket) => void socket.on('data', () => socket.write(reply)));
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('x\r');
    await pty.see('\x1b[0J\\x1b[2J\\x07\\x9b1m\tok\r\n');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('answers all that was pasted, in order', async (t) => {
    const { port } = await serve(t);
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('one\rtwo\rthree\rfou');
    for (const reply of ['ONE', 'TWO', 'THREE']) await pty.see(`\x1b[0J${reply}\r\n`);
    await pty.see('> fou');
    pty.type('r\r');
    await pty.see('\x1b[0JFOUR\r\n');
    pty.type('\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('says when the server goes away and is back, and keeps what is being typed', async (t) => {
    const first = await serve(t);
    const { port } = first;
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('half ty');
    await pty.see('half ty');
    await first.close();
    await pty.see(`127.0.0.1:${port} closed the connection. The next message tries again.\r\n`);
    await pty.see('> half ty');
    pty.type('ped\r');
    await pty.see(`No server is listening on 127.0.0.1:${port} (ECONNREFUSED). The next message tries again.\r\n`);
    await pty.see('> ');
    await serve(t, undefined, port);
    pty.type('\x1b[A\r');
    await pty.see(`Connected to 127.0.0.1:${port} again.\r\n`);
    await pty.see('\x1b[0JHALF TYPED\r\n');
    pty.type('\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('stays when no server is there at the start, and finds it later', async (t) => {
    const first = await serve(t);
    const { port } = first;
    await first.close();
    const pty = open(t, port);
    await pty.see(`No server is listening on 127.0.0.1:${port} (ECONNREFUSED). The next message tries again.\r\n`);
    await pty.see('> ');
    await serve(t, undefined, port);
    pty.type('hi\r');
    await pty.see(`Connected to 127.0.0.1:${port}.\r\n`);
    await pty.see('\x1b[0JHI\r\n');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('says once when a reply amid its bytes is cut off', async (t) => {
    const { port } = await serve(t, answerAfter(1, 'HAL'));
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('half\r');
    await pty.see(`127.0.0.1:${port} closed the connection. The next message tries again.\r\n`);
    await pty.see('> ');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
    assert.equal(pty.screen().split('closed the connection').length, 2);
    assert.ok(!pty.screen().includes('HAL'));
  });

  for (const [name, key] of [['Ctrl-C', '\x03'], ['Ctrl-D', '\x04']] as const) {
    test(`${name} leaves while a reply is awaited, and says what it left`, async (t) => {
      const { port, connection } = await serve(t, (socket) => void socket.pause());
      const accepted = connection();
      const pty = open(t, port);
      await pty.see('> ');
      pty.type('x\r');
      await once((await accepted).resume(), 'data');
      pty.type(key);
      await pty.see('Left without a reply.\r\n');
      assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
    });
  }

  test('says when a reply is late, and prints it when it comes', async (t) => {
    const { port, connection } = await serve(t, (socket) => void socket.resume());
    const accepted = connection();
    const pty = open(t, port);
    await pty.see('> ');
    pty.type('x\r');
    await pty.see(`No reply yet from 127.0.0.1:${port}, still waiting. Ctrl-C leaves.\r\n`);
    (await accepted).write('X\n');
    await pty.see('\x1b[0JX\r\n');
    await pty.see('> ');
    pty.type('\x04');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('ends with the terminal', async (t) => {
    const { port } = await serve(t);
    const pty = open(t, port);
    await pty.see('> ');
    pty.hangUp();
    assert.equal((await pty.ended).exitCode, -1); // SIGHUP
  });
});

function* endless(): Generator<string> {
  for (;;) yield 'line after line\n'.repeat(1_000);
}
