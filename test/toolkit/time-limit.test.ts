import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { WrongUse } from '../../shared/multiprocessing/base/errors.ts';
import { checkWait, watchWait } from '../../shared/multiprocessing/base/time-limit.ts';
import type { Wait } from '../../shared/multiprocessing/base/time-limit.ts';

describe('the limits of a wait', () => {
  for (const [given, says] of [
    ['1', /by a number of milliseconds, or by \{ timeoutMs, signal \}, not by '1'/],
    [null, /not by null/],
    [NaN, /a time limit is a number of milliseconds, not NaN/],
    [{ timeoutMs: '5' }, /a time limit is a number of milliseconds, not '5'/],
    [{ signal: new AbortController() }, /the signal of a wait is an AbortSignal, not AbortController/],
  ] as const) {
    it(`that are wrong are refused by their value: ${String(given)}`, () => {
      assert.throws(() => checkWait(given as unknown as Wait), (error) => (
        error instanceof WrongUse && says.test(error.message)
      ));
    });
  }

  it('that are called off already throw the reason', () => {
    const reason = new Error('not now');
    assert.throws(() => checkWait({ signal: AbortSignal.abort(reason) }), reason);
  });

  it('that have passed while the process stood still let it read first what had come', async () => {
    const { port1, port2 } = new MessageChannel();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      port1.once('message', () => order.push('message'));
      watchWait(checkWait(20), () => {
        order.push('lapsed');
        resolve();
      }, unexpected);
      port2.postMessage('here in time');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    });
    port1.close();
    assert.deepEqual(order, ['message', 'lapsed']);
  });

  it('that are negative are over at once, and Node warns of nothing', async () => {
    const warned: Error[] = [];
    const warn = (warning: Error): void => void warned.push(warning);
    process.on('warning', warn);
    for (const timeoutMs of [-1, -Infinity]) {
      await new Promise<void>((resolve) => void watchWait({ timeoutMs }, resolve, unexpected));
    }
    process.off('warning', warn);
    assert.deepEqual(warned, []);
  });

  it('tell of an abort once, with its reason, and then of nothing', async () => {
    const controller = new AbortController();
    const told: unknown[] = [];
    const wait = checkWait({ timeoutMs: 1, signal: controller.signal });
    watchWait(wait, () => told.push('lapsed'), (reason) => told.push(reason));
    controller.abort('enough');
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(told, ['enough']);
  });

  it('are called off by one signal, however many they are, with one listener while there are some', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    const watch = (name: string): (() => void) => watchWait({ signal }, unexpected, () => told.push(name));
    watch('ended at once')();
    const ends = Array.from({ length: 20 }, (_, i) => watch(`${i}`));
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    for (const end of ends.slice(2)) end();
    for (const end of ends.slice(2)) end();
    controller.abort();
    assert.deepEqual(told, ['0', '1']);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('tell of nothing after their wait has ended', async () => {
    const controller = new AbortController();
    const end = watchWait(checkWait({ timeoutMs: 1, signal: controller.signal }), unexpected, unexpected);
    end();
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

function unexpected(): void {
  assert.fail('nothing should have been told');
}
