// What the client shows of a reply: what people write, and nothing that a terminal obeys or a reader cannot see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrintableLines, printable } from '../../client/interactive/printable.ts';
import { escapeHidden } from '../../shared/terminal/preview.ts';

test('what people write is shown as it is', () => {
  const marked = ['नमस्ते', 'ภาษาไทยที่', 'שָׁלוֹם', 'Tiê\u0301ng', '\u0399\u0308\u0301'];
  for (const text of ['plain', 'a\tb', 'back\\slash', '你好 😀', ...marked]) assert.equal(printable(text), text);
});

test('what a terminal might obey, or nobody sees, is escaped', () => {
  const controls = '\x00\x1b[2J\x7f\u0085\u009b';
  const unseen = '\u061c\u200b\u200e\u2028\u2029\u202e\u2066\u2069\ufeff\u{e0001}\u{e0041}\ufff9';
  const shown = printable(controls + unseen);
  assert.match(shown, /^[ -~]+$/);
  assert.equal(shown.replaceAll(/\\x[\da-f]{2}|\\u\{[\da-f]+\}/g, ''), '[2J');
});

const marksPass = escapeHidden('\u0301') === '\u0301' && 'the log lets marks through';

test('marks do not pile up on a letter', { skip: marksPass }, () => {
  const shown = printable(`x${'\u0301'.repeat(39)}`);
  assert.ok(shown.startsWith('x\u0301\u0301\u0301'));
  assert.ok(!shown.includes('\u0301\u0301\u0301\u0301'));
});

test('a stream is shown the same wherever it is cut', () => {
  const bytes = Buffer.from(`ab\t\x1b[1m\u202e\nनमस्ते 😀 e\u0301${'\u0302'.repeat(5)}\u200b\n\xff e`);
  const whole = bytes.toString().split('\n').map(printable).join('\n');
  for (let first = 0; first <= bytes.length; first += 1) {
    for (let second = first; second <= bytes.length; second += 1) {
      const lines = new PrintableLines();
      const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      const shown = pieces.map((piece) => lines.push(piece)).join('') + lines.end();
      assert.equal(shown, whole, `cut at ${first} and ${second}`);
    }
  }
});
