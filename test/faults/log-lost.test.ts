// No line of the log is lost without a word, whatever its reader does while workers come and go: what is printed and
// what is told to be dropped are together what a reader without fault would have got.
import assert from 'node:assert/strict';
import { constants, readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { processesOf } from '../helpers/faults-proc.ts';
import { isRunning, until } from '../helpers/processes.ts';
import { startStuckServer, stuckMissing } from '../helpers/stuck.ts';
import type { OutputKind, StuckEnd, StuckServer } from '../helpers/stuck.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

type Reader = 'reads slowly' | 'does not read' | 'goes away';
type Clients = readonly [TestClient, TestClient];
/** Lets it happen, and waits until it is over. Gives the client that the server serves still. */
type Event = (server: StuckServer, clients: Clients) => Promise<TestClient>;

/** Each client has a worker of its own: when both are answered, both workers are ready. */
const FLAGS = ['--workers', '2', '--connections-per-worker', '1', '--log-format', 'json', '--grace', '5'];
const MESSAGES = 20;

async function talk(clients: readonly TestClient[], messages: number): Promise<void> {
  await Promise.all(clients.map(async (client) => {
    for (let i = 0; i < messages; i++) assert.equal(await client.ask(`message ${i}`), `MESSAGE ${i}`);
  }));
}

async function leave(client: TestClient): Promise<void> {
  client.end();
  assert.equal((await client.readToEnd()).length, 0);
}

const comeAndGo: Event = async (server, [one, another]) => {
  await leave(another);
  process.kill(server.pid, 'SIGTTOU');
  await until(() => server.workers().length === 1, 'a worker to leave');
  const [old] = server.workers();
  process.kill(server.pid, 'SIGHUP');
  await until(() => server.workers().length === 1 && server.workers()[0] !== old, 'a new worker in place of the other');
  await talk([one], MESSAGES);
  return one;
};

const crash: Event = async (server, [one, another]) => {
  const [victim] = server.workers();
  process.kill(victim!, 'SIGKILL');
  const cutOff = await Promise.race([one, another].map((client) => client.fate.then(() => client)));
  const left = cutOff === one ? another : one;
  await cutOff[Symbol.asyncDispose]();
  // Only the successor has room for it.
  const next = await connectClient(server.port);
  await talk([next], MESSAGES);
  await leave(next);
  return left;
};

async function runThrough(kind: OutputKind, reader: Reader | undefined, event: Event): Promise<StuckEnd> {
  await using server = await startStuckServer(kind, FLAGS);
  const clients: Clients = [await connectClient(server.port), await connectClient(server.port)];
  await talk(clients, MESSAGES);
  if (reader === 'goes away') server.tell('close');
  const left = await event(server, clients);
  if (reader === 'reads slowly') server.tell('read');
  await talk([left], MESSAGES);
  await leave(left);
  const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/${server.pid}/fdinfo/1`, 'latin1'))![1]!;
  assert.equal(parseInt(flags, 8) & constants.O_NONBLOCK, 0, 'the open file that others share is as it was');
  process.kill(server.pid, 'SIGTERM');
  return await server.ended;
}

interface LineCounts {
  readonly printed: Map<string, number>;
  readonly total: number;
  /** At most; so many of them may be printed all the same. */
  readonly dropped: number;
  readonly inDoubt: number;
}

/** What a log has, by kind, and how many lines it says to be missing. */
function countLines(output: string): LineCounts {
  const printed = new Map<string, number>();
  let total = 0;
  let dropped = 0;
  let inDoubt = 0;
  assert.ok(output === '' || output.endsWith('\n'), `the last line is not whole: ${output.slice(-300)}`);
  for (const line of output.split('\n').slice(0, -1)) {
    // After the death of who printed: half a line may be out.
    if (line === '') continue;
    const { event, lines, atLeast } = JSON.parse(line) as { event: string; lines?: number; atLeast?: number };
    if (event === 'dropped') {
      dropped += lines!;
      inDoubt += lines! - (atLeast ?? lines!);
    } else {
      total++;
    }
    printed.set(event, (printed.get(event) ?? 0) + 1);
  }
  return { printed, total, dropped, inDoubt };
}

/** How many lines the server says at its end, on standard error, to have lost. */
function toldAtEnd(errors: string): number {
  const told = Number(/^echopool-server: (\d+) lines? could not be printed: .+\n$/.exec(errors)?.[1] ?? 0);
  assert.equal(errors === '', told === 0, errors);
  return told;
}

describe('as workers are replaced, leave and stop, each line is printed or counted', { skip: stuckMissing() }, () => {
  let whole: ReturnType<typeof countLines>;
  before(async () => {
    const { exitCode, output, errors } = await runThrough('file', undefined, comeAndGo);
    whole = countLines(output);
    assert.deepEqual([exitCode, whole.dropped, errors], [0, 0, '']);
  });

  for (const kind of ['pipe', 'socket', 'terminal'] as const) {
    for (const reader of ['reads slowly', 'does not read', 'goes away'] as const) {
      if (kind === 'terminal' && reader === 'goes away') continue; // Then the server stops.
      test(`if the reader of a ${kind} ${reader}`, async () => {
        const { exitCode, output, errors } = await runThrough(kind, reader, comeAndGo);
        const { printed, total, dropped } = countLines(output);
        assert.equal(total + dropped + toldAtEnd(errors), whole.total, `${errors}${output}`);
        if (reader === 'reads slowly') assert.deepEqual(printed, whole.printed);
        assert.equal(exitCode, 0);
      });
    }
  }

  test('on a full disk', async () => {
    const { exitCode, output, errors } = await runThrough('full', undefined, comeAndGo);
    assert.equal(errors, `echopool-server: ${whole.total} lines could not be printed: ENOSPC\n`);
    assert.deepEqual([exitCode, output], [0, '']);
  });
});

describe('when a worker is killed, at most its own lines are missing', { skip: stuckMissing() }, () => {
  // The server listens, two workers are ready, one dies, its client is cut off, another worker is ready; the server
  // stops, and says what it did.
  const ofServer = 8;
  // Three clients, of which two go on after the crash; of the one that was cut off there is no last line.
  const produced = ofServer + 3 * (1 + MESSAGES) + MESSAGES + 2;

  for (const kind of ['pipe', 'socket', 'terminal'] as const) {
    test(`from a ${kind} whose reader stood still`, async () => {
      const { exitCode, output, errors } = await runThrough(kind, 'reads slowly', crash);
      const { total, dropped } = countLines(output);
      const missing = produced - total - dropped - toldAtEnd(errors);
      // It had said that its client is connected, and each of its messages.
      assert.ok(missing >= 0 && missing <= 1 + MESSAGES, `${missing} are missing of ${produced}: ${output}`);
      assert.equal(exitCode, 0);
    });
  }
});

describe('the process that writes to a socket', { skip: stuckMissing() }, () => {
  const ONE_WORKER = ['--workers', '1', '--log-format', 'json'];
  const relayOf = (pid: number): number | undefined => processesOf(pid).find((each) => (
    readFileSync(`/proc/${each}/cmdline`, 'latin1').includes('relay-entry')));

  test('may be killed: what it had is counted, and another one goes on', async () => {
    await using server = await startStuckServer('socket', ONE_WORKER);
    server.tell('read');
    await using client = await connectClient(server.port);
    await talk([client], MESSAGES);
    // Clients are served whether it runs already or not.
    await until(() => relayOf(server.pid) !== undefined, 'it to be there');
    const first = relayOf(server.pid)!;
    process.kill(first, 'SIGKILL');
    await until(() => relayOf(server.pid) !== first, 'it to be gone');
    await talk([client], MESSAGES);
    await leave(client);
    process.kill(server.pid, 'SIGTERM');
    const { exitCode, output, errors } = await server.ended;
    const { total, dropped, inDoubt } = countLines(output);
    // The server listens, its worker is ready, it stops, and says what it did.
    const most = total + dropped + toldAtEnd(errors);
    const produced = 2 + 2 * MESSAGES + 4;
    const least = most - inDoubt;
    assert.ok(least <= produced && produced <= most, `${least} to ${most}, not ${produced}: ${output}`);
    assert.equal(exitCode, 0);
  });

  test('ends with the server, even while nobody reads', async () => {
    await using server = await startStuckServer('socket', ONE_WORKER);
    await using client = await connectClient(server.port);
    await talk([client], 1);
    await until(() => relayOf(server.pid) !== undefined, 'it to be there');
    const relay = relayOf(server.pid)!;
    process.kill(server.pid, 'SIGKILL');
    await server.ended;
    await until(() => !isRunning(relay), 'it to be gone');
  });
});
