// The log's lines, as pure formatting: events in, text out, with hostile bytes among them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { Log, useColor } from '../../shared/log/log.ts';
import type { LogOptions } from '../../shared/log/log.ts';
import { columnsOf, escapeHidden, previewOf, toJson } from '../../shared/terminal/preview.ts';

const NOON = new Date(2026, 0, 31, 12, 34, 56, 78).getTime();
const NOON_ISO = new Date(NOON).toISOString();
const PEER = '127.0.0.1:53122';

interface Recorded {
  readonly log: Log;
  readonly lines: string[];
  /** The only line, as JSON. */
  json(): unknown;
}

function record(options: Partial<LogOptions> = {}): Recorded {
  const lines: string[] = [];
  const log = new Log({
    print: (line) => { lines.push(line); },
    format: 'pretty', level: 'messages', color: false, who: 1, now: () => NOON, ...options,
  });
  return {
    log,
    lines,
    json: () => {
      assert.equal(lines.length, 1);
      return JSON.parse(lines[0]!);
    },
  };
}

/** What a terminal or a reader of lines could stumble over, whatever its name in Unicode: from … to. */
const unsafeRanges = [
  [0, 0x1f], [0x7f, 0x9f], [0xad, 0xad], [0x61c, 0x61c], [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x2064],
  [0x2066, 0x206f], [0xfeff, 0xfeff], [0xfff9, 0xfffb], [0xe0001, 0xe0001], [0xe0020, 0xe007f],
  // Not to be seen: blanks, fillers, what chooses a variant.
  [0xa0, 0xa0], [0x34f, 0x34f], [0x115f, 0x1160], [0x1680, 0x1680], [0x17b4, 0x17b5], [0x180b, 0x180f],
  [0x2000, 0x200a], [0x202f, 0x202f], [0x205f, 0x205f], [0x2800, 0x2800], [0x3000, 0x3000], [0x3164, 0x3164],
  [0xfe00, 0xfe0f], [0xffa0, 0xffa0], [0x13441, 0x13442], [0x1d159, 0x1d159], [0xe0100, 0xe01ef],
  // In the cell of the one before: marks, the rest of a Hangul syllable, skin tones, the other half of a flag.
  [0x300, 0x36f], [0x483, 0x489], [0x93a, 0x93c], [0xe47, 0xe4e], [0x1161, 0x11ff], [0xd7b0, 0xd7ff], [0x20d0, 0x20f0],
  [0xfe20, 0xfe2f], [0x1f1e6, 0x1f1ff], [0x1f3fb, 0x1f3ff],
] as const;

function isUnsafe(codePoint: number): boolean {
  return unsafeRanges.some(([first, last]) => codePoint >= first && codePoint <= last);
}

const unsafe = unsafeRanges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));

/** The bytes that a preview stands for: its inverse. */
function bytesOf(preview: string): Buffer {
  const pieces = preview.match(/\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}|\\[nrt\\]|[^\\]/gu) ?? [];
  assert.equal(pieces.join(''), preview);
  const named: Record<string, string> = { '\\n': '\n', '\\r': '\r', '\\t': '\t', '\\\\': '\\' };
  return Buffer.concat(pieces.map((piece) => {
    if (piece.startsWith('\\x')) return Buffer.from([parseInt(piece.slice(2), 16)]);
    if (piece.startsWith('\\u')) return Buffer.from(String.fromCodePoint(parseInt(piece.slice(3), 16)));
    return Buffer.from(named[piece] ?? piece);
  }));
}

