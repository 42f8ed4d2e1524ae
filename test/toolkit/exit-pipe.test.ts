// What a process sent before it exited: all of it arrives, whatever the exit looked like, and a cut is told as one.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { describeDeath, Pipe, Process, Queue } from '../../shared/multiprocessing/index.ts';
import type { Connection } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/process-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/process-work.ts');

/** Takes all numbers in order until the pipe ends, and returns how many there were, and how it ended. */
async function readToEnd(end: Connection<string>): Promise<{ count: number; error: Error }> {
  for (let count = 0; ; count++) {
    const item = await end.recv().catch((error: Error) => error);
    if (item instanceof Error) return { count, error: item };
    assert.equal(item.trim(), `${count}`);
  }
}

/** This process does nothing else meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('what a process awaited before it called process.exit() arrives', { concurrency: 2 }, () => {
  for (const [count, bytes] of [[200, 10_000], [1, 8 << 20], [3, 3 << 20]] as const) {
    test(`${count} puts of ${bytes} bytes`, DEADLINE, async (t) => {
      const queue = new Queue<string | Uint8Array>();
      const { process } = startProcess(t, { module, target: work.putsAndExits, args: [queue, count, bytes] });
      await process.join();
      assert.deepEqual([process.exitCode, process.error], [0, undefined]);
      for (let i = 0; i < count; i++) assert.equal(String(await queue.getNowait()).trim(), `${i}`);
      await assert.rejects(queue.getNowait(), { name: 'QueueEmpty' });
    });
  }

  for (const way of ['return', 'throw'] as const) {
    test(`what was sent into a pipe before the end by ${way}`, DEADLINE, async (t) => {
      const [here, there] = Pipe<string>();
      startProcess(t, { module, target: work.sendsAndEnds, args: [there, 4, 1 << 20, way] });
      const { count, error } = await readToEnd(here);
      assert.equal(count, 4);
      assert.equal(error.name, way === 'throw' ? 'ProcessDied' : 'PipeClosed');
    });
  }

  test('what was sent into a pipe before the end by exit, also while its parent stands still', DEADLINE, async (t) => {
    const [here, there] = Pipe<string>();
    startProcess(t, { module, target: work.sendsAndEnds, args: [there, 4, 1 << 20, 'exit'] });
    assert.equal((await here.recv()).trim(), '0');
    standStill(1300);
    let count = 1;
    for (; ; count++) {
      const item = await here.recv().catch((error: Error) => error);
      if (item instanceof Error) {
        assert.equal(item.name, 'PipeClosed');
        break;
      }
      assert.equal(item.trim(), `${count}`);
      if (count === 1) standStill(1300);
    }
    assert.equal(count, 4);
  });

  test('and what its exit listeners post', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.postsInExit });
    await process.join();
    assert.equal(String(await mail.next()).length, 1 << 20);
    assert.equal(await mail.next(), 'last');
  });

  test('and an error whose message is megabytes long, thrown where it is awaited or not', DEADLINE, async (t) => {
    const quiet = { module, target: work.throwsLarge, stdio: 'ignore' } as const;
    for (const later of [false, true]) {
      const { process } = startProcess(t, { ...quiet, args: [4 << 20, later] });
      await process.join();
      assert.equal(process.exitCode, 1);
      assert.match(process.error!.message, /^x{1000}/);
      assert.equal(process.error!.name, 'OddError');
    }
  });
});

describe('how a process ended', () => {
  test('with exit code 0 and without a good-bye is no good end', DEADLINE, async (t) => {
    const [here, there] = Pipe<string>();
    const { process } = startProcess(t, { module, target: work.sendsAndEnds, args: [there, 1, 10, 'cut'] });
    const { error } = await readToEnd(here);
    assert.equal(error.name, 'ProcessDied');
    assert.match(error.message, /exited with code 0 without a good-bye/);
    assert.equal(process.exitCode, 0);
    assert.equal((await process.ended).isCut, true);
  });

  test('by a signal without a name is told with its number', DEADLINE, async (t) => {
    for (const signal of [34, 64, 15]) {
      const { process } = startProcess(t, { module, target: work.killsItself, args: [signal] });
      await process.join();
      assert.equal(process.exitCode, -signal);
    }
  });

  test('is never told as a good end when Node asked about all children before it was seen', DEADLINE, async (t) => {
    const { process: first, mail: fromFirst } = startProcess(t, { module, target: work.idle });
    const { process: second, mail: fromSecond } = startProcess(t, { module, target: work.idle });
    await Promise.all([fromFirst.next(), fromSecond.next()]);
    // Without its threads: a process cannot be asked for before they are gone too.
    const isDead = (pid: number): boolean =>
      / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')) && readdirSync(`/proc/${pid}/task`).length === 1;
    const end = (pid: number, signal: number | string): void => {
      process.kill(pid, signal);
      while (!isDead(pid));
    };
    // In one batch of events Node hears, in this order: of the first one's pipe, of SIGUSR2, of a death. And then it
    // asks.
    process.once('SIGUSR2', () => end(second.pid!, 64));
    process.kill(process.pid, 'SIGUSR2');
    end(first.pid!, 'SIGKILL');
    assert.equal(await first.join(), true);
    assert.equal(first.exitCode, -9);
    const death = await second.ended;
    assert.match(describeDeath(death), /ended without a good-bye$|was ended by signal 64$/);
    assert.ok(Number.isNaN(death.exitCode) ? death.isCut : death.exitCode === -64, `${death.exitCode}`);
  });
});

describe('the end of a process', { concurrency: 2 }, () => {
  test('is noticed when a stranger keeps its descriptors open', DEADLINE, async (t) => {
    const { process: middle, mail } = startProcess(t, { module, target: work.leavesItsDescriptors });
    const keeper = await mail.next() as number;
    t.after(() => void process.kill(keeper, 'SIGKILL'));
    assert.equal(await middle.join(), true);
    assert.equal(middle.exitCode, 0);
  });

  test('its pipe is not handed on to what it starts', DEADLINE, async (t) => {
    const { mail } = startProcess(t, { module, target: work.tellsWhatChildrenInherit });
    const open = await mail.next() as string[];
    assert.ok(open.includes('3'), 'the folder that ls reads: the channel would be there');
    assert.ok(!open.includes('4'), 'the exit pipe would be there');
  });

  test('leaves no descriptor and no process behind in its parent', DEADLINE, async () => {
    const run = async (): Promise<number> => {
      const child = new Process({ module, target: work.nothing });
      child.start();
      await child.join();
      return readdirSync('/proc/self/fd').length;
    };
    await run();
    const before = await run();
    assert.ok(await run() <= before);
  });
});
