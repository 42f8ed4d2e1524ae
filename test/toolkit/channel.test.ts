// Channel: what travels between parent and child, in which order, and what becomes of it when one of them ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { NotCloneable } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/process-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/process-work.ts');

describe('a channel', { concurrency: 4 }, () => {
  test('delivers what was posted right before process.exit()', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.postsAndExits, args: [1000] });
    await process.join();
    assert.equal(process.exitCode, 4);
    for (let i = 0; i < 1000; i++) assert.equal(await mail.next(), i);
  });

  test('delivers all that was posted before the target ended, before join() is true', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.postsMuch, args: [40, 100_000] });
    await process.join();
    assert.equal(mail.waiting, 40);
    for (let i = 0; i < 40; i++) assert.equal((await mail.next() as { i: number }).i, i);
  });

  test('keeps the order, and what came before anybody listened', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.echoMessages, args: [] });
    const sent: unknown[] = [];
    const mutable = { count: 0, list: [0] };
    for (let i = 0; i < 2000; i++) {
      process.channel.post(i);
      sent.push(i);
    }
    process.channel.post(mutable);
    sent.push({ count: 0, list: [0] });
    mutable.count = 1; // Too late to matter.
    mutable.list.push(1);
    process.channel.post(new Set(['set']));
    process.channel.post('end');
    assert.deepEqual(await mail.next(), [...sent, new Set(['set']), 'end']);
  });

  test('refuses what cannot be sent, and loses nothing beside it', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.echoMessages, args: [] });
    process.channel.post('before');
    assert.throws(() => process.channel.post({ work: () => {} }), /the message cannot be sent to another process/);
    await assert.rejects(process.channel.sendSocket(Symbol('s'), connect({ port: 1, lookup: () => {} })), NotCloneable);
    process.channel.post('end');
    assert.deepEqual(await mail.next(), ['before', 'end']);
  });

  test('loses nothing when a listener throws', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.throwsWhileListening, args: [] });
    assert.equal(await mail.next(), 'ready');
    for (const message of [1, 2, 3, 4, 'end']) process.channel.post(message);
    assert.deepEqual(await mail.next(), { got: [1, 2, 3, 4, 'end'], errors: ['no threes'] });
  });

  test('sends sockets in the order of the messages, and the sender keeps its copy', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.greetOverSockets, args: [] });
    const { client, accepted } = await connection(t);
    process.channel.post('first');
    await process.channel.sendSocket({ greeting: 'hello' }, accepted);
    process.channel.post('third');
    assert.deepEqual(await mail.next(), { heard: 'first' });
    assert.deepEqual(await mail.next(), { accepted: true });
    assert.deepEqual(await mail.next(), { heard: 'third' });
    client.write('Ada');
    assert.equal(String((await once(client, 'data'))[0]), 'hello Ada');
    process.kill();
    await process.join();
    assert.equal(accepted.destroyed, false);
    accepted.write('still here');
    assert.equal(String((await once(client, 'data'))[0]), 'still here');
  });

  test('sends the message alone when the socket is destroyed already', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.greetOverSockets, args: [] });
    const { accepted } = await connection(t);
    accepted.destroy();
    await process.channel.sendSocket({ greeting: 'hello' }, accepted);
    assert.deepEqual(await mail.next(), { accepted: false });
  });

  test('settles what was under way when the child dies with a socket on its way to it', DEADLINE, async (t) => {
    const { process, mail } = startProcess(t, { module, target: work.busyOnWord, args: [] });
    await mail.next();
    process.channel.post('be busy');
    await process.channel.flushed();
    const sockets = await Promise.all([connection(t), connection(t)]);
    const sent = sockets.map(({ accepted }) => process.channel.sendSocket('yours', accepted));
    process.channel.post('behind them');
    const flushed = process.channel.flushed();
    process.kill();
    await Promise.all([...sent, flushed, process.join()]);
    process.channel.post('too late');
    await process.channel.flushed();
    assert.equal(process.exitCode, -9);
  });
});

/** Both ends of a TCP connection; the accepted one is paused. */
async function connection(t: TestContext): Promise<{ client: Socket; accepted: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[accepted]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(client, 'connect')]);
  t.after(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}
