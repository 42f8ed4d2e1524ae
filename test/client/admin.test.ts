// `npm run status`, and what it shares with `npm run top`: addresses, requests, events, and what is believed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { changed, isChange, isStatus } from '../../client/admin/check.ts';
import { parseStatusCommand } from '../../client/admin/config.ts';
import { EventStream, EventTooLong } from '../../client/admin/event-stream.ts';
import { Rates } from '../../client/admin/rates.ts';
import { picture } from '../../client/admin/view.ts';
import { columnsOf } from '../../shared/terminal/preview.ts';
import { CLIENT_ENV } from '../helpers/client-env.ts';
import { fakeAdmin } from '../helpers/fake-admin.ts';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { aStatus, aWorker, STARTED_AT } from '../helpers/status.ts';

async function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [...nodeArgs(`client/admin/${program}.ts`), ...args], {
    cwd: ROOT, env: { ...CLIENT_ENV, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const [code] = await once(child, 'close') as [number | null];
  return { code, stdout, stderr };
}

async function listen(t: TestContext, answer: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    answer(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('npm run status', { concurrency: 2 }, () => {
  test('prints the table once, in the columns that there are; --json prints what the server has sent', async (t) => {
    const { port, status } = await fakeAdmin(t, { version: '9.9.9', current: 3 });
    const { code, stdout, stderr } = await run('status', ['--admin', `${port}`], { COLUMNS: '60' });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, /^echopool 9\.9\.9 {2}ready.*\n(?:.*\n)*now {7}3 connections/);
    assert.ok(stdout.split('\n').every((line) => columnsOf(line) <= 60), stdout);
    const json = await run('status', ['--json'], { ECHOPOOL_ADMIN: `http://127.0.0.1:${port}/` });
    assert.deepEqual(json, { code: 0, stdout: `${JSON.stringify(status)}\n`, stderr: '' });
  });

  test('finds a server at a Unix socket, and top without a terminal prints the same table', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'admin-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'admin.sock');
    await fakeAdmin(t, {}, path);
    const status = await run('status', ['--admin', `unix:${path}`]);
    assert.match(status.stdout, /^echopool 0\.1\.0 /);
    assert.deepEqual(await run('top', [`unix:${path}`]), status);
  });

  test('wrong use is one line that says what is allowed, and exit code 2', async () => {
    for (const [args, said] of [
      [[], /^status: --admin ADDRESS or ECHOPOOL_ADMIN is needed/],
      [['--admin', 'x:y'], /^status: --admin must be PORT, HOST:PORT, http:\/\/HOST:PORT or unix:PATH .* not "x:y"$/],
      [['--admin', '1', '--jsno'], /^status: unknown flag "--jsno": did you mean --json\?/],
    ] as const) {
      const { code, stdout, stderr } = await run('status', [...args]);
      assert.deepEqual({ code, stdout, lines: stderr.split('\n').length }, { code: 2, stdout: '', lines: 2 }, stderr);
      assert.match(stderr.trimEnd(), said);
    }
    const { code, stdout } = await run('top', ['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: npm run top -- --admin ADDRESS\n[^]*r replaces the workers/);
  });

  test('a server that is not there is one line that says what to do, and exit code 1', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const free = (gone.address() as AddressInfo).port;
    await new Promise((resolve) => gone.close(resolve));
    for (const program of ['status', 'top']) {
      assert.deepEqual(await run(program, ['--admin', `${free}`]), {
        code: 1, stdout: '',
        stderr: `${program}: No server answers at 127.0.0.1:${free}: start it with --admin 127.0.0.1:${free}.\n`,
      });
    }
    const missing = await run('status', ['--admin', 'unix:/nowhere/a.sock']);
    assert.match(missing.stderr, /^status: No server answers at unix:\/nowhere\/a\.sock: start it with --admin /);
  });

  test('a server that says nothing is given up after 10 s, and it is said which and why', async (t) => {
    const port = await listen(t, () => {});
    const { code, stderr } = await run('status', [`${port}`]);
    assert.equal(code, 1);
    assert.equal(stderr, `status: Nothing came from 127.0.0.1:${port} for 10 s: its server may be stopped or stuck.\n`);
  });

  test('what is no admin address is told from one, is read no further than a bound, and shapes nothing', async (t) => {
    const echo = await listen(t, (socket) => void socket.on('data', (bytes) => socket.write(bytes)));
    const leaver = await listen(t, (socket) => void socket.end());
    assert.match((await run('status', [`${echo}`])).stderr, /speaks no HTTP: give the address of --admin, not the one/);
    assert.match((await run('status', [`${leaver}`])).stderr, /^status: \S+:\d+ has closed the connection\.$/m);
    let answer: { status: number; body: string | undefined };
    let sent = 0;
    const server = createHttpServer((_, response) => {
      response.writeHead(answer.status);
      if (answer.body !== undefined) return void response.end(answer.body);
      const more = (): void => {
        while (response.write('x'.repeat(65_536)) && sent < 64e6) sent += 65_536;
        if (sent < 64e6) response.once('drain', more);
      };
      return more();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const stderrOf = async (status: number, body?: string): Promise<string> => {
      answer = { status, body };
      const { code, stdout, stderr } = await run('status', [`${port}`]);
      assert.deepEqual({ code, stdout, lines: stderr.split('\n').length }, { code: 1, stdout: '', lines: 2 }, stderr);
      return stderr;
    };
    assert.match(await stderrOf(403, 'No \x1b[2Jentry.\nmore'), /answered 403: No \\x1b\[2Jentry\.$/m);
    assert.match(await stderrOf(200, '{"version":"1"}'), /is no echopool server's admin address\.$/m);
    assert.match(await stderrOf(200, 'hello'), /is no echopool server's admin address\.$/m);
    assert.match(await stderrOf(200), /sends more than 4 MiB at once/);
    assert.ok(sent < 32e6, `${sent} bytes were taken`);
  });
});

test('an admin address is a port, a host with a port, an http:// address or a path', () => {
  const of = (text: string, env = {}) => {
    const command = parseStatusCommand(text === '' ? [] : ['--admin', text], env);
    assert.equal(command.kind, 'run');
    return command.kind === 'run' ? command.address : undefined;
  };
  const local = { shown: '127.0.0.1:9', to: { host: '127.0.0.1', port: 9 } };
  for (const text of ['9', '127.0.0.1:9', 'http://127.0.0.1:9/']) assert.deepEqual(of(text), local);
  assert.deepEqual(of('', { ECHOPOOL_ADMIN: '9' }), local);
  for (const text of ['[::1]:9', 'http://[::1]:9/']) {
    assert.deepEqual(of(text), { shown: '[::1]:9', to: { host: '::1', port: 9 } });
  }
  assert.deepEqual(of('unix:/a b'), { shown: 'unix:/a b', to: { socketPath: '/a b' } });
  for (const text of [
    '0', '65536', 'a', 'a:', ':9', '::1', '[a]:9', 'https://a:9', 'http://a:9/x', 'unix:', `unix:${'x'.repeat(108)}`,
    'a\r\nb:9', '-a:9', 'a/b:9',
  ]) {
    assert.throws(() => of(text), { name: 'UsageError' }, text);
  }
});

test('events are the same however the stream is cut, with any line end; a long one is refused', () => {
  const text = ':hi\n\nid: 7\r\nevent: change\r\ndata: é\r\ndata:b\r\n\r\ndata\n\nid\nnonsense: 1\rdata: c\r\r';
  const bytes = Buffer.from(text);
  const expected = [
    { event: 'change', data: 'é\nb', id: '7' }, { event: 'message', data: '', id: '7' },
    { event: 'message', data: 'c', id: '' },
  ];
  for (let size = 1; size <= bytes.length; size++) {
    const stream = new EventStream(100);
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...stream.push(bytes.subarray(at, at + size)));
    assert.deepEqual(events, expected, `in pieces of ${size}`);
  }
  const most = 100;
  for (const piece of ['x', 'data: x\n', ':\n']) {
    const stream = new EventStream(most);
    assert.throws(() => { for (let i = 0; i <= most; i++) stream.push(Buffer.from(piece)); }, EventTooLong, piece);
  }
  const stream = new EventStream(most);
  for (let i = 0; i <= most; i++) assert.deepEqual(stream.push(Buffer.from(':still here\n\n')), []);
});

test('only what is a status is taken for one, and only what is a change changes it', () => {
  const status = aStatus();
  assert.ok(isStatus(status));
  assert.ok(isStatus(JSON.parse(JSON.stringify({ ...status, later: { more: 1 } }))));
  for (const differs of [
    { workers: null }, { workers: [{ ...aWorker(1), slot: 0.5 }] }, { workers: new Array(5000).fill(aWorker(1)) },
    { uptimeMs: '1' }, { current: -1 }, { pid: 1e300 }, { notices: [{}] }, { listening: [1] }, { terminal: null },
    { totals: { ...status.totals, refused: [] } }, { config: { x: {} } }, { version: 'x'.repeat(1e6) },
  ]) assert.equal(isStatus({ ...status, ...differs }), false, JSON.stringify(differs).slice(0, 80));
  for (const value of [null, 1, [], 'x', {}]) assert.equal(isStatus(value), false);
  assert.ok(isChange({ now: 1 }));
  for (const value of [null, {}, { now: 'x' }, { now: 1, workers: 1 }, { now: 1, notices: 1 }]) {
    assert.equal(isChange(value), false);
  }

  const notice = { id: 1, time: 1, level: 'info', event: 'x', text: 'x', worker: null } as const;
  let now = changed(status, JSON.parse('{"now":5,"current":2,"__proto__":{"pid":1},"strange":1}'));
  assert.deepEqual(now, { ...status, connections: null, now: 5, current: 2 });
  for (let id = 1; id <= 60; id++) now = changed(now, { now: 6, notices: [{ ...notice, id }] });
  assert.deepEqual(now.notices.map(({ id }) => id), Array.from({ length: 50 }, (_, i) => i + 11));
});

test('the picture has as many lines as rows, none too long, and the keys last, at every size', () => {
  const rates = new Rates();
  const workers = Array.from({ length: 40 }, (_, i) => aWorker(i + 1, { messagesPerSecond: i * 100, connections: i }));
  const notices = Array.from({ length: 50 }, (_, id) => (
    { id: id + 1, time: STARTED_AT, level: 'info', event: 'x', text: `event ${id + 1}`, worker: null } as const));
  const status = aStatus({ workers, notices });
  for (let i = 0; i < 30; i++) rates.note(status);
  const look = { color: false, trouble: undefined, said: 'said' };
  for (const rows of [1, 2, 3, 8, 12, 24, 40, 100]) {
    for (const columns of [20, 60, 79, 200]) {
      const lines = picture(status, rates, { ...look, rows, columns });
      assert.equal(lines.length, rows, `${columns} by ${rows}`);
      for (const line of lines) assert.ok(columnsOf(line) <= columns, line);
      assert.match(lines.at(-1)!, /^q leave/);
    }
  }
  const two = { ...status, workers: workers.slice(0, 2) };
  const few = picture(two, rates, { ...look, rows: 40, columns: 60 }).join('\n');
  assert.match(few, /^ {5}2 ready .* ▁{20}$/m);
  assert.match(few, /event 41\n(?:.*\n)*.* event 50\n/);
  const many = picture(status, rates, { ...look, rows: 24, columns: 60 }).join('\n');
  assert.match(many, /and 3\d workers more, for which there is no room/);
  assert.match(many, /event 50\n/);
});

test('a rate is kept by slot for 20 seconds, and forgotten with its worker', () => {
  const rates = new Rates();
  for (let rate = 1; rate <= 25; rate++) {
    rates.note(aStatus({ workers: [aWorker(1, { messagesPerSecond: rate }), aWorker(2)] }));
  }
  assert.deepEqual(rates.of(1), Array.from({ length: 20 }, (_, i) => i + 6));
  assert.equal(rates.most, 25);
  rates.note(aStatus({ workers: [aWorker(2)] }));
  assert.deepEqual(rates.of(1), []);
});
