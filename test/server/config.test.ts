// Flags and environment in, Config out: defaults, precedence, and one clear line for whatever is wrong.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { takeInherited } from '../../server/activation.ts';
import { parseConfig } from '../../server/config.ts';
import type { Config } from '../../server/config.ts';
import { helpText } from '../../server/help.ts';
import { UsageError } from '../../shared/errors.ts';
import { tcp } from '../helpers/listening.ts';

function configOf(argv: string[], env: Record<string, string | undefined> = {}, cpus = 4): Config {
  const invocation = parseConfig(argv, env, cpus);
  assert.equal(invocation.kind, 'run');
  return (invocation as { config: Config }).config;
}

function portOf(argv: string[], env: Record<string, string | undefined> = {}): number | undefined {
  const [where] = configOf(argv, env).addresses;
  return where?.kind === 'tcp' ? where.port : undefined;
}

const adminAt = (host: string, port: number) => ({ kind: 'tcp', host, port }) as const;

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
  addresses: [tcp('127.0.0.1', 8080)],
  proxyFrom: [
    { address: '127.0.0.0', bits: 8, family: 'ipv4' }, { address: '::1', bits: 128, family: 'ipv6' }, 'unix',
  ],
  proxyTimeoutMs: 3000, stopDelayMs: 0,
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
  logProbes: 'yes',
  greeting: undefined,
  delayMs: 0,
  closeAfter: undefined,
  resetAfter: undefined,
  admin: undefined,
  adminActions: false,
  notes: [],
};

const listed = { proxy: false, givenBy: '--bind' } as const;
const proxied = { proxy: true, givenBy: '--bind-proxy' } as const;

/** Every setting: flag, two values, and what they become. */
const everySetting: [flag: string, key: keyof Config, a: [string, unknown], b: [string, unknown]][] = [
  ['host', 'addresses', ['0.0.0.0', [tcp('0.0.0.0', 8080)]], ['::1', [tcp('::1', 8080)]]],
  ['port', 'addresses', ['0', [tcp('127.0.0.1', 0)]], ['65535', [tcp('127.0.0.1', 65_535)]]],
  ['bind', 'addresses', ['[::1]:0', [{ ...tcp('::1', 0), ...listed }]], [
    'localhost:80,unix:/run/a b.sock,fd:3', [
      { ...tcp('localhost', 80), ...listed }, { kind: 'unix', path: '/run/a b.sock', ...listed },
      { kind: 'fd', fd: 3, ...listed },
    ],
  ]],
  ['bind-proxy', 'addresses', ['unix:a', [{ kind: 'unix', path: 'a', ...proxied }]], [
    'fd:2147483647', [{ kind: 'fd', fd: 2_147_483_647, ...proxied }],
  ]],
  ['proxy-from', 'proxyFrom', ['unix', ['unix']], ['10.0.0.0/8', [{ address: '10.0.0.0', bits: 8, family: 'ipv4' }]]],
  ['proxy-timeout', 'proxyTimeoutMs', ['1.5', 1500], ['0', 0]],
  ['stop-delay', 'stopDelayMs', ['1.5', 1500], ['0', 0]],
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
  ['log-probes', 'logProbes', ['no', 'no'], ['yes', 'yes']],
  ['greeting', 'greeting', ['{worker} {pid}', '{worker} {pid}'], ['{"a":1} { }', '{"a":1} { }']],
  ['delay', 'delayMs', ['0.5', 500], ['2', 2000]],
  ['close-after', 'closeAfter', ['1', 1], ['1000', 1000]],
  ['reset-after', 'resetAfter', ['1', 1], ['1000', 1000]],
  ['admin', 'admin', ['9090', adminAt('127.0.0.1', 9090)], ['unix:/run/a', { kind: 'unix', path: '/run/a' }]],
];

/** Of these all that are given count. */
const lists = ['bind', 'bind-proxy', 'proxy-from'];

const variableOf = (flag: string): string => `ECHOPOOL_${flag.toUpperCase().replaceAll('-', '_')}`;

