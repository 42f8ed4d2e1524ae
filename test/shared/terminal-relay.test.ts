// What is known of lines that another process was to print, when that is killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LINE_BYTES, lineOf, LINES } from '../fixtures/terminal-relayed.ts';
import { processesOf, standStill } from '../helpers/faults-proc.ts';
import { nodeArgs } from '../helpers/paths.ts';
import { until } from '../helpers/processes.ts';

/** So many lines the relay writes in one piece: PIPE_BUF bytes at most. */
const IN_PIECE = 4096 / LINE_BYTES;
const QUIET_LOOKS = 20;

type Printing = ChildProcess & { readonly stdout: Readable };

/** A process that prints by a relay, and the relay, when the first lines come: then it has all of them. */
async function printing(t: TestContext): Promise<{ child: Printing; relay: number }> {
  // Node's 'pipe' is a socket.
  const child = spawn(process.execPath, nodeArgs('test/fixtures/terminal-relayed.ts'), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'readable');
  const relay = processesOf(child.pid!).find((pid) => (
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('relay-entry')))!;
  return { child, relay };
}

test('lines that a killed relay may have printed are told as such, and those are few', async (t) => {
  const { child, relay } = await printing(t);
  await standStill(child.pid!);
  let output = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => { output += text; });
  // Nobody takes what the relay reports: so it stops where it has written more than it could report. How long that
  // takes decides nothing but where it is killed.
  let length = -1;
  for (let quiet = 0; quiet < QUIET_LOOKS; quiet = output.length === length ? quiet + 1 : 0) {
    length = output.length;
    await sleep(20);
  }
  process.kill(relay, 'SIGKILL');
  await until(() => processesOf(child.pid!).every((pid) => pid !== relay), 'the relay to be dead');
  process.kill(child.pid!, 'SIGCONT');
  const [exitCode] = await once(child, 'close');
  assert.equal(exitCode, 0);

  const lines = output.split('\n').slice(0, -1).filter((line) => line !== '');
  const [most, least] = /^dropped: (\d+) (\d+)$/.exec(lines.pop()!)!.slice(1).map(Number) as [number, number];
  // All that is printed is whole, and in order.
  assert.deepEqual(lines, Array.from({ length: lines.length }, (_, i) => lineOf(i)));
  const missing = LINES - lines.length;
  assert.ok(missing > 0, 'it was killed too late');
  assert.ok(least <= missing && missing <= most, `${missing} are missing: told are ${least} to ${most}`);
  assert.ok(most - least <= IN_PIECE, `${most - least} are in doubt`);
});

test('a relay goes on when somebody sends a signal to every process, and nothing is lost', async (t) => {
  const { child, relay } = await printing(t);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.kill(relay, signal);
  let output = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => { output += text; });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.equal(output, Array.from({ length: LINES }, (_, i) => `${lineOf(i)}\n`).join(''));
});
