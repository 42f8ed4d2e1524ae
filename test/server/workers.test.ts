// The pool of workers: never more than the cap, replaced when they die, ended with the server; and their clients.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { flagsOfWorkers } from '../../server/workers/worker-process.ts';
import { ROOT } from '../helpers/paths.ts';
import { untilGone } from '../helpers/processes.ts';
import { DEADLINE_MS, runServer, startTestServer, TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';

const oneCpu = availableParallelism() < 2 && 'needs two CPUs, and there is one';

interface FailingWorkers {
  /** As long as this file exists, no worker can start. */
  readonly file: string;
  readonly env: Record<string, string>;
  /** When workers tried to start and gave up, in milliseconds. */
  times(): { start: number; end: number }[];
  remove(): void;
}

function failingWorkers(): FailingWorkers {
  const folder = mkdtempSync(join(tmpdir(), 'failing-'));
  const file = join(folder, 'tries');
  const preload = pathToFileURL(join(ROOT, 'test/fixtures/failing-worker.mjs'));
  return {
    file,
    env: { FAILURE: file, NODE_OPTIONS: `--import ${preload}` },
    times: () => readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line)),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

test('a server of which one worker cannot start listens, serves, and obeys', { skip: oneCpu }, async () => {
  const failing = failingWorkers();
  writeFileSync(failing.file, '');
  try {
    const env = { ...failing.env, LUCKY: `${failing.file}-lucky` };
    await using server = await startTestServer(['--workers', '2'], { env });
    assert.match(server.stdout, /listening on \S+ with 1 of 2 workers \(pid \d+\)\n/);
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
    server.signal('SIGUSR2');
    await server.printed(/echopool \S+ +ready/);
    server.signal('SIGTTOU');
    await server.printed(/the pool is to have 1 worker\n/);
    server.signal('SIGTTIN');
    await server.printed(/the pool is to have 2 workers\n/);
    await server.printed(/1 worker still serving, and it is tried again in/);
    server.signal('SIGHUP');
    await server.printed(/it begins as soon as every worker is ready\n/);
    rmSync(failing.file);
    await server.printed(/the reload is done/);
    assert.equal(await client.ask('still here'), 'STILL HERE');
    client.end();
    await client.readToEnd();
    assert.equal(await server.stop(), 0);
  } finally {
    failing.remove();
  }
});

test('a stop is over with its grace also when there is no worker, and none can start', async () => {
  const failing = failingWorkers();
  try {
    const flags = ['--workers', '1', '--grace', '0.3', '--on-crash', 'adopt', '--admin', '0'];
    await using server = await startTestServer(flags, { env: failing.env });
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
    writeFileSync(failing.file, '');
    process.kill(server.pidOf(1), 'SIGKILL');
    await server.printed(/it is tried again in 800 ms\n/);
    assert.equal(await server.stop(), 0);
    assert.equal(await client.fate, 'ECONNRESET');
    assert.match(server.stdout, /served 1 connection, .*; 0 refused, 1 cut off\n$/);
  } finally {
    failing.remove();
  }
});

describe('of two workers', { skip: oneCpu }, () => {
  let server: TestServer;
  let failing: ReturnType<typeof failingWorkers>;
  before(async () => {
    failing = failingWorkers();
    server = await startTestServer(['--workers', '2', '--worker-timeout', '0'], { env: failing.env });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    failing.remove();
  });
  const replacement = (slot: number, dead: number): Promise<true> => (
    server.when(() => server.pidOf(slot) !== dead || undefined, 'replacement'));

  test('each keeps V8\'s young generation small, however many connections it is given at once', () => {
    for (const slot of [1, 2]) {
      assert.match(readFileSync(`/proc/${server.pidOf(slot)}/cmdline`, 'latin1'), /\0--max-semi-space-size=2\0/);
    }
  });

  test('each that dies is replaced, and there are never more than two', async () => {
    let most = 0;
    const gone: number[] = [];
    const wholeAgain = (): true | undefined => {
      const now = server.workers();
      most = Math.max(most, now.length);
      return gone.includes(server.pidOf(1)) || gone.includes(server.pidOf(2)) ? undefined : true;
    };
    // The second dies while the replacement of the first starts.
    for (const slot of [1, 2]) {
      const pid = server.pidOf(slot);
      gone.push(pid);
      process.kill(pid, 'SIGKILL');
      await server.when(() => {
        wholeAgain();
        return server.stdout.includes(`worker ${slot} (pid ${pid}) was ended by SIGKILL`) || undefined;
      }, `word of the death of worker ${slot}`);
    }
    await server.when(wholeAgain, 'replacement');
    assert.equal(most, 2);
    assert.deepEqual(server.workers().sort(), [server.pidOf(1), server.pidOf(2)].sort());
  });

  test('one that dies takes its own clients with it at once, and those of the other notice nothing', async () => {
    const clients: TestClient[] = [];
    while (clients.length < 4) {
      const client = await connectClient(server.port);
      // Of those that come together, a worker that is quicker may get more.
      assert.equal(await client.ask('hi'), 'HI');
      clients.push(client);
    }
    const slots = await Promise.all(clients.map(({ peer }) => server.slotOf(peer)));
    const theirs = clients.filter((_, i) => slots[i] === 1);
    const others = clients.filter((_, i) => slots[i] === 2);
    assert.deepEqual([theirs.length, others.length], [2, 2]);
    let fates: string[] | undefined;
    void Promise.all(theirs.map(({ fate }) => fate)).then((all) => { fates = all; });
    const dead = server.pidOf(1);
    process.kill(dead, 'SIGKILL');
    const deadline = performance.now() + DEADLINE_MS;
    while (fates === undefined && performance.now() < deadline) {
      for (const client of others) assert.equal(await client.ask('tick'), 'TICK');
    }
    assert.deepEqual(fates, ['ECONNRESET', 'ECONNRESET']);
    for (const { peer } of theirs) await server.printed(new RegExp(`${peer} is cut off: its worker died`));
    // They did not have to wait for the replacement.
    await replacement(1, dead);
    assert.ok(server.stdout.lastIndexOf('is cut off') < server.stdout.lastIndexOf('worker 1 is ready'));
    for (const client of others) {
      assert.equal(await client.ask('still here'), 'STILL HERE');
      await client[Symbol.asyncDispose]();
    }
  });

  test('one that dies before it took a connection leaves it to the other', async () => {
    const dead = server.pidOf(1);
    process.kill(dead, 'SIGSTOP');
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connectClient(server.port)));
    const replies: string[] = [];
    const asked = clients.map(async (client) => { replies.push(await client.ask('hi')); });
    // The sixth was sent to the one that stands still.
    await server.when(() => replies.length === 5 || undefined, 'five replies');
    process.kill(dead, 'SIGKILL');
    await Promise.all(asked);
    for (const client of clients) {
      assert.equal(await client.ask('again'), 'AGAIN');
      assert.ok(!server.stdout.includes(`${client.peer} is cut off`));
      await client[Symbol.asyncDispose]();
    }
    await replacement(1, dead);
  });

  test('one that cannot be replaced leaves the other serving, and is as soon as it can be', async () => {
    await using client = await connectClient(server.port);
    const slot = await server.slotOf(client.peer) === 1 ? 2 : 1;
    const dead = server.pidOf(slot);
    writeFileSync(failing.file, '');
    process.kill(dead, 'SIGKILL');
    // As many failures as would end a server in which nobody serves.
    await server.when(() => failing.times().length === 3 || undefined, 'third try');
    await server.printed(/a worker could not start; 1 worker /);
    assert.equal(await client.ask('still here'), 'STILL HERE');
    rmSync(failing.file);
    await replacement(slot, dead);
    assert.equal(server.workers().length, 2);
  });
});