describe('what is given', () => {
  test('nothing given gives the defaults', () => {
    assert.deepEqual(configOf([]), defaults);
  });

  test('the table of these tests has every setting', () => {
    assert.deepEqual(
      [...new Set(everySetting.map(([, key]) => key))].sort(),
      Object.keys(defaults).filter((key) => key !== 'notes' && key !== 'adminActions').sort(),
    );
  });

  test('--admin-actions is a switch, in the environment yes or no, and nothing without --admin', () => {
    const admin = adminAt('127.0.0.1', 0);
    assert.deepEqual(configOf(['--admin', '0', '--admin-actions']), { ...defaults, admin, adminActions: true });
    const variable = (text: string): Record<string, string> => ({ ECHOPOOL_ADMIN_ACTIONS: text });
    assert.deepEqual(configOf(['--admin', '0'], variable('yes')), { ...defaults, admin, adminActions: true });
    assert.deepEqual(configOf(['--admin', '0'], variable('no')), { ...defaults, admin });
    assert.match(refusal([], variable('1')), /ECHOPOOL_ADMIN_ACTIONS must be yes or no, not "1"/);
    assert.match(refusal(['--admin-actions']), /^--admin-actions has no effect without --admin ADDRESS/);
    assert.match(refusal(['--admin', 'fd:3']), /--admin must be PORT, HOST:PORT, \[IPv6\]:PORT or unix:PATH/);
  });

  test('an admin address that other machines can reach is told of', () => {
    for (const near of ['9090', '127.0.0.2:9090', 'localhost:9090', '[::1]:9090', 'unix:/run/admin']) {
      assert.deepEqual(configOf(['--admin', near]).notes, [], near);
    }
    assert.match(configOf(['--admin', '0.0.0.0:9090']).notes[0] ?? '', /may look$/);
    assert.match(configOf(['--admin', '0.0.0.0:9090', '--admin-actions']).notes[0] ?? '', /may look, reload, .*kill$/);
  });

  for (const [flag, key, [a, valueA], [b, valueB]] of everySetting) {
    const variable = variableOf(flag);
    test(`--${flag} sets ${key}, in both spellings, and so does ${variable}`, () => {
      assert.deepEqual(configOf([`--${flag}`, a]), { ...defaults, [key]: valueA });
      assert.deepEqual(configOf([`--${flag}=${b}`]), { ...defaults, [key]: valueB });
      const byVariable = JSON.stringify(valueA).replace(`"givenBy":"--${flag}"`, `"givenBy":"${variable}"`);
      assert.deepEqual(configOf([], { [variable]: a }), { ...defaults, [key]: JSON.parse(byVariable) });
    });

    test(`--${flag} beats ${variable}, even a wrong one, and of several --${flag} the last counts or all`, () => {
      assert.deepEqual(configOf([`--${flag}`, a], { [variable]: b })[key], valueA);
      assert.deepEqual(configOf([`--${flag}`, a], { [variable]: 'no such\nvalue' })[key], valueA);
      const both = (first: unknown, last: unknown): unknown => (lists.includes(flag) ? [first, last].flat() : last);
      assert.deepEqual(configOf([`--${flag}`, a, `--${flag}`, b])[key], both(valueA, valueB));
      assert.deepEqual(configOf([`--${flag}`, b, `--${flag}=${a}`])[key], both(valueB, valueA));
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
    assert.equal(portOf([], { PORT: '1' }), 1);
    assert.equal(portOf([], { PORT: '1', ECHOPOOL_PORT: '2' }), 2);
    assert.equal(portOf([], { PORT: '1', ECHOPOOL_PORT: '' }), 1);
    assert.equal(portOf(['--port', '3'], { PORT: 'x', ECHOPOOL_PORT: 'x' }), 3);
  });

  test('what Kubernetes says of a Service is passed over, with a note', () => {
    const note = (name: string): string => (
      `environment variable ${name} "tcp://10.0.0.1:8080" is passed over: Kubernetes sets such values for a Service`);
    const value = 'tcp://10.0.0.1:8080';
    assert.deepEqual(configOf([], { ECHOPOOL_PORT: value }), { ...defaults, notes: [note('ECHOPOOL_PORT')] });
    assert.deepEqual(configOf([], { PORT: value }), { ...defaults, notes: [note('PORT')] });
    const config = configOf([], { ECHOPOOL_PORT: value, PORT: '9' });
    assert.deepEqual(config, { ...defaults, addresses: [tcp('127.0.0.1', 9)], notes: [note('ECHOPOOL_PORT')] });
    assert.deepEqual(configOf(['--port', '9'], { ECHOPOOL_PORT: value, PORT: value }).notes, []);
    assert.deepEqual(configOf(['--bind', 'a:1'], { ECHOPOOL_PORT: value, PORT: value }).notes, []);
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
    assert.equal(portOf([], npm), 8080);
    assert.deepEqual(configOf(['--port', '1', '--idle-timeout', '1'], npm).notes, []);
    const byExec = { npm_lifecycle_event: 'npx', npm_config_waiting: '7' };
    assert.match(configOf([], byExec).notes[0]!, /^npm has kept "--waiting=7" .* npm exec echopool -- --waiting …$/);
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
      assert.deepEqual(configOf(['--host', host]).addresses, [tcp(host, 8080)]);
    }
    assert.deepEqual(configOf(['--host', '[::1]']).addresses, [tcp('::1', 8080)]);
  });
});

