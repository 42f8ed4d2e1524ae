import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { activeChildren, Lock, Manager, Pipe, Process, Queue } from '../../shared/multiprocessing/index.ts';
import type { Connection } from '../../shared/multiprocessing/index.ts';
import * as work from '../fixtures/pipe-work.ts';
import { moduleUrl, nodeArgs } from '../helpers/paths.ts';

const module = moduleUrl('test/fixtures/pipe-work.ts');
const limit = { timeout: 120_000 };

afterEach(async () => {
  for (const child of activeChildren()) {
    child.kill();
    await child.join();
  }
});

function start<Args extends unknown[]>(target: (...args: Args) => unknown, ...args: Args): Process<Args> {
  const child = new Process<Args>({ module, target, args: args as NoInfer<Args> });
  child.start();
  return child;
}

/** Waits for the next message that the child posts. */
function nextWord(child: Process<never>): Promise<unknown> {
  return new Promise((resolve) => child.channel.listen((word) => {
    child.channel.listen(undefined);
    resolve(word);
  }));
}

async function receive(end: Connection, count: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(await end.recv());
  return values;
}

const died = (how: RegExp) => (error: Error & { code?: string }): boolean => {
  assert.equal(error.name, 'ProcessDied');
  assert.equal(error.code, 'ERR_PROCESS_DIED');
  assert.match(error.message, how);
  return true;
};
const closed = { name: 'PipeClosed', code: 'ERR_PIPE_CLOSED' };

test('both ends in one process: values arrive as clones, in order, both ways', limit, async () => {
  const [a, b] = Pipe();
  const sent = { list: [1, { two: 2 }], map: new Map([['k', new Date(0)]]), text: 'ü', none: undefined };
  await a.send(sent);
  await b.send('the other way');
  sent.text = 'changed later';
  assert.deepEqual(await b.recv(), { ...sent, text: 'ü' });
  assert.equal(await a.recv(), 'the other way');
  for (const value of [null, undefined, 0, false, '', 10n]) await a.send(value);
  assert.deepEqual(await receive(b, 6), [null, undefined, 0, false, '', 10n]);
});

test('calls of recv that wait are served in their order', limit, async () => {
  const [a, b] = Pipe();
  const waiting = [b.recv(), b.recv(), b.recv()];
  for (const value of ['first', 'second', 'third']) await a.send(value);
  assert.deepEqual(await Promise.all(waiting), ['first', 'second', 'third']);
});

test('poll says whether recv would settle at once', limit, async () => {
  const [a, b] = Pipe();
  assert.equal(await b.poll(), false);
  assert.equal(await b.poll(5), false);
  const soon = b.poll(10_000);
  await a.send('now');
  assert.equal(await soon, true);
  assert.equal(await b.poll(), true);
  assert.equal(await b.recv(), 'now');
  assert.equal(await b.poll(), false);
  await assert.rejects(b.poll(Number.NaN), { code: 'ERR_WRONG_USE' });
  const atTheEnd = b.poll(10_000);
  a.close();
  assert.equal(await atTheEnd, true);
  assert.equal(await b.poll(), true);
  await assert.rejects(b.recv(), closed);
});

test('a recv or a poll that is called off takes nothing: the next recv gets what comes', limit, async () => {
  const [a, b] = Pipe();
  const reason = new RangeError('no longer wanted');
  const caller = new AbortController();
  const { signal } = caller;
  const off = [b.recv({ signal }), b.recv({ signal, timeoutMs: 60_000 }), b.poll({ signal })]
    .map((wait) => assert.rejects(wait, (error) => error === reason));
  const stays = b.recv();
  caller.abort(reason);
  await Promise.all(off);
  await a.send('first');
  assert.equal(await stays, 'first');
  await a.send('second');
  assert.equal(await b.recv(5_000), 'second');
  await assert.rejects(b.recv({ signal }), RangeError);
  await assert.rejects(b.recv('1' as never), { code: 'ERR_WRONG_USE' });
});

