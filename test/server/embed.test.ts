// echopool/server: a server that a program starts for itself, most of all a test.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { EchoClient } from '../../client/echo-client.ts';
import { settings } from '../../server/config.ts';
import { nameOf, type Flags } from '../../shared/flags/table.ts';
import { eventOf, Lines } from '../../server/embed/log-lines.ts';
import { planOf } from '../../server/embed/options.ts';
import { EchoServerError, startEchoServer } from '../../server/embed/index.ts';
import type { EchoServer, EchoServerOptions, LogEvent } from '../../server/embed/index.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, isRunning, startProgram, untilGone } from '../helpers/processes.ts';
import { childrenOf, signalIfAlive } from '../helpers/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'embed-'));
after(() => rmSync(folder, { recursive: true }));

/** A server that is gone when the test has ended, whatever happens. */
async function started(t: TestContext, options?: EchoServerOptions): Promise<EchoServer> {
  const server = await startEchoServer(options);
  t.after(() => void signalIfAlive(server.pid, 'SIGKILL'));
  return server;
}

/** The servers that a process has started for itself and that live. */
function serversOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return children.filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('embed/entry'));
}

async function ask({ host, port }: { host: string; port: number }, message: string): Promise<string> {
  await using client = await EchoClient.connect({ host, port });
  return await client.send(message);
}

