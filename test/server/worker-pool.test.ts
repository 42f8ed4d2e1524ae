// The pool with real worker processes, told of by its events. What it is to do next is decided in pool-plan.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lock } from '../../shared/multiprocessing/index.ts';
import { Totals } from '../../server/totals.ts';
import { WorkerPool } from '../../server/workers/worker-pool.ts';
import { until, untilGone } from '../helpers/processes.ts';

test('workers that die young, one after the other, are waited for longer each time', async (t) => {
  // A busy machine may take its time to tell of a death. By this clock it is no time at all.
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() / 100);
  const waits: number[] = [];
  const setTimer = globalThis.setTimeout;
  // The pool's waits are short and exact; its time limits are not.
  const WAITS = new Set([100, 200, 400, 500]);
  t.mock.method(globalThis, 'setTimeout', ((work: () => void, ms: number) => {
    if (WAITS.has(ms)) waits.push(ms);
    return setTimer(work, ms);
  }) as typeof setTimeout);
  const pids: number[] = [];
  let died = 0;
  const nothing = (): void => {};
  const pool = new WorkerPool({
    size: 1, most: 1, graceMs: 1000, workerTimeoutMs: 0, terminalLock: new Lock(),
    totals: new Totals(), isWatched: false,
    worker: {
      idleTimeoutMs: 0, log: 'none', logFormat: 'pretty', color: false,
      logsProbes: true, proxyTimeoutMs: null, behavior: null,
    },
    log: {
      info(event, text) {
        if (event === 'worker') pids.push(Number(/pid (\d+)/.exec(text)?.[1]));
      },
      warn: nothing,
    },
  }, {
    ready() {
      if (pids.length < 6) process.kill(pids.at(-1)!, 'SIGKILL');
    },
    died: () => { died++; },
    report: nothing, print: nothing, relieved: nothing, stalled: nothing, resumed: nothing, retiring: nothing,
    resized: nothing, up: nothing, failed: assert.fail,
  });
  t.after(() => pool.killAll());
  pool.start();
  await until(() => pids.length === 6, 'the sixth worker is ready');
  assert.equal(died, 5);
  assert.deepEqual(waits, [100, 200]);
  const gone = pool.drain({ isAwaited: () => false, graceLeftMs: () => 1000 });
  pool.leave();
  await gone;
  await untilGone(...pids);
});
