// The benchmark's load generator in C, on servers that are right, and on some that are not: a figure that it gives is
// worth something only if it notices. The one in TypeScript is people's own tool, and has its tests in load.test.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Load } from '../bench/cases.ts';
import { LoadGenerator } from '../bench/load.ts';
import type { Round } from '../bench/load.ts';

const OPTIONS = { timeout: 60_000 };
const SECONDS = 0.1;
/** Long enough for some replies on any machine. */
const SECONDS_TO_COUNT = 0.5;
/** tcpmux: nobody has it. */
const NOBODYS_PORT = 1;
const folder = mkdtempSync(join(tmpdir(), 'bench-load-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const generator = await LoadGenerator.inC(folder, 1);
const skip = generator.name.startsWith('a program in C') ? false : generator.name;

/** Puts the load on a server in this process that answers as `answer` does. */
async function loadOn(
  load: Load, answer: (socket: Socket, text: string) => void, seconds = SECONDS,
): Promise<Round> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding('utf8').on('data', (text: string) => answer(socket, text)).on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await generator.measure({ pid: process.pid, port }, load, seconds);
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

const upper = (socket: Socket, text: string): void => { socket.write(text.toUpperCase()); };
const SMALL: Load = { connections: 4, size: 64, depth: 3 };
const LOADS: Readonly<Record<string, Load>> = {
  'small messages': SMALL,
  'long ones of many scripts': { connections: 2, size: 100_000, text: 'utf8' },
  'connections for one message': { connections: 4, size: 64, churn: true },
};

describe('the load generator in C', { skip }, () => {
  for (const [what, load] of Object.entries(LOADS)) {
    test(`counts right replies: ${what}`, OPTIONS, async () => {
      const round = await loadOn(load, upper, SECONDS_TO_COUNT);
      assert.deepEqual(round.problems, []);
      assert.ok(round.messages > 0 && round.rate > 0 && round.p50Us <= round.p99Us);
      assert.ok(Math.abs(round.mbPerSecond / (round.rate * load.size / 1e6) - 1) < 0.01);
    });
  }
});

describe('the load generator in C notices', { skip }, () => {
  for (const [what, load] of Object.entries(LOADS)) {
    test(`one byte that is wrong: ${what}`, OPTIONS, async () => {
      const { problems } = await loadOn(load, (socket, text) => upper(socket, text.replace('\n', '?')));
      assert.match(problems.join(), /^Wrong reply/);
    });

    test(`a connection that is lost: ${what}`, OPTIONS, async () => {
      const { problems } = await loadOn(load, (socket) => socket.destroy());
      assert.match(problems.join(), /lost/);
    });

  }

  test('more than was to come back', OPTIONS, async () => {
    const { problems } = await loadOn({ connections: 1, size: 64 }, (socket, text) => upper(socket, `${text}more`));
    assert.match(problems.join(), /^(?:Wrong reply|More came back)/);
  });

  test('that nobody listens', OPTIONS, async () => {
    const { problems } = await generator.measure({ pid: process.pid, port: NOBODYS_PORT }, SMALL, SECONDS);
    assert.match(problems.join(), /^Cannot connect/);
  });
});

describe('the load generator in C waits for the last replies, and tells', { skip, concurrency: true }, () => {
  for (const [what, load] of Object.entries(LOADS)) {
    test(`of those that never come: ${what}`, OPTIONS, async () => {
      const { problems } = await loadOn(load, () => {});
      assert.match(problems.join(), /replies never came/);
    });
  }
});
