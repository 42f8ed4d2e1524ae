// What the client remembers of what was typed: bounded, private, and never a reason to stop.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { History, HISTORY_LINES } from '../../client/interactive/history.ts';

const folder = mkdtempSync(join(tmpdir(), 'history-test-'));
after(() => rmSync(folder, { recursive: true }));

const fresh = (): string => join(mkdtempSync(join(folder, 'state-')), 'echopool', 'history');
const written = (text: string): string => {
  const path = fresh();
  mkdirSync(dirname(path));
  writeFileSync(path, text, { mode: 0o644 });
  return path;
};
const permissions = (path: string): number => statSync(path).mode & 0o777;

describe('the history', () => {
  test('comes back with the newest line first, and nobody else can read it', () => {
    const path = fresh();
    assert.deepEqual(new History(path).read(), []);
    const history = new History(path);
    for (const line of ['one', 'two', 'two', '  three ', '']) history.add(line);
    assert.deepEqual(new History(path).read(), ['  three ', 'two', 'one']);
    assert.deepEqual([permissions(path), permissions(dirname(path))], [0o600, 0o700]);
  });

  test('takes a file that others could read away from them', () => {
    const path = written('one\n');
    chmodSync(path, 0o666);
    new History(path).read();
    assert.equal(permissions(path), 0o600);
  });

  test('of two clients at a time keeps the lines of both', () => {
    const path = fresh();
    const [one, other] = [new History(path), new History(path)];
    one.add('a');
    other.add('b');
    one.add('c');
    assert.deepEqual(new History(path).read(), ['c', 'b', 'a']);
  });

  test('has so many lines and no more, and makes a file that has become too long short again', () => {
    const lines = Array.from({ length: 2 * HISTORY_LINES + 1 }, (_, i) => `line ${i}`);
    const path = written(`${lines.join('\n')}\n`);
    const history = new History(path);
    const newest = lines.slice(-HISTORY_LINES);
    assert.deepEqual(history.read(), newest.toReversed());
    history.add('the next');
    assert.equal(readFileSync(path, 'utf8'), `${[...newest, 'the next'].join('\n')}\n`);
    assert.deepEqual(readdirSync(dirname(path)), ['history'], 'nothing is left beside it');
    assert.equal(permissions(path), 0o600);
  });

  test('reads the end only of a file that is far too long', () => {
    const path = written(`${'x'.repeat(3_000_000)}\nlast\n`);
    const history = new History(path);
    assert.deepEqual(history.read(), ['last']);
    history.add('next');
    assert.equal(readFileSync(path, 'utf8'), 'last\nnext\n');
  });

  test('keeps no line that is very long, or that a terminal might obey', () => {
    const path = written('ok\n\x1b[2J\n\u009b1m\n');
    const history = new History(path);
    assert.deepEqual(history.read(), ['ok']);
    for (const line of ['y'.repeat(5_000), '\x07']) history.add(line);
    assert.deepEqual(new History(path).read(), ['ok']);
  });

  test('is refused, and not waited for, where something else has its name', () => {
    const path = fresh();
    mkdirSync(path, { recursive: true });
    assert.throws(() => new History(path).read(), /is no regular file/);
    const pipe = fresh();
    mkdirSync(dirname(pipe));
    if (spawnSync('mkfifo', [pipe]).status !== 0) return;
    assert.throws(() => new History(pipe).read(), /is no regular file/);
    assert.throws(() => new History(pipe).add('x'), { code: 'ENXIO' });
  });
});
