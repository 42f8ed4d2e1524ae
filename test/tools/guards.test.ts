// Guards against slowing down that do not depend on the machine's mood: they count messages between processes, writes,
// lock rounds and copies, not seconds. test/toolkit/lock.test.ts counts the messages of a lock,
// test/shared/terminal.test.ts its rounds when lines have piled up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Log } from '../../shared/log/log.ts';
import { Lock, Manager, Queue } from '../../shared/multiprocessing/index.ts';
import type { Status } from '../../shared/status/status.ts';
import { Terminal } from '../../shared/terminal/terminal.ts';
import { Uppercaser } from '../../server/uppercase/uppercaser.ts';
import * as work from '../fixtures/guard-work.ts';
import type { Counts } from '../fixtures/guard-work.ts';
import { moduleUrl, ROOT } from '../helpers/paths.ts';
import { standStill } from '../helpers/faults-proc.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';
import { startTestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';

const module = moduleUrl('test/fixtures/guard-work.ts');
const COUNTER = pathToFileURL(join(ROOT, 'test/fixtures/counting-worker.mjs')).href;
const folder = mkdtempSync(join(tmpdir(), 'guards-'));
after(() => rmSync(folder, { recursive: true }));

/** A server of one worker that counts. No heartbeat: its messages are as many as the seconds. */
function startCounted(path: string, ...flags: string[]): ReturnType<typeof startTestServer> {
  const env = { NODE_OPTIONS: `--import ${COUNTER}`, GUARD_COUNTS: path };
  return startTestServer(['--workers', '1', '--log', 'none', '--worker-timeout', '0', ...flags], { env });
}

/** What counting-worker.mjs has counted in the one worker, and in the master. */
interface ServerCounts extends Counts {
  readonly writes: number;
  readonly charsSent: number;
  readonly charsReceived: number;
  readonly timers: number;
}

function serverCounts(path: string): ServerCounts {
  const lines = readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as object);
  return Object.assign({}, ...lines) as ServerCounts;
}

/** Sends the messages one after the other, each when the reply to the one before is here. */
async function talk(port: number, messages: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  for (let i = 0; i < messages; i++) {
    socket.write('message');
    await once(socket, 'data');
  }
  socket.end();
  await once(socket.resume(), 'close');
}

test('a connection costs a message to its worker and two back, each of its messages one write', DEADLINE, async () => {
  const CONNECTIONS = 40;
  const MESSAGES = 5;
  const path = join(folder, 'counts');
  await using server = await startCounted(path);
  for (let i = 0; i < CONNECTIONS; i++) await talk(server.port, MESSAGES);
  assert.equal(await server.stop(), 0);
  const { sent, received, writes } = serverCounts(path);
  // Begin and end of the worker are some more. A socket that is slow to arrive is asked after, so there may be others.
  assert.ok(received <= 1.25 * CONNECTIONS + 5, `${received} messages to the worker for ${CONNECTIONS} connections`);
  assert.ok(sent <= 2.25 * CONNECTIONS + 5, `${sent} messages from the worker for ${CONNECTIONS} connections`);
  assert.equal(writes, CONNECTIONS * MESSAGES);
});

test('of short connections little is said, and the master makes no timer for each', DEADLINE, async () => {
  const CONNECTIONS = 400;
  const path = join(folder, 'counts-short');
  await using server = await startCounted(path);
  const begun = performance.now();
  for (let i = 0; i < CONNECTIONS / 8; i++) await Promise.all(Array.from({ length: 8 }, () => talk(server.port, 1)));
  const seconds = (performance.now() - begun) / 1000;
  assert.equal(await server.stop(), 0);
  const { charsSent, charsReceived, timers } = serverCounts(path);
  // As objects with a name for each part they were 120 and 190. Begin and end of the worker are some more.
  assert.ok(charsReceived <= 80 * CONNECTIONS + 3000, `${charsReceived} characters to the worker`);
  assert.ok(charsSent <= 120 * CONNECTIONS + 1000, `${charsSent} characters from the worker`);
  // Five a second look at the offers, one after the silent.
  assert.ok(timers <= 20 + 7 * seconds, `${timers} timers for ${CONNECTIONS} connections in ${seconds} s`);
});

