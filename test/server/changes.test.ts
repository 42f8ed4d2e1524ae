// What is told after the status: what is new, all of it, and nothing twice. Each change is put onto a copy, as a reader
// does it, and the copy must then be the status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeldConnection } from '../../server/connections/held-connections.ts';
import { Changes } from '../../server/status/changes.ts';
import { MOST_NAMED } from '../../shared/status/status.ts';
import type { Change, ConnectionStatus, Status } from '../../shared/status/status.ts';
import { Random } from '../helpers/faults-random.ts';

type Writable = { -readonly [K in keyof Status]: Status[K] };

const EMPTY = {
  version: '1', pid: 1, phase: 'ready', now: 0, startedAt: 0, uptimeMs: 0, listening: [],
  messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0, workers: [], pool: { size: 2, most: 2 },
  line: { waiting: 0, limit: 1 }, terminal: { holder: null, since: null, waiting: 0 }, current: 0, connections: [],
  notices: [], config: {}, actions: false, totals: { connections: 0 },
} as unknown as Status;

/** A status that the test changes, and the changes that are told of it. */
function world() {
  const now: Writable = { ...EMPTY };
  const held = new Map<number, HeldConnection>();
  const changes = new Changes({ now: () => structuredClone(now), held: (id) => held.get(id) });
  return { now, held, changes };
}

const connection = (id: number, at: ConnectionStatus['at'] = 'line', how: ConnectionStatus['how'] = 'new') => (
  { id, at, how, peer: `127.0.0.1:${id}` });

/** What a reader of /events makes of a change. */
function put(onto: Writable, { moved = [], ended = [], notices = [], connections, ...others }: Change): void {
  Object.assign(onto, others);
  if (connections !== undefined) onto.connections = connections;
  if (onto.connections !== null) {
    const all = new Map(onto.connections.map((one) => [one.id, one]));
    for (const one of moved) all.set(one.id, one);
    for (const { id } of ended) all.delete(id);
    onto.connections = [...all.values()].sort((a, b) => a.id - b.id);
  }
  onto.notices = [...onto.notices, ...notices].slice(-50);
}

test('nothing new is no change, and that time goes on is nothing new', () => {
  const { now, changes } = world();
  changes.begin();
  assert.equal(changes.next(), undefined);
  now.now = 5000;
  now.uptimeMs = 5000;
  assert.equal(changes.next(), undefined);
});

test('a connection is told of when it comes, moves and ends, and how it ended', () => {
  const { now, held, changes } = world();
  changes.begin();
  held.set(1, { isCutOff: false } as HeldConnection);
  now.connections = [connection(1)];
  assert.deepEqual(changes.next(), { now: 0, moved: [connection(1)] });
  now.connections = [connection(1, 'worker 2')];
  assert.deepEqual(changes.next(), { now: 0, moved: [connection(1, 'worker 2')] });
  now.connections = [connection(1, 'worker 2', 'given back')];
  assert.deepEqual(changes.next(), { now: 0, moved: [connection(1, 'worker 2', 'given back')] });
  held.get(1)!.isCutOff = true;
  held.delete(1);
  now.connections = [];
  assert.deepEqual(changes.next(), { now: 0, ended: [{ id: 1, cutOff: true }] });
});

test('of too many connections only the numbers are told, and each one again when they are few', () => {
  const { now, changes } = world();
  now.connections = [connection(1)];
  changes.begin();
  now.connections = null;
  now.current = MOST_NAMED + 1;
  assert.deepEqual(changes.next(), { now: 0, connections: null, current: MOST_NAMED + 1 });
  now.connections = [connection(7)];
  now.current = 1;
  assert.deepEqual(changes.next(), { now: 0, connections: [connection(7)], current: 1 });
});

test('whoever puts every change onto the first status has the status', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const { now, changes } = world();
    const copy: Writable = changes.begin() as Writable;
    let lastId = 0;
    let lastNotice = 0;
    for (let step = 0; step < 60; step++) {
      const all = new Map((now.connections ?? []).map((one) => [one.id, one]));
      for (let i = random.between(0, 3); i > 0; i--) all.set(++lastId, connection(lastId));
      for (const id of [...all.keys()]) {
        if (random.between(0, 3) === 0) all.delete(id);
        else if (random.between(0, 2) === 0) {
          all.set(id, connection(id, `worker ${1 + random.between(0, 1)}`, 'given back'));
        }
      }
      now.connections = random.between(0, 9) === 0 ? null : [...all.values()].sort((a, b) => a.id - b.id);
      now.current = all.size;
      now.line = { waiting: random.between(0, 2), limit: 1 };
      for (let i = random.between(0, 2); i > 0; i--) {
        const id = ++lastNotice;
        const notice = { id, time: step, level: 'info', event: 'e', text: `${step}`, worker: null } as const;
        now.notices = [...now.notices, notice].slice(-50);
      }
      const change = changes.next();
      if (change !== undefined) put(copy, structuredClone(change));
      assert.deepEqual({ ...copy, now: 0 }, { ...now, now: 0 }, `seed ${seed}, step ${step}`);
    }
  }
});
