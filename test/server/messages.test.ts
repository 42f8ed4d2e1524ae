// The protocol between master and workers: what is right passes as it is, and nothing else passes at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { readFromWorker, readToWorker } from '../../server/worker/messages.ts';
import type { FromWorker, ToWorker } from '../../server/worker/messages.ts';

const traffic = { messages: 3, bytesIn: 100, bytesOut: 101 };
const moved = { traffic, unread: Buffer.from('ab'), header: Buffer.from('PRO'), greeted: 3, probe: 'local' } as const;
const untouched = { traffic, unread: new Uint8Array(), header: new Uint8Array(), greeted: null, probe: null };

/** One of each type, or more where they differ; the compiler finds a missing one. */
const toWorker: { readonly [Type in ToWorker['type']]: (ToWorker & { type: Type })[] } = {
  connection: [
    { type: 'connection', id: 1, peer: '127.0.0.1:5', proxy: false, moved: null },
    { type: 'connection', id: 2, peer: '[::1]:5', proxy: true, moved },
    { type: 'connection', id: 3, peer: '', proxy: false, moved: untouched },
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
const directions: readonly [string, (message: unknown) => unknown, object[]][] = [
  ['readToWorker', readToWorker, Object.values(toWorker).flat()],
  ['readFromWorker', readFromWorker, Object.values(fromWorker).flat()],
];

/** Whatever may be in the place of something else. */
const OTHERS: readonly unknown[] = [
  undefined, null, true, 0, -1, 0.5, NaN, Infinity, 2 ** 53, 1n, '', 'redy', '__proto__', 'constructor', 'toString',
  [], ['ping'], {}, Symbol('x'), new Map(), new Date(0), Buffer.from('x'), new Uint16Array(1), Object.create(null),
  { type: 'nonsense' }, { type: { type: 'ping' } },
];

for (const [name, read, messages] of directions) {
  test(`${name} passes every message of the protocol as it is`, () => {
    for (const message of messages) assert.equal(read(message), message);
  });

  test(`${name} passes nothing that is no message, and does not throw`, () => {
    for (const other of OTHERS) assert.equal(read(other), undefined);
  });

  test(`${name} passes no message with a part missing or of another kind`, () => {
    for (const message of messages) {
      for (const path of pathsIn(message)) {
        for (const other of OTHERS) {
          const broken = withPart(message, path, other);
          const expected = isRightThere(broken, path, other) ? broken : undefined;
          assert.equal(read(broken), expected, inspect(broken, { depth: 5 }));
        }
      }
    }
  });
}

test('each side passes only what is meant for it', () => {
  for (const message of Object.values(toWorker).flat()) assert.equal(readFromWorker(message), undefined);
  for (const message of Object.values(fromWorker).flat()) assert.equal(readToWorker(message), undefined);
});

/** The ways to every part of a message that is no bytes: `type`, `moved`, `moved.traffic`, `moved.traffic.bytesIn` … */
function pathsIn(value: object): string[][] {
  return Object.entries(value).flatMap(([key, part]) => (
    typeof part === 'object' && part !== null && !(part instanceof Uint8Array)
      ? [[key], ...pathsIn(part).map((rest) => [key, ...rest])] : [[key]]));
}

function withPart(value: object, [key, ...rest]: readonly string[], part: unknown): object {
  const old = (value as Record<string, unknown>)[key!];
  return { ...value, [key!]: rest.length === 0 ? part : withPart(old as object, rest, part) };
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