test('a recv whose time is up says so, and takes nothing', limit, async () => {
  const [a, b] = Pipe();
  const message = 'no value came from the other end of the pipe within 5 ms';
  const late = { name: 'TimedOut', code: 'ERR_TIMED_OUT', message };
  await assert.rejects(b.recv(5), late);
  await assert.rejects(b.recv(0), { code: 'ERR_TIMED_OUT' });
  await a.send('here');
  assert.equal(await b.recv(0), 'here');
});

test('a send that waits for the window and is called off, or too late, sends and loses nothing', limit, async () => {
  const [a, b] = Pipe();
  for (let i = 0; i < 1024; i++) await a.send(i);
  const [inner, other] = Pipe();
  const caller = new AbortController();
  const off = a.send({ inner }, { signal: caller.signal });
  const late = a.send('too late', 5);
  const stays = a.send('sent');
  caller.abort();
  await assert.rejects(off, { name: 'AbortError' });
  await assert.rejects(late, {
    code: 'ERR_TIMED_OUT', message: 'the other end of the pipe did not read enough to send more within 5 ms',
  });
  assert.equal((await receive(b, 1024)).at(-1), 1023);
  await stays;
  assert.equal(await b.recv(), 'sent');
  await inner.send('an end in what was not sent is still at home');
  assert.match(await other.recv() as string, /still at home/);
});

test('a recv that lost a race and was called off keeps no process alive', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.loseRace, there);
  assert.equal(await nextWord(child as Process<never>), 'lost');
  await child.join();
  assert.equal(child.exitCode, 0);
  await assert.rejects(here.recv(), closed);
});

test('poll in a loop does not stop the event loop', limit, async () => {
  const [here, there] = Pipe();
  start(work.sendAndStay, there, 1);
  while (!await here.poll());
  assert.equal(await here.recv(), 0);
});

test('a child finds with its first poll what was sent before it was started', limit, async () => {
  const [here, there] = Pipe();
  await here.send('waiting');
  const child = start(work.pollAtOnce, there);
  assert.deepEqual(await here.recv(), [true, 'waiting']);
  assert.equal(await child.join(), true);
});

test('3,000 values each way at the same time, all in order', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.exchange, there, 3000);
  await Promise.all([
    (async () => { for (let i = 0; i < 3000; i++) await here.send(i); })(),
    (async () => { for (let i = 0; i < 3000; i++) assert.equal(await here.recv(), i); })(),
  ]);
  assert.deepEqual(await here.recv(), { inOrder: 3000 });
  await child.join();
});

test('a buffer of 20 MB goes there and back whole', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.echo, there);
  const bytes = Buffer.alloc(20_000_000);
  for (let i = 0; i < bytes.length; i += 1009) bytes[i] = i;
  await here.send(bytes);
  assert.ok(bytes.equals(await here.recv() as Buffer));
  here.close();
  await child.join();
  assert.equal(child.exitCode, 0);
});

test('a reader in another process that does not read holds its sender after 1,024 values', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.readLate, there, 2000);
  assert.equal(await nextWord(child), 'ready');
  let sent = 0;
  const sending = (async () => {
    for (; sent < 2000; sent++) await here.send(sent);
  })();
  child.channel.post('say something');
  assert.equal(await nextWord(child), 'nothing read');
  assert.equal(sent, 1024);
  child.kill();
  await assert.rejects(sending, died(/SIGKILL/));
});

test('large values hold their sender after 1 MiB, however few they are', limit, async () => {
  const cases = [['x'.repeat(32 * 1024), 16], [Buffer.alloc(200_000), 6], [Buffer.alloc(3_000_000), 1]] as const;
  for (const [value, most] of cases) {
    const [a, b] = Pipe();
    let sent = 0;
    const sending = (async () => {
      for (; sent < most + 3; sent++) await a.send(value);
    })();
    await new Promise(setImmediate);
    assert.equal(sent, most);
    await receive(b, most + 3);
    await sending;
  }
});

