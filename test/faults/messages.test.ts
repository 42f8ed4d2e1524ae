// A worker that says what it must not, and hears what nobody said: the server serves on, and reports it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerCopy } from '../helpers/faults-copy.ts';
import { Load } from '../helpers/faults-load.ts';
import { startTestServer } from '../helpers/server.ts';

/**
 * Stands in for server/worker/worker.ts: the real one, between whose messages it mixes, in both directions, others that
 * are malformed, come a second time, come late, or are about connections that are not its own.
 */
const FAULTY_WORKER = `
import { currentProcess } from '../../shared/multiprocessing/index.ts';
import { ACCEPTED, CLOSED } from './messages.ts';
import { work as realWork } from './real-worker.ts';

const TRAFFIC = { messages: 1, bytesIn: 1, bytesOut: 1 };
const MALFORMED = [
  undefined, null, 0, 'ready', [], {}, { type: 'accepted', id: 1 }, [ACCEPTED], [ACCEPTED, 'x'], [ACCEPTED, -1],
  [CLOSED, 1], [CLOSED, 1, 1, 1, -1, 'x'], [CLOSED, 1, 1, 1, 1], [9, 1], { type: 'givenBack', id: 1 },
  { type: 'givenBack', id: 1, moved: { unread: 'x', traffic: TRAFFIC } }, { type: 'somethingElse', id: 1 },
];
const WRONG = [
  [1], ['x', 1, false, null], [1, '', false], { type: 'connection' }, { type: 'retire' },
  { type: 'drain', graceMs: 'x' },
  { type: 'check' }, { type: 'check', id: null }, { type: 'unheard of' }, undefined, 7, [],
];
const about = (id) => [
  [ACCEPTED, id], { type: 'unusable', id }, [CLOSED, id, 1, 1, 1, 'client ended'],
  { type: 'givenBack', id, moved: { unread: Buffer.from('not for you'), traffic: TRAFFIC } },
];

export async function work(options, lock) {
  const { parent } = currentProcess();
  const post = parent.post.bind(parent);
  const listen = parent.listen.bind(parent);
  let turn = 0;
  for (const way of ['post', 'postOwn', 'postLater']) {
    const really = parent[way].bind(parent);
    parent[way] = (message) => {
      really(message);
      post(MALFORMED[turn++ % MALFORMED.length]);
      if (message.type === 'ready' || message[0] === ACCEPTED) post(message);
      // What follows the last word on a connection is late: it is gone, or another worker has it by now.
      if (message[0] === CLOSED || message.type === 'givenBack') {
        for (const late of about(message.id ?? message[1])) {
          post(late);
          setTimeout(post, 20, late);
        }
      }
      for (const stranger of about(1_000_000 + turn)) post(stranger);
    };
  }
  parent.listen = (listener) => listen(listener && ((message, socket) => {
    listener(message, socket);
    listener(WRONG[turn % WRONG.length], undefined);
    // The offer of a connection whose socket got lost on the way.
    if (message.type === 'ping') {
      listener([2_000_000 + turn, '127.0.0.1:1', false, null], undefined);
    }
  }));
  await realWork(options, lock);
}
`;

test('messages that are malformed, late, repeated or about others change nothing but the log', async () => {
  using copy = new ServerCopy();
  copy.write('server/worker/real-worker.ts', copy.read('server/worker/worker.ts'));
  copy.write('server/worker/worker.ts', FAULTY_WORKER);
  await using server = await startTestServer(
    ['--workers', '2', '--log', 'connections', '--worker-timeout', '5'], { main: copy.main },
  );
  using load = new Load({ port: server.port, seed: 90, connections: 8, paceMs: 100 });
  await load.start();
  for (let reload = 1; reload <= 2; reload++) {
    server.signal('SIGHUP');
    await server.when(() => server.stdout.split('the reload is done').length > reload || undefined, `reload ${reload}`);
    await load.allAnswered();
  }
  await load.finish();
  assert.deepEqual(load.troubles, [], load.summary());
  assert.match(server.stdout, /master +warning: worker \d sent a message that is none of the protocol; it is ignored/);
  assert.match(
    server.stdout, /worker \d +warning: the master sent a message that is none of the protocol; it is ignored/,
  );
  assert.equal(await server.stop(), 0);
  assert.match(server.stdout, /, 0 cut off\n$/);
  assert.equal(server.stderr, '');
});
