// What the client understands of flags, of words without a flag, and of the environment.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { historyFile, parseClientCommand } from '../../client/config.ts';

describe('the flags of the client', () => {
  const endpoint = (args: string[], env = {}) => {
    const command = parseClientCommand(args, env);
    return command.kind === 'talk' ? command.endpoint : command.kind;
  };

  test('flags win over words, words over the environment, the environment over the defaults', () => {
    assert.deepEqual(endpoint([]), { host: '127.0.0.1', port: 8080 });
    const env = { ECHOPOOL_HOST: '::1', ECHOPOOL_PORT: '9', PORT: '7' };
    assert.deepEqual(endpoint([], env), { host: '::1', port: 9 });
    assert.deepEqual(endpoint([], { PORT: '7' }), { host: '127.0.0.1', port: 7 });
    assert.deepEqual(endpoint(['example.com'], env), { host: 'example.com', port: 9 });
    assert.deepEqual(endpoint(['example.com', '10'], env), { host: 'example.com', port: 10 });
    assert.deepEqual(endpoint(['a', '10', '--host=b', '--port', '65535'], env), { host: 'b', port: 65535 });
    assert.deepEqual(endpoint([], { ECHOPOOL_HOST: '', PORT: '' }), { host: '127.0.0.1', port: 8080 });
    const unused = { ECHOPOOL_HOST: ' ', PORT: ' ' };
    assert.deepEqual(endpoint(['--host', 'x', '--port', '1'], unused), { host: 'x', port: 1 });
    assert.equal(endpoint(['--help', '--port', '1'], { PORT: 'x' }), 'help');
    assert.equal(endpoint(['-h']), 'help');
    assert.equal(endpoint(['--version']), 'version');
  });

  test('an IPv6 address may stand in brackets', () => {
    for (const args of [['--host', '[::1]'], ['[::1]'], ['::1'], ['[::1]', '8080']]) {
      assert.deepEqual(endpoint(args), { host: '::1', port: 8080 });
    }
  });

  test('a Unix socket is named by its path, and has no port', () => {
    assert.deepEqual(endpoint(['unix:/run/a.sock']), { host: 'unix:/run/a.sock', port: 8080 });
    assert.deepEqual(endpoint([], { ECHOPOOL_HOST: 'unix:a:1' }), { host: 'unix:a:1', port: 8080 });
  });

  test('HOST of the environment is nothing: conda and tcsh set it for themselves', () => {
    assert.deepEqual(endpoint([], { HOST: 'x86_64-conda-linux-gnu' }), { host: '127.0.0.1', port: 8080 });
  });

  test('what Kubernetes puts into ECHOPOOL_PORT is passed over, with a note', () => {
    const command = parseClientCommand([], { ECHOPOOL_PORT: 'tcp://10.0.0.1:8080', PORT: '7' });
    assert.ok(command.kind === 'talk');
    assert.equal(command.endpoint.port, 7);
    assert.deepEqual(command.notes, [
      'environment variable ECHOPOOL_PORT "tcp://10.0.0.1:8080" is passed over: '
        + 'Kubernetes sets such values for a Service',
    ]);
  });

  test('a flag that npm took is told', () => {
    const env = { npm_lifecycle_event: 'client', npm_config_port: '9000', npm_config_yes: 'true' };
    const told = parseClientCommand([], env);
    assert.ok(told.kind === 'talk');
    assert.deepEqual(told.notes, [
      'npm has kept "--port=9000" for itself: '
        + 'what is the client\'s stands after two dashes, as in npm run client -- --port …',
    ]);
    for (const args of [['--port', '1'], ['localhost', '1']]) {
      const given = parseClientCommand(args, env);
      assert.ok(given.kind === 'talk');
      assert.deepEqual(given.notes, [], 'it has arrived all the same');
    }
  });

  test('the history is kept in the place for it, or not at all', () => {
    assert.equal(historyFile({ XDG_STATE_HOME: '/state' }, '/home/me'), '/state/echopool/history');
    for (const XDG_STATE_HOME of [undefined, '', 'not/absolute']) {
      assert.equal(historyFile({ XDG_STATE_HOME }, '/home/me'), '/home/me/.local/state/echopool/history');
      for (const home of [undefined, '']) assert.equal(historyFile({ XDG_STATE_HOME }, home), undefined);
    }
    const remembers = (args: string[]): unknown => {
      const command = parseClientCommand(args, {});
      return command.kind === 'talk' && command.history;
    };
    assert.deepEqual([remembers([]), remembers(['--no-history'])], [true, false]);
  });

  test('a bad value is refused in a sentence with the flag, the value and what is allowed', () => {
    const port = 'must be a whole number from 1 to 65535, not';
    const host = 'must be a host name, an IP address or unix:PATH, not';
    const refusals: [string[], string][] = [
      [['--port', '0'], `--port ${port} "0"`],
      [['--port', '65536'], `--port ${port} "65536"`],
      [['--port', '-1'], `--port ${port} "-1"`],
      [['--port=8e1'], `--port ${port} "8e1"`],
      [['--port'], '--port needs a value: a whole number from 1 to 65535'],
      [['--host', '127.0.0.1:80'], `--host ${host} "127.0.0.1:80"`],
      [['--host', 'unix:'], `--host ${host} "unix:"`],
      [['--host', 'http://x/'], `--host ${host} "http://x/"`],
      [['--host', 'a\nb'], `--host ${host} "a\\nb"`],
      [['--host='], `--host ${host} ""`],
      [['--host', '--port'], '--host needs a value: a host name, an IP address or unix:PATH'],
      [['--prot', '1'], 'unknown flag "--prot": did you mean --port? (--help lists all)'],
      [['hello\n'], `HOST ${host} "hello\\n"`],
      [['[127.0.0.1]'], `HOST ${host} "[127.0.0.1]"`],
      [['64'], `HOST ${host} "64"`],
      [['::1', 'x'], `PORT ${port} "x"`],
      [['a', '1', 'b'], 'unexpected argument "b": only HOST and PORT need no flag (--help lists the flags)'],
      [['--help=yes'], '--help takes no value, not "yes"'],
    ];
    for (const [args, message] of refusals) {
      assert.throws(() => parseClientCommand(args, {}), { name: 'UsageError', message });
    }
    for (const [variable, value, allowed] of [['PORT', 'http', port], ['ECHOPOOL_HOST', 'a b', host]] as const) {
      const message = `environment variable ${variable} ${allowed} "${value}"`;
      assert.throws(() => parseClientCommand([], { [variable]: value }), { message });
    }
  });
});

