// The load generator: its parts with data, its checks against servers that answer rightly and wrongly, and its command
// line.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { bar, duration } from '../client/load/bars.ts';
import { loadHelp, parseLoadCommand, type LoadOptions } from '../client/load/config.ts';
import { Generator, type Share, type Tally } from '../client/load/generator.ts';
import { Histogram } from '../client/load/histogram.ts';
import { sharesOf, total } from '../client/load/processes.ts';
import { reportOf, reportText, type LoadReport } from '../client/load/report.ts';
import { makeText } from '../client/load/text.ts';
import { describeWrong } from '../client/load/wrong-reply.ts';
import { UsageError } from '../shared/errors.ts';
import { startServer, upperCase } from './fixtures/upper-server.ts';
import { nodeArgs } from './helpers/paths.ts';
import { ptyMissing, startOnPty } from './helpers/pty.ts';

const DEADLINE = { timeout: 20_000 };
const LOAD = nodeArgs('client/load.ts');
const SHARE: Share = {
  host: '127.0.0.1', port: 0, connections: 3, size: 64, depth: 1, durationMs: 100, text: 'ascii', churn: false,
  processes: 1, firstConnection: 1,
};

/** Runs the load in this process against a server that serves as told. */
async function loadOn(t: TestContext, serve: (socket: Socket) => void, share: Partial<Share> = {}): Promise<Tally> {
  const server = await startServer(serve);
  t.after(() => server.close());
  const generator = new Generator({ ...SHARE, ...share, port: server.port });
  await generator.connect();
  return await generator.measure();
}

/** A load that ends with the wrong reply that it meets. */
async function wrongOn(t: TestContext, serve: (socket: Socket) => void, share: Partial<Share> = {}): Promise<string> {
  const tally = await loadOn(t, serve, { durationMs: 15_000, ...share });
  assert.ok(tally.wrong !== undefined, 'the wrong reply was not noticed');
  return describeWrong(tally.wrong);
}

function histogramOf(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

describe('the histogram', () => {
  test('tells percentiles exactly below 128, and at most 1.6 % too large above', () => {
    const small = histogramOf(Array.from({ length: 100 }, (_, i) => i + 1));
    assert.deepEqual([0.01, 0.5, 0.9, 0.99, 1].map((share) => small.percentile(share)), [1, 50, 90, 99, 100]);
    for (const value of [128, 129, 255, 256, 1000, 65_535, 65_536, 1e6, 123_456_789, 2 ** 31, 2 ** 32 - 1]) {
      const told = histogramOf([value, 2 ** 32 - 1]).percentile(0.5);
      assert.ok(told >= value && told <= value * 1.016, `${value} is told as ${told}`);
    }
  });

  test('counts each value once, whatever it is', () => {
    const histogram = histogramOf([0, 0.9, 1, 127.5, 1e9, 2 ** 32 - 1, 2 ** 40, Infinity]);
    assert.equal(histogram.total, 8);
    assert.equal(histogram.max, 2 ** 32 - 1);
    assert.equal(histogram.spans(100).reduce((sum, { count }) => sum + count, 0), 8);
    assert.equal(histogram.percentile(0.25), 0, 'a fraction is cut off');
  });

  test('is empty without values', () => {
    assert.equal(new Histogram().percentile(0.5), 0);
    assert.deepEqual(new Histogram().spans(10), []);
  });

  test('adds up with others, and goes to another process and back', () => {
    const one = histogramOf([1, 1000]);
    one.add(structuredClone(histogramOf([50, 2_000_000]).data()));
    one.add(new Histogram().data());
    assert.equal(one.total, 4);
    assert.equal(one.percentile(0.5), 50);
    assert.equal(one.percentile(1), 2_000_000, 'the largest value is exact');
    assert.deepEqual(new Histogram(one.data()).data(), one.data());
  });

  test('is cut into spans that grow with the value, with the empty ones between', () => {
    const near = histogramOf([...new Array<number>(5).fill(120), 160, 250]);
    assert.deepEqual(near.spans(10), [
      { from: 100, to: 150, count: 5 }, { from: 150, to: 200, count: 1 }, { from: 200, to: 300, count: 1 },
    ]);
    const wide = histogramOf([12, 90_000]);
    assert.equal(wide.spans(24).length, 24);
    const edges = wide.spans(15).map(({ from }) => from);
    assert.deepEqual(edges, [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000]);
    const fewest = wide.spans(5).map(({ from, count }) => [from, count]);
    assert.deepEqual(fewest, [[10, 1], [100, 0], [1000, 0], [10_000, 1]]);
  });
});

describe('the messages', () => {
  test('differ, have the size that was asked for, and their replies are their upper case', () => {
    for (const kind of ['ascii', 'utf8'] as const) {
      for (const size of [1, 2, 7, 64, 5000, 65_536]) {
        const { messages, requests, replies, replyEnds, variants } = makeText(kind, size, 3, 100);
        assert.equal(messages.length, variants);
        assert.ok(messages.every((message) => message.length === size));
        if (size > 2) assert.ok(new Set(messages.map(String)).size > 1, 'all are the same');
        const round = Buffer.concat(messages);
        assert.equal(String(replies.subarray(0, replyEnds.at(-1))), String(round).toUpperCase());
        const again = [0, 1, 2].map((i) => messages[i % variants]!);
        assert.deepEqual(requests, Buffer.concat([round, ...again]));
        assert.equal(replies.length, replyEnds.at(-1)! + 100);
        messages.forEach((message, i) => {
          const reply = replies.subarray(i === 0 ? 0 : replyEnds[i - 1], replyEnds[i]);
          assert.equal(String(reply), String(message).toUpperCase());
        });
      }
    }
  });
});

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
      let received = 0;
      const { messages, latencies, elapsedMs, ...rest } = await loadOn(t, (socket) => {
        socket.on('data', ({ length }) => { received += length; });
        upperCase(socket);
      }, share);
      assert.deepEqual(rest, { missing: 0, lost: 0, whyLost: undefined, wrong: undefined, failure: undefined });
      assert.ok(received > 0 && elapsedMs >= 99);
      assert.equal(latencies.total, messages);
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
    assert.ok(connections >= messages && connections <= messages + SHARE.connections);
    assert.ok(most <= 64);
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
    const { messages, missing, lost } = await loadOn(t, () => {}, { depth: 2 });
    assert.deepEqual({ messages, missing, lost }, { messages: 0, missing: 6, lost: 0 });
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
    const generator = new Generator({ ...SHARE, port: server.port, durationMs: 15_000 });
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
      const generator = new Generator({ ...SHARE, port, churn, durationMs: 15_000 });
      await generator.connect();
      const { failure, messages } = await generator.measure();
      assert.equal(failure, `No server is listening on 127.0.0.1:${port} (ECONNREFUSED).`);
      assert.equal(messages, 0);
    }
  });
});

