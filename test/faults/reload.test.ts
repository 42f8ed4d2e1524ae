// Reloads, resizing and recycling under load: no connection is lost for them, and there are never too many workers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ServerCopy } from '../helpers/faults-copy.ts';
import type { LoadClient } from '../helpers/faults-client.ts';
import { Load } from '../helpers/faults-load.ts';
import { onTwoCpus, readyWorkers, untilWhole } from '../helpers/faults-server.ts';
import { until } from '../helpers/processes.ts';
import { countChildren, startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient, fillUp } from '../helpers/test-client.ts';

/** Looks all the time how many workers there are. @returns What ends it, and tells the most that were seen. */
function watchCount(server: TestServer): () => number {
  let most = 0;
  const timer = setInterval(() => {
    // Which of its children are workers is a longer look, and needed only if there are more of them than ever.
    if (countChildren(server.process.pid!) > most) most = Math.max(most, server.workers().length);
  }, 3);
  return () => {
    clearInterval(timer);
    return most;
  };
}

/** The clients of the load that do not end their connections by themselves. */
function lastingClients(load: Load): readonly LoadClient[] {
  return load.clients.filter(({ kind }) => kind !== 'half');
}

function count(server: TestServer, pattern: RegExp): number {
  return [...server.stdout.matchAll(pattern)].length;
}

