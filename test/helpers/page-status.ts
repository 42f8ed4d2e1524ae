// A status as the page gets it, made up: for tests of the page without a server.
import type { ConnectionStatus, Place, Status, WorkerStatus } from '../../shared/status/status.ts';

const RATES = { messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 };

export function connection(id: number, at: Place, how: ConnectionStatus['how'] = 'new'): ConnectionStatus {
  return { id, at, how, peer: `127.0.0.1:${50_000 + id}` };
}

export function pageWorker(slot: number, changes: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    slot, pid: 100 + slot, state: 'ready', startedAt: 1_700_000_000_000, ageMs: 1000, heardAt: 1_700_000_001_000,
    lastBeatMs: 0, connections: 0, ...RATES, ...changes,
  };
}

export function pageStatus(changes: Partial<Status> = {}): Status {
  return {
    version: '1.0.0', pid: 100, phase: 'ready', now: 1_700_000_001_000, startedAt: 1_700_000_000_000, uptimeMs: 1000,
    listening: ['127.0.0.1:8080'], ...RATES, workers: [pageWorker(1), pageWorker(2)], pool: { size: 2, most: 2 },
    line: { waiting: 0, limit: 1024 }, terminal: { holder: null, since: null, waiting: 0 }, current: 0, connections: [],
    totals: {
      connections: 0, served: 0, gone: 0,
      refused: { full: 0, stopping: 0, address: 0, descriptors: 0, untrusted: 0, header: 0, accept: 0 },
      messages: 0, bytesIn: 0, bytesOut: 0, messagesBySlot: [0, 0],
      moved: { reload: 0, resize: 0, recycle: 0, other: 0 }, adopted: 0, cutOff: 0,
      deaths: { signal: 0, exit: 0, hung: 0, start: 0 }, reloads: 0, linesDropped: 0,
    },
    notices: [], config: { '--on-crash': 'reset', '--worker-timeout': 10 }, actions: false,
    ...changes,
  };
}
