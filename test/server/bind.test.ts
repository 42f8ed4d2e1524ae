// The server on several addresses at once, of every kind: talked to by real programs, reloaded, and started by others
// that leave it their sockets.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { parseConfig } from '../../server/config.ts';
import { ListenError } from '../../server/connections/listener.ts';
import { whyNotListening } from '../../server/why-not-listening.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { portIn, runServer, startTestServer, TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClientOptions } from '../helpers/test-client.ts';

const addresses = Object.values(networkInterfaces()).flat().map((one) => one?.address);
const noIPv6 = !addresses.includes('::1') && 'there is no ::1 here';
const needs = (program: string): string | false => (
  spawnSync(program, ['--version']).error !== undefined && `needs ${program}`);
const noPython = needs('python3');

const folder = mkdtempSync(join(tmpdir(), 'bind-'));
after(() => rmSync(folder, { recursive: true }));
let last = 0;
const freshPath = (): string => join(folder, `${++last}.sock`);

/** All that a program prints until it ends, when it gets this as its input. */
async function outputOf(t: TestContext, program: string, args: string[], input: string): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => void child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return (await buffer(child.stdout)).toString();
}

/** How clients come to where the server says that it listens. */
function wayTo(address: string): TestClientOptions & { port: number } {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length), port: 0 };
  return { host: address.startsWith('[') ? '::1' : '127.0.0.1', port: Number(/\d+$/.exec(address)?.[0]) };
}

describe('a server on several addresses', { concurrency: 2 }, () => {
  test('says each in a line, serves on each, and loses nobody in a reload', async () => {
    const path = freshPath();
    const ipv6 = noIPv6 ? [] : ['--bind', '[::1]:0'];
    const binds = [...ipv6, '--bind', `127.0.0.1:0,unix:${path}`, '--bind', '127.0.0.2:0'];
    await using server = await startTestServer(['--workers', '2', ...binds]);
    const listening = await server.when(() => {
      const all = server.listening();
      return all.length === (noIPv6 ? 3 : 4) ? all : undefined;
    }, 'a line for each');
    const whole = server.lines().filter((line) => /listening on \S+ with 2 workers \(pid \d+\)$/.test(line));
    assert.equal(whole.length, listening.length);
    assert.equal(listening.at(-2), `unix:${path}`);
    const clients = await Promise.all(listening.map((address) => {
      const { port, ...where } = wayTo(address);
      return connectClient(port, address.startsWith('127.0.0.2') ? { host: '127.0.0.2' } : where);
    }));
    for (const client of clients) assert.equal(await client.ask('hi'), 'HI');
    // Half a character, which goes along to the next worker.
    for (const client of clients) client.send(Buffer.from('aß').subarray(0, 2));
    for (const client of clients) assert.equal(await client.readText('A'), 'A');
    server.signal('SIGHUP');
    await server.printed(/the reload is done/);
    for (const client of clients) {
      client.end(Buffer.from('ß').subarray(1));
      assert.equal((await client.readToEnd()).toString(), 'SS');
      assert.equal(await client.fate, 'FIN');
    }
    assert.equal(await server.stop(), 0);
    assert.equal(existsSync(path), false);
    for (const { peer } of clients) assert.ok(server.stdout.includes(`${peer}  closed: client ended, `), peer);
    assert.match(server.stdout, new RegExp(`served ${clients.length} connections, .* 0 refused, 0 cut off\n$`));
  });

  test('says as JSON what it is', async () => {
    const path = freshPath();
    const flags = ['--log-format', 'json', '--bind-proxy', `unix:${path}`, '--bind', '127.0.0.1:0', '--workers', '1'];
    await using server = await startTestServer(flags);
    const said = server.lines().map((line) => JSON.parse(line)).filter(({ event }) => event === 'listening');
    const pid = server.process.pid;
    assert.deepEqual(said.map(({ time: _, level: __, message: ___, ...fields }) => fields), [
      { event: 'listening', host: '127.0.0.1', port: portIn(server.stdout), pid, workers: 1 },
      { event: 'listening', path, proxy: true, pid, workers: 1 },
    ]);
    assert.equal(await server.stop(), 0);
  });

  test('has one that serves both families beside one of a family', { skip: noIPv6 }, async () => {
    await using server = await startTestServer(['--workers', '1', '--bind', '[::]:0', '--bind', '127.0.0.1:0']);
    const ports = server.listening().map((address) => wayTo(address).port);
    for (const [port, host] of [[ports[0]!, '::1'], [ports[0]!, '127.0.0.1'], [ports[1]!, '127.0.0.1']] as const) {
      await using client = await connectClient(port, { host });
      assert.equal(await client.ask('hi'), 'HI');
      await server.printed(new RegExp(`worker 1 +${client.peer.replace(/[[\]]/g, '\\$&')}  connected`));
    }
  });

  test('listens on all of them or on none, and says in a line which it cannot have', async () => {
    const [path, file, link] = [freshPath(), freshPath(), freshPath()];
    writeFileSync(file, '');
    await using other = await startTestServer(['--workers', '1', '--bind', '127.0.0.1:0', '--bind', `unix:${link}`]);
    const { port } = wayTo(other.listening()[0]!);
    const before = (await connectClient(0, { path: link }));
    assert.equal(await before.ask('hi'), 'HI');
    const reasons: [string, string][] = [
      [`127.0.0.1:${port}`, 'another program does already; choose another --bind'],
      [`unix:${link}`, 'another program does already; choose another --bind'],
      ['192.0.2.1:0', '--bind "192.0.2.1" is no address of this machine'],
      [`unix:${file}`, 'there is a file that is no socket; remove it, or choose another path (--bind)'],
      ['unix:/no/folder/a.sock', 'there is no folder "/no/folder" (--bind)'],
      [`unix:${file}/a.sock`, `there is no folder "${file}" (--bind)`],
      ['fd:99', 'that is no listening socket, TCP or Unix, which this process was started with (--bind)'],
    ];
    await Promise.all(reasons.map(async ([address, reason], i) => {
      const own = `${path}${i}`;
      const run = await runServer(['--bind', `unix:${own}`, '--bind', address]);
      assert.deepEqual([run.stdout, run.code], ['', 1], address);
      assert.equal(run.stderr, `echopool-server: cannot listen on ${address}: ${reason}\n`);
      assert.equal(existsSync(own), false, 'the file of the first one is left');
    }));
    const byVariable = await runServer([], { env: { ECHOPOOL_BIND_PROXY: `unix:${link}`, PORT: 'x' } });
    assert.match(byVariable.stderr, /: another program does already; choose another ECHOPOOL_BIND_PROXY\n$/);
    // Twice the same is once too often.
    const twice = await runServer(['--bind', `unix:${path},unix:${path}`]);
    assert.match(twice.stderr, /: this server does already; choose another --bind\n$/);
    assert.equal(await before.ask('still here'), 'STILL HERE');
    await before[Symbol.asyncDispose]();
  });
});