describe('where to listen', () => {
  const bindOf = (...texts: string[]): unknown => configOf(texts.map((text) => `--bind=${text}`)).addresses.map(
    ({ proxy: _, givenBy: __, ...where }) => where);

  test('is a host and a port, a path or a descriptor; all that are given, and first those without a header', () => {
    assert.deepEqual(
      bindOf('0.0.0.0:1', '[::]:2', '[fe80::1%eth0]:3', 'my_host:65535', 'unix:fd:3', 'unix:unix:/a', 'fd:3'), [
        { kind: 'tcp', host: '0.0.0.0', port: 1 }, { kind: 'tcp', host: '::', port: 2 },
        { kind: 'tcp', host: 'fe80::1%eth0', port: 3 }, { kind: 'tcp', host: 'my_host', port: 65_535 },
        { kind: 'unix', path: 'fd:3' }, { kind: 'unix', path: 'unix:/a' }, { kind: 'fd', fd: 3 },
      ],
    );
    const all = configOf(['--bind-proxy', 'a:1', '--bind', 'b:2', '--bind-proxy=c:3,d:4'], {}).addresses;
    assert.deepEqual(all.map((where) => [where.kind === 'tcp' && where.host, where.proxy]), [
      ['b', false], ['a', true], ['c', true], ['d', true],
    ]);
  });

  test('what is none of these is refused', () => {
    const none = [
      '', ' ', '80', ':80', 'localhost', 'localhost:', 'localhost:65536', 'localhost:-1', 'localhost:http', 'a b:1',
      '::1', '::1:80', '[::1]', '[::1]80', '[127.0.0.1]:80', '[::1:80', 'a:1:2', '-a:1', 'a:1 ', 'a:1\n', 'tcp://a:1',
      'unix:', 'unix:a\0b', 'UNIX:/a', 'fd:', 'fd:2', 'fd:0', 'fd:-3', 'fd:3.5', 'fd:x', 'fd:2147483648', 'fd: 3',
    ];
    for (const flag of ['bind', 'bind-proxy']) {
      const allowed = `--${flag} must be HOST:PORT, [IPv6]:PORT, unix:PATH (of at most 107 bytes, without a comma) or `
        + 'fd:N (from 3 on), not ';
      for (const text of none) assert.equal(refusal([`--${flag}=${text}`]), allowed + JSON.stringify(text));
      assert.equal(refusal([`--${flag}=a:1,`]), `${allowed}""`);
      // The part after the comma: no path has one.
      assert.equal(refusal([`--${flag}=unix:/run/a,b`]), `${allowed}"b"`);
    }
  });

  test('a path is as long as a Unix socket may have it', () => {
    const longest = `/${'é'.repeat(53)}`;
    assert.equal(Buffer.byteLength(longest), 107);
    assert.deepEqual(bindOf(`unix:${longest}`), [{ kind: 'unix', path: longest }]);
    assert.match(refusal([`--bind=unix:${longest}x`]), /^--bind must be .* at most 107 bytes/);
  });

  test('replaces --host and --port: beside it they are refused, and their variables are passed over', () => {
    for (const [flag, value] of [['--host', 'a'], ['--port', '1']] as const) {
      for (const by of ['bind', 'bind-proxy']) {
        const why = (name: string): string => `${flag} cannot be given beside ${name}, which says where to listen`;
        assert.equal(refusal([flag, value, `--${by}`, 'b:2']), why(`--${by}`));
        assert.equal(refusal([flag, value], { [variableOf(by)]: 'b:2' }), why(variableOf(by)));
      }
      const inherited = (): unknown => parseConfig([flag, value], {}, 4, 1);
      assert.throws(inherited, { message: `${flag} cannot be given beside LISTEN_FDS, which says where to listen` });
    }
    const passedOver = { ECHOPOOL_HOST: ']', ECHOPOOL_PORT: 'x', PORT: '1' };
    assert.deepEqual(configOf(['--bind', 'b:2'], passedOver), {
      ...defaults, addresses: [{ ...tcp('b', 2), ...listed }],
    });
    const proxies = configOf([], { ...passedOver, ECHOPOOL_BIND_PROXY: 'b:2' }).addresses;
    assert.deepEqual(proxies, [{ ...tcp('b', 2), proxy: true, givenBy: 'ECHOPOOL_BIND_PROXY' }]);
    assert.match(refusal([], passedOver), /^environment variable ECHOPOOL_HOST must be/);
  });

  test('is also what a service manager has left to it, behind what it was told', () => {
    const invocation = parseConfig(['--bind', 'b:2'], { PORT: 'x' }, 4, 2);
    assert.deepEqual((invocation as { config: Config }).config.addresses, [
      { ...tcp('b', 2), ...listed },
      ...[3, 4].map((fd) => ({ kind: 'fd', fd, proxy: false, givenBy: 'LISTEN_FDS' })),
    ]);
  });

  test('who may send a header is a list of addresses, ranges and unix', () => {
    assert.match(refusal(['--proxy-from', 'localhost']), /^--proxy-from must be a list of IP addr.*, not "local/);
    assert.deepEqual(configOf(['--proxy-from', 'unix,::1', '--proxy-from=unix']).proxyFrom, [
      'unix', { address: '::1', bits: 128, family: 'ipv6' }, 'unix',
    ]);
  });
});

test('a greeting has no other names in braces than those that are known; an unset variable is told of', () => {
  for (const name of ['{wroker}', '{env}', '{env:}', '{env:A-B}', '{Pid}', '{pid:1}', 'hello {server}{x}']) {
    assert.match(refusal(['--greeting', name]), /^--greeting must be a text .* and \{env:NAME\}, not "/);
  }
  const { greeting, notes } = configOf(['--greeting', '{env:A}{env:B} {} { a } {"x":1}'], { A: '' });
  assert.equal(greeting, '{env:A}{env:B} {} { a } {"x":1}');
  assert.deepEqual(notes, ['there is no {env:B} for --greeting: nothing stands in its place']);
});

describe('what a service manager has left', () => {
  test('is for this process only, and no child of it sees the variables', () => {
    const left = (env: Record<string, string>): [number, NodeJS.ProcessEnv] => {
      const own: NodeJS.ProcessEnv = { PATH: '/bin', LISTEN_FDNAMES: 'a:b', LISTEN_PIDFDID: '1', ...env };
      return [takeInherited(own, 42), own];
    };
    assert.deepEqual(left({ LISTEN_PID: '42', LISTEN_FDS: '2' }), [2, { PATH: '/bin' }]);
    for (const LISTEN_PID of ['43', '', '042', ' 42']) {
      assert.deepEqual(left({ LISTEN_PID, LISTEN_FDS: '2' }), [0, { PATH: '/bin' }]);
      assert.deepEqual(left({ LISTEN_PID, LISTEN_FDS: 'x' }), [0, { PATH: '/bin' }]);
    }
    assert.deepEqual(left({ LISTEN_FDS: '2' }), [0, { PATH: '/bin' }]);
    for (const LISTEN_FDS of ['', '0', '-1', 'x', '1.5', '1001']) {
      assert.throws(() => left({ LISTEN_PID: '42', LISTEN_FDS }), {
        name: 'UsageError',
        message: `environment variable LISTEN_FDS must be a whole number from 1 to 1000, not "${LISTEN_FDS}"`,
      });
    }
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
  const times = ['idle-timeout', 'grace', 'worker-timeout', 'stop-delay', 'proxy-timeout'];
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
    assert.equal(portOf(['--port', '1', '--']), 1);
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
      if (shown === 'no limit' || shown === 'none') assert.equal(defaults[key], undefined);
      else if (shown === undefined) assert.ok(['bind', 'bind-proxy'].includes(flag), flag);
      else assert.deepEqual(configOf([`--${flag}`, shown])[key], defaults[key]);
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
