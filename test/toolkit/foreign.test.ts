// What is none of the toolkit's and comes over a fork channel all the same: it passes by, is told once and counted,
// ends no process, and does nothing to the traffic beside it.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, test } from 'node:test';
import { Channel } from '../../shared/multiprocessing/transport/channel.ts';
import { TRANSFER } from '../../shared/multiprocessing/values/codec.ts';
import { Lock, Pipe, Queue } from '../../shared/multiprocessing/index.ts';
import type { Process } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/foreign-work.ts';
import { foreignMessage } from '../helpers/foreign.ts';
import { modulePath, moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, Mail, startProcess, startProgram } from '../helpers/processes.ts';
import { randomFrom } from '../helpers/random.ts';

const module = moduleUrl('test/fixtures/foreign-work.ts');
const codes: unknown[] = [];
process.on('warning', (warning: Error & { code?: string }) => codes.push(warning.code));

async function untilEnd(mail: Mail): Promise<unknown[]> {
  const came: unknown[] = [];
  for (;;) {
    const message = await mail.next();
    if (message === 'end') return came;
    came.push(message);
  }
}

async function finish(child: Process<never>): Promise<void> {
  child.channel.post('go');
  await child.join();
  assert.equal(child.exitCode, 0);
}

describe('a foreign message', () => {
  test('to the parent passes by, whatever it is', DEADLINE, async (t) => {
    const messages = [
      'ready', null, [1, 2], 7, true, {}, [], { cmd: 'x' },
      [{ echopool: 1 }, ['', '1', '#lock-1', null], ['a', 1, 2, 3], 'no clone'],
    ];
    const twice = [...messages, ...messages];
    const { process: child, mail } = startProcess(t, { module, target: work.sendsRaw, args: [twice] });
    assert.deepEqual(await untilEnd(mail), []);
    // One for each, and one more for the last, in which two of the items are none.
    assert.equal(child.channel.passedOver, 2 * (messages.length + 1));
    await finish(child);
  });

  test('is told once, and those of Node\'s watch mode are not', DEADLINE, async (t) => {
    const program = startProgram(t, 'foreign-root.ts', []);
    assert.equal(await program.line(), '[]');
    assert.equal(await program.line(), '["ECHOPOOL_FOREIGN_MESSAGE"]');
    assert.equal(await program.ended, 0);
    assert.match(
      program.errors(),
      /^\(node:\d+\) \[ECHOPOOL_FOREIGN_MESSAGE\] EchopoolWarning: a message .* is passed over: 'ready'$/m,
    );
  });

  test('with a socket lets go of the socket', DEADLINE, async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => void server.close());
    await once(server, 'listening');
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const port = (server.address() as AddressInfo).port;
    const { process: child } = startProcess(t, { module, target: work.sendsForeignSocket, args: [port] });
    const [socket] = await connected;
    const closed = once(socket.resume(), 'close');
    await finish(child);
    await closed;
  });
});

describe('thousands of foreign and nearly right messages', () => {
  const COUNT = 2500;
  const SEED = 1;

  test('from a child end nobody, and all else arrives', DEADLINE, async (t) => {
    const [queue, lock, [here, there]] = [new Queue<number>(), new Lock(), Pipe<number>()];
    const refs = [queue[TRANSFER]().ref, lock[TRANSFER]().ref];
    const args = [SEED, COUNT, refs, queue, there, lock] as const;
    const { process: child, mail } = startProcess(t, { module, target: work.sendsForeign, args: [...args] });
    const came = await untilEnd(mail);
    assert.deepEqual(came, Array.from({ length: COUNT }, (_, i) => (i % 2 === 0 ? i : new Map([[i, 'a clone']]))));
    for (let i = 0; i < COUNT; i += 10) assert.deepEqual(await Promise.all([queue.get(), here.recv()]), [i, i]);
    assert.ok(await lock.acquire());
    await lock.release();
    assert.ok(child.channel.passedOver > COUNT / 2, `${child.channel.passedOver}`);
    await finish(child);
  });

  test('from a parent end no child, and all else arrives', DEADLINE, async (t) => {
    const random = randomFrom(SEED);
    const child = fork(modulePath('shared/multiprocessing/child.ts'), [], { serialization: 'json' });
    t.after(() => void child.kill('SIGKILL'));
    const channel = new Channel(child, (envelope) => assert.fail(`the child said ${JSON.stringify(envelope)}`));
    const mail = new Mail(channel);
    const exit = once(child, 'exit');
    child.send('ready');
    channel.post({
      address: '77', name: 'by hand', daemon: false, module: module.href, target: work.echoes.name, args: [],
    });
    for (let i = 0; i < COUNT; i++) {
      // Its real messages are in place of those for a primitive: the child has none.
      child.send(foreignMessage(random, []) as string);
      channel.post(i);
      if (i % 100 === 0) await channel.flushed();
      assert.equal(await mail.next(), i);
    }
    channel.post('end');
    const { passedOver } = await mail.next() as { passedOver: number };
    assert.ok(passedOver > COUNT / 2, `${passedOver}`);
    assert.deepEqual(await exit, [0, null]);
  });
});
