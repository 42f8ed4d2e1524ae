// The demo scheduler as a person plays it, on a real terminal; and its processes, which do what the model says.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { Cast } from '../../demos/scheduler/cast.ts';
import { beginning, choose, isOver, soldIn } from '../../demos/scheduler/model.ts';
import { search } from '../../demos/stage/buy-ticket.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { DEADLINE, isRunning, untilGone } from '../helpers/processes.ts';
import { ptyMissing, startOnPty, type Pty } from '../helpers/pty.ts';

interface Play {
  readonly pty: Pty;
  /** The main process. */
  readonly pid: number;
  /** Those that it has started and that run. */
  children(): number[];
  /** Waits for the end, with that exit code, the terminal as it was, and no process and no file left. */
  ends(exitCode: number): Promise<void>;
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'scheduler-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function open(
  t: TestContext, { args = [], env = {}, columns = 80, before = [] }: {
    args?: string[]; env?: NodeJS.ProcessEnv; columns?: number; before?: string[];
  } = {},
): Promise<Play> {
  const folder = newFolder(t);
  const program = [process.execPath, ...nodeArgs('demos/main.ts'), 'scheduler', ...args];
  const start = `stty cols ${columns}; echo "is $$."; exec "$@"`;
  const { NO_COLOR: _color, NODE_TEST_CONTEXT: _context, ...rest } = CLIENT_ENV;
  const pty = startOnPty([...before, 'sh', '-c', start, 'sh', ...program], { ...rest, ...env, TMPDIR: folder });
  t.after(async () => {
    pty.hangUp();
    await pty.ended;
  });
  await pty.see('.\r\n');
  const pid = Number(/is (\d+)\.\r\n/.exec(pty.screen())?.[1]);
  const started = new Set<number>();
  const children = (): number[] => {
    const all = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    for (const child of all) started.add(child);
    return all.filter(isRunning);
  };
  return {
    pty, pid, children,
    async ends(exitCode) {
      assert.deepEqual(await pty.ended, { exitCode, restored: true });
      await untilGone(pid, ...started);
      assert.deepEqual(readdirSync(folder).filter((name) => !name.startsWith('tsx-')), []);
    },
  };
}

/** Without the lock: all read and compare before one writes. With it: 2 waits until 1 is done. */
const TWICE = [0, 1, 0, 1, 0, 1];
const WITH_LOCK = [0, 0, 1, 0, 0, 0, 1, 1, 1];

