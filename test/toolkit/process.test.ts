// Process: starting, ending, failing, and who ends with whom.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  activeChildren, currentProcess, Lock, NotCloneable, Pipe, Process, Queue, WrongUse,
} from '../../shared/multiprocessing/index.ts';
import { acquireFromQueue } from '../fixtures/bare-work.ts';
import * as work from '../fixtures/process-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, isRunning, startProcess, startProgram, untilGone } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/process-work.ts');

/** How a target ended, once it has. */
async function endOf(process: Process<never[]>): Promise<{ exitCode: number | null; error: Error | undefined }> {
  assert.equal(await process.join(), true);
  return { exitCode: process.exitCode, error: process.error };
}

describe('a process', { concurrency: 4 }, () => {
  test('runs its target with its arguments, and both sides know who it is', DEADLINE, async (t) => {
    const then = new Map([['then', new Date(0)]]);
    const args: Parameters<typeof work.introduce> = [7, 'ß', then, Buffer.from('é'), undefined];
    const { process, mail } = startProcess(t, { module, target: work.introduce, args, name: 'Ada', daemon: true });
    const { pid } = process;
    assert.deepEqual(await mail.next(), { name: 'Ada', pid, daemon: true, args, pidOfSystem: pid });
    assert.ok(process.isAlive());
    assert.equal(process.exitCode, null);
    assert.equal(await process.join(1), false);
    assert.ok(activeChildren().includes(process));
    process.channel.post('go on');
    assert.equal(await process.join(60_000), true);
    assert.equal(process.isAlive(), false);
    assert.equal(process.exitCode, 0);
    assert.equal(process.error, undefined);
    assert.equal(await process.join(0), true, 'joining again is allowed');
    assert.ok(!activeChildren().includes(process));
    process.terminate();
    process.kill();
  });

  test('takes a large argument whole', DEADLINE, async (t) => {
    const bytes = new Uint8Array(20 << 20).fill(3);
    const { mail } = startProcess(t, { module, target: work.byteSum, args: [bytes] });
    bytes.fill(4); // Too late to matter.
    assert.deepEqual(await mail.next(), { length: 20 << 20, sum: 3 * (20 << 20) });
  });

  test('can use every primitive it is given, even if its module imports none of the toolkit', DEADLINE, async (t) => {
    const queue = new Queue<Lock>();
    const [here, there] = Pipe();
    const bare = moduleUrl('test/fixtures/bare-work.ts');
    const { process } = startProcess(t, { module: bare, target: acquireFromQueue, args: [queue, there] });
    await queue.put(new Lock());
    assert.equal(await here.recv(), true);
    assert.deepEqual(await endOf(process), { exitCode: 0, error: undefined });
  });

  test('is ended by terminate and by kill, even when it is busy, and tells the signal', DEADLINE, async (t) => {
    const asked = startProcess(t, { module, target: work.busy, args: [] });
    const killed = startProcess(t, { module, target: work.idle, args: [] });
    await Promise.all([asked.mail.next(), killed.mail.next()]);
    asked.process.terminate();
    killed.process.kill();
    assert.deepEqual(await endOf(asked.process), { exitCode: -15, error: undefined });
    assert.deepEqual(await endOf(killed.process), { exitCode: -9, error: undefined });
  });

  test('has the exit code that its target chose', DEADLINE, async (t) => {
    const exits = startProcess(t, { module, target: work.exits, args: [3] });
    const sets = startProcess(t, { module, target: work.setsExitCode, args: [5] });
    assert.deepEqual(await endOf(exits.process), { exitCode: 3, error: undefined });
    assert.deepEqual(await endOf(sets.process), { exitCode: 5, error: undefined });
  });

  test('hands over what its target threw: name, code, cause and its own stack', DEADLINE, async (t) => {
    const { process } = startProcess(t, { module, target: work.throwsOdd, args: [], name: 'Eve' });
    const { exitCode, error } = await endOf(process);
    assert.equal(exitCode, 1);
    assert.equal(error?.name, 'OddError');
    assert.equal(error.message, 'seven is odd');
    assert.equal((error as { code?: unknown }).code, 'ERR_ODD');
    assert.match(error.stack!, /throwsOdd.*process-work\.[jt]s/s);
    assert.match(error.stack!, new RegExp(`in Eve \\(pid ${process.pid}\\)`));
    assert.ok(error.cause instanceof Error);
    assert.equal(error.cause.name, 'RangeError');
    assert.equal(error.cause.cause, 7);
  });

  test('hands over all errors of an AggregateError, and what is no Error as text', DEADLINE, async (t) => {
    const many = startProcess(t, { module, target: work.throwsMany, args: [] });
    const text = startProcess(t, { module, target: work.throwsText, args: [] });
    const aggregate = (await endOf(many.process)).error;
    assert.ok(aggregate instanceof AggregateError);
    assert.deepEqual(aggregate.errors.map(({ message }: Error) => message), ['first', 'second']);
    assert.match((await endOf(text.process)).error!.message, /no Error was thrown: 'just text'/);
  });

  test('hands over what was thrown where nobody awaits it', DEADLINE, async (t) => {
    const timer = startProcess(t, { module, target: work.throwsLater, args: [] });
    const promise = startProcess(t, { module, target: work.rejectsUnheard, args: [] });
    for (const [{ process }, message] of [[timer, 'thrown by a timer'], [promise, 'nobody awaits this']] as const) {
      const { exitCode, error } = await endOf(process);
      assert.deepEqual([exitCode, error?.name, error?.message], [1, 'OddError', message]);
    }
  });

  test('has not failed when it handles such an error itself', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.survives, args: [] });
    assert.equal(await mail.next(), 'handled');
    process.channel.post('go on');
    assert.deepEqual(await endOf(process), { exitCode: 0, error: undefined });
  });

  test('says that its module does not export the target, or cannot be imported', DEADLINE, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'echopool-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const broken = join(directory, 'broken.mjs');
    writeFileSync(broken, 'export function broken( {');
    const hidden = function hidden(): void {};
    const processes = [
      startProcess(t, { module, target: hidden, args: [] }),
      startProcess(t, { module: join(directory, 'missing.mjs'), target: work.nothing, args: [] }),
      startProcess(t, { module: broken, target: work.nothing, args: [] }),
    ];
    const [unexported, missing, unparsed] = await Promise.all(processes.map(({ process }) => endOf(process)));
    assert.deepEqual([unexported!.exitCode, missing!.exitCode, unparsed!.exitCode], [1, 1, 1]);
    assert.match(unexported!.error!.message, /process-work\.[jt]s does not export a function 'hidden'/);
    assert.match(missing!.error!.message, /missing\.mjs cannot be imported: /);
    assert.match(unparsed!.error!.message, /broken\.mjs cannot be imported: /);
    assert.equal((unparsed!.error!.cause as Error).name, 'SyntaxError');
  });

  test('refuses wrong use in a sentence', DEADLINE, async (t) => {
    const wrong = { name: 'WrongUse', code: 'ERR_WRONG_USE' };
    const nameless = (() => () => {})();
    const make = (module: string | URL, target: () => void): Process<[]> => new Process({ module, target, args: [] });
    assert.throws(() => make(module, nameless), { ...wrong, message: /exported function/ });
    assert.throws(() => make('./a.ts', work.nothing), { ...wrong, message: /'\.\/a\.ts'/ });
    const unstarted = new Process({ module, target: work.nothing, args: [] });
    await assert.rejects(unstarted.join(), { ...wrong, message: `${unstarted.name} cannot be joined before start()` });
    assert.throws(() => unstarted.terminate(), wrong);
    assert.throws(() => unstarted.kill(), wrong);
    assert.throws(() => unstarted.channel, wrong);
    assert.equal(unstarted.pid, undefined);
    assert.equal(unstarted.isAlive(), false);
    const { process } = startProcess(t, { module, target: work.nothing, args: [] });
    await assert.rejects(process.join(NaN), WrongUse);
    assert.throws(() => process.start(), { ...wrong, message: `${process.name} cannot be started twice` });
    await process.join(Infinity);
    assert.throws(() => process.start(), wrong, 'not when it has ended either');
  });

  test('does not compile when the arguments do not fit the target', () => {
    // @ts-expect-error The target takes a number.
    assert.ok(new Process({ module, target: work.exits, args: ['three'] }));
    // @ts-expect-error It takes one.
    assert.ok(new Process({ module, target: work.exits, args: [] }));
    // @ts-expect-error They may be left out only where none are needed.
    assert.ok(new Process({ module, target: work.exits }));
    assert.ok(new Process({ module, target: work.nothing }));
  });

  test('names the argument that cannot be sent, and can be tried again', DEADLINE, async () => {
    const args = [1, 'two', { deep: [() => 3] }];
    const process = new Process({ module, target: work.nothing as (...args: unknown[]) => void, args, name: 'Bob' });
    for (const attempt of [1, 2]) {
      assert.throws(() => process.start(), (error: Error) => {
        assert.ok(error instanceof NotCloneable, `attempt ${attempt}`);
        assert.match(error.message, /argument 3 of Bob cannot be sent.*could not be cloned/);
        assert.ok(error.cause instanceof Error);
        return true;
      });
    }
    assert.equal(process.isAlive(), false);
  });

  test('that cannot be forked has ended, with the reason', DEADLINE, async () => {
    // The system refuses in two ways: at once, and by an event. Neither may stop the other children.
    const refused = (spoil: () => void, restore: () => void): Process => {
      const refusedOne = new Process({ module, target: work.nothing, args: [] });
      spoil();
      try {
        refusedOne.start();
      } finally {
        restore();
      }
      refusedOne.channel.post('nobody hears this');
      return refusedOne as Process;
    };
    const { execPath } = process;
    const missing = refused(() => { process.execPath = '/nowhere/node'; }, () => { process.execPath = execPath; });
    const tooBig = refused(() => { process.env['HUGE'] = 'x'.repeat(1 << 18); }, () => { delete process.env['HUGE']; });
    for (const [child, reason] of [[missing, /ENOENT/], [tooBig, /E2BIG/]] as const) {
      await child.channel.flushed();
      const { exitCode, error } = await endOf(child);
      assert.equal(exitCode, 1);
      assert.match(error!.message, new RegExp(`${child.name} could not be forked: .*${reason.source}`));
      assert.equal(child.pid, undefined);
      assert.equal(child.isAlive(), false);
      child.kill();
    }
  });

  test('that cannot be forked for want of file descriptors has ended, too', DEADLINE, async (t) => {
    const program = startProgram(t, 'process-root.ts', ['has-no-files'], 'ulimit -n 64');
    const { wasAlive, joined, exitCode, pid, error } = JSON.parse((await program.line())!) as Record<string, unknown>;
    assert.deepEqual([wasAlive, joined, exitCode, pid], [true, true, 1, undefined]);
    assert.match(error as string, /EMFILE/);
    assert.equal(await program.ended, 0);
  });
});