describe('a Unix socket', { concurrency: 2 }, () => {
  test('is served to nc and socat, half-closed or not', { skip: needs('socat') || needs('nc') }, async (t) => {
    const path = freshPath();
    await using server = await startTestServer(['--workers', '1', '--bind', `unix:${path}`]);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.equal(await outputOf(t, 'nc', ['-N', '-U', path], 'straße'), 'STRASSE');
    assert.equal(await outputOf(t, 'socat', ['-t60', '-', `UNIX-CONNECT:${path}`], 'from socat\n'), 'FROM SOCAT\n');
    const long = 'a long line, '.repeat(100_000);
    assert.equal(await outputOf(t, 'socat', ['-t60', '-', `UNIX-CONNECT:${path}`], long), long.toUpperCase());
    assert.equal(await server.stop(), 0);
  });

  test('has its file replaced when a server was killed, and removed when one ends at once', async () => {
    const path = freshPath();
    const flags = ['--workers', '1', '--bind', `unix:${path}`];
    await using killed = await startTestServer(flags);
    killed.signal('SIGKILL');
    await killed.exit();
    assert.ok(existsSync(path));
    await using server = await startTestServer([...flags, '--grace', '1000']);
    await using client = await connectClient(0, { path, paused: true });
    client.send(Buffer.alloc(16 * 1024 * 1024, 'a'));
    await server.printed(/connected/);
    const again = setInterval(() => server.signal('SIGINT'), 150);
    try {
      assert.deepEqual(await server.exit(), { code: 130, signal: null });
    } finally {
      clearInterval(again);
    }
    assert.equal(existsSync(path), false);
  });

  test('has its clients adopted by another worker when theirs crashes, or cut off', async () => {
    const path = freshPath();
    for (const onCrash of ['adopt', 'reset']) {
      const flags = ['--workers', '1', '--bind', `unix:${path}`, '--on-crash', onCrash];
      await using server = await startTestServer(flags);
      await using client = await connectClient(0, { path });
      assert.equal(await client.ask('before'), 'BEFORE');
      process.kill(server.pidOf(1), 'SIGKILL');
      if (onCrash === 'adopt') assert.equal(await client.ask('after'), 'AFTER');
      else assert.match(await client.fate, /^(?:FIN|ECONNRESET)$/);
      await server.printed(onCrash === 'adopt' ? /unix:\S+ goes on with worker 1/ : /unix:\S+ is cut off: its worker/);
      assert.equal(await server.stop(), 0);
    }
  });

  test('is where the client and the load generator find a server, too', async (t) => {
    const path = freshPath();
    await using server = await startTestServer(['--workers', '1', '--log', 'none', '--bind', `unix:${path}`]);
    const client = [...nodeArgs('client/main.ts'), `unix:${path}`];
    assert.equal(await outputOf(t, process.execPath, client, 'hi\n'), 'HI\n');
    for (const more of [[], ['--churn'], ['--processes', '2']]) {
      const load = [...nodeArgs('client/load/main.ts'), `unix:${path}`, '-c', '4', '-n', '40', '--json', ...more];
      const { messages, lost, problems } = JSON.parse(await outputOf(t, process.execPath, load, ''));
      assert.deepEqual({ messages, lost, problems }, { messages: 40, lost: 0, problems: [] });
    }
    assert.equal(await server.stop(), 0);
  });
});