test('a sender that was held goes on when its values are read', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.readLate, there, 2000);
  await nextWord(child);
  const sending = Promise.all(Array.from({ length: 2000 }, (_, i) => here.send(i)));
  child.channel.post('say something');
  assert.equal(await nextWord(child), 'nothing read');
  child.channel.post('read');
  assert.equal(await nextWord(child), 'all read');
  await sending;
  await child.join();
});

test('within one process too the window holds the sender, and its reader lets it go on', limit, async () => {
  const [a, b] = Pipe<number>();
  let sent = 0;
  const sending = (async () => {
    for (; sent < 3000; sent++) await a.send(sent);
  })();
  await new Promise(setImmediate);
  assert.equal(sent, 1024);
  for (let i = 0; i < 3000; i++) assert.equal(await b.recv(), i);
  await sending;
});

test('closing an end: the other one reads what was sent, then hears of it', limit, async () => {
  const [a, b] = Pipe();
  await a.send(1);
  void a.send(2);
  const waitingHere = assert.rejects(a.recv(), closed);
  a.close();
  a.close();
  await waitingHere;
  assert.deepEqual(await receive(b, 2), [1, 2]);
  await assert.rejects(b.recv(), { ...closed, message: 'the other end of the pipe was closed' });
  await assert.rejects(b.send(3), closed);
  const thisOne = { ...closed, message: 'this end of the pipe was closed' };
  for (const use of [a.send(1), a.recv(), a.poll()]) await assert.rejects(use, thisOne);
});

test('closing while values wait for the window loses none of them', limit, async () => {
  const [a, b] = Pipe();
  const sending = Array.from({ length: 2000 }, (_, i) => a.send(i));
  a.close();
  await Promise.all(sending);
  assert.deepEqual(await receive(b, 2000), Array.from({ length: 2000 }, (_, i) => i));
  await assert.rejects(b.recv(), closed);
});

test('a process that ends normally closes its end, after all that it sent', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.sendAndReturn, there, 1500);
  assert.deepEqual(await receive(here, 1500), Array.from({ length: 1500 }, (_, i) => i));
  const message = /^the other end of the pipe was closed: Process-\d+ \(pid \d+\) exited with code 0$/;
  await assert.rejects(here.recv(), { ...closed, message });
  await child.join();
});

test('when the process at the other end is killed, what it sent arrives, then who died and how', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.sendAndStay, there, 3);
  assert.deepEqual(await receive(here, 2), [0, 1]);
  assert.equal(await here.poll(10_000), true);
  child.kill();
  await child.join();
  assert.equal(await here.recv(), 2);
  await assert.rejects(here.recv(), died(/^Process-\d+ \(pid \d+\) was ended by SIGKILL: the other end of the pipe/));
  await assert.rejects(here.send(1), died(/SIGKILL/));
});

test('a recv that waits when the other end is killed rejects', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.stay, there);
  await nextWord(child);
  const waiting = [here.recv(), here.recv()].map((recv) => assert.rejects(recv, died(/SIGKILL/)));
  child.kill();
  await Promise.all(waiting);
});

test('a target that throws leaves its end as one that died', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.sendAndThrow, there);
  assert.equal(await here.recv(), 'last');
  await assert.rejects(here.recv(), died(/exited with code 1/));
  await child.join();
});

test('an end belongs to the process that it was passed to: using it here says so', limit, async () => {
  const [here, there] = Pipe();
  const child = start(work.echo, there);
  const message = 'this end of the pipe was passed on and is no longer at home in MainProcess';
  const passed = { code: 'ERR_WRONG_USE', message };
  for (const use of [there.send(1), there.recv(), there.poll()]) await assert.rejects(use, passed);
  assert.throws(() => start(work.echo, there), passed);
  there.close();
  await here.send('still alive');
  assert.equal(await here.recv(), 'still alive');
  here.close();
  await child.join();
});

