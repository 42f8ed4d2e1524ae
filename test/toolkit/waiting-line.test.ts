// The line that anybody may leave at any time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaitingLine } from '../../shared/multiprocessing/base/waiting-line.ts';
import { randomFrom } from '../helpers/random.ts';

test('a line is what an array would be, whoever comes, leaves and is served', () => {
  const random = randomFrom(7);
  const line = new WaitingLine<{ n: number }>();
  let model: { n: number }[] = [];
  for (let n = 0; n < 20_000; n++) {
    const chance = random();
    const one = model[Math.floor(random() * model.length)];
    if (chance < 0.5) {
      model.push({ n });
      line.push(model.at(-1)!);
    } else if (chance < 0.75) {
      assert.equal(line.shift(), model.shift());
    } else if (chance < 0.999 && one !== undefined) {
      assert.ok(line.remove(one));
      assert.ok(!line.remove(one));
      model = model.filter((other) => other !== one);
    } else if (chance >= 0.999) {
      assert.deepEqual(line.takeAll(), model);
      model = [];
    }
    assert.equal(line.length, model.length);
    assert.equal(line.first, model[0]);
    assert.equal(line.last, model.at(-1));
  }
});

test('200,000 come, half leave from the end, and the rest are served, in time that grows with their number', () => {
  const line = new WaitingLine<{ n: number }>();
  const all = Array.from({ length: 200_000 }, (_, n) => ({ n }));
  for (const one of all) line.push(one);
  for (let n = all.length - 1; n > 0; n -= 2) assert.ok(line.remove(all[n]!));
  for (let n = 0; n < all.length; n += 2) assert.equal(line.shift(), all[n]);
  assert.equal(line.length, 0);
});
