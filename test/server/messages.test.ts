// The protocol between master and workers: what is right passes as it is, and nothing else passes at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { ACCEPTED, CLOSED, readFromWorker, readToWorker, UNTOUCHED } from '../../server/worker/messages.ts';
import type {
  Accepted, Closed, Connection, FromWorker, OtherFromWorker, OtherToWorker, ToWorker,
} from '../../server/worker/messages.ts';

const traffic = { messages: 3, bytesIn: 100, bytesOut: 101 };
const moved = {
  traffic, unread: Buffer.from('ab'), silentMs: 5, header: Buffer.from('PRO'), headerMs: 7, greeted: 3, probe: 'local',
} as const;

/** One of each type, or more where they differ; the compiler finds a missing one. */
const toWorker: { readonly [Type in ToWorker['type']]: (ToWorker & { type: Type })[] } = {
  connection: [
    { type: 'connection', id: 1, peer: '127.0.0.1:5', proxy: false, moved: null },
    { type: 'connection', id: 2, peer: '[::1]:5', proxy: true, moved },
    { type: 'connection', id: 3, peer: '', proxy: false, moved: UNTOUCHED },
  ],
  verdict: [{ type: 'verdict', id: 3, admitted: true }, { type: 'verdict', id: 3, admitted: false }],
  retire: [{ type: 'retire', graceMs: 0 }, { type: 'retire', graceMs: 5000 }],
  drain: [{ type: 'drain', graceMs: 0 }, { type: 'drain', graceMs: 5000 }],
  leave: [{ type: 'leave' }],
  check: [{ type: 'check', id: 7 }],
  ping: [{ type: 'ping' }],
};
const fromWorker: { readonly [Type in FromWorker['type']]: (FromWorker & { type: Type })[] } = {
  ready: [{ type: 'ready' }],
  accepted: [{ type: 'accepted', id: 0 }],
  client: [
    { type: 'client', id: 3, peer: '192.0.2.1:5', host: '192.0.2.1', isLocal: false },
    { type: 'client', id: 3, peer: '127.0.0.1:5', host: null, isLocal: true },
  ],
  badHeader: [{ type: 'badHeader', id: 3, kind: 'malformed', reason: 'its command is 7' }],
  unusable: [{ type: 'unusable', id: 9 }],
  givenBack: [{ type: 'givenBack', id: 1, moved }],
  closed: [
    { type: 'closed', id: 1, reason: 'client ended', traffic },
    { type: 'closed', id: 1, reason: 'error ECONNRESET', traffic },
  ],
  pong: [
    { type: 'pong', unprinted: 0, dropped: 0, traffic: { messages: 0, bytesIn: 0, bytesOut: 0 } },
    { type: 'pong', unprinted: 12, dropped: 3, traffic: { messages: 1, bytesIn: 2, bytesOut: 3 } },
  ],
  lines: [{ type: 'lines', text: 'one\ntwo\n', lines: 2 }, { type: 'lines', text: '', lines: 0 }],
};
/** As they travel, and what is read of them: mostly the same. */
const toWorkerSent = Object.values(toWorker).flat().map((message) => [sentToWorker(message), message] as const);
const fromWorkerSent = Object.values(fromWorker).flat().map((message) => [sentFromWorker(message), message] as const);
const directions: readonly [string, (message: unknown) => unknown, (readonly [sent: object, read: object])[]][] = [
  ['readToWorker', readToWorker, toWorkerSent],
  ['readFromWorker', readFromWorker, fromWorkerSent],
];

function sentToWorker(message: ToWorker): Connection | OtherToWorker {
  if (message.type !== 'connection') return message;
  return [message.id, message.peer, message.proxy, message.moved];
}

function sentFromWorker(message: FromWorker): Accepted | Closed | OtherFromWorker {
  if (message.type === 'accepted') return [ACCEPTED, message.id];
  if (message.type !== 'closed') return message;
  const { id, reason, traffic } = message;
  return [CLOSED, id, traffic.messages, traffic.bytesIn, traffic.bytesOut, reason];
}

/** What stands where in an array. */
const CONNECTION_PARTS = ['id', 'peer', 'proxy', 'moved'];
const REPORT_PARTS = ['type', 'id', 'messages', 'bytesIn', 'bytesOut', 'reason'];

/** Whatever may be in the place of something else. */
const OTHERS: readonly unknown[] = [
  undefined, null, true, 0, -1, 0.5, NaN, Infinity, 2 ** 53, 1n, '', 'redy', '__proto__', 'constructor', 'toString',
  [], ['ping'], {}, Symbol('x'), new Map(), new Date(0), Buffer.from('x'), new Uint16Array(1), Object.create(null),
  { type: 'nonsense' }, { type: { type: 'ping' } },
];

for (const [name, read, messages] of directions) {
  test(`${name} passes every message of the protocol as it is`, () => {
    for (const [sent, message] of messages) assert.deepEqual(read(sent), message);
  });

  test(`${name} passes nothing that is no message, and does not throw`, () => {
    for (const other of OTHERS) assert.equal(read(other), undefined);
  });

  test(`${name} passes no message with a part missing or of another kind`, () => {
    for (const [sent, message] of messages) {
      const names = name === 'readToWorker' ? CONNECTION_PARTS : REPORT_PARTS;
      for (const path of pathsIn(sent)) {
        const named = Array.isArray(sent) ? [names[Number(path[0])]!, ...path.slice(1)] : path;
        for (const other of OTHERS) {
          const broken = withPart(sent, path, other);
          const passes = isRightThere(message, named, other);
          assert.equal(read(broken) !== undefined, passes, inspect(broken, { depth: 5 }));
        }
      }
      if (Array.isArray(sent)) {
        assert.equal(read(sent.slice(0, -1)), undefined);
        assert.equal(read([...sent as unknown[], 0]), undefined);
      }
    }
  });
}

test('each side passes only what is meant for it', () => {
  for (const [sent] of toWorkerSent) assert.equal(readFromWorker(sent), undefined);
  for (const [sent] of fromWorkerSent) assert.equal(readToWorker(sent), undefined);
});

/** The ways to every part of a message that is no bytes: `type`, `moved`, `moved.traffic`, `moved.traffic.bytesIn` … */
function pathsIn(value: object): string[][] {
  return Object.entries(value).flatMap(([key, part]) => (
    typeof part === 'object' && part !== null && !(part instanceof Uint8Array)
      ? [[key], ...pathsIn(part).map((rest) => [key, ...rest])] : [[key]]));
}

function withPart(value: object, [key, ...rest]: readonly string[], part: unknown): object {
  const old = (value as Record<string, unknown>)[key!];
  const copy: object = Array.isArray(value) ? [...value as unknown[]] : { ...value };
  return Object.assign(copy, { [key!]: rest.length === 0 ? part : withPart(old as object, rest, part) });
}

/** Some of the others are as good as what they replace. */
function isRightThere(message: { type?: unknown }, path: readonly string[], other: unknown): boolean {
  switch (path.at(-1)) {
    case 'peer':
    case 'text':
    case 'reason':
    case 'kind':
      return typeof other === 'string';
    case 'host':
      return other === null || typeof other === 'string';
    case 'proxy':
    case 'admitted':
    case 'isLocal':
      return typeof other === 'boolean';
    case 'greeted':
      return other === null || other === 0;
    case 'probe':
      return other === null;
    case 'moved':
      return message.type === 'connection' && other === null;
    case 'unread':
    case 'header':
      return other instanceof Uint8Array;
    case 'type':
    case 'traffic':
      return false;
    default:
      return other === 0;
  }
}
