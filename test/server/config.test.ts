// Flags and environment in, Config out: defaults, precedence, and one clear line for whatever is wrong.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { parseConfig } from '../../server/config.ts';
import type { Config } from '../../server/config.ts';
import { helpText } from '../../server/help.ts';
import { UsageError } from '../../shared/errors.ts';

function configOf(argv: string[], env: Record<string, string | undefined> = {}, cpus = 4): Config {
  const invocation = parseConfig(argv, env, cpus);
  assert.equal(invocation.kind, 'run');
  return (invocation as { config: Config }).config;
}

/** The one line with which this is refused. */
function refusal(argv: string[], env: Record<string, string | undefined> = {}): string {
  let message = '';
  assert.throws(
    () => parseConfig(argv, env, 4),
    (error) => {
      assert.ok(error instanceof UsageError, String(error));
      message = error.message;
      return true;
    },
  );
  assert.match(message, /^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'one printable line');
  assert.ok(message.length < 300, message);
  return message;
}

const defaults: Config = {
  host: '127.0.0.1',
  port: 8080,
  workers: 4,
  connectionsPerWorker: undefined,
  waiting: 1024,
  idleTimeoutMs: 0,
  graceMs: 5000,
  workerTimeoutMs: 10_000,
  onCrash: 'reset',
  connectionsPerAddress: 0,
  maxConnectionsPerWorker: 0,
  log: 'messages',
  logFormat: 'pretty',
  notes: [],
};

/** Every setting: flag, two values, and what they become. */
const everySetting: [flag: string, key: keyof Config, a: [string, unknown], b: [string, unknown]][] = [
  ['host', 'host', ['0.0.0.0', '0.0.0.0'], ['::1', '::1']],
  ['port', 'port', ['0', 0], ['65535', 65_535]],
  ['workers', 'workers', ['1', 1], ['3', 3]],
  ['connections-per-worker', 'connectionsPerWorker', ['1', 1], ['1000000000', 1_000_000_000]],
  ['waiting', 'waiting', ['0', 0], ['7', 7]],
  ['idle-timeout', 'idleTimeoutMs', ['1.5', 1500], ['.25', 250]],
  ['grace', 'graceMs', ['0', 0], ['1.1', 1100]],
  ['worker-timeout', 'workerTimeoutMs', ['0', 0], ['1000000', 1_000_000_000]],
  ['on-crash', 'onCrash', ['adopt', 'adopt'], ['reset', 'reset']],
  ['connections-per-address', 'connectionsPerAddress', ['5', 5], ['6', 6]],
  ['max-connections-per-worker', 'maxConnectionsPerWorker', ['5', 5], ['6', 6]],
  ['log', 'log', ['connections', 'connections'], ['none', 'none']],
  ['log-format', 'logFormat', ['json', 'json'], ['pretty', 'pretty']],
];

const variableOf = (flag: string): string => `ECHOPOOL_${flag.toUpperCase().replaceAll('-', '_')}`;

