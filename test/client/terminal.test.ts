// The client at a prompt, on a real terminal: what it shows, and when the server goes away.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { answerAfter, serve, upperCase } from '../fixtures/upper-server.ts';
import { openClient } from '../helpers/client-terminal.ts';
import { ptyMissing } from '../helpers/pty.ts';

describe('the client on a terminal', { concurrency: 3, skip: ptyMissing() }, () => {
  test('shows what the server says unasked, such as a greeting', async (t) => {
    const { port } = await serve(t, (socket) => {
      socket.write('\x1b[2Jwelcome\n');
      upperCase(socket);
    });
    const pty = openClient(t, port);
    await pty.see('\\x1b[2Jwelcome\r\n');
    await pty.see('> ');
    pty.type('hi\r');
    await pty.see('HI\r\n');
  });

  test('shows what comes behind a reply below it, a line each', async (t) => {
    const { port } = await serve(t, (socket) => void socket.on('data', () => socket.write('A\nB\n\x07C\n')));
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('a\r');
    await pty.see('A\r\n');
    await pty.see('B\r\n\\x07C\r\n');
  });

  test('prompts, trims, skips empty lines, remembers, answers what was pasted, and leaves', async (t) => {
    const { port } = await serve(t);
    const pty = openClient(t, port);
    await pty.see(`Connected to 127.0.0.1:${port}.`);
    await pty.see('> ');
    pty.type('straße\r');
    await pty.see('\x1b[0JSTRASSE\r\n');
    await pty.see('> ');
    pty.type('   \r');
    await pty.see('> ');
    pty.type('  trim me \r');
    await pty.see('\x1b[0JTRIM ME\r\n');
    await pty.see('> ');
    pty.type('\x1b[A');
    await pty.see('>   trim me ');
    // Key by key: what comes in one piece is a paste to readline, which it adds at the end of the line.
    pty.type('\x1b[A');
    await pty.see('> straße');
    pty.type('\x1b[D');
    await pty.see('\x1b[1D');
    pty.type('x');
    await pty.see('> straßxe');
    pty.type('\r');
    await pty.see('\x1b[0JSTRASSXE\r\n');
    await pty.see('> ');
    pty.type('one\rtwo\rthree\rfou');
    for (const reply of ['ONE', 'TWO', 'THREE']) await pty.see(`\x1b[0J${reply}\r\n`);
    await pty.see('> fou');
    pty.type('r\r');
    await pty.see('\x1b[0JFOUR\r\n');
    pty.type('\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('prints 200,000 characters whole, and shows what a terminal might obey, or what nobody sees', async (t) => {
    // Readline would take long to be typed such a line, so the server is the one that is wordy.
    const long = 'Long reply. '.repeat(16_667);
    const hostile = '\x1b[2J\x07\x7f\u009b1m\tok\u202e\u2066\u200b\u2028\u2029\u{e0041}';
    const { port } = await serve(t, (socket) => {
      socket.on('data', (bytes) => socket.write(`${String(bytes) === 'long\n' ? long : hostile}\n`));
    });
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('long\r');
    await pty.see(`\x1b[0J${long}\r\n`);
    await pty.see('> ');
    pty.type('x\r');
    const obeyed = String.raw`\x1b[2J\x07\x7f\u{9b}1m`;
    const unseen = String.raw`\u{202e}\u{2066}\u{200b}\u{2028}\u{2029}\u{e0041}`;
    await pty.see(`\x1b[0J${obeyed}\tok${unseen}\r\n`);
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('says when the server goes away and is back, and keeps what is being typed', async (t) => {
    const first = await serve(t);
    const { port } = first;
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('half ty');
    await pty.see('half ty');
    await first.close();
    await pty.see(`127.0.0.1:${port} closed the connection. The next message tries again.\r\n`);
    await pty.see('> half ty');
    pty.type('ped\r');
    await pty.see(`No server is listening on 127.0.0.1:${port} (ECONNREFUSED). The next message tries again.\r\n`);
    await pty.see('> ');
    await serve(t, undefined, port);
    pty.type('\x1b[A\r');
    await pty.see(`Connected to 127.0.0.1:${port} again.\r\n`);
    await pty.see('\x1b[0JHALF TYPED\r\n');
    pty.type('\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('stays when no server is there at the start, and finds it later', async (t) => {
    const first = await serve(t);
    const { port } = first;
    await first.close();
    const pty = openClient(t, port);
    await pty.see(`No server is listening on 127.0.0.1:${port} (ECONNREFUSED). The next message tries again.\r\n`);
    await pty.see('> ');
    await serve(t, undefined, port);
    pty.type('hi\r');
    await pty.see(`Connected to 127.0.0.1:${port}.\r\n`);
    await pty.see('\x1b[0JHI\r\n');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('says once when a reply amid its bytes is cut off', async (t) => {
    const { port } = await serve(t, answerAfter(1, 'HAL'));
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('half\r');
    await pty.see(`127.0.0.1:${port} closed the connection. The next message tries again.\r\n`);
    await pty.see('> ');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 1, 'its reply is missing');
    assert.equal(pty.screen().split('closed the connection').length, 2);
    assert.ok(!pty.screen().includes('HAL'));
  });

  test('ends with 1 when it has never been connected', async (t) => {
    const { port, close } = await serve(t);
    await close();
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('\x04');
    assert.deepEqual(await pty.ended, { exitCode: 1, restored: true });
  });

  test('cuts a reply that does not end, says how much has come, and goes on', async (t) => {
    let served = 0;
    const { port } = await serve(t, (socket) => {
      if (++served > 1) return upperCase(socket);
      socket.once('data', () => Readable.from(endless()).pipe(socket));
    });
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('x\r');
    await pty.see('no end no end');
    await pty.see(' ... (cut)\r\n');
    await pty.see('bytes without an end of the reply. The next message tries again.');
    const [, told] = /sent ([\d,]+) bytes without/.exec(pty.screen())!;
    const count = Number(told!.replaceAll(',', ''));
    assert.ok(count > 2 ** 20 && count < 2 ** 20 + 2 ** 17, told);
    await pty.see('> ');
    pty.type('y\r');
    await pty.see('\x1b[0JY\r\n');
    pty.type('\x04');
    assert.equal((await pty.ended).exitCode, 0);
    assert.ok(pty.screen().length < 10_000);
  });

  test('says when a reply is late, and prints it when it comes', async (t) => {
    const { port, connection } = await serve(t, (socket) => void socket.resume());
    const accepted = connection();
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.type('x\r');
    await pty.see(`No reply yet from 127.0.0.1:${port}, still waiting. Ctrl-C leaves.\r\n`);
    (await accepted).write('X\n');
    await pty.see('\x1b[0JX\r\n');
    await pty.see('> ');
    pty.type('\x04');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('ends with the terminal', async (t) => {
    const { port } = await serve(t);
    const pty = openClient(t, port);
    await pty.see('> ');
    pty.hangUp();
    assert.equal((await pty.ended).exitCode, -1); // SIGHUP
  });
});

function* endless(): Generator<string> {
  for (;;) yield 'no end '.repeat(1_000);
}