test('no header is taken from whom --proxy-from does not name: closed and counted', async () => {
  const path = freshPath();
  const flags = ['--bind-proxy', '127.0.0.1:0', '--bind-proxy', `unix:${path}`, '--proxy-from', '192.0.2.0/24'];
  await using server = await startTestServer(['--workers', '1', ...flags]);
  await using tcp = await connectClient(server.port);
  assert.equal((await tcp.readToEnd()).length, 0);
  await using unix = await connectClient(0, { path });
  assert.equal((await unix.readToEnd()).length, 0);
  await server.printed(/1 connection refused: no PROXY header is taken from there \(--proxy-from\), the last from /);
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /served 0 connections, .* 2 refused, 0 cut off/);
});

/** A client that half-closes. */
const ASK = `
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b'first')
    s.shutdown(socket.SHUT_WR)
    print(b''.join(iter(lambda: s.recv(100), b'')).decode(), end='')
`;

/**
 * Binds sockets, and starts a program that has them from descriptor 3 on, as a service manager does it.
 * argv: variables that say so (0 or 1), for whom ('' is that program), sockets (`tcp` or a path), `--`, the program.
 */
const LAUNCHER = `
import os, socket, sys
says, whom, *rest = sys.argv[1:]
cut = rest.index('--')
sockets = []
for where in rest[:cut]:
    s = socket.socket(socket.AF_INET if where == 'tcp' else socket.AF_UNIX)
    s.bind(('127.0.0.1', 0) if where == 'tcp' else where)
    s.listen()
    sockets.append(s)
# Out of the way first. What dup() makes is not inherited.
while sockets[0].fileno() < 3 + len(sockets):
    sockets = [s.dup() for s in sockets]
for i, s in enumerate(sockets):
    os.dup2(s.fileno(), 3 + i)
if says == '1':
    os.environ.update(LISTEN_FDS=str(len(sockets)), LISTEN_PID=whom or str(os.getpid()), LISTEN_FDNAMES='a:b')
os.execv(rest[cut + 1], rest[cut + 1:])
`;

/** The sockets on which a process listens, by their descriptors: those of these kinds that have no other end. */
function inheritedBy(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:.*/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[0] ?? [];
    } catch {
      return []; // It was that of this very look.
    }
  });
}

test('a port that the server itself has at another address is told as its own', () => {
  const why = (args: string[], host: string, port: number): string => {
    const invocation = parseConfig(args, {}, 1);
    assert.ok(invocation.kind === 'run');
    const where = { kind: 'tcp', host, port, proxy: false, givenBy: '--admin' } as const;
    const error = new ListenError(where, { code: 'EADDRINUSE' });
    return whyNotListening(error, invocation.config, invocation.origins);
  };
  const own = /: this server does already; choose another --admin$/;
  assert.match(why(['--admin', '8080'], '127.0.0.1', 8080), own);
  assert.match(why(['--bind', '0.0.0.0:9', '--admin', '9'], '127.0.0.1', 9), own);
  assert.match(why(['--bind', '[::]:9', '--admin', '9'], '127.0.0.1', 9), own);
  const others = /: another program does already; choose another --admin$/;
  assert.match(why(['--admin', '8081'], '127.0.0.1', 8081), others);
  assert.match(why(['--bind', '127.0.0.2:9', '--admin', '9'], '127.0.0.1', 9), others);
});

