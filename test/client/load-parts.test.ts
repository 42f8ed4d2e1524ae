// The parts of the load generator that decide, with data: histogram, texts, shares, report, flags.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bar, duration } from '../../shared/terminal/bars.ts';
import { loadHelp, parseLoadCommand, type LoadOptions } from '../../client/load/config.ts';
import { Histogram } from '../../client/load/histogram.ts';
import { sharesOf } from '../../client/load/processes.ts';
import { reportOf, reportText } from '../../client/load/report.ts';
import { emptyTally, total, type Tally } from '../../client/load/tally.ts';
import { makeText } from '../../client/load/text.ts';
import { UsageError } from '../../shared/errors.ts';

const OPTIONS: LoadOptions = {
  host: '127.0.0.1', port: 9, connections: 3, size: 64, depth: 1, durationMs: 100, text: 'ascii', churn: false,
  processes: 1, greeting: false,
};

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

  test('are expected to come back as they are, if so asked', () => {
    const { requests, replies, replyEnds } = makeText('utf8', 50, 1, 1, 'same');
    assert.deepEqual(replies.subarray(0, replyEnds.at(-1)), requests.subarray(0, replyEnds.at(-1)));
  });
});

describe('over several processes', () => {
  test('the connections are spread evenly, and keep their numbers', () => {
    const shares = sharesOf({ ...OPTIONS, connections: 8, processes: 3 });
    const numbers = shares.map(({ connections, firstConnection }) => [connections, firstConnection]);
    assert.deepEqual(numbers, [[3, 1], [3, 4], [2, 7]]);
  });

  test('a number of messages is shared out, and with a rate each knows all of it', () => {
    const shares = (options: Partial<LoadOptions>) => sharesOf({ ...OPTIONS, processes: 3, ...options });
    assert.deepEqual(shares({ messages: 11 }).map(({ messages }) => messages), [4, 4, 3]);
    for (const { messages, rate, allConnections } of shares({ messages: 11, rate: 5 })) {
      assert.deepEqual({ messages, rate, allConnections }, { messages: 11, rate: 5, allConnections: 3 });
    }
  });

  test('what they measured is added up', () => {
    const tally: Tally = {
      ...emptyTally(), messages: 10, late: 1, elapsedMs: 100, missing: 1, ownDelayMs: 3,
      latencies: histogramOf([5]).data(),
    };
    const other: Tally = {
      ...tally, elapsedMs: 101, lost: 2, whyLost: 'gone', ownDelayMs: 2, latencies: histogramOf([7]).data(),
    };
    const { latencies, connects, ...sum } = total([tally, other]);
    assert.deepEqual([latencies.total, latencies.max, connects.total], [2, 7, 0]);
    assert.deepEqual(sum, {
      messages: 20, late: 2, elapsedMs: 101, missing: 2, unsent: 0, unanswered: 0, ownDelayMs: 3, lost: 2,
      whyLost: 'gone', wrong: undefined, failure: undefined,
    });
  });
});