describe('a worker that is the only one', () => {
  let server: TestServer;
  before(async () => {
    const flags = ['--workers', '1', '--worker-timeout', '0'];
    server = await startTestServer(flags, { command: ['setsid', process.execPath] });
  });
  after(() => server[Symbol.asyncDispose]());

  test('ignores the signals that a whole process group gets: when to stop is the master\'s word', async () => {
    const workers = server.workers();
    await using client = await connectClient(server.port);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      for (const pid of workers) process.kill(pid, signal);
      assert.equal(await client.ask('hi'), 'HI');
    }
    assert.deepEqual(server.workers(), workers);
  });

  test('dies, and whoever connects then waits for the next', async () => {
    const pid = server.pidOf(1);
    process.kill(pid, 'SIGSTOP');
    const clients = await Promise.all([1, 2, 3].map(() => connectClient(server.port)));
    for (const client of clients) client.end('patience');
    process.kill(pid, 'SIGKILL');
    for (const client of clients) assert.equal((await client.readToEnd()).toString(), 'PATIENCE');
  });

  test('may be just starting when SIGHUPs to the whole group end it, and that costs nobody a connection', async () => {
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('hi'), 'HI');
    let failures = 0;
    while (failures < 4) {
      const before = server.workers();
      process.kill(-server.process.pid!, 'SIGHUP');
      await server.when(() => server.workers().some((pid) => !before.includes(pid)) || undefined, 'next worker');
      failures = server.stdout.split('could not start').length - 1;
    }
    assert.equal(await client.ask('still here?'), 'STILL HERE?');
    assert.equal(await server.stop(), 0);
  });
});

