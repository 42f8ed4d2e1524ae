// The terminal as an enemy: a reader of the log that stops or leaves, a full disk, a holder of the lock that dies or hangs.
// Echo goes on meanwhile; lines that are dropped are counted; and those that are printed are whole.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { Load } from '../helpers/faults-load.ts';
import { clientPortsOf, listeningPort, memoryTogether, processesOf, until } from '../helpers/faults-proc.ts';
import { startTestServer, TestServer } from '../helpers/server.ts';
import { startStuckServer, stuckMissing } from '../helpers/stuck.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

const MEBIBYTE = 1024 * 1024;

/** So many messages, each of which is a line of the log. */
async function chatter(client: TestClient, text: string, lines: number): Promise<void> {
  for (let i = 0; i < lines; i++) assert.equal(await client.ask(text), text.toUpperCase());
}

/** So many lines are far more than a pipe holds. */
const MANY = 1500;

test('while the log is not read the echo goes on, memory stays bounded, and every line is printed whole or counted', async (t) => {
  await using server = await startTestServer(['--workers', '1', '--log-format', 'json']);
  using load = new Load({ port: server.port, seed: 80, connections: 32, kinds: ['prompt'], paceMs: 0, longest: 60 });
  await load.start();
  const processes = processesOf(server.process.pid!);
  const before = memoryTogether(processes);
  server.process.stdout!.pause();
  // Far more than a process keeps of lines that have 140 bytes each.
  const enough = load.replies + 45_000;
  await load.until(() => load.replies > enough, 'the echo to go on', 60_000);
  const grown = memoryTogether(processes) - before;
  server.process.stdout!.resume();
  await server.printed(/lines dropped/);
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.equal(await server.stop(), 0);
  const lines = server.lines().map((line) => JSON.parse(line) as { event: string; worker?: number; lines?: number; served?: number; messages?: number });
  const dropped = lines.reduce((sum, line) => sum + (line.event === 'dropped' ? line.lines! : 0), 0);
  const printed = lines.filter(({ event }) => ['connected', 'message', 'closed'].includes(event)).length;
  const summary = lines.find(({ event }) => event === 'summary')!;
  assert.equal(printed + dropped, 2 * summary.served! + summary.messages!, 'each line is printed or counted');
  t.diagnostic(`${printed} lines printed, ${dropped} dropped and told; memory grew by ${(grown / MEBIBYTE).toFixed(1)} MiB`);
});

test('when the reader of the log leaves, the echo goes on, and the server stops in good order', async () => {
  await using server = await startTestServer(['--workers', '2']);
  using load = new Load({ port: server.port, seed: 81, connections: 16 });
  await load.start();
  server.process.stdout!.destroy();
  const enough = load.replies + 500;
  await load.until(() => load.replies > enough, 'the echo to go on');
  server.signal('SIGHUP');
  const before = server.workers();
  await until(() => server.workers().length === 2 && !server.workers().some((pid) => before.includes(pid)), 'a reload');
  await load.allAnswered();
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.equal(await server.stop(), 0);
});

test('on a full disk the echo goes on, and the server stops in good order', async () => {
  const full = openSync('/dev/full', 'w');
  await using server = new TestServer(['--port', '0', '--workers', '2'], { stdout: full });
  closeSync(full);
  let port: number | undefined;
  await until(() => (port = listeningPort(server.process.pid!)) !== undefined, 'the server to listen');
  using load = new Load({ port: port!, seed: 82, connections: 16 });
  await load.start();
  await load.until(() => load.replies > 500, 'the echo to go on');
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.equal(await server.stop(), 0);
});

for (const [how, signal] of [['dies', 'SIGKILL'], ['hangs', 'SIGSTOP']] as const) {
  test(`when the process that holds the terminal ${how}, the echo goes on, and others print`, { skip: stuckMissing() }, async () => {
    await using server = await startStuckServer('pipe', [
      '--workers', '2', '--connections-per-worker', '1', '--worker-timeout', '2', '--log-format', 'json',
    ]);
    server.tell('read');
    const [one, another] = [await connectClient(server.port), await connectClient(server.port)];
    await chatter(one, 'both are ready', 1);
    await chatter(another, 'both are ready', 1);
    server.tell('stop');
    await chatter(one, 'to fill the pipe', MANY);
    // That worker waits now, with the lock, for the reader. The other one wants to print, and cannot.
    const { localPort } = one.socket;
    const victim = server.workers().find((pid) => clientPortsOf(pid, server.port).has(localPort!))!;
    await chatter(another, 'meanwhile', 1);
    process.kill(victim, signal);
    server.tell('read');
    await chatter(another, 'goes on', 300);
    await one.fate;
    await until(() => server.workers().length === 2 && !server.workers().includes(victim), 'a successor');
    another.end();
    await another.readToEnd();
    process.kill(server.pid, 'SIGTERM');
    const { exitCode, output } = await server.ended;
    assert.equal(exitCode, 0);
    const broken = output.split('\n').slice(0, -1).filter((line) => !line.startsWith('{"time":') || !line.endsWith('}'));
    assert.ok(broken.length <= 1, `only the line that was being printed may be cut: ${broken.join('\n')}`);
    assert.equal(output.split('"preview":"meanwhile"').length, 2);
    assert.equal(output.split('"preview":"goes on"').length, 301);
    assert.match(output, /was ended by SIGKILL/);
  });
}