describe('a server that a program starts for itself', () => {
  test('listens on a free port when it is there, and is gone at the end of its scope', DEADLINE, async () => {
    let pids: number[];
    {
      await using server = await startEchoServer();
      assert.equal(server.address, `${server.host}:${server.port}`);
      assert.equal(server.host, '127.0.0.1');
      assert.ok(server.port > 0 && isRunning(server.pid) && server.pid !== process.pid);
      assert.equal(await ask(server, 'straße'), 'STRASSE');
      pids = [server.pid, ...childrenOf(server.pid)];
      assert.equal(pids.length, 2, 'a master and one worker');
    }
    assert.deepEqual(pids.filter(isRunning), []);
  });

  test('ten at once, each with what it was told', { timeout: 120_000 }, async (t) => {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => started(t, { greeting: `I am ${i}\\n` })));
    assert.equal(new Set(all.map(({ port }) => port)).size, 10);
    await all[3]!.close();
    await Promise.all(all.map(async (server, i) => {
      if (i === 3) return await assert.rejects(ask(server, 'x'), { code: 'ECONNREFUSED' });
      await using client = await EchoClient.connect({ host: server.host, port: server.port, greetingLines: 1 });
      assert.deepEqual([client.greeting, await client.send('hi')], [`I am ${i}`, 'HI']);
    }));
    await Promise.all(all.map((server) => server.close()));
    assert.deepEqual(await Promise.all(all.map((server) => server.whenEnded())), all.map(() => undefined));
  });

  test('tells its log as events, in order and to the end, or nothing to nobody', DEADLINE, async (t) => {
    const events: LogEvent[] = [];
    const server = await started(t, { log: (event) => void events.push(event), admin: 0, workers: 1 });
    assert.equal(await ask(server, 'ß'), 'SS');
    await server.close();
    const client = events.filter(({ peer }) => peer !== undefined);
    assert.deepEqual(client.map(({ event }) => event), ['connected', 'message', 'closed']);
    assert.deepEqual([client[1]!['preview'], client[1]!.worker, client[1]!.level], ['ß\n', 1, 'info']);
    assert.equal(events.at(-1)!.event, 'summary');
    assert.match(server.admin!, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.ok(events.some(({ message }) => message === `admin on ${server.admin}`));
  });

  test('listens on a Unix socket, and on several places', DEADLINE, async (t) => {
    const path = join(folder, 'echo.sock');
    const server = await started(t, { bind: [`unix:${path}`, '127.0.0.1:0'], closeAfter: 3 });
    assert.deepEqual([server.host, server.port, server.address], [`unix:${path}`, 0, `unix:${path}`]);
    assert.match(server.addresses[1]!, /^127\.0\.0\.1:\d+$/);
    assert.equal(await ask(server, 'hi'), 'HI');
    await server.close();
    assert.ok(!existsSync(path));
  });

  test('is not told what to do by the environment of its caller', DEADLINE, async (t) => {
    const given = { ECHOPOOL_PORT: 'x', ECHOPOOL_WORKERS: 'x', PORT: 'x', LISTEN_FDS: 'x', npm_lifecycle_event: 'x' };
    t.after(() => { for (const name of Object.keys(given)) delete process.env[name]; });
    Object.assign(process.env, given);
    const server = await started(t);
    assert.equal(await ask(server, 'hi'), 'HI');
    await server.close();
  });

  test('a start that fails rejects with the line that the server says', DEADLINE, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    for (const [options, message] of [
      [{ port }, `cannot listen on 127.0.0.1:${port}: another program does already; choose another --port, or 0 `
        + 'for any free one'],
      [{ workers: 0 }, '--workers must be auto or a whole number from 1 to 1000000000, not "0"'],
      [{ greeting: '{no}' }, /^startEchoServer: --greeting must be a text with no words .*, not "\{no\}"$/],
    ] as const) {
      await assert.rejects(startEchoServer(options), (error: Error) => {
        assert.ok(error instanceof EchoServerError && error.code === 'ERR_ECHOPOOL_SERVER_START');
        if (typeof message === 'string') assert.equal(error.message, `startEchoServer: ${message}`);
        else assert.match(error.message, message);
        return true;
      });
    }
    taken.close();
  });

  test('a start is called off by its signal', DEADLINE, async () => {
    const reason = new Error('no more');
    const calledOff = AbortSignal.abort(reason);
    await assert.rejects(startEchoServer({ signal: calledOff }), reason);
    const later = new AbortController();
    const starting = startEchoServer({ signal: later.signal });
    const pids = serversOf(process.pid);
    assert.equal(pids.length, 1);
    later.abort(reason);
    await assert.rejects(starting, reason);
    assert.deepEqual(pids.filter(isRunning), []);
  });

  test('one that dies makes itself known, and can be closed all the same', DEADLINE, async (t) => {
    const server = await started(t);
    process.kill(server.pid, 'SIGKILL');
    const why = await server.whenEnded();
    assert.ok(why instanceof EchoServerError && why.code === 'ERR_ECHOPOOL_SERVER_DIED');
    assert.equal(why.message, `the echo server was ended by SIGKILL (pid ${server.pid})`);
    await server.close();
  });

  test('close() waits for clients within the grace, and is one promise however often it is called', DEADLINE,
    async (t) => {
      const server = await started(t, { grace: 0.2 });
      await using idle = await EchoClient.connect({ host: server.host, port: server.port });
      assert.equal(await idle.send('hi'), 'HI');
      const closing = server.close();
      assert.equal(server.close(), closing);
      assert.equal(server[Symbol.asyncDispose](), closing);
      await closing;
      assert.ok(!isRunning(server.pid));
      assert.equal(await server.whenEnded(), undefined);
      assert.ok(idle.closed || await idle.whenClosed());
    });
});

