// The flags module of all programs, by a table that has every sort of flag: what it reads, refuses and prints.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../../shared/errors.ts';
import { flagLines } from '../../shared/flags/help.ts';
import { readCommandLine, wordsOf, type Reading } from '../../shared/flags/read.ts';
import { decimal, HELP, oneOf, usagesOf, wholeNumber, withVariables, type Flags } from '../../shared/flags/table.ts';
import { didYouMean, quote } from '../../shared/flags/words.ts';

const table = {
  ...withVariables({
    host: {
      hint: 'HOST', allowed: 'lower case', word: 'HOST', parse: (text) => (/^[a-z]+$/.test(text) ? text : undefined),
    },
    port: { ...wholeNumber(1, 9), short: 'p', word: 'PORT', variables: ['PORT'], fallback: '8', help: 'where' },
    bind: {
      hint: 'ADDRESS', allowed: 'an address', parse: (text) => text || undefined, list: true, help: 'also\nthere',
    },
    logProbes: {
      flag: 'log-probes', hint: 'yes|no', allowed: 'yes or no', fallback: 'yes', help: 'whether they are logged',
      parse: (text) => (text === 'yes' ? true : text === 'no' ? false : undefined),
    },
  } satisfies Flags),
  delay: { ...decimal(0, 1.5), also: 'wait', help: 'how long' },
  mode: { ...oneOf('one', 'two', 'three'), fallback: 'two' },
  json: { short: 'j', help: 'as JSON' },
  help: HELP,
} satisfies Flags;

const defaults = {
  host: undefined, port: 8, bind: [], logProbes: true, delay: undefined, mode: 'two', json: false,
};

function read(line: string, reading?: Reading) {
  const answer = readCommandLine(line.split(' ').filter(Boolean), table, reading);
  assert.ok(answer.kind === 'run');
  return answer;
}

function refusal(line: string, reading?: Reading): string {
  try {
    read(line, reading);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message;
  }
  return assert.fail(`${line} is allowed`);
}

describe('a command line', () => {
  test('gives each flag its value, of its own type', () => {
    assert.deepEqual(read('').values, defaults);
    const { values } = read('--host a --port=1 --log-probes no --delay .5 --mode three --json');
    const typed: {
      host: string | undefined; port: number; bind: readonly string[]; logProbes: boolean; delay: number | undefined;
      mode: 'one' | 'two' | 'three'; json: boolean;
    } = values;
    assert.deepEqual(typed, { host: 'a', port: 1, bind: [], logProbes: false, delay: 0.5, mode: 'three', json: true });
  });

  test('may have short names and other names, and of one flag the last counts', () => {
    assert.deepEqual(read('-p 1 -jp2 --wait 1').values, { ...defaults, port: 2, json: true, delay: 1 });
    assert.equal(read('--wait 1 --delay 0').values.delay, 0);
  });

  test('of a list all count, given again or with commas between', () => {
    assert.deepEqual(read('--bind a,b --json --bind=c').values.bind, ['a', 'b', 'c']);
    assert.equal(refusal('--bind a,,b'), '--bind must be an address, not ""');
  });

  test('takes words for those flags that may go without their name, unless that is given too', () => {
    assert.deepEqual(read('a 1').values, { ...defaults, host: 'a', port: 1 });
    assert.deepEqual(read('--port 2 a 1').values, { ...defaults, host: 'a', port: 2 });
    assert.deepEqual(read('a 1 b -- --c', { keepsWords: true }).words, ['b', '--c']);
    assert.deepEqual(wordsOf(['--port', '1', 'a', '--json', 'b'], table), ['a', 'b']);
  });

  test('is answered with help whatever else is wrong, but not behind two dashes', () => {
    for (const line of ['--help', '-h', '-jh', '--port x --bogus a b c --help']) {
      assert.deepEqual(readCommandLine(line.split(' '), table), { kind: 'help' });
    }
    assert.equal(refusal('-- --help'), 'HOST must be lower case, not "--help"');
    assert.equal(refusal('--version'), 'unknown flag "--version" (--help lists all)');
  });

  test('tells by which name each value was given', () => {
    const { givenBy } = read('a -p 1 --wait 1', { env: { ECHOPOOL_BIND: 'a' } });
    assert.deepEqual(Object.fromEntries(givenBy), { bind: 'ECHOPOOL_BIND', delay: '--wait', host: 'HOST', port: '-p' });
  });
});