describe('a reload under load', () => {
  let server: TestServer;
  let load: Load;
  before(async () => {
    const command = [...onTwoCpus(), process.execPath];
    server = await startTestServer(['--workers', '2', '--log', 'connections'], { command });
    load = new Load({ port: server.port, seed: 20, connections: 24, paceMs: 60 });
    await load.start();
  });
  after(async () => {
    load?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** While `work` is done nobody's connection must end, and there must not be more workers than so many. */
  async function costsNothing(workers: number, work: () => Promise<void>): Promise<void> {
    const lasting = lastingClients(load);
    const mostWorkers = watchCount(server);
    await work();
    await load.allAnswered();
    assert.equal(mostWorkers(), workers);
    assert.deepEqual(lasting.filter((client) => !client.isTalking), [], 'the same clients are connected as before');
    assert.deepEqual(load.troubles, [], load.summary());
  }

  test('costs no connection and no byte, however often it comes, and never has more workers than places', async () => {
    await costsNothing(2, async () => {
      // Each moves nearly every client twice, whatever it is doing: some 200 moves.
      for (let reload = 1; reload <= 4; reload++) {
        const before = server.workers();
        server.signal('SIGHUP');
        const report = (): string => server.stdout.slice(-4000);
        await until(() => count(server, /the reload is done/g) === reload, `reload ${reload}`, { report });
        await untilWhole(server, 2, before);
      }
    });
  });

  test('notes the signals that come meanwhile: the pool gets the size and the code asked for last', async () => {
    const old = server.workers();
    const done = count(server, /the reload is done/g);
    const noted = (): number => count(server, /reload: every worker|the pool is to have|as before/g);
    await costsNothing(2, async () => {
      for (const signal of [
        'SIGHUP', 'SIGTTOU', 'SIGHUP', 'SIGTTIN', 'SIGTTOU', 'SIGTTOU', 'SIGTTIN', 'SIGTTIN',
      ] as const) {
        const before = noted();
        server.signal(signal);
        // Signals of the same kind that are pending at the same time would be one.
        await until(() => noted() > before, `a word about ${signal}`);
      }
      await until(() => count(server, /the reload is done/g) > done, 'the end of the reload');
      await untilWhole(server, 2, old);
    });
    assert.match(server.stdout, /1 worker, as before: there may be 1 to/, 'the third SIGTTOU would leave none');
  });

  test('of the only worker lets its clients wait for the successor, and one more is one more after that', async () => {
    server.signal('SIGTTOU');
    let only = await untilWhole(server, 1);
    await costsNothing(1, async () => {
      for (let reload = 1; reload <= 2; reload++) {
        server.signal('SIGHUP');
        only = await untilWhole(server, 1, only);
      }
    });
    server.signal('SIGTTIN');
    await untilWhole(server, 2);
    assert.equal(readyWorkers(server).filter((pid) => only.includes(pid)).length, 1);
    await load.allAnswered();
  });

  test('has cut nobody off and made nobody wait too long when the server stops', async (t) => {
    await load.finish();
    assert.deepEqual(load.troubles, [], load.summary());
    assert.equal(await server.stop(), 0);
    assert.doesNotMatch(server.stdout, /not quiet in time|[1-9]\d* refused|[1-9]\d* cut off/);
    t.diagnostic(`${load.summary()}; ${load.latencies}`);
  });
});

test('a connection that is not quiet within --grace is reported and reset, and the reload goes on', async () => {
  await using server = await startTestServer(['--workers', '2', '--log', 'connections', '--grace', '0.5']);
  using load = new Load({ port: server.port, seed: 22, connections: 8, kinds: ['prompt'], paceMs: 60 });
  await load.start();
  const stuck = await connectClient(server.port, { paused: true });
  const slot = await server.slotOf(stuck.peer);
  // Somebody with the same worker, to see when that reads no more.
  const others = [await connectClient(server.port)];
  while (await server.slotOf(others.at(-1)!.peer) !== slot) others.push(await connectClient(server.port));
  await fillUp(stuck, others.at(-1)!);
  for (const other of others) await other[Symbol.asyncDispose]();
  const before = server.workers();
  server.signal('SIGHUP');
  await server.printed(/closed: not quiet in time/);
  await server.printed(/the reload is done/);
  await untilWhole(server, 2, before);
  // A paused socket whose last write is done is not watched: it would never notice.
  stuck.socket.resume();
  assert.equal(await stuck.fate, 'ECONNRESET', 'a FIN would say that these were all replies');
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.equal(await server.stop(), 0);
});

test('a successor that cannot start leaves the others serving, says so, and the reload ends when it can', async () => {
  using copy = new ServerCopy();
  await using server = await startTestServer(['--workers', '2', '--log', 'connections'], { main: copy.main });
  using load = new Load({ port: server.port, seed: 24, connections: 8, paceMs: 60 });
  await load.start();
  const lasting = lastingClients(load);
  const before = server.workers();
  const good = copy.read('server/worker/worker.ts');
  copy.write('server/worker/worker.ts', `throw new Error('the new version is broken');\n${good}`);
  server.signal('SIGHUP');
  await server.printed(/warning: a worker could not start; 1 worker still serving, and it is tried again/);
  await server.printed(/exited with code 1: .*the new version is broken/);
  await load.allAnswered();
  assert.equal(readyWorkers(server).filter((pid) => before.includes(pid)).length, 1);
  copy.write('server/worker/worker.ts', good);
  await server.printed(/the reload is done/);
  await untilWhole(server, 2, before);
  await load.allAnswered();
  assert.deepEqual(lasting.filter((client) => !client.isTalking), []);
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.equal(await server.stop(), 0);
});

test('--max-connections-per-worker 1: each client has its own worker; the log counts it in the singular', async () => {
  await using server = await startTestServer(['--workers', '1', '--max-connections-per-worker', '1']);
  for (const word of ['ONE', 'TWO']) {
    await using client = await connectClient(server.port);
    assert.equal(await client.ask(word.toLowerCase()), word);
    const [gone] = await server.printed(/worker 1 gives its connections back and ends \(.*\)/);
    assert.match(gone, /\(1 connection served\)/);
  }
});

test('--max-connections-per-worker replaces workers after so many clients, singly, and the clients stay', async () => {
  await using server = await startTestServer(
    ['--workers', '2', '--log', 'connections', '--max-connections-per-worker', '25'],
  );
  using load = new Load({ port: server.port, seed: 23, connections: 16, paceMs: 10, longest: 2000 });
  await load.start();
  const lasting = lastingClients(load);
  const mostWorkers = watchCount(server);
  const report = (): string => server.stdout.slice(-4000);
  await until(() => count(server, /25 connections served/g) >= 3, 'three recycled workers', { report });
  assert.equal(mostWorkers(), 2);
  assert.deepEqual(lasting.filter((client) => !client.isTalking), []);
  await load.finish();
  await untilWhole(server, 2);
  assert.deepEqual(load.troubles, [], load.summary());
  const steps = [...server.stdout.matchAll(/worker \d (gives its connections back|is ready)/g)]
    .map((match) => match[1]);
  for (const [i, step] of steps.entries()) {
    if (i > 2) assert.notEqual(step, steps[i - 1], 'the next retires only when the one before has its successor');
  }
  assert.equal(await server.stop(), 0);
});
