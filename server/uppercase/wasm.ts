// A small assembler: as much of WebAssembly's binary format (webassembly.github.io/spec/core/binary) as a function
// needs that works on bytes in memory. An instruction, or a piece of code, is a list of bytes. Used by kernel.ts.

export type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const NO_RESULT = 0x40;

/** 32-bit integers. Operands are pushed first, as everywhere here: `[...a, ...b, ...i32.add]`. */
export const i32 = {
  const: (value: number): Code => [0x41, ...leb128(value)],
  load: (offset: number): Code => [0x28, 0, ...leb128(offset)],
  load8: (offset: number): Code => [0x2d, 0, ...leb128(offset)],
  load16: (offset: number): Code => [0x2f, 0, ...leb128(offset)],
  store: (offset: number): Code => [0x36, 0, ...leb128(offset)],
  store8: (offset: number): Code => [0x3a, 0, ...leb128(offset)],
  eqz: [0x45], greater: [0x4b], add: [0x6a], and: [0x71], or: [0x72], xor: [0x73],
  shiftLeft: [0x74], shiftRight: [0x76],
} as const;

/** Vectors of 16 bytes. */
export const v128 = {
  splat: (byte: number): Code => [...simd(12), ...new Array<number>(16).fill(byte)],
  load: (offset: number): Code => [...simd(0), 0, ...leb128(offset)],
  store: (offset: number): Code => [...simd(11), 0, ...leb128(offset)],
  subtract: simd(0x71), less: simd(0x26), and: simd(0x4e), or: simd(0x50), xor: simd(0x51),
  /** The highest bit of each byte. */
  highBits: simd(0x64),
} as const;

export const local = {
  get: (index: number): Code => [0x20, index],
  set: (index: number): Code => [0x21, index],
  tee: (index: number): Code => [0x22, index],
} as const;

/** Does `then` if what was pushed is not 0. */
export function when(then: Code): Code {
  return [0x04, NO_RESULT, ...then, END];
}

/** Repeats `body` until it returns. `again(depth)` begins anew at once, from within so many nested `when`s. */
export function forever(body: (again: (depth: number) => Code) => Code): Code {
  const again = (depth: number): Code => [0x0c, depth];
  return [0x03, NO_RESULT, ...body(again), ...again(0), END, 0x00];
}

/** Returns what was pushed. */
export const giveBack: Code = [0x0f];

/**
 * A module of one function, exported as `run`, and one memory, imported as `memory` of the module without a name.
 * @param pages The least that the memory has, in 64 KiB.
 * @param parameters How many integers the function takes; it gives back one.
 * @param integers How many more it uses, @param vectors and how many vectors: locals are numbered in this order.
 */
export function assemble(pages: number, parameters: number, integers: number, vectors: number, body: Code): Uint8Array {
  const type = [0x60, parameters, ...new Array<number>(parameters).fill(I32), 1, I32];
  const code = sized([2, integers, I32, vectors, V128, ...body, END]);
  return Uint8Array.from([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // \0asm, version 1
    ...section(1, type), ...section(2, [...name(''), ...name('memory'), 2, 0, ...leb128(pages)]), ...section(3, [0]),
    ...section(7, [...name('run'), 0, 0]), ...section(10, code),
  ]);
}

function simd(instruction: number): Code {
  return [0xfd, ...leb128(instruction, 128)];
}

function section(id: number, ...items: Code[]): Code {
  return [id, ...sized([items.length, ...items.flat()])];
}

function name(text: string): Code {
  return sized([...Buffer.from(text)]);
}

function sized(code: Code): Code {
  return [...leb128(code.length, 128), ...code];
}

/** A number, seven bits a byte, the lowest first. Signed ones, such as constants, leave the last byte's bit 6 clear. */
function leb128(value: number, limit = 64): Code {
  return value < limit ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7, limit)];
}
