// One connection in a worker, by itself: a socket as the listener gives it, and a host that notes what it is told.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Behavior } from '../../server/worker/behavior.ts';
import { EchoSession } from '../../server/worker/echo-session.ts';
import { UNTOUCHED } from '../../server/worker/messages.ts';
import type { CloseReason, Moved } from '../../server/worker/messages.ts';
import type { Session } from '../../server/worker/session.ts';
import { accepting } from '../helpers/listening.ts';
import { connectClient } from '../helpers/test-client.ts';

/** Sends before and after an urgent byte, says so, and prints what comes back, up to the end. */
const URGENT = `
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:
    print('connected', flush=True)
    for line in sys.stdin:
        s.sendall(b'before ')
        s.send(b'!', socket.MSG_OOB)
        s.sendall(b'after')
        open(sys.argv[2], 'w').close()
        break
    print(b''.join(iter(lambda: s.recv(1000), b'')).decode(), flush=True)
`;

/** Does as it is told, a line at a time. Node 20 cannot tell a reset from a FIN once it has sent its own. */
const HALF_CLOSING = `
import socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:
    for line in sys.stdin:
        if line == 'send\\n': s.sendall(b'x' * 16000)
        if line == 'end\\n': s.shutdown(socket.SHUT_WR)
        if line == 'read\\n': break
    try:
        while s.recv(65536): pass
        print('FIN')
    except ConnectionResetError:
        print('reset')
`;

/** What a session wants to hear of its socket. */
const EVENTS = ['error', 'data', 'end', 'drain', 'close'];

/** A session over the socket, and how it ends. */
function serve(
  socket: Socket, idleTimeoutMs = 0, moved: Moved | null = null,
  behavior?: Behavior, givenBack: (session: Session, moved: Moved) => void = assert.fail,
): { session: EchoSession; closed: Promise<CloseReason> } {
  let session!: EchoSession;
  const closed = new Promise<CloseReason>((resolve) => {
    const told = (_: unknown, reason: CloseReason): void => resolve(reason);
    const host = { message: () => {}, closed: told, givenBack, behavior };
    session = new EchoSession(host, 1, 'peer', socket, moved, idleTimeoutMs);
  });
  return { session, closed };
}

