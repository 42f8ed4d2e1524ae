// Unix sockets and inherited descriptors as listeners: whose file it is, and who may come.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { BindAddress } from '../../server/connections/bind-address.ts';
import { TrustedProxies } from '../../server/connections/trusted-proxies.ts';
import { pathOfSocket, SocketFile } from '../../server/connections/unix-socket.ts';
import { resetConnection } from '../../shared/reset.ts';
import { accepting, tcp } from '../helpers/listening.ts';

const folder = mkdtempSync(join(tmpdir(), 'unix-socket-'));
after(() => rmSync(folder, { recursive: true }));
let last = 0;

function freshPath(): string {
  return join(folder, `${++last}.sock`);
}

function unix(path: string, proxy = false): BindAddress {
  return { kind: 'unix', path, proxy, givenBy: '--bind' };
}

/** Another program's server at that path. */
async function foreignServer(t: TestContext, path: string): Promise<Server> {
  const server = createServer((socket) => socket.end('not ours')).listen(path);
  await once(server, 'listening');
  t.after(() => void server.close());
  return server;
}

/** Leaves a socket's file there that nobody listens on, as a server does that was killed. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer().listen(`${path}-old`);
  await once(server, 'listening');
  renameSync(`${path}-old`, path);
  server.close();
  await once(server, 'close');
}

async function connectTo(t: TestContext, path: string): Promise<Socket> {
  const socket = connect({ path });
  t.after(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('a connection to a Unix socket comes paused and half-open, and its peer is the socket', async (t) => {
  const path = freshPath();
  const { listener, next } = await accepting(t, unix(path));
  const address = `unix:${path}`;
  assert.deepEqual([listener.address, listener.fields, listener.proxy], [address, { path }, false]);
  const client = await connectTo(t, path);
  client.end('early');
  const { socket, host, peer, proxy } = await next();
  assert.deepEqual([host, peer, proxy, socket.bytesRead, socket.allowHalfOpen], [address, address, false, 0, true]);
  const [bytes] = await once(socket.resume(), 'data') as [Buffer];
  assert.equal(bytes.toString(), 'early');
  socket.end('late');
  const [reply] = await once(client, 'data') as [Buffer];
  assert.equal(reply.toString(), 'late');
});

test('the file of a socket has the mode 0660 from its first moment, and goes with the listener', async (t) => {
  const path = freshPath();
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const server = createServer();
  const modes: number[] = [];
  await SocketFile.bind(path, async () => {
    server.listen(path);
    modes.push(statSync(path).mode & 0o777);
    await once(server, 'listening');
  });
  assert.deepEqual(modes, [0o660]);
  assert.equal(process.umask(), 0, 'the umask is as it was');
  server.close();
  assert.equal(existsSync(path), false);

  const { listener } = await accepting(t, unix(path));
  assert.equal(statSync(path).mode & 0o777, 0o660);
  listener.close();
  assert.equal(existsSync(path), false);
});

test('a socket on which nobody listens is replaced, and one on which somebody does is not', async (t) => {
  const path = freshPath();
  await leaveStale(path);
  const { listener, next } = await accepting(t, unix(path));
  await connectTo(t, path);
  await next();
  await assert.rejects(accepting(t, unix(path)), { name: 'ListenError', code: 'EADDRINUSE' });
  // To be asked is to be connected to.
  await next();
  await connectTo(t, path);
  await next();
  listener.close();
  assert.equal(existsSync(path), false);
});

test('a datagram socket is somebody\'s too', {
  skip: spawnSync('python3', ['--version']).status !== 0 && 'needs python3',
}, async (t) => {
  const path = freshPath();
  // It leaves its file when it ends: then nobody has it.
  const bind = 'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])';
  const program = spawn('python3', ['-c', `${bind}; print("bound", flush=True); sys.stdin.read()`, path]);
  t.after(() => void program.kill('SIGKILL'));
  await once(program.stdout, 'data');
  await assert.rejects(accepting(t, unix(path)), { code: 'EADDRINUSE' });
  program.stdin.end();
  await once(program, 'exit');
  assert.ok(existsSync(path));
  const { listener } = await accepting(t, unix(path));
  listener.close();
});

test('what is no socket is refused and left as it is', async (t) => {
  const path = freshPath();
  writeFileSync(path, 'precious');
  const link = freshPath();
  symlinkSync(path, link);
  const dangling = freshPath();
  symlinkSync(join(folder, 'nowhere'), dangling);
  for (const place of [path, link, dangling, folder]) {
    await assert.rejects(accepting(t, unix(place)), { name: 'ListenError', code: 'ENOTSOCK' }, place);
  }
  assert.equal(readFileSync(path, 'utf8'), 'precious');
  assert.equal(existsSync(join(folder, 'nowhere')), false);
  await assert.rejects(accepting(t, unix(join(folder, 'no', 'folder'))), { name: 'ListenError', code: 'EACCES' });
});

test('a closed listener does not remove the socket that another program has put in the place of its own', async (t) => {
  const path = freshPath();
  const { listener } = await accepting(t, unix(path));
  rmSync(path);
  await foreignServer(t, path);
  listener.close();
  assert.ok(existsSync(path));
  const [bytes] = await once(await connectTo(t, path), 'data') as [Buffer];
  assert.equal(bytes.toString(), 'not ours');
});

test('a client that comes after the end to a socket whose path is another\'s by now is not let in', async (t) => {
  const path = freshPath();
  const { listener, came } = await accepting(t, unix(path));
  renameSync(path, `${path}-moved`);
  await foreignServer(t, path);
  listener.close();
  const client = await connectTo(t, `${path}-moved`);
  await once(client.resume(), 'close');
  assert.deepEqual(came, []);
});

test('who may not send a header is closed and told of, where one is to be sent', async (t) => {
  const path = freshPath();
  const cases = [
    { where: unix(path, true), list: [], host: `unix:${path}` },
    { where: { ...tcp(), proxy: true }, list: ['unix'], host: '127.0.0.1' },
  ] as const;
  for (const { where, list, host } of cases) {
    const { listener, port, untrusted } = await accepting(t, where, new TrustedProxies(list));
    assert.equal(listener.proxy, true);
    const client = port === 0 ? connect({ path }) : connect({ port, host: '127.0.0.1' });
    t.after(() => void client.destroy());
    await once(client.resume(), 'close');
    assert.deepEqual(untrusted, [host]);
    listener.close();
  }
});

test('who may send a header is accepted with the word that one comes', async (t) => {
  const path = freshPath();
  const unixes = await accepting(t, unix(path, true), new TrustedProxies(['unix']));
  await connectTo(t, path);
  assert.equal((await unixes.next()).proxy, true);
  const loopback = { address: '127.0.0.0', bits: 8, family: 'ipv4' } as const;
  const { port, next, untrusted } = await accepting(t, { ...tcp(), proxy: true }, new TrustedProxies([loopback]));
  const client = connect({ port, host: '127.0.0.1' });
  t.after(() => void client.destroy());
  assert.equal((await next()).proxy, true);
  assert.deepEqual([...unixes.untrusted, ...untrusted], []);
});

test('a descriptor on which nobody can listen is refused', async (t) => {
  for (const fd of [1_000_000, 2_147_483_647]) {
    await assert.rejects(accepting(t, { kind: 'fd', fd, proxy: false }), { name: 'ListenError' });
    assert.equal(pathOfSocket(fd), undefined);
  }
});

test('a reset of a Unix socket is a close, which resets the client if something of it was not read', async (t) => {
  const path = freshPath();
  const { next } = await accepting(t, unix(path));
  const [unread, silent] = [await connectTo(t, path), await connectTo(t, path)];
  const ends = [unread, silent].map((client) => new Promise<string>((resolve) => {
    client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code!)).on('end', () => resolve('FIN')).resume();
  }));
  unread.write('unread');
  const [first, second] = [await next(), await next()];
  resetConnection(first.socket);
  resetConnection(second.socket);
  assert.deepEqual(await Promise.all(ends), ['ECONNRESET', 'FIN']);
});