test('an end takes what is unread along, to a child and on to its child, while more is sent', limit, async () => {
  const [here, there] = Pipe();
  for (let i = 0; i < 500; i++) await here.send(i);
  const child = start(work.readTwoAndPassOn, there, 1500);
  for (let i = 500; i < 1000; i++) await here.send(i);
  const word = await nextWord(child) as { own: unknown[]; refused: string };
  assert.deepEqual(word.own, [0, 1]);
  assert.match(word.refused, /^WrongUse: .* was passed on and is no longer at home in Process-\d+$/);
  for (let i = 1000; i < 1500; i++) await here.send(i);
  assert.deepEqual(await here.recv(), Array.from({ length: 1498 }, (_, i) => i + 2));
  await child.join();
});

test('an end goes through another pipe and comes back, with what is unread', limit, async () => {
  const [here, there] = Pipe<unknown>();
  start(work.borrow, there);
  const [a, b] = Pipe();
  for (const value of ['one', 'two', 'three']) await a.send(value);
  await here.send(b);
  await assert.rejects(b.recv(), { code: 'ERR_WRONG_USE' });
  assert.equal(await a.recv(), 'one came');
  const { back } = await here.recv() as { back: Connection };
  assert.deepEqual(await receive(back, 2), ['two', 'three']);
  await back.send('home again');
  assert.equal(await a.recv(), 'home again');
});

test('an end may travel through two processes that do not use it', limit, async () => {
  const [first, firstThere] = Pipe<unknown>();
  const [last, lastThere] = Pipe<unknown>();
  const child = start(work.relay, firstThere, lastThere);
  const [a, b] = Pipe();
  await a.send('inside');
  await first.send([{ deep: b }]);
  const [{ deep }] = await last.recv() as [{ deep: Connection }];
  assert.equal(await deep.recv(), 'inside');
  await child.join();
  await deep.send('and alive');
  assert.equal(await a.recv(), 'and alive');
});

test('an end in a queue outlives the process that put it there', limit, async () => {
  const queue = new Queue<Connection>();
  const [a, b] = Pipe();
  await a.send('unread');
  const child = start(work.putIntoQueue, b, queue);
  assert.equal(await a.recv(), 'going');
  await child.join();
  const end = await queue.get();
  assert.equal(await end.recv(), 'unread');
  await end.send('alive');
  assert.equal(await a.recv(), 'alive');
});

test('when the process dies that made the pipe, both ends say so, wherever they are', limit, async () => {
  const [here, there] = Pipe<unknown>();
  const maker = start(work.makePipe, there);
  const [a, b] = await here.recv() as [Connection, Connection];
  const [outer, outerThere] = Pipe<unknown>();
  const other = start(work.relay, outerThere, b);
  await a.send('there');
  const waiting = assert.rejects(a.recv(), died(/SIGKILL: the pipe that was made in it is gone/));
  maker.kill();
  await waiting;
  await assert.rejects(a.send(1), died(/SIGKILL/));
  await outer.send('anything');
  await other.join();
  assert.match(String(other.error?.message), /SIGKILL: the pipe that was made in it is gone/);
});

test('a pipe that another process made works between two processes that did not', limit, async () => {
  const [here, there] = Pipe<unknown>();
  start(work.makePipe, there);
  const [a, b] = await here.recv() as [Connection, Connection];
  const child = start(work.exchange, b, 100);
  for (let i = 0; i < 100; i++) await a.send(i);
  for (let i = 0; i < 100; i++) assert.equal(await a.recv(), i);
  assert.deepEqual(await a.recv(), { inOrder: 100 });
  await assert.rejects(a.recv(), closed);
  await child.join();
});

