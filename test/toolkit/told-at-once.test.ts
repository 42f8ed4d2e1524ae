// What a process has done or called off is told before it goes on: it may compute then, and others need not wait for
// it.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { JoinableQueue, Lock, Queue } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/told-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';
import type { Cleaner } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/told-work.ts');
const folder = mkdtempSync(join(tmpdir(), 'told-'));
after(() => rmSync(folder, { recursive: true }));

/** A process waits for it, calls that off, and computes. */
async function aborted(t: Cleaner, what: Lock | Queue<number>, name: string): Promise<void> {
  const waits = new Queue<number>();
  const file = join(folder, name);
  startProcess(t, { module, target: work.abortAndCompute, args: [what, waits, file] });
  await waits.get();
  while (!existsSync(file)) await new Promise(setImmediate);
}

describe('a process that computes from there on', { concurrency: 2 }, () => {
  test('has told that the last item is done', DEADLINE, async (t) => {
    const jobs = new JoinableQueue<number>();
    await jobs.put(1);
    startProcess(t, { module, target: work.finishAndCompute, args: [jobs] });
    assert.equal(await jobs.join(), true);
  });

  test('does not get the lock that it has ceased to wait for', DEADLINE, async (t) => {
    const lock = new Lock();
    await lock.acquire();
    await aborted(t, lock, 'lock');
    await lock.release();
    assert.equal(await lock.acquire(), true);
  });

  test('does not get the item that it has ceased to wait for', DEADLINE, async (t) => {
    const queue = new Queue<number>(2);
    await aborted(t, queue, 'queue');
    await queue.put(7);
    assert.equal(await queue.get(), 7);
  });
});
