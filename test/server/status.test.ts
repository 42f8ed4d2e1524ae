// What the server says of itself when the clock of the machine is set.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../server/config.ts';
import type { ServerParts } from '../../server/server-parts.ts';
import { ServerStatus } from '../../server/status/status.ts';

/** A server with one worker, which has just been heard. */
function statusOfOne(): ServerStatus {
  const invocation = parseConfig([], {}, 1);
  assert.ok(invocation.kind === 'run');
  const now = performance.now();
  const worker = { id: 1, slot: 1, pid: 7, address: '1', name: 'worker 1', startedAt: now, heardAt: now };
  const parts = {
    config: invocation.config,
    pool: { size: 1, most: 1, list: () => [{ worker, phase: 'ready' }] },
    dispatcher: {
      size: 0, waiting: 0, counters: { served: 0, adopted: 0, cutOff: 0 },
      loads: () => new Map(), snapshot: () => ({ waiting: [], workers: [] }),
    },
    totals: {
      connections: 0, gone: 0, refused: {}, moved: {}, deaths: {}, reloads: 0, linesLost: 0,
      bySlot: () => [], ratesOf: () => ({ messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 }),
    },
  } as unknown as ServerParts;
  const terminalLock = { held: undefined } as never;
  return new ServerStatus({ phase: 'ready', bound: [], parts }, {
    version: '0', terminalLock, notices: () => [], linesDropped: () => 0,
  });
}

for (const [how, hours] of [['back', -8], ['forward', 8]] as const) {
  test(`ages are right when the clock is set ${how}, and times are those of the new one`, (t) => {
    const status = statusOfOne();
    const before = status.now();
    const real = Date.now;
    t.mock.method(Date, 'now', () => real() + hours * 3_600_000);
    const after = status.now();
    assert.ok(after.uptimeMs >= before.uptimeMs && after.uptimeMs < before.uptimeMs + 60_000);
    const { ageMs, lastBeatMs, startedAt, heardAt } = after.workers[0]!;
    for (const time of [ageMs, lastBeatMs]) assert.ok(time >= 0 && time < 60_000, String(time));
    for (const time of [startedAt, heardAt]) assert.ok(Math.abs(after.now - ageMs - time) < 60_000, String(time));
    assert.equal(after.startedAt, status.now().startedAt, 'a time stays what it is');
  });
}