test('who watches the server costs a worker a message a second each way, however many watch', DEADLINE, async () => {
  const READERS = 8;
  const path = join(folder, 'counts-watched');
  const begun = performance.now();
  await using server = await startCounted(path, '--admin', '0');
  const admin = /admin on (\S+)/.exec(server.stdout)![1]!;
  const readers = await Promise.all(Array.from({ length: READERS }, () => fetch(`${admin}events`)));
  for (let i = 0; i < 20; i++) {
    await talk(server.port, 5);
    assert.equal((await (await fetch(`${admin}status`)).json() as Status).phase, 'ready');
  }
  await server.when(() => performance.now() - begun > 3000 || undefined, 'three seconds');
  assert.equal(await server.stop(), 0);
  await Promise.all(readers.map(({ body }) => body!.cancel().catch(() => {})));
  const seconds = (performance.now() - begun) / 1000;
  const { sent, received } = serverCounts(path);
  assert.ok(received <= 1.25 * 20 + 5 + seconds, `${received} messages to the worker in ${seconds} s`);
  assert.ok(sent <= 2.25 * 20 + 5 + seconds, `${sent} messages from the worker in ${seconds} s`);
});

/** The modules that are loaded before a program's first line runs. */
function modulesOf(entry: string, found = new Set<string>()): Set<string> {
  if (found.has(entry)) return found;
  found.add(entry);
  const source = readFileSync(join(ROOT, entry), 'utf8');
  for (const [, path] of source.matchAll(/^(?:import|export) (?!type\b)(?:[^;]*? from )?'(\.[^']+)';/gm)) {
    modulesOf(join(dirname(entry), path!), found);
  }
  return found;
}

test('the server and its workers load no part of the toolkit that they do not use: each file costs their start', () => {
  const master = modulesOf('server/main.ts');
  const worker = new Set([...modulesOf('shared/multiprocessing/child.ts'), ...modulesOf('server/worker/entry.ts'),
    ...modulesOf('server/worker/worker.ts')]);
  for (const modules of [master, worker]) {
    assert.ok(modules.has('shared/multiprocessing/lock/lock.ts'));
    assert.deepEqual([...modules].filter((path) => /multiprocessing\/(index|queue|pipe|manager|pool)/.test(path)), []);
  }
  assert.ok(!master.has('server/worker/worker.ts'));
  assert.ok(master.size <= 80, `${master.size} files for the master`);
  // The one command adds itself; each program is loaded when it is named.
  assert.deepEqual([...modulesOf('server/echopool.ts')], ['server/echopool.ts', 'shared/called.ts']);
  assert.ok(worker.size <= 60, `${worker.size} files for a worker`);
});

test('connections that end at the same time are told of together', DEADLINE, async () => {
  const CONNECTIONS = 40;
  const path = join(folder, 'counts-together');
  await using server = await startCounted(path);
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectClient(server.port)));
  for (const client of clients) assert.equal(await client.ask('hi'), 'HI');
  await standStill(server.pidOf(1));
  for (const client of clients) client.end();
  process.kill(server.pidOf(1), 'SIGCONT');
  for (const client of clients) await client.readToEnd();
  assert.equal(await server.stop(), 0);
  const { sent } = serverCounts(path);
  assert.ok(sent <= 1.25 * CONNECTIONS + 5, `${sent} messages from the worker for ${CONNECTIONS} connections`);
});

test('lines that come one by one share the rounds of the lock', DEADLINE, async () => {
  const LINES = 1000;
  const fd = openSync(join(folder, 'log'), 'w');
  let rounds = 0;
  const lock = { acquire: async () => (rounds++, true), release: async () => {} };
  const terminal = new Terminal({ fd, lock });
  const print = (line: string): void => void terminal.print(line);
  const log = new Log({ print, format: 'pretty', level: 'messages', color: false, who: 1 });
  const begun = performance.now();
  for (let i = 0; i < LINES; i++) {
    log.message('127.0.0.1:1', Buffer.from(`message ${i}`));
    await new Promise(setImmediate);
  }
  const took = performance.now() - begun;
  await terminal.close(DEADLINE.timeout);
  closeSync(fd);
  assert.equal(readFileSync(join(folder, 'log'), 'utf8').split('\n').length - 1, LINES);
  // As many as there are stretches of 25 ms; however long it took, not one a line.
  assert.ok(rounds <= 3 + took / 25, `${rounds} rounds for ${LINES} lines in ${took} ms`);
});

