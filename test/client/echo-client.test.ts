import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { EchoClient, EchoClientError, explain } from '../../client/echo-client.ts';
import { LineTrimmer, trimLine } from '../../client/interactive/lines.ts';
import { serve, upperCase } from '../fixtures/upper-server.ts';

const host = '127.0.0.1';

async function connected(t: TestContext, handler: (socket: Socket) => void): Promise<EchoClient> {
  const { port } = await serve(t, handler);
  const client = await EchoClient.connect({ host, port });
  t.after(() => client.close());
  return client;
}

/** Answers the first read with `bytes` and ends the connection. */
const answerAndEnd = (bytes: string) => (socket: Socket) => void socket.once('data', () => socket.end(bytes));

test('a reply may be longer or shorter than its message', async (t) => {
  const client = await connected(t, (socket) => upperCase(socket));
  assert.equal(await client.send('straße'), 'STRASSE');
  assert.equal(await client.send('\u0390'), '\u0399\u0308\u0301'); // 2 bytes become 6
  assert.equal(await client.send('\u0131'), 'I'); // 2 bytes become 1
  assert.equal(await client.send(''), '');
  assert.equal(await client.send(Buffer.from('bytes')), 'BYTES');
});

test('a reply that comes byte by byte is put together', async (t) => {
  const client = await connected(t, (socket) => {
    upperCase(socket, (bytes) => {
      let at = 0;
      const next = (): void => {
        if (at === bytes.length) return;
        socket.write(bytes.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
  });
  const replies = await Promise.all([client.send('grüße, 你好, 😀'), client.send(''), client.send('z')]);
  assert.deepEqual(replies, ['GRÜSSE, 你好, 😀', '', 'Z']);
});

test('a message with newlines has a reply with as many', async (t) => {
  const client = await connected(t, (socket) => upperCase(socket));
  const replies = await Promise.all([client.send('a\n\nb\n'), client.send('c'), client.send('\n')]);
  assert.deepEqual(replies, ['A\n\nB\n', 'C', '\n']);
});

test('a line of 32 MiB comes back whole, among short ones', async (t) => {
  const client = await connected(t, (socket) => upperCase(socket));
  const long = 'ab'.repeat(2 ** 24);
  const [before, reply, after] = await Promise.all([client.send('x'), client.send(long), client.send('y')]);
  assert.equal(before + after, 'XY');
  assert.ok(reply === long.toUpperCase());
});

test('thirty thousand replies that come in one piece are answered in order', async (t) => {
  const count = 30_000; // More than the stack has room for calls.
  const client = await connected(t, (socket) => {
    // All at once, when the last message is there: every send is waiting by then.
    const replies: Buffer[] = [];
    let lines = 0;
    upperCase(socket, (bytes) => {
      replies.push(bytes);
      for (const byte of bytes) lines += byte === 0x0a ? 1 : 0;
      if (lines === count) socket.write(Buffer.concat(replies));
    });
  });
  const messages = Array.from({ length: count }, (_, index) => `m${index}`);
  const replies = await Promise.all(messages.map((message) => client.send(message)));
  assert.deepEqual(replies, messages.map((message) => message.toUpperCase()));
});

test('a message may be changed by its owner once it is sent', async (t) => {
  const client = await connected(t, (socket) => upperCase(socket));
  const bytes = Buffer.from('x'.repeat(2 ** 20));
  const reply = client.send(bytes);
  bytes.fill('!');
  assert.equal(await reply, 'X'.repeat(2 ** 20));
});

test('a server that ends amid a reply rejects that message and those behind it, and says who', async (t) => {
  const { port } = await serve(t, answerAndEnd('ONE\nTW'));
  const client = await EchoClient.connect({ host, port });
  const results = await Promise.allSettled(['one', 'two', 'three'].map((message) => client.send(message)));
  assert.deepEqual(results[0], { status: 'fulfilled', value: 'ONE' });
  for (const result of results.slice(1)) {
    assert.equal(result.status, 'rejected');
    assert.ok(result.reason instanceof EchoClientError);
    assert.equal(result.reason.code, 'ERR_ECHOPOOL_ENDED');
    assert.equal(result.reason.message, `127.0.0.1:${port} closed the connection.`);
  }
  assert.equal(client.closed, true);
  assert.equal((await client.whenClosed()).code, 'ERR_ECHOPOOL_ENDED');
  await assert.rejects(client.send('late'), { code: 'ERR_ECHOPOOL_ENDED' });
});

test('a reset connection rejects with the code of the system', async (t) => {
  const client = await connected(t, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
  await assert.rejects(client.send('x'), { name: 'EchoClientError', code: 'ECONNRESET' });
});

test('a server that half-closes and stays does not keep a message waiting', async (t) => {
  const client = await connected(t, (socket) => socket.end());
  await assert.rejects(client.send('x'), { code: 'ERR_ECHOPOOL_ENDED' });
});

test('connecting where nobody listens is refused in a sentence', async (t) => {
  const { port, close } = await serve(t, () => {});
  await close();
  const refused = {
    name: 'EchoClientError',
    code: 'ECONNREFUSED',
    message: `No server is listening on 127.0.0.1:${port} (ECONNREFUSED).`,
  };
  await assert.rejects(EchoClient.connect({ host, port }), refused);
  // localhost may stand for two addresses, whose common error has no message of its own.
  await assert.rejects(EchoClient.connect({ host: 'localhost', port }), { code: 'ECONNREFUSED' });
});

test('a new connection works when the server is back on its port', async (t) => {
  const first = await serve(t, (socket) => upperCase(socket));
  const { port } = first;
  const before = await EchoClient.connect({ host, port });
  assert.equal(await before.send('a'), 'A');
  await first.close();
  await before.whenClosed();
  await serve(t, (socket) => upperCase(socket), port);
  const after = await EchoClient.connect({ host, port });
  t.after(() => after.close());
  assert.equal(await after.send('b'), 'B');
});

test('a line that nobody asked for ends the connection', async (t) => {
  const client = await connected(t, answerAndEnd('ONE\nTWO\n'));
  assert.equal(await client.send('one'), 'ONE');
  const why = await client.whenClosed();
  assert.equal(why.code, 'ERR_ECHOPOOL_UNASKED');
  assert.match(why.message, /sent 4 bytes that no message asked for/);
});

test('a port that is none, and no descriptor left, reject in a sentence as well', async () => {
  await assert.rejects(EchoClient.connect({ host: '127.0.0.1', port: 70_000 }), (error) => {
    assert.ok(error instanceof EchoClientError);
    assert.match(error.message, /^Cannot connect to 127\.0\.0\.1:70000: /);
    return true;
  });
  const { message } = explain('connect', 'h:1', Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' }));
  assert.match(message, /^Cannot connect to h:1: .*ulimit -n/);
});

test('a greeting is awaited, and is no reply; one that does not come rejects', async (t) => {
  const { port } = await serve(t, (socket) => {
    socket.write('one\nt');
    setImmediate(() => {
      socket.write('wo\n');
      upperCase(socket);
    });
  });
  await using client = await EchoClient.connect({ host, port, greetingLines: 2 });
  assert.equal(client.greeting, 'one\ntwo');
  assert.equal(await client.send('three'), 'THREE');
  const silent = await serve(t, (socket) => socket.end('one\n'));
  await assert.rejects(
    EchoClient.connect({ host, port: silent.port, greetingLines: 2 }), { code: 'ERR_ECHOPOOL_ENDED' },
  );
});

test('what nobody asked for goes to whoever takes it', async (t) => {
  const { port } = await serve(t, (socket) => {
    socket.write('hello\n');
    upperCase(socket);
  });
  const told = new Promise<string>((resolve, reject) => {
    EchoClient.connect({ host, port, onUnasked: (bytes) => resolve(bytes.toString()) })
      .then((client) => t.after(() => client.close()), reject);
  });
  assert.equal(await told, 'hello\n');
});

test('a reply that does not end ends the connection at its limit, with what had come of it', async (t) => {
  const { port } = await serve(t, (socket) => void socket.once('data', () => Readable.from(endless()).pipe(socket)));
  const client = await EchoClient.connect({ host, port, maxReplyBytes: 100_000 });
  await assert.rejects(client.send('x'), (error) => {
    assert.ok(error instanceof EchoClientError && error.code === 'ERR_ECHOPOOL_TOO_LONG');
    assert.match(error.message, /^127\.0\.0\.1:\d+ sent 1\d\d,\d{3} bytes without an end of the reply\.$/);
    const { length } = error.partial!;
    assert.ok(length > 100_000 && length <= 100_000 + 65_536, `${length} bytes`);
    return true;
  });
  assert.equal(client.closed, true);
});

test('the limit never is less than what upper-casing may make of the message', async (t) => {
  const { port } = await serve(t);
  await using client = await EchoClient.connect({ host, port, maxReplyBytes: 1 });
  assert.equal(await client.send('\u0390'.repeat(50_000)), '\u0399\u0308\u0301'.repeat(50_000));
});

test('close ends at once, rejects what is under way, and may be called again', async (t) => {
  const { port, connection } = await serve(t, () => {});
  const accepted = connection();
  const client = await EchoClient.connect({ host, port });
  const ended = once((await accepted).resume(), 'end');
  const reply = assert.rejects(client.send('x'), { code: 'ERR_ECHOPOOL_CLOSED' });
  await client.close();
  await client.close();
  await reply;
  await ended;
  assert.equal(client.closed, true);
});

test('the signal ends the connecting and the connection', async (t) => {
  const { port } = await serve(t, () => {});
  await assert.rejects(EchoClient.connect({ host, port, signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  const controller = new AbortController();
  const client = await EchoClient.connect({ host, port, signal: controller.signal });
  const reply = assert.rejects(client.send('x'), { code: 'ABORT_ERR' });
  controller.abort();
  await reply;
  await client.whenClosed();
});

test('trimLine takes the white space from both ends only', () => {
  assert.equal(trimLine(' \t a  b\r\f\v '), 'a  b');
  assert.equal(trimLine('  \t '), '');
  assert.equal(trimLine('\u00a0a'), '\u00a0a');
});

test('LineTrimmer gives the same wherever its input is cut', () => {
  const input = Buffer.from('  one  two \r\n\n \t \n\xff \xfe\n x\n  last ', 'latin1');
  const wanted = 'one  two\n\xff \xfe\nx\nlast\n';
  for (let first = 0; first <= input.length; first += 1) {
    for (let second = first; second <= input.length; second += 1) {
      const trimmer = new LineTrimmer();
      const pieces = [input.subarray(0, first), input.subarray(first, second), input.subarray(second)];
      const out = [...pieces.flatMap((piece) => trimmer.push(piece)), ...trimmer.end()];
      assert.equal(Buffer.concat(out).toString('latin1'), wanted, `cut at ${first} and ${second}`);
      assert.equal(trimmer.messages, 4);
    }
  }
});

test('LineTrimmer keeps back nothing but white space', () => {
  const trimmer = new LineTrimmer();
  assert.equal(Buffer.concat(trimmer.push(Buffer.from(' begun '))).toString(), 'begun');
  assert.deepEqual(trimmer.push(Buffer.from('  ')), []);
  assert.equal(Buffer.concat(trimmer.push(Buffer.from('.'))).toString(), '   .');
  assert.equal(Buffer.concat(trimmer.end()).toString(), '\n');
  assert.deepEqual(trimmer.end(), []);
});

function* endless(): Generator<string> {
  for (;;) yield 'no end '.repeat(1_000);
}
