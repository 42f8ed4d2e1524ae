// The soak itself: that it runs, and that it tells when something does not hold. It is run for long by hand.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { processesOf } from '../helpers/faults-proc.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { isRunning, until } from '../helpers/processes.ts';
import { readSettings } from '../soak/settings.ts';

interface Soak { child: ChildProcess; output: () => string; exit: Promise<number | null> }

function startSoak(t: TestContext, ...args: string[]): Soak {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, [...nodeArgs('test/soak/main.ts'), ...args], {
    env, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output += text; });
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  t.after(() => {
    if (child.exitCode === null) for (const pid of processesOf(child.pid!)) process.kill(pid, 'SIGKILL');
  });
  return { child, output: () => output, exit };
}

test('a short soak injects a fault, prints what it measured, and leaves no process', async (t) => {
  // The time is over after the first: with this seed a worker that is killed during a reload.
  const { child, output, exit } = startSoak(t, '--minutes', '0.001', '--seed', '25');
  await until(() => output().includes('before:'), 'the soak to begin', { report: output, limitMs: 90_000 });
  const processes = processesOf(child.pid!);
  assert.equal(await exit, 0, output());
  assert.match(output(), /^soak of 0.001 minutes, seed 25\n/);
  assert.match(output(), /\| fault \| times \| what must hold \| measured \|\n/);
  assert.match(output(), /\| SIGKILL a worker during a reload \| 1 \| .*\n\n1 faults in \d+ s; .* 0 troubles/);
  assert.deepEqual(processes.filter(isRunning), []);
});

test('a soak in which something does not hold fails, says under which fault, and how to repeat it', async (t) => {
  const { child, output, exit } = startSoak(t, '--minutes', '0.03', '--seed', '4');
  await until(() => output().includes('before:'), 'the soak to begin', { report: output, limitMs: 90_000 });
  const isServer = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('server/main');
  const [server] = processesOf(child.pid!).filter(isServer);
  process.kill(server!, 'SIGKILL');
  assert.equal(await exit, 1, output());
  assert.match(output(), /the server has ended by itself: SIGKILL|\d cut off/);
  assert.match(output(), /soak failed under: .*\. Seed 4 repeats it: npm run soak -- --minutes 0.03 --seed 4/);
});

test('a soak that is asked for nonsense says so in one line', async (t) => {
  for (const [args, sentence] of [
    [['--minutes', 'ten'], /^--minutes must be a number above 0, not "ten"$/],
    [['--seed', '-1'], /^.*--seed/],
    [['--seed', '1.5'], /^--seed must be a whole number from 0 to 4294967295, not "1.5"$/],
  ] as const) assert.match(String(readSettings([...args])), sentence);
  const { output, exit } = startSoak(t, '--minutes', 'ten');
  assert.equal(await exit, 2);
  assert.equal(output(), 'soak: --minutes must be a number above 0, not "ten"\n');
});

test('--help says what a soak does and which flags there are', async (t) => {
  const { output, exit } = startSoak(t, '--help');
  assert.equal(await exit, 0);
  assert.match(output(), /^Usage: npm run soak -- .*--minutes N .*--seed N .*Exit codes/s);
});
