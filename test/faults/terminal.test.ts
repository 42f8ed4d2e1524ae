// The terminal as an enemy: a reader of the log that stops, a holder of the lock that dies or hangs. Echo goes on
// meanwhile; lines that are dropped are counted; and those that are printed are whole. A reader that leaves, a full
// disk: log-lost.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientPortsOf, memoryTogether, processesOf } from '../helpers/faults-proc.ts';
import { until } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import { startStuckServer, stuckMissing } from '../helpers/stuck.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

const MEBIBYTE = 1024 * 1024;

/** So many messages, each of which is a line of the log. */
async function chatter(client: TestClient, text: string, lines: number): Promise<void> {
  for (let i = 0; i < lines; i++) assert.equal(await client.ask(text), text.toUpperCase());
}

/** Four bytes in each of the 40 columns of a preview: a line of the log with it has 270 bytes. */
const LONG = '𐐨'.repeat(40);
const CLIENTS = 16;
/** Together 5.4 MB of lines; a process keeps 4 MiB of them. */
const LINES_OF_EACH = 1250;
/** So many lines are more than a pipe holds. */
const MANY = 800;

test('while the log is not read the echo goes on, memory stays bounded, each line is whole or counted', async (t) => {
  await using server = await startTestServer(['--workers', '1', '--log-format', 'json']);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectClient(server.port)));
  await Promise.all(clients.map((client) => chatter(client, LONG, 1)));
  const processes = processesOf(server.process.pid!);
  const before = memoryTogether(processes);
  server.process.stdout!.pause();
  await Promise.all(clients.map((client) => chatter(client, LONG, LINES_OF_EACH)));
  const grown = memoryTogether(processes) - before;
  server.process.stdout!.resume();
  // Behind what had been kept: a stop would not wait for all of that.
  await server.printed(/lines dropped/);
  for (const client of clients) {
    client.end();
    assert.equal((await client.readToEnd()).length, 0);
  }
  assert.equal(await server.stop(), 0);
  type Line = { event: string; worker?: number; lines?: number; served?: number; messages?: number };
  const lines = server.lines().map((line) => JSON.parse(line) as Line);
  const dropped = lines.reduce((sum, line) => sum + (line.event === 'dropped' ? line.lines! : 0), 0);
  const printed = lines.filter(({ event }) => ['connected', 'message', 'closed'].includes(event)).length;
  const summary = lines.find(({ event }) => event === 'summary')!;
  assert.ok(dropped > 0);
  assert.equal(printed + dropped, 2 * summary.served! + summary.messages!, 'each line is printed or counted');
  const growth = `${(grown / MEBIBYTE).toFixed(1)} MiB`;
  t.diagnostic(`${printed} lines printed, ${dropped} dropped and told; memory grew by ${growth}`);
});

test('when the process that holds the terminal dies or hangs, the echo goes on, and others print', {
  skip: stuckMissing(),
}, async () => {
  await using server = await startStuckServer('pipe', [
    '--workers', '2', '--connections-per-worker', '1', '--worker-timeout', '5', '--log-format', 'json',
  ]);
  server.tell('read');
  const another = await connectClient(server.port);
  await chatter(another, 'is ready', 1);
  const faults = ['SIGKILL', 'SIGSTOP'] as const;
  for (const signal of faults) {
    const one = await connectClient(server.port);
    await chatter(one, 'both are ready', 1);
    server.tell('stop');
    await chatter(one, 'to fill the pipe', MANY);
    // Its worker waits now, with the lock, for the reader. The other one wants to print, and cannot.
    const { localPort } = one.socket;
    const victim = server.workers().find((pid) => clientPortsOf(pid, server.port).has(localPort!))!;
    await chatter(another, `meanwhile ${signal}`, 1);
    process.kill(victim, signal);
    server.tell('read');
    await chatter(another, `goes on after ${signal}`, 300);
    await one.fate;
    await until(() => server.workers().length === 2 && !server.workers().includes(victim), 'a successor');
  }
  another.end();
  await another.readToEnd();
  process.kill(server.pid, 'SIGTERM');
  const { exitCode, output } = await server.ended;
  assert.equal(exitCode, 0);
  const broken = output.split('\n').slice(0, -1).filter((line) => !line.startsWith('{"time":') || !line.endsWith('}'));
  assert.ok(broken.length <= faults.length, `only the lines that were being printed may be cut: ${broken.join('\n')}`);
  for (const signal of faults) {
    assert.equal(output.split(`"preview":"meanwhile ${signal}"`).length, 2);
    assert.equal(output.split(`"preview":"goes on after ${signal}"`).length, 301);
  }
  assert.equal(output.split('was ended by SIGKILL').length, 3);
});
