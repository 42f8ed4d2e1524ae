// The load generator against servers that answer rightly, wrongly or not at all, and its command line.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { Generator, LAST_REPLIES_MS, type Share } from '../client/load/generator.ts';
import type { LoadReport } from '../client/load/report.ts';
import { emptyTally, type Tally } from '../client/load/tally.ts';
import { describeWrong } from '../client/load/wrong-reply.ts';
import { serve, startServer, upperCase } from './fixtures/upper-server.ts';
import { CLIENT_ENV } from './helpers/client-env.ts';
import { nodeArgs } from './helpers/paths.ts';
import { ptyMissing, startOnPty } from './helpers/pty.ts';

const DEADLINE = { timeout: 60_000 };
const LOAD = nodeArgs('client/load.ts');
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
  test(`a load that is stopped at any moment ends in order${churn ? ', with a connection a message too' : ''}`, DEADLINE, async (t) => {
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

describe('the program', { concurrency: true }, () => {
  /** Runs it to its end. */
  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [...LOAD, ...args], { env: CLIENT_ENV }, (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
    });
  }

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
    for (let time = 0; time < 3; time++) {
      const child = spawn(process.execPath, [...LOAD, '--port', `${port}`, '--churn', '-n', '1000000'], { env: CLIENT_ENV });
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