describe('what is given', () => {
  test('nothing given gives the defaults', () => {
    assert.deepEqual(configOf([]), defaults);
  });

  test('the table of these tests has every setting', () => {
    assert.deepEqual(
      everySetting.map(([, key]) => key).sort(),
      Object.keys(defaults).filter((key) => key !== 'notes').sort(),
    );
  });

  for (const [flag, key, [a, valueA], [b, valueB]] of everySetting) {
    const variable = variableOf(flag);
    test(`--${flag} sets ${key}, in both spellings, and so does ${variable}`, () => {
      assert.deepEqual(configOf([`--${flag}`, a]), { ...defaults, [key]: valueA });
      assert.deepEqual(configOf([`--${flag}=${b}`]), { ...defaults, [key]: valueB });
      assert.deepEqual(configOf([], { [variable]: a }), { ...defaults, [key]: valueA });
    });

    test(`--${flag} beats ${variable}, even a wrong one, and the last --${flag} beats the others`, () => {
      assert.equal(configOf([`--${flag}`, a], { [variable]: b })[key], valueA);
      assert.equal(configOf([`--${flag}`, a], { [variable]: 'no such\nvalue' })[key], valueA);
      assert.equal(configOf([`--${flag}`, a, `--${flag}`, b])[key], valueB);
      assert.equal(configOf([`--${flag}`, b, `--${flag}=${a}`])[key], valueA);
    });

    test(`an empty ${variable} counts as not set`, () => {
      assert.deepEqual(configOf([], { [variable]: '' }), defaults);
      assert.deepEqual(configOf([], { [variable]: undefined }), defaults);
    });
  }

  test('other variables of the environment do not matter: HOST and LOG belong to everybody', () => {
    const others = { PATH: '/bin', PORTS: 'x', port: 'x', HOSTNAME: 'x', npm_config_port: '9000' };
    assert.deepEqual(configOf([], others), defaults);
    const names = everySetting.map(([flag]) => flag.toUpperCase().replaceAll('-', '_'));
    const bare = names.filter((name) => name !== 'PORT');
    assert.deepEqual(configOf([], Object.fromEntries(bare.map((name) => [name, 'x86_64-conda-linux-gnu']))), defaults);
  });

  test('PORT is read as platforms set it, after the flag and ECHOPOOL_PORT', () => {
    assert.equal(configOf([], { PORT: '1' }).port, 1);
    assert.equal(configOf([], { PORT: '1', ECHOPOOL_PORT: '2' }).port, 2);
    assert.equal(configOf([], { PORT: '1', ECHOPOOL_PORT: '' }).port, 1);
    assert.equal(configOf(['--port', '3'], { PORT: 'x', ECHOPOOL_PORT: 'x' }).port, 3);
  });

  test('what Kubernetes says of a Service is passed over, with a note', () => {
    const note = (name: string): string => (
      `environment variable ${name} "tcp://10.0.0.1:8080" is passed over: Kubernetes sets such values for a Service`);
    const value = 'tcp://10.0.0.1:8080';
    assert.deepEqual(configOf([], { ECHOPOOL_PORT: value }), { ...defaults, notes: [note('ECHOPOOL_PORT')] });
    assert.deepEqual(configOf([], { PORT: value }), { ...defaults, notes: [note('PORT')] });
    const config = configOf([], { ECHOPOOL_PORT: value, PORT: '9' });
    assert.deepEqual(config, { ...defaults, port: 9, notes: [note('ECHOPOOL_PORT')] });
    assert.deepEqual(configOf(['--port', '9'], { ECHOPOOL_PORT: value, PORT: value }), { ...defaults, port: 9 });
    const refused = refusal([], { ECHOPOOL_WAITING: value });
    assert.match(refused, /^environment variable ECHOPOOL_WAITING must be .*, not "tcp:/);
  });

  test('flags that npm has kept for itself are told of, and how to write them', () => {
    const npm = { npm_lifecycle_event: 'start', npm_config_port: '9000', npm_config_idle_timeout: 'true' };
    assert.deepEqual(configOf([], npm).notes, [
      'npm has kept "--port=9000" for itself: '
        + 'what is the server\'s stands after two dashes, as in npm start -- --port …',
      'npm has kept "--idle-timeout" for itself: '
        + 'what is the server\'s stands after two dashes, as in npm start -- --idle-timeout …',
    ]);
    assert.equal(configOf([], npm).port, 8080);
    assert.deepEqual(configOf(['--port', '1', '--idle-timeout', '1'], npm).notes, []);
    // `npm start --port 9000`: the value comes through as an argument.
    assert.equal(
      refusal(['9000'], { npm_lifecycle_event: 'serve', npm_config_port: 'true' }),
      'unexpected argument "9000": there are only flags (--help lists them); npm has kept "--port" for itself: ' +
      'what is the server\'s stands after two dashes, as in npm run serve -- --port …',
    );
  });

  test('auto workers are as many as there are CPUs, and one when that is unknown', () => {
    assert.equal(configOf(['--workers', 'auto'], {}, 3).workers, 3);
    assert.equal(configOf([], {}, 0).workers, 1);
  });

  test('more workers than CPUs are lowered, and a note says so and by which name they were asked for', () => {
    const byFlag = configOf(['--workers', '64'], {}, 2);
    assert.equal(byFlag.workers, 2);
    assert.deepEqual(byFlag.notes, ['--workers 64 is lowered to 2, the number of usable CPUs']);
    const byVariable = configOf([], { ECHOPOOL_WORKERS: '3' }, 1);
    assert.equal(byVariable.workers, 1);
    assert.deepEqual(byVariable.notes, ['ECHOPOOL_WORKERS 3 is lowered to 1, the number of usable CPUs']);
    assert.deepEqual(configOf(['--workers', '2'], {}, 2).notes, []);
  });

  test('a time that is not 0 never becomes the 0 that means none', () => {
    assert.equal(configOf(['--idle-timeout', '0.0000001']).idleTimeoutMs, 1);
    assert.equal(configOf(['--idle-timeout', '0.0']).idleTimeoutMs, 0);
  });

  test('a host is a name or an address, and an IPv6 address may have its brackets', () => {
    for (const host of ['localhost', 'echo.example.org', '0.0.0.0', '::', '::1', 'fe80::1%eth0', 'höst', 'my_host']) {
      assert.equal(configOf(['--host', host]).host, host);
    }
    assert.equal(configOf(['--host', '[::1]']).host, '::1');
  });
});

describe('what is refused', () => {
  test('the line names the flag, the value and what is allowed', () => {
    assert.equal(refusal(['--port', 'abc']), '--port must be a whole number from 0 to 65535, not "abc"');
    assert.equal(refusal(['--port=65536']), '--port must be a whole number from 0 to 65535, not "65536"');
    assert.equal(refusal(['--workers', '0']), '--workers must be auto or a whole number from 1 to 1000000000, not "0"');
    assert.equal(refusal(['--log', 'all']), '--log must be messages, connections or none, not "all"');
    assert.equal(refusal(['--on-crash', 'RESET']), '--on-crash must be reset or adopt, not "RESET"');
    assert.equal(
      refusal(['--grace', '-1']),
      '--grace must be a number of seconds from 0 to 1000000, decimals allowed, not "-1"',
    );
    assert.equal(refusal(['--host', 'a b']), '--host must be a host name or an IP address, without a port, not "a b"');
  });

  test('the line names the environment variable when the value came from there', () => {
    const message = 'environment variable PORT must be a whole number from 0 to 65535, not "abc"';
    assert.equal(refusal([], { PORT: 'abc' }), message);
    const allowed = /^environment variable ECHOPOOL_ON_CRASH must be reset or adopt, not "x"$/;
    assert.match(refusal([], { ECHOPOOL_ON_CRASH: 'x' }), allowed);
  });

  const counts = [
    'port', 'workers', 'connections-per-worker', 'waiting', 'connections-per-address', 'max-connections-per-worker',
  ];
  const times = ['idle-timeout', 'grace', 'worker-timeout'];
  const noNumbers = [
    ' ', 'abc', '8080abc', '1e3', ' 80', '80 ', '80\n', '0x50', '0b1', '0o7', '1_000', '1,5', '+80', '-1', '-0', '1.',
    '.', 'NaN', 'Infinity', '-Infinity', 'null', 'true', '\u0663', '99999999999999999999', '9'.repeat(50),
  ];
  for (const flag of [...counts, ...times]) {
    test(`--${flag} takes no text that only looks like a number`, () => {
      assert.ok(refusal([`--${flag}=`]).endsWith(', not ""'));
      for (const text of noNumbers) {
        const ending = `, not ${JSON.stringify(text)}`;
        assert.ok(refusal([`--${flag}=${text}`]).endsWith(ending), text);
        assert.ok(refusal([], { [variableOf(flag)]: text }).endsWith(ending), text);
      }
      assert.match(refusal([`--${flag}=${'9'.repeat(400)}`]), /, not "9{57}\.\.\."$/);
    });
  }

  test('a count takes no decimals', () => {
    for (const flag of counts) assert.match(refusal([`--${flag}=1.5`]), /whole number .* not "1\.5"$/);
  });

  test('a host takes no space, control character, bracket, port or leading dash', () => {
    const noHosts = [
      '', ' ', 'a b', 'a\tb', 'a\u0000b', 'a\u200bb', '[', ']', '[::1', '[abc]', '[::1]:80', 'localhost:80', '-x',
    ];
    for (const host of noHosts) {
      assert.match(refusal([`--host=${host}`]), /^--host must be a host name or an IP address/);
    }
  });

  test('a flag without its value is refused, and the next flag is not taken for the value', () => {
    const message = '--port needs a value: a whole number from 0 to 65535';
    assert.equal(refusal(['--port']), message);
    assert.equal(refusal(['--port', '--host', 'localhost']), message);
    assert.equal(refusal(['--port', '--log=none']), message);
    assert.equal(refusal(['--log', '-x']), '--log needs a value: messages, connections or none');
  });

  test('a negative number is taken for the value that it is', () => {
    assert.equal(refusal(['--port', '-1']), '--port must be a whole number from 0 to 65535, not "-1"');
  });

  test('an unknown flag is named, with the nearest one when there is a near one', () => {
    const cases: [typed: string, meant: string][] = [
      ['--prot', 'port'], ['--pots', 'port'], ['-port', 'port'], ['--Port', 'port'], ['--hots', 'host'],
      ['--worker', 'workers'], ['--idletimeout', 'idle-timeout'], ['--idle_timeout', 'idle-timeout'],
      ['--connections', 'connections-per-worker'], ['--conections-per-adress', 'connections-per-address'],
      ['--max-connections', 'max-connections-per-worker'], ['--hlep', 'help'], ['--versoin', 'version'],
    ];
    for (const [typed, meant] of cases) {
      assert.equal(refusal([typed, '80']), `unknown flag "${typed}": did you mean --${meant}? (--help lists all)`);
    }
    assert.equal(refusal(['--prot=80']), 'unknown flag "--prot": did you mean --port? (--help lists all)');
    for (const typed of ['--foo', '-p', '-x', '--verbose', '--__proto__', '--constructor', '--xyzzy']) {
      assert.equal(refusal([typed]), `unknown flag "${typed}" (--help lists all)`);
    }
  });

  test('an argument that is no flag is refused, after a double dash too', () => {
    assert.equal(refusal(['8080']), 'unexpected argument "8080": there are only flags (--help lists them)');
    assert.match(refusal(['--', '--port']), /^unexpected argument "--port"/);
    assert.match(refusal(['-']), /^unexpected argument "-"/);
    assert.match(refusal(['']), /^unexpected argument ""/);
    assert.deepEqual(configOf(['--port', '1', '--']).port, 1);
  });

  test('a switch takes no value', () => {
    assert.equal(refusal(['--help=yes']), '--help takes no value, not "yes"');
    assert.equal(refusal(['--version=']), '--version takes no value, not ""');
  });

  test('what is echoed can neither steer a terminal nor fill it', () => {
    const nasty = '\u001b[31m\r\n\u0007\u007f\u009b1m\u2028\u202e\u{e0041}';
    const escaped = '\\u001b[31m\\r\\n\\u0007\\u{7f}\\u{9b}1m\\u{2028}\\u{202e}\\u{e0041}';
    assert.equal(refusal([`--port=${nasty}`]), `--port must be a whole number from 0 to 65535, not "${escaped}"`);
    assert.ok(refusal([nasty]).includes(escaped));
    assert.ok(refusal([`--${nasty}`]).includes(escaped));
    assert.ok(refusal([], { ECHOPOOL_LOG: nasty }).includes(escaped));
    assert.ok(refusal([`--help=${nasty}`]).includes(escaped));

    const long = 'x'.repeat(100_000);
    const shown = `"${'x'.repeat(57)}..."`;
    assert.ok(refusal([`--port=${long}`]).endsWith(shown));
    assert.ok(refusal([], { ECHOPOOL_LOG: long }).endsWith(shown));
    assert.ok(refusal([long]).includes(shown));
    assert.ok(refusal([`--${long}`]).includes('xxx..."'));
    // The cut goes through the middle of a character of two units: what is left of it is escaped.
    assert.match(refusal([`--port=${'1'.repeat(56)}\u{1f600}${'1'.repeat(9)}`]), /1\\ud83d\.\.\."$/);
  });
});

describe('help and version', () => {
  test('are given whatever else is wrong, and help beats version', () => {
    assert.deepEqual(parseConfig(['--help'], {}, 1), { kind: 'help' });
    assert.deepEqual(parseConfig(['-h'], { PORT: 'abc' }, 1), { kind: 'help' });
    assert.deepEqual(parseConfig(['--port', 'abc', '--nope', 'x', '--help'], {}, 1), { kind: 'help' });
    assert.deepEqual(parseConfig(['-v'], {}, 1), { kind: 'version' });
    assert.deepEqual(parseConfig(['--version', '--help'], {}, 1), { kind: 'help' });
    assert.match(refusal(['--', '--help']), /^unexpected argument "--help"/);
  });

  test('the help names every flag with its variable and default, and every signal', () => {
    const text = helpText();
    for (const [flag, key] of everySetting) {
      const lines = text.split('\n');
      const at = lines.findIndex((line) => line.startsWith(`  --${flag} `));
      assert.ok(at >= 0, flag);
      assert.ok(lines[at]?.endsWith(` ${variableOf(flag)}`), lines[at]);
      const shown = /\(([^()]*)\)$/.exec(lines[at + 1] ?? '')?.[1];
      if (shown === 'no limit') assert.equal(defaults[key], undefined);
      else assert.equal(configOf([`--${flag}`, shown ?? ''])[key], defaults[key]);
    }
    for (const word of ['-h, --help', '-v, --version', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGTTIN', 'SIGTTOU', 'nc -N']) {
      assert.ok(text.includes(word), word);
    }
  });

  test('the help fits 80 columns and is plain ASCII', () => {
    for (const line of helpText().split('\n')) {
      assert.ok(line.length <= 80, line);
      assert.match(line, /^[\x20-\x7e]*$/);
      assert.equal(line, line.trimEnd());
    }
    assert.ok(helpText().endsWith('\n'));
  });
});
