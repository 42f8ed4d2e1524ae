// The load generator against servers that answer rightly, wrongly or not at all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { Generator, type Share } from '../../client/load/generator.ts';
import { emptyTally, LAST_REPLIES_MS, type Tally } from '../../client/load/tally.ts';
import { describeWrong } from '../../client/load/wrong-reply.ts';
import { serve, startServer, upperCase } from '../fixtures/upper-server.ts';

const DEADLINE = { timeout: 60_000 };
/** Ended by the number of messages, not by the clock, where it is not said otherwise. */
const MESSAGES = 50;
const SHARE: Share = {
  host: '127.0.0.1', port: 0, connections: 3, size: 64, depth: 1, durationMs: 60_000, messages: MESSAGES, text: 'ascii',
  churn: false, processes: 1, firstConnection: 1,
};

/** Runs the load in this process against a server that serves as told. */
async function loadOn(t: TestContext, handler: (socket: Socket) => void, share: Partial<Share> = {}): Promise<Tally> {
  const { port } = await serve(t, handler);
  const generator = new Generator({ ...SHARE, ...share, port });
  await generator.connect();
  return await generator.measure();
}

/** A load that ends with the wrong reply that it meets. */
async function wrongOn(t: TestContext, handler: (socket: Socket) => void, share: Partial<Share> = {}): Promise<string> {
  const tally = await loadOn(t, handler, { messages: undefined, ...share });
  assert.ok(tally.wrong !== undefined, 'the wrong reply was not noticed');
  return describeWrong(tally.wrong);
}

describe('a server that answers rightly', () => {
  for (const [what, share] of Object.entries<Partial<Share>>({
    'one message at a time': {},
    'many in flight': { depth: 20, connections: 2 },
    'more in flight than there are different messages': { depth: 300, size: 3 },
    'large messages': { size: 300_000, depth: 2, connections: 2 },
    'text that becomes longer': { text: 'utf8', size: 500, depth: 5 },
    'one connection a message': { churn: true, text: 'utf8' },
  })) {
    test(`is found to be right: ${what}`, DEADLINE, async (t) => {
      const { latencies, connects, elapsedMs, ...rest } = await loadOn(t, (socket) => upperCase(socket), share);
      const { latencies: _, connects: __, elapsedMs: ___, ...nothing } = emptyTally();
      assert.deepEqual(rest, { ...nothing, messages: MESSAGES });
      assert.equal(latencies.total, MESSAGES);
      assert.equal(connects.total, share.churn ? MESSAGES : share.connections ?? SHARE.connections);
      assert.ok(elapsedMs > 0);
    });
  }

  test('gets messages in flight up to the depth, and a connection for each message with churn', DEADLINE, async (t) => {
    let connections = 0;
    let most = 0;
    const { messages } = await loadOn(t, (socket) => {
      connections++;
      let read = 0;
      upperCase(socket);
      socket.on('data', (bytes) => { read += bytes.length; most = Math.max(most, read - socket.bytesWritten); });
    }, { churn: true, size: 64 });
    assert.equal(connections, messages);
    assert.ok(most <= 64);
  });

  test('may be one that sends back what it gets, if that is expected', DEADLINE, async (t) => {
    const tally = await loadOn(t, (socket) => socket.pipe(socket), { expect: 'same', text: 'utf8', depth: 4 });
    assert.deepEqual([tally.messages, tally.wrong], [MESSAGES, undefined]);
  });

  test('is loaded for as long as it was asked', DEADLINE, async (t) => {
    const tally = await loadOn(t, (socket) => upperCase(socket), { durationMs: 100, messages: undefined });
    assert.ok(tally.elapsedMs >= 99);
    assert.deepEqual([tally.missing, tally.lost], [0, 0]);
    assert.equal(tally.latencies.total, tally.messages + tally.late);
  });
});

