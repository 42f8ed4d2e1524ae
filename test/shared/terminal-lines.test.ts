// The Terminal's queue as data: what is taken, dropped, lost and handed over adds up, line by line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesIn, LineQueue } from '../../shared/terminal/lines.ts';
import { randomFrom } from '../helpers/random.ts';

const droppedLine = (count: number): string => `${count} dropped`;
const sum = (blocks: readonly { lines: number }[]): number => blocks.reduce((total, { lines }) => total + lines, 0);

test('a block that tells of dropped lines counts for them, in whatever it is a part of', () => {
  const queue = new LineQueue(1000);
  queue.drop(3);
  assert.equal(queue.add('one\ntwo'), true);
  assert.equal(queue.add('40 lines dropped in a worker', 40), true);
  assert.equal(queue.add('three\n'), true);
  const batch = queue.take(droppedLine);
  assert.equal(batch.bytes.toString(), '3 dropped\none\ntwo\n40 lines dropped in a worker\nthree\n');
  assert.equal(batch.linesAfter(0), 3 + 2 + 40 + 1);
  assert.equal(batch.toldAfter(0), 3);
  const one = batch.bytes.indexOf('one');
  assert.equal(batch.toldAfter(one), 0);
  assert.equal(batch.linesAfter(one), 43);
  assert.equal(batch.linesAfter(batch.bytes.length - 1), 1);
  assert.deepEqual(batch.blocksAfter(one), [
    { text: 'one\ntwo\n', lines: 2 }, { text: '40 lines dropped in a worker\n', lines: 40 },
    { text: 'three\n', lines: 1 },
  ]);
  assert.equal(batch.lineEnd(one + 1), batch.bytes.indexOf('two'));
  assert.equal(batch.lineEnd(one), one);
});

test('what may be printed is lost at most, until a line has said so', () => {
  const queue = new LineQueue(1000);
  const range = (count: number, least: number): string => `${least} to ${count}`;
  queue.add('one\ntwo\nthree\n');
  const first = queue.take(range);
  // `one` is printed, `two` perhaps, and `three` not.
  assert.equal(queue.lose(first, 4, 8), 2);
  assert.deepEqual([queue.leastUntold, queue.untold], [1, 2]);
  queue.add('four\nfive\n');
  const second = queue.take(range);
  assert.equal(second.bytes.toString(), '1 to 2\nfour\nfive\n');
  assert.deepEqual([queue.leastUntold, queue.untold], [0, 0]);
  // Nothing of it is printed: what was in doubt is so still.
  assert.equal(queue.lose(second, 0), 2);
  assert.deepEqual([queue.leastUntold, queue.untold], [3, 4]);
  const third = queue.take(range);
  assert.equal(third.bytes.toString(), '3 to 4\n');
  // It is perhaps printed: then nobody has to be told again.
  assert.equal(queue.lose(third, 0, third.bytes.length), 0);
  assert.deepEqual([queue.leastUntold, queue.untold], [0, 4]);
});

test('after any calls, every line is in a batch, in the queue, or counted', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const chance = randomFrom(seed);
    const random = (below: number): number => Math.floor(chance() * below);
    const queue = new LineQueue(2000);
    let produced = 0;
    let out = 0;
    for (let step = 0; step < 60; step++) {
      if (random(4) > 0) {
        const block = Array.from({ length: 1 + random(3) }, () => 'ä'.repeat(random(100))).join('\n');
        const weight = random(5) === 0 ? random(50) : undefined;
        const lines = weight ?? linesIn(block);
        produced += lines;
        if (!queue.add(block, weight)) queue.drop(lines);
      } else if (queue.hasWork) {
        const batch = queue.take(droppedLine);
        const all = batch.linesAfter(0);
        assert.equal(queue.unprinted, produced - out);
        assert.equal(sum(batch.blocksAfter(0)), all);
        const from = batch.lineEnd(random(batch.bytes.length + 1));
        const lost = batch.linesAfter(from);
        assert.equal(sum(batch.blocksAfter(from)), lost);
        assert.equal(batch.blocksAfter(0).map(({ text }) => text).join(''), batch.bytes.toString());
        out += all - lost;
        assert.equal(queue.lose(batch, from), lost - batch.toldAfter(from));
      }
      assert.ok(queue.pending <= 2000 + droppedLine(produced).length + 1);
    }
    queue.clear();
    assert.equal(out + queue.untold, produced, `seed ${seed}`);
  }
});

test('what is handed over is cut into blocks that another queue may have room for', () => {
  const queue = new LineQueue(10 ** 6);
  const line = `${'x'.repeat(99)}\n`;
  queue.add(line.repeat(5000));
  const blocks = queue.take(droppedLine).blocksAfter(100);
  assert.ok(blocks.length > 4);
  assert.ok(blocks.every(({ text, lines }) => text === line.repeat(lines) && text.length <= 65536));
  assert.equal(sum(blocks), 4999);
});