describe('the scheduler on a terminal', { skip: ptyMissing() }, () => {
  test('sells the ticket twice, takes a step back, and fails with the lock', DEADLINE, async (t) => {
    const { pty, children, ends } = await open(t);
    await pty.see('Can one ticket be sold twice?');
    pty.type('1');
    await pty.see('y for yes, n for no; q leaves');
    pty.type('y');
    await pty.see('1 or 2: who does its next step');
    pty.type('x');
    await pty.see('1 or 2: who does its next step');
    pty.type('u');
    await pty.see('There is nothing to undo.');
    const first = children();
    pty.type('12121');
    await pty.see('Process 1 writes 0 into the file, and has the ticket.');
    pty.type('2');
    await pty.see('The file says 0 by now, but process 2 has read 1. Will it buy all the same?');
    await pty.see('y for yes, n for no');
    pty.type('n');
    await pty.see('The guess was wrong. Process 2 writes 0 into the file as well, and has');
    await pty.see('The guess was right. Sold twice');
    await pty.see('Enter goes on   u: one step back   q leaves');

    pty.type('u');
    await pty.see('One step back: new processes have done again what was chosen before (5).');
    await pty.see('2 ✓read ✓compare ▸write   has read 1');
    await pty.see('the file: 0 left');
    const second = children();
    assert.equal(first.filter((pid) => second.includes(pid)).length, 0, 'they are others');
    pty.type('uuuu2');
    await pty.see('have done again what was chosen before (1).');
    await pty.see('Process 2 reads the file: 1 is left.');
    pty.type('121');
    await pty.see('Process 1 writes 0 into the file, and has the ticket.');
    pty.type('2'); // It asks once: the answer is known.
    await pty.see('Process 2 writes 0 into the file as well');
    await pty.see('Sold twice');
    pty.type('1');
    await pty.see('Process 1 has come to its end, and does nothing more.');

    pty.type('\r');
    await pty.see('with the lock');
    await pty.see('y for yes, n for no');
    pty.type('n');
    await pty.see('nobody has the lock');
    pty.type('12');
    await pty.see('Process 2 asks for the lock, and has to wait: process 1 has it.');
    pty.type('2');
    await pty.see('Process 2 waits: it cannot go on before process 1 releases the lock.');
    pty.type('1u');
    await pty.see('(2).');
    await pty.see('2 …lock');
    pty.type('1111');
    await pty.see('Process 1 releases the lock, and process 2, which waits, gets it.');
    pty.type('222');
    await pty.see('Process 2 compares: 0 is not more than 0, so it does not buy.');
    await pty.see('The guess was right. Sold once, and so it is in each of the 10 orders');
    pty.type('\r');
    await pty.see('without the lock: 1 ticket, sold twice\r\nwith    the lock: 1 ticket, sold once\r\n');
    await ends(0);
  });

  for (const [what, keys, sign] of [
    ['both are held', 'n', '· later'], ['the other waits for the lock', 'n12', '2 …lock'],
  ] as const) {
    test(`a process that is killed while ${what} ends it with a sentence`, DEADLINE, async (t) => {
      const { pty, children, ends } = await open(t, { args: ['--lock'] });
      await pty.see('y for yes, n for no');
      pty.type(keys);
      await pty.see(sign);
      const victim = children()[0]!;
      process.kill(victim, 'SIGKILL');
      await pty.see(`process 1 (pid ${victim}) was ended by SIGKILL: it cannot go on, and so the demo ends\r\n`);
      await ends(1);
    });
  }

  test('so does one that is killed in the middle of a step', DEADLINE, async (t) => {
    const { pty, children, ends } = await open(t);
    await pty.see('y for yes, n for no');
    pty.type('n');
    await pty.see('1 or 2: who');
    const victim = children()[0]!;
    process.kill(victim, 'SIGSTOP');
    pty.type('1');
    process.kill(victim, 'SIGKILL');
    await pty.see(`process 1 (pid ${victim}) was ended by SIGKILL: it cannot go on, and so the demo ends\r\n`);
    await ends(1);
  });

  test('a terminal that is closed ends it, and nothing is left', DEADLINE, async (t) => {
    const { pty, pid, children } = await open(t);
    await pty.see('y for yes, n for no');
    pty.type('n1');
    await pty.see('Process 1 reads');
    const started = children();
    pty.hangUp();
    await pty.ended;
    await untilGone(pid, ...started);
  });

  for (const [key, name] of [['q', 'q'], ['\x03', 'Ctrl-C']] as const) {
    test(`${name} leaves at once, even while a process stands still`, DEADLINE, async (t) => {
      const { pty, children, ends } = await open(t);
      await pty.see('y for yes, n for no');
    pty.type('n');
      await pty.see('1 or 2: who');
      for (const pid of children()) process.kill(pid, 'SIGSTOP');
      pty.type(`1${key}`);
      await ends(0);
    });
  }

  test('SIGTERM ends it with 143, and the terminal is as it was', DEADLINE, async (t) => {
    const { pty, pid, children, ends } = await open(t);
    await pty.see('y for yes, n for no');
    pty.type('n');
    await pty.see('1 or 2: who');
    children();
    process.kill(pid, 'SIGTERM');
    await ends(143);
  });

  test('Ctrl-Z gives the terminal back, and after fg the keys work again', DEADLINE, async (t) => {
    const { pty } = await open(t, { before: ['python3', join(ROOT, 'test/helpers/shell.py')] });
    await pty.see('y for yes, n for no');
    pty.type('n');
    await pty.see('1 or 2: who');
    pty.type('\x1a');
    await pty.see('stopped, the terminal is cooked');
    pty.type('\r');
    await pty.see('1 or 2: who');
    pty.type('1');
    await pty.see('Process 1 reads the file: 1 is left.');
    pty.type('q');
    await pty.see('ended');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('fits 40 columns, and has no colours with NO_COLOR', DEADLINE, async (t) => {
    const { pty, ends } = await open(t, { args: ['--lock', '--workers', '3'], columns: 40, env: { NO_COLOR: '1' } });
    await pty.see('y for yes, n for no');
    pty.type('n123');
    await pty.see('3 …lock ·read ·compare ·write ·unlock');
    pty.type('q');
    await ends(0);
    assert.doesNotMatch(pty.screen(), /\x1b/);
    assert.deepEqual(pty.screen().split('\r\n').filter((line) => line.length > 40), []);
  });
});

for (const [what, withLock, schedule] of [
  ['sell it twice', false, TWICE],
  ['sell it once, one behind the other', false, [1, 1, 1, 0, 0]],
  ['wait for the lock, and sell it once', true, WITH_LOCK],
] as const) {
  test(`the real processes do what the model says: they ${what}`, DEADLINE, async (t) => {
    const folder = newFolder(t);
    const cast = new Cast(folder, 2, withLock, new AbortController());
    t.after(() => cast.close());
    await cast.start();
    let model = beginning(2, withLock);
    for (const who of schedule) {
      const turn = choose(model, who);
      model = turn.state;
      assert.deepEqual(await cast.go(who), turn.outcome);
      assert.deepEqual(cast.state, model);
      assert.equal(await search(join(folder, 'tickets.json')), model.left);
    }
    assert.ok(isOver(model));
    assert.equal(soldIn(model), schedule === TWICE ? 2 : 1);
  });
}

test('should the file say something else than the model, that is told and nothing is made up', DEADLINE, async (t) => {
  const folder = newFolder(t);
  const cast = new Cast(folder, 2, false, new AbortController());
  t.after(() => cast.close());
  await cast.start();
  writeFileSync(join(folder, 'tickets.json'), '{"count":7}');
  await assert.rejects(cast.go(0), {
    code: 'ERR_UNLIKE_MODEL', message: /^process 1 says .*"hasRead":7.* and should say .*"hasRead":1/,
  });
});
