// Lock between real processes of which each stands still now and then, the one in which the lock lives too.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Lock } from '../../shared/multiprocessing/index.ts';
import { stumble, stumbleOnWord } from '../fixtures/lock-stumble.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/lock-stumble.ts');
const folder = mkdtempSync(join(tmpdir(), 'lock-stumble-'));
after(() => rmSync(folder, { recursive: true }));

test('processes that stand still at random have a lock one at a time, and all do', { timeout: 120_000 }, async (t) => {
  const children = ['A', 'B', 'C'].map((name) => (
    startProcess(t, { module, target: stumbleOnWord, args: [name], name })
  ));
  const [first] = children;
  // In each round four processes stand still two or three times, somewhere in their six turns.
  for (let seed = 1; seed <= 10; seed++) {
    let lock = new Lock();
    if (seed % 2 === 0) {
      first!.process.channel.post('make');
      lock = await first!.mail.next() as Lock;
    }
    const file = join(folder, String(seed));
    children.forEach(({ process }, i) => process.channel.post({ lock, file, seed: 10 * seed + i }));
    const had = await Promise.all([
      stumble({ lock, file, seed: 10 * seed + 9 }, 'root'), ...children.map(({ mail }) => mail.next()),
    ]);
    assert.equal(await lock.acquire(0), true, `seed ${seed}: nobody has it any more`);
    await lock.release();
    const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
    assert.equal(lines.length, 2 * (had as number[]).reduce((sum, n) => sum + n), `seed ${seed}`);
    for (let i = 0; i < lines.length; i += 2) {
      assert.match(lines[i]!, /^begin/, `seed ${seed}`);
      assert.equal(lines[i + 1], lines[i]!.replace('begin', 'end'), `seed ${seed}`);
    }
  }
  for (const { process } of children) process.channel.post('end');
  for (const { process } of children) await process.join();
  assert.deepEqual(children.map(({ process }) => process.exitCode), [0, 0, 0]);
});
