// A Terminal that is given up while its reader stands still: what it has not printed goes to somebody else, whole and
// in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Terminal } from '../../shared/terminal/terminal.ts';
import type { Block } from '../../shared/terminal/terminal.ts';
import { until } from '../helpers/processes.ts';
import { FakeLock, newPipe } from '../helpers/terminal.ts';
import type { Pipe } from '../helpers/terminal.ts';

const DEADLINE_MS = 60_000;

interface Stuck {
  /** `read` gives all that was printed, from the first byte. */
  readonly pipe: Pipe;
  readonly lock: FakeLock;
  readonly terminal: Terminal;
  readonly handed: Block[];
}

/** A terminal on a pipe that is full of its lines, with some that it has not printed. */
async function stuck(t: TestContext, lines: readonly string[], limit?: number): Promise<Stuck> {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  const handed: Block[] = [];
  const handTo = async (blocks: Block[]): Promise<void> => void handed.push(...blocks);
  const terminal = new Terminal({ fd: pipe.writeEnd, lock, handTo, ...(limit === undefined ? {} : { limit }) });
  for (const line of lines) terminal.print(line);
  // It writes a few whole lines at a time, or as much of a longer one: from the first byte on some are out, and never
  // all.
  let first = '';
  await until(() => (first = pipe.read(1)) !== '', 'the first to be written');
  let text = first;
  const read = (): string => (text += pipe.read());
  return { pipe: { ...pipe, read }, lock, terminal, handed };
}

const textOf = (blocks: readonly Block[]): string => blocks.map(({ text }) => text).join('');
const linesOf = (blocks: readonly Block[]): number => blocks.reduce((sum, { lines }) => sum + lines, 0);
const numbered = (count: number, length: number): string[] => (
  Array.from({ length: count }, (_, i) => `${i} `.padEnd(length, 'x')));

test('what is not printed is handed over at once, and the lock is let go', async (t) => {
  const lines = numbered(500, 999);
  const { pipe, lock, terminal, handed } = await stuck(t, lines);
  terminal.print('queued');
  terminal.handOver();
  assert.equal(await terminal.flush(DEADLINE_MS), true);
  terminal.print('later');
  assert.equal(await terminal.close(DEADLINE_MS), true);
  const printed = pipe.read();
  assert.ok(printed.endsWith('\n'), 'no line is cut');
  assert.equal(printed + textOf(handed), [...lines, 'queued', 'later', ''].join('\n'));
  assert.equal(linesOf(handed), textOf(handed).split('\n').length - 1);
  await lock.acquire();
});

test('lines that were dropped are told of in what is handed over, and count', async (t) => {
  const { pipe, terminal, handed } = await stuck(t, numbered(500, 999), 100_000);
  assert.ok(terminal.dropped > 0);
  await terminal.close(DEADLINE_MS);
  assert.equal(pipe.read().split('\n').length - 1 + linesOf(handed), 500);
  assert.match(textOf(handed), new RegExp(`\n${terminal.dropped} lines dropped\n$`));
  assert.equal(terminal.untold, 0);
});

test('when the reader has gone, the count of what was lost is handed over, and whatever comes then', async (t) => {
  const { pipe, terminal, handed } = await stuck(t, numbered(200, 999));
  pipe.closeReadEnd();
  await until(() => terminal.untold > 0, 'the terminal to be gone');
  terminal.print('lost too');
  const lost = terminal.untold;
  terminal.handOver();
  terminal.print('saved');
  await terminal.close(DEADLINE_MS);
  assert.deepEqual(handed, [{ text: `${lost} lines dropped\n`, lines: lost }, { text: 'saved\n', lines: 1 }]);
});

test('the lock is kept while half a line is out, and let go when the other half is', async (t) => {
  const lines = numbered(3, 99_999); // Longer than the pipe.
  const { pipe, lock, terminal, handed } = await stuck(t, lines);
  terminal.handOver();
  assert.equal(await terminal.flush(DEADLINE_MS), true);
  assert.equal(textOf(handed), `${lines[1]}\n${lines[2]}\n`);
  let free = false;
  void lock.acquire().then(() => { free = true; });
  await until(() => (pipe.read(), free), 'the first line to be whole');
  assert.equal(pipe.read(), `${lines[0]}\n`);
  assert.equal(await terminal.close(DEADLINE_MS), true);
});

test('half a line that is never finished counts as dropped, and the lock is not let go', async (t) => {
  const { pipe, lock, terminal, handed } = await stuck(t, numbered(2, 99_999));
  await terminal.close(DEADLINE_MS);
  assert.deepEqual(handed.map(({ lines }) => lines), [1, 1]);
  assert.equal(handed[1]!.text, '1 line dropped\n');
  assert.ok(!pipe.read().includes('\n'));
  let free = false;
  void lock.acquire().then(() => { free = true; });
  await new Promise(setImmediate);
  assert.equal(free, false, 'the next holder could not know that it must begin a fresh line');
});

test('a line can be handed over while the lock is with somebody else', async (t) => {
  const pipe = newPipe(t);
  const lock = new FakeLock();
  await lock.acquire();
  const handed: Block[] = [];
  const terminal = new Terminal({ fd: pipe.writeEnd, lock, handTo: async (blocks) => void handed.push(...blocks) });
  terminal.print('one');
  await new Promise(setImmediate);
  terminal.handOver();
  assert.equal(await terminal.flush(DEADLINE_MS), true);
  assert.equal(textOf(handed), 'one\n');
  await lock.release();
  await until(() => lock.acquired === 2, 'the lock to be let go again');
  await lock.acquire();
});

test('a terminal that closes waits for nobody who takes its lines', async (t) => {
  const pipe = newPipe(t);
  const given: Block[] = [];
  const handTo = (blocks: Block[]): Promise<void> => (given.push(...blocks), new Promise(() => {}));
  const lock = new FakeLock();
  const terminal = new Terminal({ fd: pipe.writeEnd, lock, handTo });
  terminal.handOver();
  terminal.print('one');
  await until(() => given.length === 1, 'the first line to be handed over');
  terminal.print('two');
  void terminal.close(50);
  await until(() => given.length === 2, 'the rest to be handed over');
  assert.equal(textOf(given), 'one\ntwo\n');
});
