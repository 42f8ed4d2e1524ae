// Statuses that a test makes up: those of a server that is well, but for what the test says.
import type { Status, WorkerStatus } from '../../shared/status/status.ts';

/** When the server of a made-up status has started. */
export const STARTED_AT = Date.UTC(2026, 0, 31, 12);
const RATES = { messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 };

export function aWorker(slot: number, differs: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    slot, pid: 1000 + slot, state: 'ready', startedAt: STARTED_AT, ageMs: 60_000, heardAt: STARTED_AT + 60_000,
    lastBeatMs: 0, connections: 0, ...RATES, ...differs,
  };
}

/** A server that has run for a minute, with two workers and nothing to do. */
export function aStatus(differs: Partial<Status> = {}): Status {
  return {
    version: '0.1.0', pid: 1000, phase: 'ready', now: STARTED_AT + 60_000, startedAt: STARTED_AT, uptimeMs: 60_000,
    listening: ['127.0.0.1:8080'], ...RATES, workers: [aWorker(1), aWorker(2)], pool: { size: 2, most: 4 },
    line: { waiting: 0, limit: 1024 }, terminal: { holder: null, since: null, waiting: 0 }, current: 0, connections: [],
    totals: {
      connections: 0, served: 0, gone: 0,
      refused: { full: 0, stopping: 0, address: 0, descriptors: 0, untrusted: 0, header: 0, accept: 0 },
      messages: 0, bytesIn: 0, bytesOut: 0, messagesBySlot: [],
      moved: { reload: 0, resize: 0, recycle: 0, other: 0 }, adopted: 0, cutOff: 0,
      deaths: { signal: 0, exit: 0, hung: 0, start: 0 }, reloads: 0, linesDropped: 0,
    },
    notices: [], config: {}, actions: false, ...differs,
  };
}