describe('the report', () => {
  const options: LoadOptions = { ...OPTIONS, connections: 10_000, depth: 16 };
  const tally: Tally = {
    ...emptyTally(), messages: 250_000, elapsedMs: 2000, latencies: histogramOf([90, 110, 110, 40_000]).data(),
    connects: histogramOf([1000, 2000]).data(),
  };

  test('has the rate and the latencies first, then the load and a histogram, in 80 columns', () => {
    const text = reportText(reportOf(options, tally));
    const [headline, latency, connect, shape] = text.split('\n');
    assert.equal(headline, '125,000 messages/s, 8 MB/s each way: 250,000 messages in 2 s');
    assert.match(latency!, /^ +latency: p50 110 us, .*max 40 ms$/);
    assert.match(connect!, /^ +connect: p50 1\.\d+ ms, .*max 2 ms$/);
    assert.match(shape!, /10,000 connections, messages of 64 bytes \(ascii\), 16 in flight/);
    assert.match(text, /^ +100 us █{40} 2 +50\.0 %$/m);
    assert.match(text, /^ +30 ms █{20} +1 +25\.0 %$/m);
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
  });

  test('tells of one in the singular', () => {
    const one = { ...tally, messages: 1, elapsedMs: 1000 };
    assert.match(reportText(reportOf(options, one)), /^1 messages\/s, .* each way: 1 message in 1 s$/m);
    const text = reportText(reportOf({ ...options, churn: true }, one));
    assert.match(text, /^1 connections\/s, .*: 1 connection in 1 s$/m);
  });

  test('of a load with a rate says what was due, and how late the generator was itself', () => {
    const measured = { ...tally, ownDelayMs: 11.1, late: 1234, unanswered: 1 };
    const text = reportText(reportOf({ ...options, rate: 10_000_000 }, measured));
    assert.match(text, /^ +10,000,000 a second were due, timed from then; our own delay max 11\.1 ms$/m);
    assert.match(text, /^ +1,234 more replies came after the end$/m);
    assert.match(text, /^ +1 message had no reply yet when it was ended$/m);
    for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
  });

  test('says in sentences what is wrong', () => {
    const wrong = { connection: 1, message: 2, byte: 3, of: 64, expected: 'A', received: 'a' };
    const measured = { ...tally, wrong, missing: 1, unsent: 2, lost: 2, whyLost: 'gone.' };
    assert.deepEqual(reportOf(options, measured).problems, [
      'Wrong reply on connection 1, message 2, byte 3 of 64: expected "A", got "a".',
      '2 connections were lost; the first: gone.', '1 reply never came.',
      '2 messages were due and never sent: the server answers too slowly.',
    ]);
    const waited = '1 reply never came, not in the 5 s after the end either.';
    assert.deepEqual(reportOf(options, { ...tally, missing: 1 }).problems, [waited]);
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
  const optionsOf = (line: string, env = {}): LoadOptions => {
    const command = parseLoadCommand(line.split(' ').filter(Boolean), env);
    assert.ok(command.kind === 'run');
    return command.options;
  };

  test('have defaults, and where the server is may be in the environment or without a flag', () => {
    assert.deepEqual(parseLoadCommand([], {}), {
      kind: 'run', json: false, notes: [], options: {
        host: '127.0.0.1', port: 8080, connections: 64, size: 64, depth: 1, durationMs: 5000, messages: undefined,
        rate: undefined, text: 'ascii', expect: 'upper', proxy: undefined, churn: false, greeting: false, processes: 1,
      },
    });
    const line = '--port=2 --text utf8 --seconds 0.5 --rate 0.5 --expect same';
    const { host, port, text, durationMs, rate, expect } = optionsOf(line, { ECHOPOOL_HOST: '::1', PORT: '1' });
    assert.deepEqual({ host, port, text, durationMs, rate, expect }, {
      host: '::1', port: 2, text: 'utf8', durationMs: 500, rate: 0.5, expect: 'same',
    });
    for (const words of ['[::1] 9', '--host [::1] --port 9', '::1 9']) {
      assert.deepEqual([optionsOf(words).host, optionsOf(words).port], ['::1', 9]);
    }
  });

  test('have short names, as those of wrk and hey', () => {
    const { connections, durationMs, messages } = optionsOf('-c 3 -d 2m -n 7');
    assert.deepEqual({ connections, durationMs, messages }, { connections: 3, durationMs: 120_000, messages: 7 });
    const times = ['-d 5', '-d 5s', '-d 500ms', '-d 0.5', '--duration 1h'].map((line) => optionsOf(line).durationMs);
    assert.deepEqual(times, [5000, 5000, 500, 500, 3_600_000]);
    assert.equal(optionsOf('-n 7').durationMs, 86_400_000, 'a number alone has no time');
  });

  test('are told when npm took them', () => {
    const env = { npm_lifecycle_event: 'load', npm_config_json: 'true', npm_config_rate: '100' };
    const command = parseLoadCommand(['--json'], env);
    assert.ok(command.kind === 'run');
    assert.deepEqual(command.notes, [
      'npm has kept "--rate=100" for itself: '
        + 'what is the load generator\'s stands after two dashes, as in npm run load -- --rate …',
    ]);
  });

  const TIME = 'a number of seconds from 0.1 to 86400, or a time like 500ms, 10s or 2m';
  for (const [line, complaint] of Object.entries({
    '--bogus': 'unknown flag "--bogus" (--help lists all)',
    '--port 0': '--port must be a whole number from 1 to 65535, not "0"',
    '--size': '--size needs a value: a whole number from 1 to 16777216',
    '--size --churn': '--size needs a value: a whole number from 1 to 16777216',
    '--seconds -1': `--seconds must be ${TIME}, not "-1"`,
    '-d 99ms': `-d must be ${TIME}, not "99ms"`,
    '-n 0': '-n must be a whole number from 1 to 1000000000, not "0"',
    '--rate 0': '--rate must be a number of messages a second from 0.1 to 10000000, not "0"',
    '--expect lower': '--expect must be upper or same, not "lower"',
    '--proxy 2': '--proxy must be v1 or v2, not "2"',
    '--text latin1': '--text must be ascii or utf8, not "latin1"',
    '--churn=1': '--churn takes no value, not "1"',
    '--churn --depth 2': '--depth must be 1 with --churn, not 2: a connection is for one message',
    '--size 1000000 --depth 100': '--size times --depth must be at most 67108864 bytes, not 100000000',
    '--connections 2 --processes 3': '--processes must be at most the number of connections, 2, not 3',
    '64': 'HOST must be a host name, an IP address or unix:PATH, not "64"',
    'a 1 b': 'unexpected argument "b": only HOST and PORT need no flag (--help lists the flags)',
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
    const help = loadHelp('npm run load --');
    const names = 'host port connections duration messages rate size depth text expect proxy churn processes json help';
    for (const flag of names.split(' ')) {
      assert.match(help, new RegExp(`^  (?:-\\w, )?--${flag} `, 'm'));
    }
    for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
  });
});
