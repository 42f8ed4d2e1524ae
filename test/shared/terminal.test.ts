// The Terminal against real pipes, files, sockets and pseudo terminals, alone and in a group of processes.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Terminal } from '../../shared/terminal/terminal.ts';
import type { TerminalLock } from '../../shared/terminal/terminal.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { until } from '../helpers/processes.ts';
import { FakeLock, newFifo, newPath, newPipe } from '../helpers/terminal.ts';
import type { Pipe } from '../helpers/terminal.ts';

const DEADLINE_MS = 60_000;
const GROUP = nodeArgs('test/fixtures/terminal-group.ts');
const STUCK = nodeArgs('test/fixtures/terminal-stuck.ts');

/** Reads until the terminal has written all, and gives what was read. */
async function readWhileFlushing(terminal: Terminal, pipe: Pipe, bytesAtOnce: number): Promise<string> {
  let text = '';
  let flushed = false;
  void terminal.flush(DEADLINE_MS).then(() => { flushed = true; });
  while (!flushed) {
    text += pipe.read(bytesAtOnce);
    await turn();
  }
  return text + pipe.read();
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lines(text: string): string[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is not whole');
  return text.split('\n').slice(0, -1);
}

function startNode(t: TestContext, args: string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(process.execPath, args, { stdio });
  t.after(() => { child.kill('SIGKILL'); });
  return child;
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) });
  return code as number | null;
}

test('all that has piled up goes out in one hold of the lock, in order', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  const terminal = new Terminal({ fd: pipe.writeEnd, lock });
  await lock.acquire(); // Another process prints.
  const expected = Array.from({ length: 500 }, (_, i) => `line ${i}`);
  for (const line of expected.slice(0, 100)) assert.equal(terminal.print(line), true);
  await turn();
  for (const line of expected.slice(100)) terminal.print(line);
  assert.equal(terminal.pending, expected.join('\n').length + 1);
  await lock.release();
  assert.equal(await terminal.flush(DEADLINE_MS), true);
  assert.equal(lock.acquired, 2);
  assert.deepEqual(lines(pipe.read()), expected);
  assert.equal(terminal.pending, 0);
  assert.equal(await terminal.close(0), true);
});

test('a block gets the newline that it lacks, and no second one', async (t) => {
  const pipe = newPipe(t);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock() });
  for (const block of ['one', 'two\n', 'three\nfour', 'fünf\n\n', '']) terminal.print(block);
  await terminal.close(DEADLINE_MS);
  assert.equal(Buffer.from(pipe.read(), 'latin1').toString(), 'one\ntwo\nthree\nfour\nfünf\n\n\n');
});

test('print returns before anything is written; flush is true at once when there is nothing to write', async (t) => {
  const pipe = newPipe(t);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock() });
  assert.equal(await terminal.flush(), true);
  terminal.print('later');
  assert.equal(pipe.read(), '');
  assert.equal(await terminal.close(DEADLINE_MS), true);
  assert.equal(pipe.read(), 'later\n');
});