describe('the end of a program', { concurrency: 2 }, () => {
  interface Member { name: string; pid: number }

  for (const [way, code] of [['return', 0], ['exit', 7], ['throw', 1]] as const) {
    test(`by ${way} ends its children and theirs, busy daemons too`, DEADLINE, async (t) => {
      const program = startProgram(t, 'process-root.ts', ['family', way, 'busy']);
      const members = JSON.parse((await program.line())!) as Member[];
      assert.equal(await program.ended, code);
      await untilGone(...members.map(({ pid }) => pid));
      assert.deepEqual(members.map(({ name }) => name), ['Process-1', 'Process-2', 'Process-2:1', 'Process-3']);
    });
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    test(`by ${signal} ends its children and theirs`, DEADLINE, async (t) => {
      const program = startProgram(t, 'process-root.ts', ['family', 'wait', 'idle']);
      const members = JSON.parse((await program.line())!) as Member[];
      program.child.kill(signal);
      assert.equal(await program.ended, signal);
      await untilGone(...members.map(({ pid }) => pid));
    });
  }

  test('ends a child whose socket it has not taken yet', DEADLINE, async (t) => {
    const program = startProgram(t, 'process-root.ts', ['takes-no-socket']);
    const { pid } = JSON.parse((await program.line())!) as Member;
    assert.equal(await program.line(), 'sent');
    assert.ok(isRunning(pid));
    program.child.kill('SIGKILL');
    await untilGone(pid);
  });

  test('waits for a child that is no daemon', DEADLINE, async (t) => {
    const program = startProgram(t, 'process-root.ts', ['waits']);
    assert.equal(await program.line(), '"main ends"');
    assert.deepEqual(JSON.parse((await program.line())!), { exitCodeOfChild: 0 });
    assert.equal(await program.ended, 0);
  });

  test('waits while a signal may call a wait off, though nobody else is left', DEADLINE, async (t) => {
    const program = startProgram(t, 'process-root.ts', ['waits-alone']);
    assert.equal(await program.line(), '"TimeoutError"');
    assert.equal(await program.ended, 0);
  });

  test('does not wait for daemons of which it has the standard streams', DEADLINE, async (t) => {
    const program = startProgram(t, 'process-root.ts', ['reads-daemons']);
    assert.equal(await program.line(), '"main ends"');
    assert.equal(await program.ended, 0);
  });

  test('waits while a join or an acquire is pending, though only a daemon is left', DEADLINE, async (t) => {
    const joins = startProgram(t, 'process-root.ts', ['joins-daemon']);
    const acquires = startProgram(t, 'process-root.ts', ['acquires-from-daemon']);
    assert.deepEqual(JSON.parse((await joins.line())!), { joined: true });
    assert.deepEqual(JSON.parse((await acquires.line())!), { acquired: true });
    assert.deepEqual([await joins.ended, await acquires.ended], [0, 0]);
  });
});

