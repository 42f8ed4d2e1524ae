// Time limits of the server: a process that stands still loses nothing by it. Here it does by blocking its event loop.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { afterRunning, afterSilence, onBeats } from '../../shared/running-time.ts';

/** Blocks this process, and with it all of its clocks. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Clocks keep no process running: the test does, for as long as it lasts. */
function keepRunning(t: TestContext): void {
  const timer = setInterval(() => {}, 1000);
  t.after(() => clearInterval(timer));
}

/** Lets all that is due come: timers, what is to be read, immediates. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

test('a limit lapses once, and not before its time', async (t) => {
  keepRunning(t);
  for (const ms of [0, 5, 60, 400]) {
    const began = performance.now();
    let lapses = 0;
    await new Promise<void>((resolve) => {
      afterRunning(ms, () => {
        lapses++;
        resolve();
      });
    });
    assert.ok(performance.now() - began >= ms, `${ms} ms lapsed after ${performance.now() - began}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(lapses, 1);
  }
});

test('a standstill of three times a limit does not let it lapse', async (t) => {
  keepRunning(t);
  let lapsed = false;
  const stop = afterRunning(10_000, () => { lapsed = true; });
  t.after(stop);
  standStill(100);
  let short = false;
  let shortAt = 0;
  const began = performance.now();
  const done = new Promise<void>((resolve) => {
    afterRunning(400, () => {
      short = true;
      shortAt = performance.now();
      resolve();
    });
  });
  standStill(1200);
  await turns(5);
  assert.equal(short, false, 'lapsed while the process stood still');
  await done;
  // 1200 ms did not count, but for two beats of 20 ms.
  assert.ok(shortAt - began >= 1200 + 400 - 2 * 20 - 1, `${shortAt - began} ms`);
  assert.equal(lapsed, false);
});

test('a limit that was ended does not lapse, and others of the same length do', async (t) => {
  keepRunning(t);
  let ended = false;
  const stop = afterRunning(30, () => { ended = true; });
  const other = new Promise<void>((resolve) => afterRunning(30, resolve));
  stop();
  stop();
  await other;
  await turns(3);
  assert.equal(ended, false);
});

test('a silence begins anew with every progress', async (t) => {
  keepRunning(t);
  let figure = 0;
  let lapsed = false;
  const over = new Promise<void>((resolve) => {
    afterSilence(200, () => figure, () => {
      lapsed = true;
      resolve();
    });
  });
  let beats = 0;
  // 60 beats of a silence that lasts 20.
  await new Promise<void>((resolve) => {
    const stop = onBeats(10, () => {
      figure++;
      if (++beats < 60) return;
      stop();
      resolve();
    });
  });
  assert.equal(lapsed, false);
  await over;
});

test('what had arrived is read before a silence is judged, however long nobody could read it', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = await once(server, 'connection') as [import('node:net').Socket];
  t.after(() => {
    client.destroy();
    socket.destroy();
  });
  await once(client, 'connect');
  const lapses: number[] = [];
  let read = 0;
  client.on('data', (bytes: Buffer) => { read += bytes.length; });
  t.after(afterSilence(40, () => read, () => lapses.push(read)));
  for (let i = 1; i <= 5; i++) {
    await new Promise<void>((resolve) => { socket.write('x', () => resolve()); });
    standStill(200);
    await turns(1);
    assert.deepEqual(lapses, [], `judged in round ${i}`);
  }
});

test('beats that were missed are not made up for', async (t) => {
  keepRunning(t);
  let beats = 0;
  const stop = onBeats(5, () => { beats++; });
  t.after(stop);
  standStill(200);
  await turns(2);
  assert.ok(beats <= 1, `${beats} beats at once`);
});