test('the size of their young generation is what the master was started with, if somebody has said it there', () => {
  const own = '--max-semi-space-size=2';
  const table: [flags: string[], nodeOptions: string | undefined, expected: string[]][] = [
    [[], undefined, [own]],
    [['--import', 'tsx', '--inspect'], '--trace-gc', ['--import', 'tsx', own]],
    [['--max-semi-space-size=64'], undefined, ['--max-semi-space-size=64']],
    [['--max_semi_space_size=64'], '', ['--max_semi_space_size=64']],
    [['--min-semi-space-size', '16'], undefined, ['--min-semi-space-size', '16']],
    [['--import', 'tsx'], '--max-semi-space-size=64', ['--import', 'tsx']],
  ];
  for (const [flags, nodeOptions, expected] of table) assert.deepEqual(flagsOfWorkers(flags, nodeOptions), expected);
});

test('while a successor of the only worker cannot start, it is tried again and again, and clients wait', async (t) => {
  const { file, env, times, remove } = failingWorkers();
  t.after(remove);
  await using server = await startTestServer(['--workers', '1', '--log', 'connections'], { env });
  await using client = await connectClient(server.port);
  assert.equal(await client.ask('hi'), 'HI');
  writeFileSync(file, '');
  server.signal('SIGHUP');
  // More failures than would end a server that never ran.
  await server.when(() => times().length >= 4 || undefined, 'fourth try');
  await server.printed(
    /a worker could not start; none is serving, clients wait for it, and it is tried again in 800 ms/,
  );
  const newcomer = await connectClient(server.port);
  newcomer.end('patience');
  client.send('are you there?');
  rmSync(file);
  assert.equal(await client.readText('ARE YOU THERE?'), 'ARE YOU THERE?');
  assert.equal((await newcomer.readToEnd()).toString(), 'PATIENCE');
  await server.printed(/the reload is done/);
  assert.equal(await server.stop(), 0);
});

test('a worker that is still starting ends when the master is killed', async () => {
  await using server = new TestServer(['--port', '0', '--workers', '2']);
  const workers = await server.when(() => (server.workers().length > 0 ? server.workers() : undefined), 'worker');
  server.signal('SIGKILL');
  await server.exit();
  await untilGone(...workers);
});

test('a server whose workers cannot start tries again, later each time, and ends with the reason and 1', async (t) => {
  const { file, env, times, remove } = failingWorkers();
  t.after(remove);
  writeFileSync(file, '');
  const server = await runServer(['--port', '0', '--workers', '1'], { env });
  assert.equal(server.code, 1);
  assert.doesNotMatch(server.stdout, /listening on/);
  assert.match(server.stderr, /^echopool-server: worker 1 \(pid \d+\) exited with code 1: no luck today$/m);
  const tries = times();
  assert.equal(tries.length, 3);
  const pauses = [tries[1]!.start - tries[0]!.end, tries[2]!.start - tries[1]!.end] as const;
  assert.ok(pauses[0] >= 100 && pauses[1] >= 200, `the pauses were ${pauses.join(' and ')} ms`);
});