test('a preview shows text as it is and escapes the rest', () => {
  const table: [input: string | number[], shown: string][] = [
    ['', ''],
    ['hello', 'hello'],
    ['~ !"#$%&\'()', '~ !"#$%&\'()'],
    ['Grüße, Welt', 'Grüße, Welt'],
    ['漢字 😀', '漢字 😀'],
    ['one\r\ntwo\tthree', 'one\\r\\ntwo\\tthree'],
    ['back\\slash', 'back\\\\slash'],
    ['\x1b[31mred\x07', '\\x1b[31mred\\x07'],
    ['\x1b]0;title\x9c', '\\x1b]0;title\\u{9c}'],
    ['nul\0 del\x7f', 'nul\\x00 del\\x7f'],
    ['next\u0085line', 'next\\u{85}line'],
    ['a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
    ['\u202eevil\u2066', '\\u{202e}evil\\u{2066}'],
    ['zero\u200bwidth\ufeff', 'zero\\u{200b}width\\u{feff}'],
    ['e\u0301\u0301', 'e\\u{301}\\u{301}'],
    ['\u1112\u1161\u11ab 한', '\u1112\\u{1161}\\u{11ab} 한'],
    ['👍\u{1f3fd}', '👍\\u{1f3fd}'],
    ['\u00a0\u2800\u3164', '\\u{a0}\\u{2800}\\u{3164}'],
    [[0xff, 0x41, 0xfe], '\\xffA\\xfe'],
    [[0x41, 0x80, 0xbf], 'A\\x80\\xbf'],
    [[0xc0, 0xaf], '\\xc0\\xaf'], // Overlong.
    [[0xe0, 0x80, 0xaf], '\\xe0\\x80\\xaf'],
    [[0xf0, 0x80, 0x80, 0x80], '\\xf0\\x80\\x80\\x80'],
    [[0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'], // Half of a surrogate pair.
    [[0xf4, 0x90, 0x80, 0x80], '\\xf4\\x90\\x80\\x80'], // Beyond U+10FFFF.
    [[0xf5, 0x80, 0x80, 0x80], '\\xf5\\x80\\x80\\x80'],
    [[0xe6, 0xbc], '\\xe6\\xbc'], // Cut in the middle of a character.
    [[0xe6, 0x41, 0xc3, 0xa9], '\\xe6Aé'],
  ];
  for (const [input, shown] of table) {
    const bytes = Buffer.from(input as string);
    assert.deepEqual(previewOf(bytes), { text: shown, bytes: bytes.length, cut: false });
  }
});

test('a preview has 40 columns at most, and neither a character nor an escape is cut', () => {
  const table: [input: string | number[], shown: string, cut: boolean][] = [
    ['x'.repeat(40), 'x'.repeat(40), false],
    ['x'.repeat(41), 'x'.repeat(40), true],
    ['漢'.repeat(20), '漢'.repeat(20), false],
    [`x${'漢'.repeat(20)}`, `x${'漢'.repeat(19)}`, true],
    ['ｆ'.repeat(21), 'ｆ'.repeat(20), true],
    ['😀'.repeat(50), '😀'.repeat(20), true],
    ['é'.repeat(50), 'é'.repeat(40), true],
    [`a${'\u0301'.repeat(39)}`, `a${'\\u{301}'.repeat(5)}`, true],
    [`${'x'.repeat(39)}\n`, 'x'.repeat(39), true],
    [`${'x'.repeat(38)}\n`, `${'x'.repeat(38)}\\n`, false],
    [`${'x'.repeat(39)}é`, `${'x'.repeat(39)}é`, false],
    [`${'x'.repeat(40)}é`, 'x'.repeat(40), true],
    ['\u202e'.repeat(6), '\\u{202e}'.repeat(5), true],
    [Array<number>(11).fill(0xff), '\\xff'.repeat(10), true],
    ['x'.repeat(1 << 16), 'x'.repeat(40), true],
  ];
  for (const [input, text, cut] of table) {
    const preview = previewOf(Buffer.from(input as string));
    assert.deepEqual([preview.text, preview.cut], [text, cut]);
  }
  assert.equal(previewOf(Buffer.from('hello'), 4).text, 'hell');
});

/** One line for each run of code points of one width: from, to, and whether that is 2. */
const python = spawnSync('python3', ['-c', `
import itertools, unicodedata
def width(code):
  known = unicodedata.category(chr(code)) not in ('Cn', 'Cs')
  return unicodedata.east_asian_width(chr(code)) in 'WF' if known else None
for wide, run in itertools.groupby(range(0x110000), width):
  codes = list(run)
  if wide is not None: print(codes[0], codes[-1], int(wide))`,
], { encoding: 'utf8' });

test('a character has as many columns as Unicode says', { skip: python.status === 0 ? false : 'needs python3' }, () => {
  // Made wide by Unicode 16: hexagrams, tetragrams, and others that an older Python has as narrow.
  const wideSince16 = /[\u31e4\u31e5\u4dc0-\u4dff\u{1d300}-\u{1d376}\u2630-\u2637\u268a-\u268f]/u;
  for (const line of python.stdout.trim().split('\n')) {
    const [first, last, wide] = line.split(' ').map(Number) as [number, number, number];
    for (let code = first; code <= last; code++) {
      const character = String.fromCodePoint(code);
      if (escapeHidden(character) !== character || wideSince16.test(character)) continue;
      assert.equal(columnsOf(character), 1 + wide, `U+${code.toString(16)}`);
    }
  }
  assert.equal(columnsOf('a漢\u0301'), 1 + 2 + '\\u{301}'.length);
});

test('no code point that a terminal obeys or that breaks a line comes through, in any kind of line', () => {
  for (const codePoint of unsafe) {
    const character = String.fromCodePoint(codePoint);
    const { log, lines } = record();
    const json = record({ format: 'json' });
    for (const each of [log, json.log]) {
      each.message(PEER, Buffer.from(`a${character}b`));
      each.message(`[fe80::1%${character}]:5`, Buffer.from('x'));
      each.info('event', `a${character}b`, { [character]: character });
      each.closed(PEER, `a${character}b`);
    }
    for (const line of [...lines, ...json.lines]) {
      assert.ok(!line.includes(character), `U+${codePoint.toString(16)} in ${JSON.stringify(line)}`);
    }
    assert.equal((JSON.parse(json.lines[2]!) as Record<string, string>)[character], character);
  }
});

test('for any bytes, a preview stands for the beginning of just these bytes', () => {
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  const pieces = [
    'a', ' "', '\\', '\\n', '\n', 'é', '漢', '😀', '\u202e', '\x1b', '\x9b', '\ufeff', '\u{10ffff}', '...',
  ];
  // Half of them are cut: so at each piece a hundred times.
  for (let round = 0; round < 5000; round++) {
    const parts = Array.from({ length: random(30) }, () => (
      random(3) === 0 ? Buffer.from([random(256)]) : Buffer.from(pieces[random(pieces.length)]!)));
    const bytes = Buffer.concat(parts);
    const { text, bytes: length, cut } = previewOf(bytes);
    const shown = bytesOf(text);
    assert.equal(length, shown.length);
    assert.deepEqual(shown, bytes.subarray(0, shown.length));
    assert.equal(cut, shown.length < bytes.length);
    assert.ok(columnsOf(text) <= 40 && [...text].every((character) => !isUnsafe(character.codePointAt(0)!)));
  }
});

test('a preview is taken before the bytes change', () => {
  const { log, lines } = record();
  const bytes = Buffer.from('hello');
  log.message(PEER, bytes);
  bytes.fill('X');
  assert.match(lines[0]!, /"hello"$/);
});

test('escaping leaves visible text as it is, backslashes too', () => {
  assert.equal(escapeHidden('listening on [::1]:8080, C:\\temp “ä” 😀'), 'listening on [::1]:8080, C:\\temp “ä” 😀');
  assert.equal(escapeHidden('two\nlines\x1b[2J\ud800'), 'two\\nlines\\x1b[2J\\u{d800}');
});

test('JSON has everything hidden escaped and means the same', () => {
  const value = { 'a\u2028': ['\x7f\x9b\ufeff\u{e0041}', 'ä"\\\n', 1, null] };
  const json = toJson(value);
  assert.match(json, /^[\x20-\x7eä]+$/);
  assert.deepEqual(JSON.parse(json), value);
});

test('pretty lines', () => {
  const table: [tell: (log: Log) => void, line: string][] = [
    [(log) => log.message(PEER, Buffer.from('hello')), `worker 1  ${PEER}  5 bytes  "hello"`],
    [(log) => log.message(PEER, Buffer.from('x')), `worker 1  ${PEER}  1 byte  "x"`],
    [(log) => log.message('[::1]:5', Buffer.from('say "hi"\n')), 'worker 1  [::1]:5  9 bytes  "say \\"hi\\"\\n"'],
    [(log) => log.message(PEER, Buffer.alloc(64, 'x')), `worker 1  ${PEER}  64 bytes  "${'x'.repeat(40)}"...`],
    [(log) => log.connected(PEER), `worker 1  ${PEER}  connected`],
    [(log) => log.closed(PEER, 'waiting line full'), `worker 1  ${PEER}  closed: waiting line full`],
    [(log) => log.closed(PEER, 'client ended', { messages: 1, bytesIn: 5, bytesOut: 6 }),
      `worker 1  ${PEER}  closed: client ended, 1 message, 5 bytes in, 6 bytes out`],
    [(log) => log.closed(PEER, 'idle', { messages: 2, bytesIn: 1, bytesOut: 0 }),
      `worker 1  ${PEER}  closed: idle, 2 messages, 1 byte in, 0 bytes out`],
    [(log) => log.info('ready', 'ready to serve', { pid: 5 }), 'worker 1  ready to serve'],
    [(log) => log.warn('slow', 'this is slow'), 'worker 1  warning: this is slow'],
  ];
  for (const [tell, line] of table) {
    const { log, lines } = record();
    tell(log);
    assert.deepEqual(lines, [`12:34:56.078 ${line}`]);
  }
});

test('the master\'s pretty lines are aligned with those of the workers', () => {
  const { log, lines } = record({ who: 'master' });
  log.info('listening', 'listening on 127.0.0.1:8080');
  assert.deepEqual(lines, ['12:34:56.078 master    listening on 127.0.0.1:8080']);
});

test('JSON lines', () => {
  const start = { time: NOON_ISO, level: 'info', worker: 1 };
  const table: [tell: (log: Log) => void, line: object][] = [
    [(log) => log.message(PEER, Buffer.from('hello')),
      { ...start, event: 'message', peer: PEER, bytes: 5, preview: 'hello' }],
    [(log) => log.message(PEER, Buffer.from('"\\\n\x1b')),
      { ...start, event: 'message', peer: PEER, bytes: 4, preview: '"\\\n\x1b' }],
    [(log) => log.message(PEER, Buffer.from([0x68, 0x69, 0xff, 0xe2, 0x80])),
      { ...start, event: 'message', peer: PEER, bytes: 5, preview: 'hi\ufffd\ufffd' }],
    [(log) => log.message(PEER, Buffer.alloc(64, 'x')),
      { ...start, event: 'message', peer: PEER, bytes: 64, preview: `${'x'.repeat(40)}...` }],
    [(log) => log.connected(PEER), { ...start, event: 'connected', peer: PEER }],
    [(log) => log.closed(PEER, 'idle'), { ...start, event: 'closed', peer: PEER, reason: 'idle' }],
    [(log) => log.closed(PEER, 'idle', { messages: 1, bytesIn: 2, bytesOut: 3 }),
      { ...start, event: 'closed', peer: PEER, reason: 'idle', messages: 1, bytesIn: 2, bytesOut: 3 }],
    [(log) => log.info('ready', 'one\ntwo', { pid: 5 }), { ...start, event: 'ready', message: 'one\ntwo', pid: 5 }],
    [(log) => log.warn('slow', 'slow'), { ...start, level: 'warn', event: 'slow', message: 'slow' }],
  ];
  for (const [tell, line] of table) {
    const { log, json } = record({ format: 'json', color: true });
    tell(log);
    assert.deepEqual(json(), line);
  }
});

test('the master\'s JSON lines name the worker that they are about, if any', () => {
  const { log, json } = record({ format: 'json', who: 'master' });
  log.warn('died', 'worker 2 died', { worker: 2, signal: 'SIGKILL' });
  assert.deepEqual(json(), {
    time: NOON_ISO, level: 'warn', event: 'died', message: 'worker 2 died', worker: 2, signal: 'SIGKILL',
  });
});

test('the level chooses what is told of connections; notices always come', () => {
  const tellAll = (log: Log): void => {
    log.message(PEER, Buffer.from('x'));
    log.connected(PEER);
    log.closed(PEER, 'idle');
    log.info('event', 'info');
    log.warn('event', 'warn');
  };
  for (const [level, count] of [['messages', 5], ['connections', 4], ['none', 2]] as const) {
    const { log, lines } = record({ level });
    tellAll(log);
    assert.equal(lines.length, count, level);
  }
});

test('lines carry the time of each', () => {
  let now = NOON;
  const { log, lines } = record({ now: () => now });
  log.info('a', 'a');
  now += 1;
  log.info('b', 'b');
  now += 60_000;
  log.info('c', 'c');
  assert.deepEqual(lines.map((line) => line.slice(0, 12)), ['12:34:56.078', '12:34:56.079', '12:35:56.079']);
});

test('the line that tells of dropped lines has the format of the log', () => {
  assert.equal(record().log.droppedLine(1), '12:34:56.078 worker 1  warning: 1 line dropped');
  assert.equal(record().log.droppedLine(7), '12:34:56.078 worker 1  warning: 7 lines dropped');
  assert.equal(record().log.droppedLine(7, 5), '12:34:56.078 worker 1  warning: 5 to 7 lines dropped');
  const { lines, atLeast } = JSON.parse(record({ format: 'json' }).log.droppedLine(7, 5)) as Record<string, unknown>;
  assert.deepEqual([lines, atLeast], [7, 5]);
  assert.deepEqual(JSON.parse(record({ format: 'json' }).log.droppedLine(7)), {
    time: NOON_ISO, level: 'warn', event: 'dropped', worker: 1, message: '7 lines dropped', lines: 7,
  });
});

test('colours: every worker its own, the text around them unchanged, and none unless asked for', () => {
  const lineOf = (who: 'master' | number, color: boolean): string => {
    const { log, lines } = record({ who, color });
    log.warn('event', 'text');
    return lines[0]!;
  };
  const starts = new Set([1, 2, 3, 4].map((who) => /\x1b\[\d+m/.exec(lineOf(who, true))![0]));
  assert.equal(starts.size, 4);
  for (const who of ['master', 1, 2, 9, 64] as const) {
    assert.equal(lineOf(who, true).replaceAll(/\x1b\[\d+m/g, ''), lineOf(who, false));
    assert.ok(!lineOf(who, false).includes('\x1b'));
  }
});

test('colours are used on a terminal that is not dumb, and not with NO_COLOR', () => {
  const table: [env: Record<string, string>, isTTY: boolean, used: boolean][] = [
    [{ TERM: 'xterm' }, true, true],
    [{}, true, true],
    [{ TERM: 'xterm' }, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ TERM: 'xterm', NO_COLOR: '1' }, true, false],
    [{ TERM: 'xterm', NO_COLOR: '0' }, true, false],
    [{ TERM: 'xterm', NO_COLOR: '' }, true, true],
  ];
  for (const [env, isTTY, used] of table) assert.equal(useColor(env, isTTY), used, JSON.stringify({ env, isTTY }));
});
