// A connection that begins with a PROXY protocol header, in a worker: a real socket, and a host that notes what it is
// told. What a header may look like is in proxy-header.test.ts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { EchoSession } from '../../server/worker/echo-session.ts';
import { NO_TRAFFIC, UNTOUCHED } from '../../server/worker/messages.ts';
import type { Moved, ProxyClient, Traffic } from '../../server/worker/messages.ts';
import { ProxySession } from '../../server/worker/proxy-session.ts';
import type { ProxyHost, ProxyLimits } from '../../server/worker/proxy-session.ts';
import type { Session, SessionHost } from '../../server/worker/session.ts';
import { V4 } from '../helpers/proxy-headers.ts';
import { binaryHeader, tlv } from '../helpers/proxy-oracle.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

const LINE = Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1234 8080\r\n');
const BINARY = binaryHeader(0x21, 0x11, V4, tlv(4, 'pad'), tlv(5));
const LOCAL = binaryHeader(0x20, 0x00);
const NOTHING = Buffer.alloc(0);
const CLIENT: ProxyClient = { peer: '192.0.2.1:1234', host: '192.0.2.1', isLocal: false };

/** What a worker is to its sessions. Each promise settles when that is told. */
class Host implements ProxyHost, SessionHost {
  readonly behavior = undefined;
  readonly messages: string[] = [];
  readonly told: Record<'client' | 'unserved' | 'bad' | 'closed' | 'moved', Promise<unknown>>;
  readonly #tell: Record<string, (what: unknown) => void> = {};
  session: Session | undefined;

  constructor() {
    const awaited = (name: string): Promise<unknown> => new Promise((resolve) => { this.#tell[name] = resolve; });
    this.told = {
      client: awaited('client'), unserved: awaited('unserved'), bad: awaited('bad'), closed: awaited('closed'),
      moved: awaited('moved'),
    };
  }

  identified(_: Session, client: ProxyClient): void {
    this.#tell['client']!(client);
  }

  admitted({ id, peer }: ProxySession, socket: Socket): Session {
    return this.session = new EchoSession(this, id, peer, socket, null, 0);
  }

  badHeader(_: Session, kind: string, reason: string): void {
    this.#tell['bad']!({ kind, reason });
  }

  unserved(_: Session, reason: string): void {
    this.#tell['unserved']!(reason);
  }

  message({ peer }: Session, bytes: Buffer): void {
    this.messages.push(`${peer} ${bytes.toString()}`);
  }

  closed(_: Session, reason: string, traffic: Traffic): void {
    this.#tell['closed']!({ reason, ...traffic });
  }

  givenBack(_: Session, moved: Moved): void {
    this.#tell['moved']!(moved);
  }
}

interface Served {
  readonly client: TestClient;
  readonly host: Host;
  readonly session: ProxySession;
}

/** Makes connections that a session has which is not started. */
async function serving(
  t: TestContext,
): Promise<(moved?: Moved | null, limits?: Partial<ProxyLimits>) => Promise<Served>> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return async (moved = null, limits = {}) => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = await connectClient((server.address() as AddressInfo).port);
    const [socket] = await accepted;
    t.after(() => socket.destroy());
    t.after(() => client.socket.destroy());
    const host = new Host();
    const all = { idleTimeoutMs: 0, proxyTimeoutMs: 0, ...limits };
    return { client, host, session: new ProxySession(host, 1, 'proxy', socket, moved, all) };
  };
}

/** Sends it, and waits until this process has read it from its other end. */
async function sendPart(client: TestClient, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => { client.socket.write(bytes, () => resolve()); });
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
}

test('the header may be cut anywhere; it is told before anything is answered, and the rest is echoed', async (t) => {
  const connect = await serving(t);
  for (const header of [LINE, BINARY]) {
    for (let cut = 0; cut <= header.length; cut++) {
      const { client, host, session } = await connect();
      session.start();
      if (cut > 0) await sendPart(client, header.subarray(0, cut));
      client.send(Buffer.concat([header.subarray(cut), Buffer.from('behind')]));
      assert.deepEqual(await host.told.client, CLIENT);
      assert.equal(session.peer, CLIENT.peer);
      assert.deepEqual([client.length, host.messages], [0, []], 'answered before the master knows');
      session.verdict(true);
      assert.equal(await client.readText('BEHIND'), 'BEHIND');
      assert.equal(host.messages.join('|').replace('|192.0.2.1:1234 ', ''), '192.0.2.1:1234 behind');
      assert.equal(await client.ask('more'), 'MORE');
      client.end();
      const { reason, bytesIn, bytesOut } = await host.told.closed as { reason: string } & Traffic;
      assert.deepEqual({ reason, bytesIn, bytesOut }, { reason: 'client ended', bytesIn: 10, bytesOut: 10 });
    }
  }
});

test('given back in the middle of the header it goes with what there is of it, wherever it is cut', async (t) => {
  const connect = await serving(t);
  for (const header of [LINE, BINARY]) {
    for (let cut = 0; cut < header.length; cut += 3) {
      const first = await connect();
      if (cut > 0) first.session.start();
      if (cut > 0) await sendPart(first.client, header.subarray(0, cut));
      first.session.giveBack();
      const moved = await first.host.told.moved as Moved;
      assert.deepEqual(moved, { ...UNTOUCHED, header: header.subarray(0, cut) });
      const { client, host, session } = await connect(moved);
      session.start();
      client.send(Buffer.concat([header.subarray(cut), Buffer.from('x')]));
      assert.deepEqual(await host.told.client, CLIENT);
      session.verdict(true);
      assert.equal(await client.readText('X'), 'X');
    }
  }
});

