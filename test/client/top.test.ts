// `npm run top` on a real terminal: what it shows, its keys, and how it leaves the terminal.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { columnsOf } from '../../shared/terminal/preview.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { fakeAdmin } from '../helpers/fake-admin.ts';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { ptyMissing, startOnPty, type Pty } from '../helpers/pty.ts';
import { aStatus, aWorker, STARTED_AT } from '../helpers/status.ts';

const TOP = nodeArgs('client/admin/top.ts');
const SHELL = join(ROOT, 'test/helpers/shell.py');
const ENTERED = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEFT = '\x1b[?25h\x1b[?1049l';

/** Starts it by a shell that says which process and which terminal it is, and makes that 24 rows of 80 columns. */
async function openTop(
  t: TestContext, port: number, { node = [], before = [] }: { node?: string[]; before?: string[] } = {},
): Promise<{ pty: Pty; pid: number; resize: (columns: number, rows: number) => void }> {
  const command = [process.execPath, ...node, ...TOP, '--admin', `${port}`];
  const pty = startOnPty([...before, 'sh', '-c', 'echo "is $$ $(tty)."; exec "$@"', 'sh', ...command], CLIENT_ENV);
  t.after(async () => {
    pty.hangUp();
    await pty.ended;
  });
  await pty.see('.\r\n');
  const [, pid, terminal = ''] = /is (\d+) (\S+)\.\r\n/.exec(pty.screen()) ?? [];
  await pty.see(ENTERED);
  return {
    pty, pid: Number(pid),
    resize: (columns, rows) => void execFileSync('stty', ['-F', terminal, 'cols', `${columns}`, 'rows', `${rows}`]),
  };
}