test('an end on its way in a value that nobody will read is closed, so that nobody waits for it', limit, async () => {
  const [here, there] = Pipe<unknown>();
  const child = start(work.stay, there);
  await nextWord(child);
  const [a, b] = Pipe();
  await here.send(b);
  const waiting = assert.rejects(a.recv(), closed);
  child.kill();
  await waiting;

  const [c, d] = Pipe<unknown>();
  const [e, f] = Pipe();
  await c.send(f);
  d.close();
  await assert.rejects(e.recv(), closed);
});

test('an end that a dict or list holds is closed when it is replaced, refused or shut down', limit, async () => {
  const manager = new Manager();
  const [dict, list] = [manager.dict(), manager.list<unknown>([1])];
  const pipes = Array.from({ length: 5 }, () => Pipe());
  const [replaced, refused, deleted, kept, late] = pipes.map(([, end]) => end);
  await dict.set('end', replaced);
  await dict.set('end', 1);
  await assert.rejects(list.set(7, refused), { name: 'RangeError' });
  await dict.set('end', deleted);
  await dict.delete('end');
  await list.push(kept);
  manager.shutdown();
  await assert.rejects(dict.set('end', late), { code: 'ERR_MANAGER_CLOSED' });
  for (const [end] of pipes) await assert.rejects(end.recv(), closed);
});

test('an end that two processes could receive is at home where it was received first', limit, async () => {
  const manager = new Manager();
  const dict = manager.dict<Connection>();
  const [a, b] = Pipe();
  await dict.set('end', b);
  const end = await dict.get('end') as Connection;
  await a.send('here');
  assert.equal(await (await dict.get('end'))!.recv(), 'here');
  const [carrier, there] = Pipe<unknown>();
  start(work.borrow, there);
  await carrier.send(end);
  await a.send('there');
  assert.equal(await a.recv(), 'there came');
  const late = await dict.get('end') as Connection;
  await assert.rejects(late.recv(), { code: 'ERR_WRONG_USE', message: /is at home in another process/ });
});

test('an end cannot be sent through its own pipe, nor passed on while somebody waits at it', limit, async () => {
  const [a, b] = Pipe<unknown>();
  const itself = { code: 'ERR_WRONG_USE', message: 'an end of a pipe cannot be sent through that pipe itself' };
  await assert.rejects(a.send(a), itself);
  await assert.rejects(a.send([{ b }]), itself);
  const waiting = a.recv();
  const [c, d] = Pipe<unknown>();
  const awaited = { code: 'ERR_WRONG_USE', message: /cannot be passed on while a recv or a poll waits/ };
  await assert.rejects(c.send(a), awaited);
  await b.send('after all');
  assert.equal(await waiting, 'after all');
  await c.send(a);
  assert.equal(await d.recv(), a);
});

test('what cannot be cloned is refused in a sentence, and an end in it stays at home', limit, async () => {
  const [a, b] = Pipe<unknown>();
  const [c, d] = Pipe<unknown>();
  const refused = { code: 'ERR_NOT_CLONEABLE', message: /^a value for the other end of a pipe cannot/ };
  await assert.rejects(a.send({ c, f: () => 1 }), refused);
  await c.send('still here');
  assert.equal(await d.recv(), 'still here');
  await a.send(1);
  assert.equal(await b.recv(), 1);
});

test('a lock travels through a pipe, and comes back as the lock that it was', limit, async () => {
  const [here, there] = Pipe<unknown>();
  const child = start(work.holdLock, there);
  const lock = new Lock();
  await here.send({ lock });
  assert.equal((await here.recv() as { lock: Lock }).lock, lock);
  assert.equal(await lock.acquire(0), false);
  await here.send('let go');
  assert.equal(await lock.acquire(), true);
  await child.join();
});

test('a program that leaves a pipe and a daemon behind comes to its end', limit, async () => {
  const argv = nodeArgs('test/fixtures/pipe-work.ts');
  const program = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  program.stdout.on('data', (text) => { output += text; });
  assert.deepEqual(await once(program, 'close'), [0, null]);
  assert.equal(output, 'hello\n');
});