test('a load that is stopped tells what it has measured', DEADLINE, async (t) => {
  const server = await startServer(upperCase);
  t.after(() => server.close());
  const generator = new Generator({ ...SHARE, port: server.port, durationMs: 60_000 });
  await generator.connect();
  const measured = generator.measure();
  while (generator.messages < 10) await new Promise(setImmediate);
  generator.stop();
  const { messages, missing, latencies } = await measured;
  assert.ok(messages >= 10);
  assert.equal(missing, 0);
  assert.equal(latencies.total, messages);
});

describe('over several processes', () => {
  test('the connections are spread evenly, and keep their numbers', () => {
    const shares = sharesOf({ ...SHARE, connections: 8, processes: 3 });
    const numbers = shares.map(({ connections, firstConnection }) => [connections, firstConnection]);
    assert.deepEqual(numbers, [[3, 1], [3, 4], [2, 7]]);
  });

  test('what they measured is added up', () => {
    const tally: Tally = {
      messages: 10, elapsedMs: 100, latencies: histogramOf([5]).data(), missing: 1, lost: 0, whyLost: undefined,
      wrong: undefined, failure: undefined,
    };
    const other = { ...tally, elapsedMs: 101, lost: 2, whyLost: 'gone', latencies: histogramOf([7]).data() };
    const sum = total([tally, other]);
    assert.deepEqual({ ...sum, latencies: sum.latencies.total }, {
      messages: 20, elapsedMs: 101, latencies: 2, missing: 2, lost: 2, whyLost: 'gone', wrong: undefined,
      failure: undefined,
    });
  });
});

describe('the report', () => {
  const options: LoadOptions = { ...SHARE, port: 9, connections: 10_000, depth: 16 };
  const tally: Tally = {
    messages: 250_000, elapsedMs: 2000, latencies: histogramOf([90, 110, 110, 40_000]).data(), missing: 0, lost: 0,
    whyLost: undefined, wrong: undefined, failure: undefined,
  };

  test('has the rate, the latencies and a histogram, in 80 columns', () => {
    const text = reportText(reportOf(options, tally));
    assert.match(text, /10,000 connections, messages of 64 bytes \(ascii\), 16 in flight/);
    assert.match(text, /250,000 messages in 2 s: 125,000 messages\/s, 8 MB\/s each way/);
    assert.match(text, /p50 110 us, .*max 40 ms/);
    assert.match(text, /^ +100 us █{40} 2 +50\.0 %$/m);
    assert.match(text, /^ +30 ms █{20} +1 +25\.0 %$/m);
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
  });

  test('says in sentences what is wrong', () => {
    const wrong = { connection: 1, message: 2, byte: 3, of: 64, expected: 'A', received: 'a' };
    assert.deepEqual(reportOf(options, { ...tally, wrong, missing: 1, lost: 2, whyLost: 'gone.' }).problems, [
      'Wrong reply on connection 1, message 2, byte 3 of 64: expected "A", got "a".',
      '2 connections were lost; the first: gone.', '1 reply never came.',
    ]);
    assert.deepEqual(reportOf(options, tally).problems, []);
  });

  test('draws bars to an eighth of a column, and something of everything', () => {
    assert.deepEqual([0, 0.001, 0.25, 0.3, 1].map((share) => bar(share, 10)), ['', '▏', '██▌', '███', '██████████']);
  });

  test('tells times with their units', () => {
    const times = [0, 61, 999, 1234, 99_960, 1_500_000, 3e9].map(duration);
    assert.deepEqual(times, ['0 us', '61 us', '999 us', '1.23 ms', '100 ms', '1.5 s', '3,000 s']);
  });
});

