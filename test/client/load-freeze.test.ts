// What the load generator's figures say of a server that stands still. The server is in this process and has the same
// clock, so it is known how long each message was kept at least: the figures must say so, on any machine.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { Generator, type Share } from '../../client/load/generator.ts';
import { Histogram } from '../../client/load/histogram.ts';
import type { LoadReport } from '../../client/load/report.ts';
import { Schedule } from '../../client/load/schedule.ts';
import { serve, upperCase } from '../fixtures/upper-server.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { nodeArgs } from '../helpers/paths.ts';

const DEADLINE = { timeout: 120_000 };
/** However slow the machine is, all replies come in this time. */
const LAST_REPLIES_MS = 60_000;
const SHARE: Share = {
  host: '127.0.0.1', port: 0, connections: 4, size: 64, depth: 1, durationMs: 60_000, text: 'ascii', churn: false,
  processes: 1, firstConnection: 1,
};

/** A server that answers so many messages, then none until it is thawed. Times are of performance.now(). */
class FreezingServer {
  frozenAt = 0;
  thawedAt = 0;
  /** When the first message came. */
  firstAt = 0;
  /** How many messages it has answered before. */
  answered = 0;
  #kept: (() => void)[] = [];
  #freeze: () => void = () => {};
  readonly whenFrozen = new Promise<void>((resolve) => { this.#freeze = resolve; });
  readonly #after: number;

  constructor(after: number) {
    this.#after = after;
  }

  readonly serve = (socket: Socket): void => upperCase(socket, (bytes) => {
    if (this.firstAt === 0) this.firstAt = performance.now();
    if (this.answered < this.#after || this.thawedAt > 0) {
      if (this.thawedAt === 0) this.answered += bytes.length / SHARE.size; // One read may have several.
      socket.write(bytes);
      return;
    }
    if (this.frozenAt === 0) this.frozenAt = performance.now();
    this.#kept.push(() => socket.write(bytes));
    this.#freeze();
  });

  thaw(): void {
    this.thawedAt = performance.now();
    for (const answer of this.#kept) answer();
  }
}

/** Starts the load on a server that freezes after so many messages. */
async function start(t: TestContext, after: number, share: Partial<Share>) {
  const server = new FreezingServer(after);
  const { port } = await serve(t, server.serve);
  const generator = new Generator({ ...SHARE, ...share, port }, LAST_REPLIES_MS);
  await generator.connect();
  return { server, generator, tally: generator.measure() };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Fails unless at least so many of the latencies are at least so long. */
function hasAtLeast(latencies: Histogram, count: number, ms: number): void {
  if (count <= 0) return;
  const value = latencies.percentile((latencies.total - count + 1) / latencies.total) / 1000;
  assert.ok(value >= ms, `fewer than ${count} of ${latencies.total} have taken ${ms} ms: ${value} ms`);
}

describe('a server that stands still shows', () => {
  test('beyond the end of the load: what was sent is timed until its reply', DEADLINE, async (t) => {
    // From the first message on: on a slow machine there may be no other before the time is up.
    const { server, tally } = await start(t, 0, { durationMs: 200 });
    await server.whenFrozen;
    await wait(600);
    server.thaw();
    const { late, missing, latencies } = await tally;
    const measured = new Histogram(latencies);
    // All connections have a message in flight by the end, and no later than when the load began plus its time.
    assert.deepEqual({ late, missing }, { late: SHARE.connections, missing: 0 });
    hasAtLeast(measured, 1, server.thawedAt - server.frozenAt);
    hasAtLeast(measured, SHARE.connections, server.thawedAt - Math.max(server.frozenAt, server.firstAt + 200));
  });

  test('when it is ended by hand', DEADLINE, async (t) => {
    const { server, generator, tally } = await start(t, 100, {});
    await server.whenFrozen;
    await wait(300);
    const frozen = performance.now() - server.frozenAt;
    generator.stop();
    const { missing, unanswered, latencies } = await tally;
    assert.deepEqual({ missing, unanswered }, { missing: 0, unanswered: SHARE.connections });
    hasAtLeast(new Histogram(latencies), 1, frozen);
  });

  for (const [what, share] of Object.entries<Partial<Share>>({
    'one in flight': {}, 'several in flight': { depth: 3 }, 'a connection a message': { churn: true },
  })) {
    test(`in every message that was due meanwhile, with a rate: ${what}`, DEADLINE, async (t) => {
      const rate = 1000;
      const messages = 800;
      const { server, tally } = await start(t, 200, { rate, messages, ...share });
      await server.whenFrozen;
      await wait(400);
      server.thaw();
      const { latencies, missing, unsent, lost, wrong, elapsedMs, ...rest } = await tally;
      assert.deepEqual({ missing, unsent, lost, wrong }, { missing: 0, unsent: 0, lost: 0, wrong: undefined });
      assert.equal(rest.messages + rest.late, messages);
      assert.equal(latencies.total, messages, 'each that was due is timed');
      assert.ok(elapsedMs >= messages / rate * 1000 - 1);
      const measured = new Histogram(latencies);
      // Message k was due before its server can have had the first one, plus k milliseconds. No more than those that
      // were answered before can have been spared.
      for (const ms of [10, 100, 200, 300]) {
        const dueBefore = Math.floor((server.thawedAt - ms - server.firstAt) / 1000 * rate) + 1;
        hasAtLeast(measured, Math.min(messages, dueBefore) - server.answered, ms);
      }
    });
  }

  test('with a rate also in what could not be sent before it was ended', DEADLINE, async (t) => {
    const rate = 1000;
    const { server, generator, tally } = await start(t, 0, { rate });
    await server.whenFrozen;
    await wait(300);
    const frozen = performance.now() - server.firstAt;
    generator.stop();
    const { unanswered, latencies, messages } = await tally;
    assert.equal(messages, 0);
    assert.ok(unanswered >= Math.floor(frozen / 1000 * rate), `${unanswered} in ${frozen} ms`);
    assert.equal(latencies.total, unanswered);
    hasAtLeast(new Histogram(latencies), Math.floor(frozen / 2), frozen / 2);
  });
});

describe('a schedule', () => {
  test('has so many messages as are due in its time, and ends with the last', () => {
    const schedule = new Schedule(1000, 2500, 4);
    assert.deepEqual([schedule.total, schedule.durationMs], [2500, 2500]);
    schedule.begin(100);
    assert.deepEqual([0, 1, 2499].map((k) => schedule.dueAt(k)), [100, 101, 2599]);
    const few = new Schedule(0.5, 60_000, 4, 3);
    assert.deepEqual([few.total, few.durationMs], [3, 6000]);
    assert.equal(new Schedule(0.1, 100, 4).total, 1, 'at least one');
  });

  test('is kept by several processes together', DEADLINE, async (t) => {
    const seen = new Set<Socket>();
    const { port } = await serve(t, (socket) => {
      socket.once('data', () => seen.add(socket));
      upperCase(socket);
    });
    const flags = ['--rate', '500', '-n', '101', '-c', '3', '--processes', '2', '--json'];
    const args = [...nodeArgs('client/load/main.ts'), '--port', `${port}`, ...flags];
    const stdout = await new Promise<string>((resolve, reject) => {
      const child = execFile(process.execPath, args, { env: CLIENT_ENV }, (error, stdout) => {
        if (error) reject(error);
        else resolve(stdout);
      });
      t.after(() => child.kill('SIGKILL'));
    });
    const { messages, late, rateAsked, histogramUs } = JSON.parse(stdout) as LoadReport;
    assert.equal(messages + late, 101);
    assert.equal(histogramUs.reduce((sum, { count }) => sum + count, 0), 101);
    assert.equal(rateAsked, 500);
    assert.equal(seen.size, 3);
  });
});
