// The server with the tools that people have: nc, ncat, socat, telnet, and a client as in the Python tutorials.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { missing } from '../helpers/missing.ts';
import { DEADLINE_MS, startTestServer } from '../helpers/server.ts';
import type { TestServer } from '../helpers/server.ts';

/** `nc` is several programs, of which only the one of OpenBSD has -N. */
function noOpenBsdNc(): string | false {
  if (missing('nc') !== false) return missing('nc');
  const help = String(spawnSync('nc', ['-h']).stderr);
  return /\[-?\w*N/.test(help) ? false : 'the nc here is not that of OpenBSD: it has no -N';
}

const TEXT = 'hi, straße!\n';
const REPLY = 'HI, STRASSE!\n';
/** More than the buffers on the way hold, so that a tool that ended early would show. */
const LONG_TEXT = 'a long line, straße, '.repeat(100_000);

describe('real tools get right answers', { concurrency: true }, () => {
  let server: TestServer;
  before(async () => { server = await startTestServer(['--log', 'connections', '--workers', '2']); });
  after(() => server[Symbol.asyncDispose]());

  const start = (t: TestContext, tool: string, args: string[]): ChildProcessWithoutNullStreams => {
    const child = spawn(tool, args.map((arg) => arg.replace('PORT', `${server.port}`)));
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const run = async (t: TestContext, input: string, tool: string, ...args: string[]): Promise<string> => {
    const child = start(t, tool, args);
    child.stdin.end(input);
    return (await buffer(child.stdout)).toString();
  };

  test('nc -N', { skip: noOpenBsdNc() }, async (t) => {
    assert.equal(await run(t, TEXT, 'nc', '-N', '127.0.0.1', 'PORT'), REPLY);
    assert.equal(await run(t, 'hi', 'nc', '-N', '127.0.0.1', 'PORT'), 'HI');
    assert.equal(await run(t, LONG_TEXT, 'nc', '-N', '127.0.0.1', 'PORT'), LONG_TEXT.toUpperCase());
  });

  test('ncat', { skip: missing('ncat') }, async (t) => {
    assert.equal(await run(t, TEXT, 'ncat', '127.0.0.1', 'PORT'), REPLY);
    assert.equal(await run(t, LONG_TEXT, 'ncat', '127.0.0.1', 'PORT'), LONG_TEXT.toUpperCase());
  });

  test('socat', { skip: missing('socat') }, async (t) => {
    // -t: socat's own half second for the reply may be too short on a busy machine.
    assert.equal(await run(t, TEXT, 'socat', '-t', '60', '-', 'TCP:127.0.0.1:PORT'), REPLY);
    assert.equal(await run(t, LONG_TEXT, 'socat', '-t', '60', '-', 'TCP:127.0.0.1:PORT'), LONG_TEXT.toUpperCase());
  });

  test('telnet, which ends its lines with a carriage return', { skip: missing('telnet') }, async (t) => {
    const telnet = start(t, 'telnet', ['127.0.0.1', 'PORT']);
    let output = '';
    telnet.stdout.setEncoding('utf8').on('data', (text: string) => { output += text; });
    const comes = async (text: string): Promise<void> => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      while (!output.includes(text)) await once(telnet.stdout, 'data', { signal });
    };
    await comes("Escape character is '^]'.");
    telnet.stdin.write(TEXT);
    await comes('HI, STRASSE!');
    telnet.stdin.write('and again\n');
    await comes('AND AGAIN');
    telnet.stdin.end();
    await once(telnet, 'exit');
  });

  test('a client of the Python tutorials, without newlines and with one recv(1024) a message', {
    skip: missing('python3'),
  }, async (t) => {
    const program = [
      'import socket, sys',
      'client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)',
      "client.connect(('127.0.0.1', int(sys.argv[1])))",
      "for msg in ['hi', 'straße', 'x' * 1024]:",
      "    client.send(msg.encode('utf-8'))",
      "    print(client.recv(1024).decode('utf-8'))",
      'client.close()',
    ].join('\n');
    const output = await run(t, '', 'python3', '-X', 'utf8', '-c', program, 'PORT');
    assert.equal(output, `HI\nSTRASSE\n${'X'.repeat(1024)}\n`);
  });
});