/** Blocks this process, and with it all of its clocks. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a silent client is closed as idle, and one that does not read too', async (t) => {
  const { port, next } = await accepting(t);
  const silent = await connectClient(port);
  const first = serve((await next()).socket, 60);
  first.session.start();
  assert.equal(await silent.ask('once'), 'ONCE');
  assert.equal(await first.closed, 'idle');
  assert.equal(await silent.fate, 'FIN');
  const deaf = await connectClient(port, { paused: true });
  const second = serve((await next()).socket, 60);
  second.session.start();
  deaf.send(Buffer.alloc(32 * 1024 * 1024, 'x'));
  assert.equal(await second.closed, 'idle');
  deaf.socket.resume();
  assert.match(await deaf.fate, /ECONNRESET|EPIPE/);
});

test('who has sent its FIN and not got all its replies sees a reset, and not a FIN', {
  skip: spawnSync('python3', ['--version']).status !== 0 && 'needs python3',
}, async (t) => {
  const { port, next } = await accepting(t);
  const client = spawn('python3', ['-c', HALF_CLOSING, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => client.kill('SIGKILL'));
  const fate = once(createInterface({ input: client.stdout }), 'line');
  const { socket } = await next();
  const { session, closed } = serve(socket);
  session.start();
  // It reads nothing. A reply of this length may wait and more is read all the same: so the FIN is.
  for (let sent = 0; socket.writableLength === 0; sent++) {
    assert.ok(sent < 4000, 'the system takes all');
    client.stdin.write('send\n');
    while (session.traffic.bytesIn < 16_000 * (sent + 1)) await new Promise(setImmediate);
  }
  assert.equal(socket.isPaused(), false);
  client.stdin.write('end\n');
  while (!socket.writableEnded) await new Promise(setImmediate);
  assert.ok(socket.writableLength > 0);
  session.giveUp();
  assert.equal(await closed, 'not quiet in time');
  client.stdin.write('read\n');
  assert.deepEqual(await fate, ['reset']);
});

test('who is owed the reply to what an earlier worker has read sees a reset too', async (t) => {
  const { port, next } = await accepting(t);
  const client = await connectClient(port);
  const { session, closed } = serve((await next()).socket, 0, { ...UNTOUCHED, unread: Buffer.from('hi') });
  session.giveUp();
  await closed;
  assert.equal(await client.fate, 'ECONNRESET');
});

test('a client that does not read is idle after --close-after too', { timeout: 60_000 }, async (t) => {
  const { port, next } = await accepting(t);
  const client = await connectClient(port, { paused: true });
  const { socket } = await next();
  const most = 16 * 1024 * 1024;
  const behavior: Behavior = { greeting: () => Buffer.alloc(0), delay: () => undefined, mostReplies: 5, resets: false };
  // The system takes none of it any more when the last reply comes.
  socket.write(Buffer.alloc(most));
  const { session, closed } = serve(socket, 60, { ...UNTOUCHED, unread: Buffer.from('enough'), greeted: 0 }, behavior);
  session.start();
  assert.ok(socket.writableEnded);
  assert.equal(await closed, 'idle');
  client.socket.resume();
  assert.equal(await client.fate, 'ECONNRESET');
});

test('silence goes along to the next worker, and ends the connection there when it is long enough', {
  timeout: 60_000,
}, async (t) => {
  const HOUR = 3_600_000;
  const { port, next } = await accepting(t);
  const client = await connectClient(port);
  const moved = new Promise<Moved>((resolve) => {
    void next().then(({ socket }) => {
      const { session } = serve(socket, HOUR, null, undefined, (_, what) => resolve(what));
      session.start();
      standStill(100);
      session.giveBack();
    });
  });
  const { silentMs } = await moved;
  assert.ok(silentMs >= 99 && silentMs < HOUR / 2, `${silentMs} ms`);
  await client.fate;
  const second = await connectClient(port);
  const { session, closed } = serve((await next()).socket, HOUR, { ...UNTOUCHED, silentMs: HOUR });
  session.start();
  assert.equal(await closed, 'idle');
  await second.fate;
});

test('sessions share their listeners, and each hears its own socket', async (t) => {
  const { port, next } = await accepting(t);
  const clients = [await connectClient(port), await connectClient(port)];
  const sockets = [(await next()).socket, (await next()).socket];
  const [first, second] = sockets.map((socket) => {
    const before = new Map(EVENTS.map((event) => [event, new Set(socket.listeners(event))]));
    const { session } = serve(socket);
    session.start();
    return EVENTS.map((event) => socket.listeners(event).filter((listener) => !before.get(event)!.has(listener)));
  });
  assert.deepEqual(first!.map(({ length }) => length), EVENTS.map(() => 1));
  for (const [i, [listener]] of first!.entries()) assert.ok(listener === second![i]![0], EVENTS[i]);
  assert.equal(await clients[0]!.ask('one'), 'ONE');
  assert.equal(await clients[1]!.ask('two'), 'TWO');
  for (const socket of sockets) socket.destroy();
});

test('a client that sends is not idle, however long its worker stands still', async (t) => {
  const { port, next } = await accepting(t);
  const client = await connectClient(port);
  // Twenty beats of 50 ms, of which a standstill counts two.
  const { session, closed } = serve((await next()).socket, 1000);
  session.start();
  let over: string | undefined;
  void closed.then((reason) => { over = reason; });
  for (let round = 0; round < 3; round++) {
    await new Promise<void>((resolve) => { client.socket.write('here', () => resolve()); });
    standStill(1500);
    assert.equal(await client.readText('HERE'), 'HERE', over);
  }
  assert.equal(over, undefined);
  session.giveUp();
  await closed;
});

test('what follows urgent data is answered before a drain ends the connection', {
  skip: spawnSync('python3', ['--version']).status !== 0 && 'needs python3',
}, async (t) => {
  const { port, next } = await accepting(t);
  const folder = mkdtempSync(join(tmpdir(), 'echo-session-'));
  const sent = join(folder, 'sent');
  t.after(() => rmSync(folder, { recursive: true }));
  const client = spawn('python3', ['-c', URGENT, String(port), sent], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => client.kill('SIGKILL'));
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'connected');
  const { session, closed } = serve((await next()).socket);
  session.start();
  // Reading has begun when the loop has turned. From then on, as in the turn in which the master's message comes,
  // nothing is read before the drain begins; and a read ends at the mark.
  await new Promise(setImmediate);
  await stat(folder);
  client.stdin.write('\n');
  for (let looks = 0; !existsSync(sent) && looks < 10_000; looks++) standStill(2);
  session.drain(60_000);
  assert.equal((await lines.next()).value, 'BEFORE AFTER');
  assert.equal(await closed, 'server stopping');
  if (client.exitCode === null) await once(client, 'exit');
});