/** The last picture that is whole. */
function lastPicture(pty: Pty): string[] {
  return (pty.screen().split('\x1b[H').at(-2) ?? '').split('\x1b[2J')[0]!.replaceAll('\x1b[K', '')
    .replace(/\x1b\[\d+m/g, '').split(/\r+\n/);
}

describe('npm run top on a terminal', { concurrency: 2, skip: ptyMissing() }, () => {
  test('shows the server and what changes, nothing that shapes the terminal, and leaves it as it was', async (t) => {
    const server = await fakeAdmin(t, { workers: [aWorker(1, { connections: 3, messagesPerSecond: 5000 })] });
    const { pty } = await openTop(t, server.port);
    await pty.see('echopool 0.1.0  ready  127.0.0.1:8080');
    await pty.see('last 20 s');
    await pty.see('5.0k');
    await pty.see('█');
    await pty.see('q leave');
    const text = 'client \x1b[2J\x07\u202e says';
    server.send({
      now: STARTED_AT + 61_000, line: { waiting: 17, limit: 1024 },
      notices: [{ id: 1, time: STARTED_AT, level: 'warn', event: 'x', text, worker: null }],
    });
    await pty.see('17 wait, room for 1,024');
    await pty.see('client \\x1b[2J\\x07\\u{202e} says');
    pty.type('q');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
    assert.ok(pty.screen().endsWith(LEFT), JSON.stringify(pty.screen().slice(-80)));
  });

  test('r, + and - reload and resize, and say what the server answers', async (t) => {
    const server = await fakeAdmin(t, { actions: true });
    const { pty } = await openTop(t, server.port);
    await pty.see('r reload   + one worker more   - one less');
    for (const [key, path, body, said] of [
      ['r', '/reload', '{"done":"All workers are replaced."}', 'All workers are replaced'],
      ['+', '/workers/add', '{"done":"One \\u001b[2J more."}', 'One \\x1b[2J more'],
      ['-', '/workers/remove', 'surprise', 'It is done'],
    ] as const) {
      server.answer = { status: 202, body };
      pty.type(key);
      await pty.see(said);
      assert.equal(server.posts.at(-1), path);
    }
    server.answer = { status: 409, body: 'There may be from 1 to 2 workers.\n' };
    pty.type('+');
    await pty.see('The server refuses: There may be from 1 to 2 workers.');
    pty.type('x\x03');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
    assert.equal(server.posts.length, 4);
  });

  test('without --admin-actions the keys do nothing, and say which flag is missing', async (t) => {
    const server = await fakeAdmin(t);
    const { pty } = await openTop(t, server.port);
    await pty.see('(r + - need the server\'s --admin-actions)');
    pty.type('r');
    await pty.see('Nothing was done by r: the server was started without --admin-actions.');
    assert.deepEqual(server.posts, []);
  });

  test('fits the terminal, and follows when it changes its size', async (t) => {
    const server = await fakeAdmin(t, { workers: Array.from({ length: 8 }, (_, slot) => aWorker(slot + 1)) });
    const { pty, resize } = await openTop(t, server.port);
    for (const [columns, rows] of [[60, 20], [132, 40], [60, 12]] as const) {
      resize(columns, rows);
      let lines: string[] = [];
      const fits = (): boolean => lines.length === rows && lines.every((line) => columnsOf(line) <= columns);
      // Columns and rows are changed one after the other; a picture may come between.
      for (let pictures = 0; pictures < 30 && !fits(); pictures++) {
        await pty.see('q leave');
        lines = lastPicture(pty);
      }
      assert.ok(fits(), `${columns} by ${rows}:\n${lines.join('\n')}`);
      assert.match(lines.at(-1)!, /^q leave/);
    }
  });

  test('says that the server is gone, finds it when it is back, and stays when it sends what is none', async (t) => {
    const first = await fakeAdmin(t, { pid: 111 });
    const { pty } = await openTop(t, first.port);
    await pty.see('pid 111');
    await first.stop();
    await pty.see('q leave   (the server is looked for every second)');
    await pty.see(`No server answers at 127.0.0.1:${first.port}`);
    const second = await fakeAdmin(t, { pid: 222 }, first.port);
    await pty.see('pid 222');
    assert.deepEqual(second.lastIds, ['1']);
    second.send('event: change\ndata: {"now":"never"}\n\n');
    await pty.see('is no echopool server\'s admin address.');
    second.status = aStatus({ pid: 333 });
    await pty.see('pid 333');
    assert.deepEqual(second.lastIds, ['1', undefined]);
    pty.type('q');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  test('reads an event no further than a bound, and says so', async (t) => {
    const server = await fakeAdmin(t);
    const { pty } = await openTop(t, server.port);
    await pty.see('q leave');
    for (let i = 0; i < 5; i++) server.send('x'.repeat(1024 * 1024));
    await pty.see('sends more than 4 MiB at once, as no echopool server does.');
    await server.asked('/events');
    await server.asked('/events');
    pty.type('q');
    assert.deepEqual(await pty.ended, { exitCode: 0, restored: true });
  });

  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130], ['SIGHUP', 129]] as const) {
    test(`${signal} ends it with ${code}, and the terminal is as it was`, async (t) => {
      const server = await fakeAdmin(t);
      const { pty, pid } = await openTop(t, server.port);
      await pty.see('q leave');
      process.kill(pid, signal);
      assert.deepEqual(await pty.ended, { exitCode: code, restored: true });
      assert.ok(pty.screen().endsWith(LEFT));
    });
  }

  test('if it breaks, the terminal is as it was, and shows why', async (t) => {
    const server = await fakeAdmin(t);
    const fault = "data:text/javascript,process.on('SIGUSR2', () => { throw new Error('a fault'); })";
    const { pty, pid } = await openTop(t, server.port, { node: ['--import', fault] });
    await pty.see('q leave');
    process.kill(pid, 'SIGUSR2');
    await pty.see(LEFT);
    await pty.see('Error: a fault');
    assert.deepEqual(await pty.ended, { exitCode: 1, restored: true });
  });

  test('Ctrl-Z gives the terminal back, and after fg the picture is there again', async (t) => {
    const server = await fakeAdmin(t, { actions: true });
    const { pty } = await openTop(t, server.port, { before: ['python3', SHELL] });
    await pty.see('q leave');
    pty.type('\x1a');
    await pty.see(LEFT);
    await pty.see('stopped, the terminal is cooked');
    pty.type('\r');
    await pty.see(ENTERED);
    await pty.see('q leave');
    pty.type('r');
    await pty.see('It is done');
    pty.type('q');
    await pty.see('ended');
    assert.equal((await pty.ended).exitCode, 0);
  });

  test('a server that is not there is said on the terminal as it is, with exit code 1', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const pty = startOnPty([process.execPath, ...TOP, '--admin', `${port}`], CLIENT_ENV);
    await pty.see(`top: No server answers at 127.0.0.1:${port}: start it with --admin 127.0.0.1:${port}.`);
    assert.deepEqual(await pty.ended, { exitCode: 1, restored: true });
    assert.doesNotMatch(pty.screen(), /\x1b/);
  });
});