test('a block larger than the pipe arrives whole through a reader of small pieces', async (t) => {
  const pipe = newPipe(t);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock() });
  const expected = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat(i % 251)}`);
  terminal.print(expected.join('\n'));
  assert.deepEqual(lines(await readWhileFlushing(terminal, pipe, 5000)), expected);
  await terminal.close(0);
});

test('when the reader stops, the limit holds; when it goes on, one line tells how much is missing', async (t) => {
  const pipe = newPipe(t);
  const limit = 200_000;
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock(), limit });
  const accepted: string[] = [];
  let dropped = 0;
  const print = (line: string): void => {
    if (terminal.print(line)) accepted.push(line);
    else dropped += 1;
    assert.ok(terminal.pending <= limit);
  };
  for (let i = 0; i < 1000; i++) print(`${i} ${'x'.repeat(995)}`);
  await turn();
  for (let i = 1000; i < 2000; i++) print(`${i} ${'y'.repeat(995)}`);
  assert.ok(dropped > 0);
  assert.equal(await terminal.flush(50), false);
  assert.equal(terminal.dropped, dropped);
  const firstRound = await readWhileFlushing(terminal, pipe, 60_000);
  assert.deepEqual(lines(firstRound), [...accepted, `${dropped} lines dropped`]);
  assert.equal(terminal.print('flows again'), true);
  assert.equal(await terminal.close(DEADLINE_MS), true);
  assert.equal(pipe.read(), 'flows again\n');
  assert.equal(terminal.dropped, dropped);
});

test('what is dropped while a batch is being written is told of between the blocks before and after it', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  const terminal = new Terminal({ fd: pipe.writeEnd, lock, limit: 100, droppedLine: (count) => `missing: ${count}` });
  await lock.acquire();
  assert.equal(terminal.print('a'.repeat(60)), true);
  assert.equal(terminal.print(`${'b'.repeat(30)}\n${'b'.repeat(30)}`), false);
  assert.equal(terminal.print('small, but after what was dropped'), false);
  await lock.release();
  await until(() => terminal.pending === 0, 'the first batch is out');
  assert.equal(terminal.print('c'), true);
  assert.equal(await terminal.flush(DEADLINE_MS), true);
  assert.deepEqual(lines(pipe.read()), ['a'.repeat(60), 'missing: 3', 'c']);
  assert.equal(terminal.print('d'.repeat(101)), false);
  assert.equal(await terminal.close(DEADLINE_MS), true);
  assert.deepEqual(lines(pipe.read()), ['missing: 1']);
});

test('the lock is released between batches, so that others get their turn', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  const [one, two] = [1, 2].map(() => new Terminal({ fd: pipe.writeEnd, lock })) as [Terminal, Terminal];
  for (let i = 0; i < 5; i++) {
    one.print(`one ${i}`);
    two.print(`two ${i}`);
    await Promise.all([one.flush(), two.flush()]);
  }
  assert.equal(lock.acquired, 10);
  assert.equal(lines(pipe.read()).length, 10);
  await one.close(0);
  await two.close(0);
});

test('after a holder that died, printing starts on a fresh line', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  lock.abandonedBy = 'worker 2';
  const terminal = new Terminal({ fd: pipe.writeEnd, lock });
  terminal.print('next');
  await terminal.close(DEADLINE_MS);
  assert.equal(pipe.read(), '\nnext\n');
});

test('a reader that is gone makes everything dropped, counted and freed, and kills nothing', async (t) => {
  const pipe = newPipe(t);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock() });
  terminal.print('read');
  await terminal.flush(DEADLINE_MS);
  pipe.closeReadEnd();
  terminal.print('one\ntwo');
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.dropped, 2);
  assert.equal(terminal.print('three'), false);
  assert.equal(terminal.pending, 0);
  assert.equal(terminal.dropped, 3);
  assert.equal(await terminal.close(DEADLINE_MS), false);
});

test('a reader that goes in the middle of a block counts the lines that it did not get', async (t) => {
  const pipe = newPipe(t);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock: new FakeLock() });
  for (let i = 0; i < 200; i++) terminal.print('x'.repeat(999));
  assert.equal(await terminal.flush(20), false);
  terminal.print('queued behind');
  const got = pipe.read(65_536).length; // All that the pipe held: the rest is not written yet, or never.
  pipe.closeReadEnd();
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.pending, 0);
  assert.ok(terminal.dropped >= 201 - Math.ceil(2 * got / 1000) && terminal.dropped <= 201 - Math.floor(got / 1000));
});

test('a descriptor that is not open is a terminal that is gone', async () => {
  const terminal = new Terminal({ fd: 9999, lock: new FakeLock() });
  terminal.print('anybody there?');
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.dropped, 1);
});

test('a lock whose owner died makes the terminal gone', async (t) => {
  const pipe = newPipe(t);
  const lock: TerminalLock = {
    acquire: () => Promise.reject(new Error('the owner of the lock is dead')),
    release: () => Promise.resolve(),
  };
  const terminal = new Terminal({ fd: pipe.writeEnd, lock });
  terminal.print('nobody arbitrates');
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.print('nobody arbitrates'), false);
  assert.equal(terminal.dropped, 2);
  assert.equal(pipe.read(), '');
});

const noFullDisk = !existsSync('/dev/full');
test('a full disk loses what was waiting, is tried again, and is told of', { skip: noFullDisk }, async () => {
  const fd = openSync('/dev/full', 'w');
  const terminal = new Terminal({ fd, lock: new FakeLock() });
  terminal.print('one\ntwo\nthree');
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.dropped, 3);
  assert.equal(terminal.print('four'), true);
  assert.equal(await terminal.flush(DEADLINE_MS), false);
  assert.equal(terminal.dropped, 4);
  closeSync(fd);
  const path = newPath();
  assert.equal(openSync(path, 'w'), fd, 'the lowest free descriptor is taken');
  assert.equal(terminal.print('five'), true);
  assert.equal(await terminal.close(DEADLINE_MS), true);
  assert.equal(readFileSync(path, 'utf8'), '4 lines dropped\nfive\n');
  closeSync(fd);
});

test('close gives up in time, counts what was not written, lets the lock go and takes nothing more', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  const terminal = new Terminal({ fd: pipe.writeEnd, lock });
  for (let i = 0; i < 500; i++) terminal.print('x'.repeat(999));
  assert.equal(await terminal.close(20), false);
  assert.equal(terminal.pending, 0);
  assert.equal(terminal.print('too late'), false);
  const printed = pipe.read().split('\n').length - 1;
  assert.equal(printed + terminal.dropped, 501);
  await lock.acquire();
});

test('close does not wait for a lock that another process keeps', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  await lock.acquire();
  const terminal = new Terminal({ fd: pipe.writeEnd, lock });
  terminal.print('never');
  assert.equal(await terminal.close(20), false);
  assert.equal(terminal.dropped, 1);
  await lock.release();
  await until(() => lock.acquired === 2, 'the lock has been granted and released');
  await lock.acquire();
  assert.equal(pipe.read(), '');
});

test('three processes print long lines into a slow pipe: every line whole, once, in its sender\'s order', async (t) => {
  const { readEnd, writeEnd } = newFifo();
  const reader = new Socket({ fd: readEnd, readable: true, writable: false });
  const group = startNode(t, [...GROUP, '3', '300', '4000'], ['ignore', writeEnd, 'inherit']);
  closeSync(writeEnd);
  const exited = exitCodeOf(group);
  let text = '';
  for await (const piece of reader) {
    text += (piece as Buffer).toString('latin1');
    await turn();
  }
  assert.equal(await exited, 0);
  const next = [0, 0, 0];
  for (const line of lines(text)) {
    const who = Number(line[0]);
    assert.equal(line, `${who} ${next[who]!} `.padEnd(3999, String(who)));
    next[who]! += 1;
  }
  assert.deepEqual(next, [300, 300, 300]);
});

test('a group that writes to a file leaves the offset right for whoever writes to it afterwards', async (t) => {
  const path = newPath();
  const command = 'echo before; "$@"; echo after';
  const shell = spawn('sh', ['-c', command, 'sh', process.execPath, ...GROUP, '2', '50', '100'], {
    stdio: ['ignore', openSync(path, 'w'), 'inherit'],
  });
  t.after(() => { shell.kill('SIGKILL'); });
  assert.equal(await exitCodeOf(shell), 0);
  const written = lines(readFileSync(path, 'latin1'));
  assert.equal(written.length, 102);
  assert.equal(written[0], 'before');
  assert.equal(written.at(-1), 'after');
  assert.ok(written.slice(1, -1).every((line) => line.length === 99));
});

for (const way of ['exit', 'natural']) {
  test(`a group with a stopped pipe as its output can leave (${way})`, async (t) => {
    const { readEnd, writeEnd } = newFifo();
    const group = startNode(t, [...STUCK, way], ['ignore', writeEnd, 'inherit']);
    closeSync(writeEnd);
    assert.equal(await exitCodeOf(group), 0);
    closeSync(readEnd);
  });

  test(`a group with a stopped socket as its output can leave (${way})`, async (t) => {
    // Node's 'pipe' is a socket pair; nobody reads this one.
    assert.equal(await exitCodeOf(startNode(t, [...STUCK, way], ['ignore', 'pipe', 'inherit'])), 0);
  });

  const script = spawnSync('script', ['--version']).status === 0;
  test(`a group with a stopped terminal as its output can leave (${way})`, { skip: !script }, async (t) => {
    const result = newPath();
    const run = [process.execPath, ...STUCK, way].map((word) => `'${word}'`).join(' ');
    const command = `${run}; echo $? > '${result}.new'; mv '${result}.new' '${result}'`;
    const typescript = spawn('script', ['-qc', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => { typescript.kill('SIGKILL'); });
    await until(() => existsSync(result), 'the group has ended');
    assert.equal(readFileSync(result, 'latin1'), '0\n');
  });
}
