// The server and the terminal on which it was started: it stops with its job, and ends with its window.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { jobOf } from '../../server/signals/job.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { until, untilGone } from '../helpers/processes.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';
import type { Pty } from '../helpers/pty.ts';
import { childrenOf, portIn, signalIfAlive } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const COMMAND = [process.execPath, ...nodeArgs('server/main.ts'), '--port', '0', '--workers'].join(' ');
const TIMEOUT = { timeout: 120_000 };
const oneCpu = availableParallelism() < 2;

interface Shell extends Pty {
  /** What the pattern found, of all that is on the screen. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  /** The process ids of the server, as the shell tells it, and of its workers. */
  server(): Promise<{ master: number; all: number[] }>;
}

/** A shell with job control on a terminal; whatever runs there ends with the test. */
function startShell(t: TestContext): Shell {
  const pty = startOnPty(['bash', '--norc', '--noediting', '-i'], { PATH: process.env['PATH'], PS1: '$ ' });
  const pids = new Set<number>();
  t.after(async () => {
    pty.hangUp();
    await pty.ended;
    for (const pid of pids) signalIfAlive(pid, 'SIGKILL');
  });
  const shows = async (pattern: RegExp): Promise<RegExpExecArray> => {
    await until(() => pattern.test(pty.screen()), `${pattern} is on the screen`);
    return pattern.exec(pty.screen())!;
  };
  return {
    ...pty, shows,
    async server() {
      const master = Number((await shows(/\[1\] (\d+)/))[1]);
      const all = [master, ...childrenOf(master)];
      for (const pid of all) pids.add(pid);
      return { master, all };
    },
  };
}

const isStopped = (pid: number): boolean => jobOf(pid)?.state === 'T';
const cpuTicks = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

describe('on a terminal', { skip: ptyMissing(), concurrency: 2 }, () => {
  test('in the background of one with stty tostop, it stops as any job, and goes on with fg', TIMEOUT, async (t) => {
    const shell = startShell(t);
    shell.type('stty tostop\r');
    shell.type(`${COMMAND} 1 &\r`);
    const { master } = await shell.server();
    await until(() => isStopped(master) && childrenOf(master).every(isStopped), 'all of it is stopped');
    const before = cpuTicks(master);
    assert.doesNotMatch(shell.screen(), /listening on/);
    // A shell whose job in the foreground is stopped from outside, as on a machine that stands still, takes the
    // terminal back.
    const listens = (): boolean => shell.screen().includes('listening on');
    const timesStopped = (): number => shell.screen().split('Stopped').length;
    while (!listens()) {
      const before = timesStopped();
      shell.type('fg\r');
      await until(() => listens() || timesStopped() > before, 'it goes on');
    }
    const port = portIn(shell.screen());
    assert.ok(cpuTicks(master) - before < 500, 'it has computed while it was stopped');
    assert.doesNotMatch(shell.screen(), /is to have|as before/, 'it took the signal for a command');
    await using client = await connectClient(port);
    assert.equal(await client.ask('hi'), 'HI');
    shell.type('\x03');
    await shell.shows(/served 1 connection, /);
    await untilGone(master);
  });

  test('in the background of any other, signals to the master are commands', {
    ...TIMEOUT, skip: oneCpu && 'needs two CPUs',
  }, async (t) => {
    const shell = startShell(t);
    shell.type(`${COMMAND} 2 &\r`);
    await shell.shows(/listening on/);
    const { master } = await shell.server();
    process.kill(master, 'SIGTTOU');
    await shell.shows(/the pool is to have 1 worker\r/);
    process.kill(master, 'SIGTTIN');
    await shell.shows(/the pool is to have 2 workers/);
    process.kill(master, 'SIGHUP');
    await shell.shows(/the reload is done/);
  });

  test('in a group that no shell could continue, it is not stopped: the signal finds a stopped worker, and goes on', {
    ...TIMEOUT,
  }, async (t) => {
    const shell = startShell(t);
    // The subshell that would be the job ends at once: what it leaves is an orphaned process group.
    shell.type(`(sh -c 'echo "[1] $$"; exec ${COMMAND} 1' &)\r`);
    const port = Number((await shell.shows(/listening on \S+:(\d+)/))[1]);
    const { master, all: [, worker] } = await shell.server();
    await using client = await connectClient(port);
    assert.equal(await client.ask('hi'), 'HI');
    process.kill(worker!, 'SIGSTOP');
    await until(() => isStopped(worker!), 'the worker is stopped');
    process.kill(master, 'SIGTTOU');
    await until(() => !isStopped(worker!), 'the worker goes on');
    assert.equal(await client.ask('still there?'), 'STILL THERE?');
    assert.doesNotMatch(shell.screen(), /is to have/);
  });

  for (const [where, suffix] of [['foreground', ''], ['background', ' &']] as const) {
    test(`in the ${where}, it ends when the window is closed`, TIMEOUT, async (t) => {
      const shell = startShell(t);
      shell.type(`sh -c 'echo "[1] $$"; exec ${COMMAND} 1'${suffix}\r`);
      const port = Number((await shell.shows(/listening on \S+:(\d+)/))[1]);
      const pids = [...shell.screen().matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
      assert.equal(pids.length, 2);
      const client = await connectClient(port);
      assert.equal(await client.ask('hi'), 'HI');
      client.send('last words');
      shell.hangUp();
      assert.equal((await client.readToEnd()).toString(), 'LAST WORDS');
      assert.equal(await client.fate, 'FIN');
      await untilGone(...pids);
      await assert.rejects(connectClient(port), { code: 'ECONNREFUSED' });
    });
  }

  test('under nohup it lives on when the window is closed, and SIGHUP is a reload', TIMEOUT, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'nohup-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const shell = startShell(t);
    shell.type(`cd ${folder}\r`);
    shell.type(`nohup ${COMMAND} 1 &\r`);
    const { master: first } = await shell.server();
    t.after(() => signalIfAlive(first, 'SIGKILL'));
    const path = join(folder, 'nohup.out');
    const log = (): string => readFileSync(path, 'utf8');
    await until(() => existsSync(path) && log().includes('listening on'), 'it listens');
    const port = portIn(log());
    const pids = [...log().matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => Number(pid));
    const master = pids.at(-1)!;
    assert.equal(master, first);
    await using client = await connectClient(port);
    shell.hangUp();
    await shell.ended;
    assert.equal(await client.ask('hi'), 'HI');
    process.kill(master, 'SIGHUP');
    await untilGone(...pids.slice(0, -1));
    assert.equal(await client.ask('still there?'), 'STILL THERE?');
    process.kill(master, 'SIGTERM');
    await untilGone(master);
  });
});
