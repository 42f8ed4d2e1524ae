// The assembler: what it makes is accepted by Node, and does what it says.
import assert from 'node:assert/strict';
import test from 'node:test';
import { assemble, forever, giveBack, i32, local, when } from '../../server/uppercase/wasm.ts';
import type { Code } from '../../server/uppercase/wasm.ts';

type Run = (...numbers: number[]) => number;

declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { buffer: ArrayBuffer };
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: { run: Run } };
};

function load(code: Uint8Array, pages = 1): { memory: Uint8Array; run: Run } {
  const memory = new WebAssembly.Memory({ initial: pages });
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(code), { '': { memory } }).exports;
  return { memory: new Uint8Array(memory.buffer), run };
}

test('constants of any size come back as they are', () => {
  for (const value of [0, 1, 63, 64, 127, 128, 8191, 8192, 16_383, 65_535, 1_000_000, 0x7fffffff]) {
    assert.equal(load(assemble(1, 0, 0, 0, i32.const(value))).run(), value);
  }
});

test('a loop begins anew from within a condition, and ends by giving back', () => {
  const { get, set } = local;
  const [number, sum] = [0, 1];
  const down: Code = [...get(number), ...i32.const(1), ...i32.xor, ...set(number)];
  // Odd numbers are made even and added; an even one ends it.
  const run = load(assemble(1, 1, 1, 0, forever((again) => [
    ...get(number), ...i32.const(1), ...i32.and,
    ...when([...get(sum), ...get(number), ...i32.add, ...set(sum), ...down, ...again(1)]),
    ...get(sum), ...get(number), ...i32.add, ...giveBack,
  ]))).run;
  assert.equal(run(7), 13);
  assert.equal(run(6), 6);
});

test('memory has at least the pages asked for, and is read and written at any place', () => {
  const { memory, run } = load(assemble(3, 1, 0, 0, [
    ...local.get(0), ...local.get(0), ...i32.load(300), ...i32.store(0), ...local.get(0), ...i32.load16(1),
  ]), 3);
  assert.throws(() => load(assemble(3, 0, 0, 0, i32.const(0)), 2), /memory/);
  memory.set([1, 2, 3, 4], 307);
  assert.equal(run(7), 0x0302);
  assert.deepEqual([...memory.subarray(7, 11)], [1, 2, 3, 4]);
});