describe('a socket that another program has bound', { concurrency: 2, skip: noPython }, () => {
  const launcher = (says: boolean, whom: string, sockets: string[]): string[] => (
    ['python3', '-c', LAUNCHER, says ? '1' : '0', whom, ...sockets, '--', process.execPath]);

  test('is served by its descriptor, and is left when the server ends', async () => {
    const path = freshPath();
    const flags = ['--workers', '1', '--bind', 'fd:8', '--bind', 'fd:3'];
    const more = Array.from({ length: 4 }, freshPath);
    await using server = await startTestServer(flags, { command: launcher(false, '', ['tcp', ...more, path]) });
    const [unix, tcp] = server.listening();
    assert.equal(unix, `unix:${path}`);
    assert.match(tcp!, /^127\.0\.0\.1:\d+$/);
    const clients = await Promise.all([unix!, tcp!].map((address) => {
      const { port, ...where } = wayTo(address);
      return connectClient(port, where);
    }));
    for (const client of clients) assert.equal(await client.ask('hi'), 'HI');
    server.signal('SIGHUP');
    await server.printed(/the reload is done/);
    for (const client of clients) assert.equal(await client.ask('hi again'), 'HI AGAIN');
    // Nobody but the master could accept there: a worker that still had it would keep clients waiting after a stop.
    const own = [3, 8].map((fd) => readlinkSync(`/proc/${server.process.pid}/fd/${fd}`));
    const others = server.workers().flatMap(inheritedBy);
    assert.deepEqual(own.filter((socket) => others.includes(socket)), []);
    for (const client of clients) client.end();
    assert.equal(await server.stop(), 0);
    assert.ok(existsSync(path), 'it is not ours to be removed');
  });

  test('is found by LISTEN_FDS, as systemd says it; no worker sees the variables', async () => {
    const path = freshPath();
    const command = launcher(true, '', [path, 'tcp']);
    await using server = new TestServer(['--workers', '1'], { command, env: { PORT: '1' } });
    await server.when(() => server.listening().length === 2 || undefined, 'listening');
    assert.equal(server.listening()[0], `unix:${path}`);
    await using client = await connectClient(0, { path });
    assert.equal(await client.ask('hi'), 'HI');
    assert.doesNotMatch(readFileSync(`/proc/${server.pidOf(1)}/environ`, 'utf8'), /LISTEN_/);
    client.end();
    assert.equal(await server.stop(), 0);
    assert.ok(existsSync(path));
  });

  test('is none of ours when LISTEN_PID names another process', async () => {
    const path = freshPath();
    await using server = await startTestServer(['--workers', '1'], { command: launcher(true, '1', [path]) });
    assert.equal(server.listening().length, 1);
    assert.match(server.listening()[0]!, /^127\.0\.0\.1:\d+$/);
    assert.doesNotMatch(readFileSync(`/proc/${server.pidOf(1)}/environ`, 'utf8'), /LISTEN_/);
    assert.equal(await server.stop(), 0);
  });

  test('is refused in a line when it is none, and beside --port', async () => {
    const port = await runServer(['--port', '0'], { command: launcher(true, '', ['tcp']) });
    const beside = 'echopool-server: --port cannot be given beside LISTEN_FDS, which says where to listen\n';
    assert.deepEqual([port.stderr, port.code], [beside, 2]);
    const command = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3</dev/null', 'sh', process.execPath];
    const file = await runServer([], { command });
    const none = 'that is no listening socket, TCP or Unix, which this process was started with (LISTEN_FDS)';
    assert.deepEqual([file.stderr, file.code], [`echopool-server: cannot listen on fd:3: ${none}\n`, 1]);
  });

  test('by systemd itself is served with its first client', { skip: needs('systemd-socket-activate') }, async (t) => {
    const path = freshPath();
    // It passes nothing of the environment on but what it is told.
    const command = ['systemd-socket-activate', '-l', path, `--setenv=PATH=${process.env['PATH']}`, process.execPath];
    await using server = new TestServer(['--workers', '1'], { command });
    await server.when(() => existsSync(path) || undefined, 'the socket');
    assert.equal(await outputOf(t, 'python3', ['-c', ASK, path], ''), 'FIRST');
    await server.when(() => server.listening()[0] === `unix:${path}` || undefined, 'listening');
    assert.equal(await server.stop(), 0);
  });
});