describe('the environment', () => {
  test('has what is not on the command line, if it is not empty', () => {
    const env = {
      ECHOPOOL_HOST: 'a', ECHOPOOL_PORT: '', PORT: '1', ECHOPOOL_LOG_PROBES: 'no', ECHOPOOL_BIND: 'a,b',
      ECHOPOOL_DELAY: 'delay has no variable',
    };
    const found = { ...defaults, host: 'a', port: 1, logProbes: false, bind: ['a', 'b'] };
    assert.deepEqual(read('', { env }).values, found);
    assert.deepEqual(read('b 2 --bind c', { env }).values, { ...found, host: 'b', port: 2, bind: ['c'] });
    const wrong = 'environment variable PORT must be a whole number from 1 to 9, not "0"';
    assert.equal(refusal('', { env: { PORT: '0' } }), wrong);
  });

  test('has ports of Kubernetes that nobody meant, and flags that npm has kept: both are noted', () => {
    const address = 'tcp://10.0.0.1:80';
    assert.deepEqual(read('', { env: { ECHOPOOL_PORT: address, PORT: '2' } }).notes, [
      `environment variable ECHOPOOL_PORT "${address}" is passed over: Kubernetes sets such values for a Service`,
    ]);
    const kept = { npm_config_log_probes: 'no', npm_config_json: 'true', npm_config_port: '1' };
    const env = { npm_lifecycle_event: 'top', ...kept };
    const right = (flag: string): string => (
      `for itself: what is the server's stands after two dashes, as in npm run top -- ${flag} …`);
    const hint = `npm has kept "--log-probes=no" ${right('--log-probes')}`;
    const reading = { env, program: 'server' };
    // A setting that npm has too may be from its own file, and have a password in it: its value is not told.
    assert.deepEqual(read('a 1', reading).notes, [hint, `npm has a setting json, which it keeps ${right('--json')}`]);
    assert.ok(refusal('--json a 1 b', reading).endsWith(`; ${hint}`));
  });
});

describe('what is wrong is said in one sentence:', () => {
  for (const [line, sentence] of Object.entries({
    '--port 10': '--port must be a whole number from 1 to 9, not "10"',
    '-p 1.0': '-p must be a whole number from 1 to 9, not "1.0"',
    '--delay -1': '--delay must be a number from 0 to 1.5, not "-1"',
    '--wait 1e0': '--wait must be a number from 0 to 1.5, not "1e0"',
    '--mode four': '--mode must be one, two or three, not "four"',
    '--log-probes': '--log-probes needs a value: yes or no',
    '--log-probes --json': '--log-probes needs a value: yes or no',
    '--json=yes': '--json takes no value, not "yes"',
    '--prot=1': 'unknown flag "--prot": did you mean --port? (--help lists all)',
    '-mode': 'unknown flag "-mode": did you mean --mode? (--help lists all)',
    '--xyzzy': 'unknown flag "--xyzzy" (--help lists all)',
    'A': 'HOST must be lower case, not "A"',
    'a 1 b': 'unexpected argument "b": only HOST and PORT need no flag (--help lists the flags)',
  })) test(line, () => assert.equal(refusal(line), sentence));

  test('for a part of a program, with its name', () => {
    const flags = { port: table.port, json: {} } satisfies Flags;
    const part = (...args: string[]) => () => readCommandLine(args, flags, { part: 'top' });
    assert.throws(part('--port', '0'), { message: '--port of top must be a whole number from 1 to 9, not "0"' });
    assert.throws(part('--port'), { message: '--port of top needs a value: a whole number from 1 to 9' });
    assert.throws(part('--jsn'), { message: 'top has no flag "--jsn": did you mean --json? (--port N, --json)' });
    const unexpected = 'unexpected argument "2": only PORT needs no flag (--help lists the flags)';
    assert.throws(part('1', '2'), { message: unexpected });
  });

  test('in which what was typed can neither steer a terminal nor fill it', () => {
    assert.equal(quote('\u001b[31m\n\u009b\u202eé'), '"\\u001b[31m\\n\\u{9b}\\u{202e}é"');
    assert.equal(quote('x'.repeat(61)), `"${'x'.repeat(57)}..."`);
  });

  test('with the word that may have been meant', () => {
    const words = ['idle-timeout', 'port', 'pool'];
    const meant = (...typed: string[]): string[] => typed.map((one) => didYouMean(one, words));
    const [idle, port] = [': did you mean idle-timeout?', ': did you mean port?'];
    assert.deepEqual(meant('--IDLE_TIMEOUT', 'idel-timeout', 'idl'), [idle, idle, idle]);
    assert.deepEqual(meant('prt', 'por', 'po'), [port, port, port]);
    assert.deepEqual(meant('idel-timeuot', 'p', '-x', ''), ['', '', '', '']);
    assert.equal(didYouMean('--prt', words, '--'), ': did you mean --port?');
  });
});

describe('the help', () => {
  test('has a line for each flag that has something to say, from the column on', () => {
    assert.equal(flagLines(table, 22), [
      '  -p, --port N        where (8)',
      '  --bind ADDRESS      also',
      '                      there',
      '  --log-probes yes|no whether they are logged (yes)',
      '  --delay N           how long',
      '  -j, --json          as JSON',
      '  -h, --help          print this and leave',
    ].join('\n'));
    assert.equal(usagesOf({ port: table.port, json: table.json }), '--port N, --json');
  });

  test('has the environment variables too, where it is wanted', () => {
    assert.equal(flagLines({ port: table.port, json: table.json }, 20, true), [
      '  -p, --port N      ECHOPOOL_PORT', '      where (8)', '  -j, --json        as JSON',
    ].join('\n'));
  });
});