describe('upper-casing makes no copy', () => {
  const texts = {
    'ASCII': 'Hello, world 0123! ', 'Latin, Greek and Cyrillic': 'señor été Ελλάδα привет мир ',
    'Chinese, Japanese and Korean': '你好 世界 データ 한국어 ', 'emoji': 'ok 😀 👍 ',
  };
  for (const [what, text] of Object.entries(texts)) {
    test(`of ${what}, whatever the length`, () => {
      for (const length of [1, 10, 5000]) {
        const bytes = Buffer.from(text.repeat(length));
        const expected = bytes.toString().toUpperCase();
        assert.equal(Buffer.byteLength(expected), bytes.length);
        const reply = new Uppercaser().push(bytes);
        assert.ok(reply === bytes, 'the reply is another buffer'); // Not equal(): it would print both.
        assert.equal(reply.toString(), expected);
      }
    });
  }

  test('of text that becomes shorter: the reply lies where the message was', () => {
    const bytes = Buffer.from('ıſ'.repeat(1000));
    const reply = new Uppercaser().push(bytes);
    assert.equal(reply.toString(), 'IS'.repeat(1000));
    assert.equal(reply.buffer, bytes.buffer);
    assert.equal(reply.byteOffset, bytes.byteOffset);
  });
});

describe('many things in a row travel in few messages:', { concurrency: true }, () => {
  const MANY = 1000;
  /** A queue packs what comes within a turn: on a machine with much to do these are shorter, so there is room. */
  const MOST_MESSAGES = MANY / 10;

  async function countsOf(mail: { next(): Promise<unknown> }): Promise<Counts> {
    return await mail.next() as Counts;
  }

  test('items that are put into a queue', DEADLINE, async (t) => {
    const { mail } = startProcess(t, { module, target: work.putMany, args: [new Queue<number>(), MANY] });
    const { sent, received } = await countsOf(mail);
    assert.ok(sent <= MOST_MESSAGES, `${sent} messages from the putting process`);
    assert.ok(received <= MOST_MESSAGES, `${received} messages to the putting process`);
  });

  test('items that are taken from a queue', DEADLINE, async (t) => {
    const queue = new Queue<number>();
    for (let i = 0; i < MANY; i++) await queue.put(i);
    const { mail } = startProcess(t, { module, target: work.getMany, args: [queue, MANY] });
    const { sent, received } = await countsOf(mail);
    assert.ok(sent <= MOST_MESSAGES, `${sent} messages from the taking process`);
    assert.ok(received <= MOST_MESSAGES, `${received} messages to the taking process`);
  });

  test('changes of a shared dict that nobody awaits one by one', DEADLINE, async (t) => {
    const dict = new Manager().dict({ n: 0 });
    const { mail } = startProcess(t, { module, target: work.incrementMany, args: [dict, MANY] });
    const { sent, received } = await countsOf(mail);
    assert.equal(await dict.get('n'), MANY);
    assert.ok(sent <= MANY / 50, `${sent} messages from the changing process`);
    assert.ok(received <= MANY / 50, `${received} messages to the changing process`);
  });
});

test('what lock, queue and dict say travels as JSON, written several times faster than clones', DEADLINE, async (t) => {
  const lock = new Lock();
  const args = [lock, new Queue<number>(1), new Manager().dict({ n: 0 })] as const;
  const { mail } = startProcess(t, { module, target: work.useAll, args: [...args] });
  assert.ok(await lock.acquire(), 'so that it comes here, and goes back');
  await lock.release();
  const { sent, clones } = await mail.next() as Counts;
  assert.ok(sent >= 9, `${sent} messages`);
  assert.equal(clones, 0);
});