test('given back while the master is asked, it goes after the answer, with what came behind the header', async (t) => {
  const { client, host, session } = await (await serving(t))();
  session.start();
  client.send(Buffer.concat([LINE, Buffer.from('behind')]));
  await host.told.client;
  session.giveBack();
  assert.equal(host.session, undefined);
  session.verdict(true);
  const { traffic, unread, header } = await host.told.moved as Moved;
  assert.deepEqual(traffic, { messages: 1, bytesIn: 6, bytesOut: 0 });
  assert.deepEqual([Buffer.from(unread).toString(), header.length], ['behind', 0]);
});

test('whom the master refuses gets nothing', async (t) => {
  const { client, host, session } = await (await serving(t))();
  session.start();
  client.send(Buffer.concat([LINE, Buffer.from('behind')]));
  await host.told.client;
  session.verdict(false);
  assert.equal(await host.told.unserved, 'refused');
  assert.match(await client.fate, /FIN|ECONNRESET/);
  assert.equal(client.length, 0);
});

test('given up before the master has answered, it is reset if something has come behind the header', async (t) => {
  const connect = await serving(t);
  for (const [rest, fate] of [['', 'FIN'], ['x', 'ECONNRESET']] as const) {
    const { client, host, session } = await connect();
    session.start();
    client.send(Buffer.concat([LINE, Buffer.from(rest)]));
    await host.told.client;
    session.giveUp();
    assert.equal(await host.told.unserved, 'not quiet in time');
    assert.equal(await client.fate, fate);
  }
});

test('how long it was waited for in another worker counts, for its header and for its silence', {
  timeout: 60_000,
}, async (t) => {
  const HOUR = 3_600_000;
  const connect = await serving(t);
  const late = await connect({ ...UNTOUCHED, headerMs: HOUR }, { proxyTimeoutMs: HOUR });
  late.session.start();
  assert.deepEqual(await late.host.told.bad, { kind: 'late', reason: `not whole after ${HOUR} ms` });
  const idle = await connect({ ...UNTOUCHED, silentMs: HOUR }, { idleTimeoutMs: HOUR });
  idle.session.start();
  assert.equal(await idle.host.told.unserved, 'idle');
  const both = { idleTimeoutMs: HOUR, proxyTimeoutMs: HOUR };
  const left = await connect({ ...UNTOUCHED, silentMs: 50, headerMs: 70 }, both);
  left.session.start();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  left.session.giveBack();
  const { silentMs, headerMs } = await left.host.told.moved as Moved;
  assert.ok(silentMs >= 149 && headerMs >= 169 && headerMs < HOUR / 2, `${silentMs} ms, ${headerMs} ms`);
});

test('a bad, an incomplete and a late header end the connection with their reason', async (t) => {
  const connect = await serving(t);
  const first = await connect();
  first.session.start();
  first.client.send('GET / HTTP/1.1\r\n');
  assert.deepEqual(await first.host.told.bad, {
    kind: 'missing', reason: 'the first bytes are no PROXY protocol header',
  });
  assert.match(await first.client.fate, /FIN|ECONNRESET/);
  for (const end of ['end', 'reset'] as const) {
    const { client, host, session } = await connect();
    session.start();
    await sendPart(client, LINE.subarray(0, 9));
    client[end]();
    assert.deepEqual(await host.told.bad, { kind: 'incomplete', reason: 'it ends after 9 bytes' });
  }
  const late = await connect(null, { proxyTimeoutMs: 1000 });
  late.session.start();
  await sendPart(late.client, LINE.subarray(0, 9));
  assert.deepEqual(await late.host.told.bad, { kind: 'late', reason: 'not whole after 1000 ms' });
  assert.equal(await late.client.fate, 'FIN');
});

test('who leaves without a byte was not served, and one that is silent is idle', async (t) => {
  const connect = await serving(t);
  const empty = await connect();
  empty.session.start();
  empty.client.end();
  assert.equal(await empty.host.told.unserved, 'client ended');
  const silent = await connect(null, { idleTimeoutMs: 60 });
  silent.session.start();
  assert.equal(await silent.host.told.unserved, 'idle');
  const kept = await connect();
  kept.session.start();
  kept.session.giveUp();
  assert.equal(await kept.host.told.unserved, 'not quiet in time');
});

test('a FIN right behind the header is the end of a client that has said nothing', async (t) => {
  for (const header of [LINE, LOCAL]) {
    const { client, host, session } = await (await serving(t))();
    session.start();
    client.end(header);
    assert.equal((await host.told.client as ProxyClient).isLocal, header === LOCAL);
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    session.verdict(true);
    assert.deepEqual(await host.told.closed, { reason: 'client ended', ...NO_TRAFFIC });
    assert.equal(await client.fate, 'FIN');
  }
});

test('when the server stops, who has sent a whole header is answered, and others are ended', async (t) => {
  const connect = await serving(t);
  for (const part of [NOTHING, LINE.subarray(0, 20)]) {
    for (const isStarted of [false, true]) {
      const { client, host, session } = await connect();
      if (isStarted) session.start();
      if (part.length > 0) await sendPart(client, part);
      session.drain(60_000);
      assert.equal(await host.told.unserved, 'server stopping');
      assert.match(await client.fate, /FIN|ECONNRESET/);
    }
  }
  for (const isAsked of [false, true]) {
    const { client, host, session } = await connect();
    if (isAsked) session.start();
    await sendPart(client, Buffer.concat([LINE, Buffer.from('behind')]));
    if (isAsked) await host.told.client;
    session.drain(60_000);
    await host.told.client;
    session.verdict(true);
    assert.equal(await client.readText('BEHIND'), 'BEHIND');
    assert.equal(await client.fate, 'FIN');
    assert.equal((await host.told.closed as { reason: string }).reason, 'server stopping');
  }
});