describe('ends,', { concurrency: 3 }, () => {
  test('if need be, by a SIGKILL from close(), which says so', DEADLINE, async (t) => {
    const server = await started(t, { grace: 0 });
    const pids = [server.pid, ...childrenOf(server.pid)];
    process.kill(server.pid, 'SIGSTOP');
    await assert.rejects(server.close(), {
      name: 'EchoServerError', code: 'ERR_ECHOPOOL_SERVER_STUCK',
      message: `the echo server (pid ${server.pid}) did not stop within 5 s, and was killed`,
    });
    await untilGone(...pids);
  });

  for (const [way, ending] of [
    ['killed', 'SIGKILL'], ['exit', 3], ['error', 1], ['nothing-left', 0],
  ] as const) {
    test(`with its caller, whatever happens to that: ${way}`, DEADLINE, async (t) => {
      const path = join(folder, `${way}.sock`);
      const caller = startProgram(t, 'embedding-caller.ts', [way, `unix:${path}`]);
      const [pid, address] = (await caller.line() ?? '').split(' ');
      assert.equal(address, `unix:${path}`, caller.errors());
      t.after(() => void signalIfAlive(Number(pid), 'SIGKILL'));
      const pids = [Number(pid), ...childrenOf(Number(pid))];
      if (way === 'killed') caller.child.kill('SIGKILL');
      assert.equal(await caller.ended, ending);
      await untilGone(...pids);
      assert.ok(!existsSync(path), 'the file of its socket is left');
    });
  }

  test('with the thread that started it', DEADLINE, async (t) => {
    const program = `const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(moduleUrl('server/embed/index.ts').href)}).then(async ({ startEchoServer }) => {
        const { pid, host, port } = await startEchoServer();
        parentPort.postMessage({ pid, host, port });
        setInterval(() => {}, 1000);
      });`;
    const thread = new Worker(program, { eval: true });
    const [{ pid, host, port }] = await once(thread, 'message') as [{ pid: number; host: string; port: number }];
    t.after(() => void signalIfAlive(pid, 'SIGKILL'));
    assert.equal(await ask({ host, port }, 'hi'), 'HI');
    await thread.terminate();
    await untilGone(pid);
  });
});

describe('the options', () => {
  test('are the flags of the server, by their names in camelCase', () => {
    const flags = Object.entries(settings as Flags).map(([key, flag]) => nameOf(key, flag));
    const ours = ['log', 'log-format', 'help', 'version'];
    for (const flag of flags.filter((name) => !ours.includes(name))) {
      const key = flag.replace(/-[a-z]/g, ([, letter]) => letter!.toUpperCase());
      const value = flag === 'admin-actions' ? true : 1;
      const { args } = planOf({ [key]: value } as EchoServerOptions);
      assert.ok(args.includes(value === true ? `--${flag}` : `--${flag}=1`), flag);
    }
  });

  test('that there are not are refused, with the one that was meant', () => {
    for (const [options, message] of [
      [{ worker: 2 }, 'startEchoServer has no option "worker": did you mean workers?'],
      [{ closeafter: 2 }, 'startEchoServer has no option "closeafter": did you mean closeAfter?'],
      [{ zebra: 2 }, 'startEchoServer has no option "zebra"'],
      [{ log: 'none' }, 'the option log of startEchoServer must be a function, not string'],
      [{ host: {} }, 'the option host of startEchoServer must be text, a number or a list, not object'],
    ] as const) {
      assert.throws(() => planOf(options as unknown as EchoServerOptions), { name: 'TypeError', message });
    }
  });

  test('a text cannot become another flag, a list is repeated, and undefined is as if it was not there', () => {
    const { args, places } = planOf({
      greeting: '--admin', bind: ['unix:/a', '127.0.0.1:0,[::1]:0'], bindProxy: 'unix:/b', workers: undefined,
    });
    assert.equal(places, 4);
    assert.deepEqual(args.filter((arg) => !arg.startsWith('--log')).sort(), [
      '--bind-proxy=unix:/b', '--bind=127.0.0.1:0,[::1]:0', '--bind=unix:/a', '--grace=1', '--greeting=--admin',
      '--workers=1',
    ]);
  });
});

test('lines are cut where they end however they come, and what is no line of the log is told as it is', () => {
  const lines: string[] = [];
  const cutter = new Lines((line) => void lines.push(line));
  for (const text of ['{"event":"a"}\n{"ev', 'ent":"b"}', '\nnull\n[1', ']']) cutter.push(text);
  cutter.end();
  cutter.end();
  assert.deepEqual(lines, ['{"event":"a"}', '{"event":"b"}', 'null', '[1]']);
  assert.deepEqual(lines.map((line) => eventOf(line).event), ['a', 'b', 'output', 'output']);
  assert.equal(eventOf('x{').message, 'x{');
  cutter.push('x'.repeat(2_000_000));
  assert.equal(lines.at(-1)!.length, 2_000_000, 'a line without an end is not kept for ever');
});