describe('the end of a process in the middle', { concurrency: 4 }, () => {
  test('by SIGKILL ends its children', DEADLINE, async (t) => {
    const name = 'Middle';
    const { process, mail } = startProcess(t, { module, target: work.startsChildren, args: [2, false], name });
    const children = await mail.next() as { name: string; pid: number }[];
    assert.deepEqual(children.map(({ name }) => name), ['Middle:1', 'Middle:2']);
    assert.ok(children.every(({ pid }) => isRunning(pid)));
    process.kill();
    await untilGone(...children.map(({ pid }) => pid));
  });

  test('by itself ends its daemons', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.startsChildren, args: [1, true] });
    const children = await mail.next() as { pid: number }[];
    process.channel.post('end');
    assert.deepEqual(await endOf(process), { exitCode: 0, error: undefined });
    await untilGone(...children.map(({ pid }) => pid));
  });

  test('waits for its children that are no daemons', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.leavesChildRunning, args: [] });
    assert.equal(await mail.next(), 'target ends');
    process.channel.post('go on');
    assert.equal(await mail.next(), 'child ended');
    assert.deepEqual(await endOf(process), { exitCode: 0, error: undefined });
  });
});

test('a put that waits when the target has ended keeps no process, though a signal may call it off', DEADLINE,
  async (t) => {
    const full = new Queue<number>(1);
    await full.put(1);
    const { process } = startProcess(t, { module, target: work.putsUnheard, args: [full] });
    assert.deepEqual(await endOf(process), { exitCode: 0, error: undefined });
  });

test('a start that throws leaves no child, and says what is too large', () => {
  const text = 'x'.repeat(180_000_000);
  const child = new Process({ module, target: work.nothing as (...args: string[]) => void, args: [text, text, text] });
  assert.throws(() => child.start(), {
    name: 'NotCloneable',
    message: new RegExp(`^the arguments of ${child.name} cannot be sent .*: together they take up to 1 GiB, and at `),
  });
  assert.deepEqual([child.isAlive(), child.pid, activeChildren().includes(child)], [false, undefined, false]);
});

test('the program that was started by hand is the MainProcess', () => {
  const { name, pid, daemon, parent } = currentProcess();
  assert.deepEqual([name, pid, daemon, parent], ['MainProcess', process.pid, false, undefined]);
});