describe('the flags', () => {
  test('have defaults, and HOST and PORT may be in the environment', () => {
    assert.deepEqual(parseLoadCommand([], {}), {
      kind: 'run', json: false, options: {
        host: '127.0.0.1', port: 8080, connections: 64, size: 64, depth: 1, durationMs: 5000, text: 'ascii',
        churn: false, processes: 1,
      },
    });
    const args = ['--port=2', '--text', 'utf8', '--seconds', '0.5', '--json'];
    const command = parseLoadCommand(args, { HOST: '::1', PORT: '1' });
    assert.ok(command.kind === 'run' && command.json);
    const { host, port, text, durationMs } = command.options;
    assert.deepEqual({ host, port, text, durationMs }, { host: '::1', port: 2, text: 'utf8', durationMs: 500 });
  });

  for (const [line, complaint] of Object.entries({
    '--bogus': 'unknown flag "--bogus" (--help lists all)',
    '--port 0': '--port must be a whole number from 1 to 65535, not "0"',
    '--size': '--size needs a value: a whole number from 1 to 16777216',
    '--size --churn': '--size needs a value: a whole number from 1 to 16777216',
    '--seconds -1': '--seconds must be a number from 0.1 to 86400, not "-1"',
    '--text latin1': '--text must be ascii or utf8, not "latin1"',
    '--churn=1': '--churn takes no value, not "1"',
    '--churn --depth 2': '--depth must be 1 with --churn, not 2: a connection is for one message',
    '--size 1000000 --depth 100': '--size times --depth must be at most 67108864 bytes, not 100000000',
    '--connections 2 --processes 3': '--processes must be at most the number of connections, 2, not 3',
    'ping': 'unexpected argument "ping": there are only flags (--help lists them)',
  })) {
    test(`are refused in one sentence: ${line}`, () => {
      assert.throws(() => parseLoadCommand(line.split(' '), {}), (error) => {
        assert.ok(error instanceof UsageError);
        assert.equal(error.message, complaint);
        return true;
      });
    });
  }

  test('are all in the help, which fits 80 columns', () => {
    const help = loadHelp();
    for (const flag of 'host port connections size depth seconds churn text json processes help'.split(' ')) {
      assert.match(help, new RegExp(`^  --${flag} `, 'm'));
    }
    for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
  });
});

describe('the program', { concurrency: true }, () => {
  /** Runs it to its end. */
  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [...LOAD, ...args], (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      });
    });
  }

  test('prints JSON for scripts, also with several processes, and nothing beside it', DEADLINE, async (t) => {
    const server = await startServer(upperCase);
    t.after(() => server.close());
    const flags = ['--connections', '4', '--seconds', '0.2', '--json', '--processes', '2'];
    const { code, stdout, stderr } = await run('--host', 'localhost', '--port', String(server.port), ...flags);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const report = JSON.parse(stdout) as LoadReport;
    assert.equal(report.histogramUs.reduce((sum, { count }) => sum + count, 0), report.messages);
    assert.ok(report.rate > 0 && report.latencyUs.p50 > 0 && report.latencyUs.max >= report.latencyUs.p999);
    const { wrong, missing, lost, problems } = report;
    assert.deepEqual({ wrong, missing, lost, problems }, { wrong: null, missing: 0, lost: 0, problems: [] });
    assert.equal(report.processes, 2);
  });

  test('ends with 1 and says where, when a reply is wrong', DEADLINE, async (t) => {
    const server = await startServer((socket) => socket.pipe(socket));
    t.after(() => server.close());
    const { code, stdout, stderr } = await run('--port', String(server.port), '--seconds', '15');
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
    const terminal = startOnPty([process.execPath, ...args]);
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
    const child = execFile(process.execPath, args);
    t.after(() => child.kill('SIGKILL'));
    let stdout = '';
    child.stdout!.on('data', (text: string) => { stdout += text; });
    await first;
    await once(await server.connection(), 'data');
    child.kill('SIGINT');
    const [code] = await once(child, 'close') as [number];
    assert.equal(code, 130);
    assert.match(stdout, /messages\/s.*\n.*p99/);
  });
});