describe('a server that answers wrongly is caught, with the place:', () => {
  test('a byte that is not in upper case', DEADLINE, async (t) => {
    const told = await wrongOn(t, (socket) => {
      let messages = 0;
      upperCase(socket, (bytes) => {
        if (++messages === 5) bytes[9] = 0x7e;
        socket.write(bytes);
      });
    }, { connections: 1 });
    assert.match(told, /^connection 1, message 5, byte 9 of 64: expected "[^"]+", got "~[^"]+"$/);
  });

  test('among many in flight', DEADLINE, async (t) => {
    const told = await wrongOn(t, (socket) => {
      upperCase(socket, (bytes) => {
        bytes[64 * 3 + 2] = 0;
        socket.write(bytes);
      });
    }, { connections: 1, depth: 8 });
    assert.match(told, /^connection 1, message 4, byte 2 of 64: expected "[^"]+", got "\\x00/);
  });

  test('text in the case it came in', DEADLINE, async (t) => {
    const told = await wrongOn(t, (socket) => socket.pipe(socket), { churn: true, text: 'utf8' });
    assert.match(told, /, message 1, byte \d+ of/);
  });

  test('the reply to somebody else', DEADLINE, async (t) => {
    const sockets: Socket[] = [];
    await wrongOn(t, (socket) => {
      sockets.push(socket);
      upperCase(socket, (bytes) => sockets[(sockets.indexOf(socket) + 1) % sockets.length]!.write(bytes));
    }, { connections: 2 });
  });

  test('a reply that comes twice', DEADLINE, async (t) => {
    const told = await wrongOn(t, (socket) => upperCase(socket, (bytes) => {
      socket.write(Buffer.concat([bytes, bytes]));
    }), { connections: 1 });
    assert.match(told, /^connection 1, after message 1: got "[^"]+", which no message asked for$/);
  });

  test('a reply that is too short', DEADLINE, async (t) => {
    await wrongOn(t, (socket) => upperCase(socket, (bytes) => socket.write(bytes.subarray(1))), { connections: 1 });
  });
});

describe('a server that does not answer', () => {
  test('misses replies', DEADLINE, async (t) => {
    const { messages, missing, lost, latencies } = await loadOn(t, () => {}, { depth: 2, durationMs: 100 });
    assert.deepEqual({ messages, missing, lost }, { messages: 0, missing: 6, lost: 0 });
    assert.equal(latencies.total, 6, 'they count as latencies');
    assert.ok(latencies.min >= LAST_REPLIES_MS * 1000, 'as long as they were waited for');
  });

  test('loses connections, which are opened again', DEADLINE, async (t) => {
    let served = 0;
    const server = await startServer((socket) => {
      served++;
      if (served === 1) socket.once('data', () => socket.resetAndDestroy());
      else upperCase(socket);
      if (served === SHARE.connections + 1) socket.once('data', () => generator.stop());
    });
    t.after(() => server.close());
    const generator = new Generator({ ...SHARE, port: server.port, messages: undefined });
    await generator.connect();
    const { lost, missing, whyLost } = await generator.measure();
    assert.deepEqual({ lost, missing }, { lost: 1, missing: 1 });
    assert.match(whyLost!, /ECONNRESET/);
    assert.equal(served, SHARE.connections + 1);
  });

  test('is not there any more: the load ends and says so', DEADLINE, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    for (const churn of [false, true]) {
      const generator = new Generator({ ...SHARE, port, churn });
      await generator.connect();
      const { failure, messages } = await generator.measure();
      assert.equal(failure, `No server is listening on 127.0.0.1:${port} (ECONNREFUSED).`);
      assert.equal(messages, 0);
    }
  });
});

test('a load that is stopped tells what it has measured', DEADLINE, async (t) => {
  const { port } = await serve(t);
  const generator = new Generator({ ...SHARE, port, messages: undefined });
  await generator.connect();
  const measured = generator.measure();
  while (generator.messages < 10) await new Promise(setImmediate);
  generator.stop();
  const { messages, missing, unanswered, latencies } = await measured;
  assert.ok(messages >= 10);
  assert.equal(missing, 0);
  assert.equal(unanswered, SHARE.connections);
  assert.ok(latencies.total >= messages && latencies.total <= messages + unanswered);
});

for (const churn of [false, true]) {
  const how = churn ? ', with a connection a message' : '';
  test(`a load that is stopped at any moment ends in order${how}`, DEADLINE, async (t) => {
    const { port } = await serve(t);
    for (let turns = 0; turns < 40; turns++) {
      const generator = new Generator({ ...SHARE, port, churn, messages: undefined });
      await generator.connect();
      const measured = generator.measure();
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      generator.stop();
      const { failure, wrong, missing } = await measured;
      assert.deepEqual({ failure, wrong, missing }, { failure: undefined, wrong: undefined, missing: 0 });
      await new Promise(setImmediate); // What was connecting may be connected now.
    }
  });
}
