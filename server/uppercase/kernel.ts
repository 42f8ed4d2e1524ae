// The fast part of upper-casing: a WebAssembly function, because only there one instruction works on 16 bytes, and 4
// bytes can be read and written at any place. Used by uppercaser.ts; the table that it looks up is filled by table.ts.
import { endianness } from 'node:os';
import { assemble, forever, giveBack, i32, local, v128, when } from './wasm.ts';
import type { Code } from './wasm.ts';

export interface Kernel {
  /** What both sides work on. Text goes in at {@link INPUT} and its upper case comes out at {@link OUTPUT}. */
  readonly memory: Buffer;
  /**
   * Upper-cases what is at `read` in memory and writes it at `write`, block after block of 16 bytes.
   * @param last Where a block may begin at the latest.
   * @returns Where it stopped reading; it has written as many bytes as it has read. It stops beyond `last`, or shortly
   *   before a character that needs a closer look. A character that it stops within is already changed in the input.
   */
  run(read: number, write: number, last: number): number;
}

/** How many bytes of input there is room for: all that is touched fits into a processor's first cache. */
export const CHUNK = 16 * 1024;
/** How often longer an upper case may be than its character, in bytes: ΐ has 2, and its upper case 6. */
export const MOST_GROWTH = 3;
const BLOCK = 16;
/** The last block may begin so many bytes before the end of the input: the pair of its last byte is in there too. */
export const LAST_BLOCK = BLOCK + 1;
/** How far beyond the input a load may reach. */
const MARGIN = 2 * BLOCK;

/** How many pairs of bytes there are to look up: see `pairFlips`. */
const PAIRS = 1 << 14;
/** Stands in place of a pair's flip when two bytes do not tell. It is a bit that no such flip has. */
export const LOOK_CLOSER = 0x40;

const TABLE = 0;
export const INPUT = TABLE + PAIRS * Uint16Array.BYTES_PER_ELEMENT;
export const OUTPUT = INPUT + CHUNK + MARGIN;
const SIZE = OUTPUT + MOST_GROWTH * CHUNK + MARGIN;
const PAGE = 64 * 1024;

/** What is used of WebAssembly: its types belong to the browsers' library, of which nothing else is used here. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: { run: Kernel['run'] } };
};

/** Undefined without WebAssembly, or without the address space that Node reserves for a memory. */
const shared = attempt(() => new WebAssembly.Memory({ initial: Math.ceil(SIZE / PAGE) }));

/**
 * The flips (table.ts) of pairs of neighbouring bytes: what changes in the character that begins with the first of
 * them, or 0 if none begins there. For ASCII and two-byte characters that is all. For longer ones it is 0 if none that
 * begins with this pair has an upper case, as in CJK or emoji, and otherwise `LOOK_CLOSER`. Pairs and flips are
 * little-endian numbers. The index is the pair's low 14 bits: the other two do not matter after ASCII, else they are
 * always the same.
 */
export const pairFlips = new Uint16Array(shared?.buffer ?? new ArrayBuffer(2 * PAIRS), TABLE, PAIRS);

let loaded: { readonly kernel: Kernel | undefined } | undefined;

/**
 * Compiled when it is first asked for: a megabyte, which a worker that meets only short messages does without.
 * Undefined without WebAssembly or without its vectors.
 */
export function loadKernel(): Kernel | undefined {
  return (loaded ??= { kernel: attempt(compile) }).kernel;
}

function compile(): Kernel | undefined {
  // What is looked up is written as this machine's numbers.
  if (shared === undefined || endianness() !== 'LE') return undefined;
  const code = assemble(Math.ceil(SIZE / PAGE), 3, 5, 1, functionBody());
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(code), { '': { memory: shared } }).exports;
  return { memory: Buffer.from(shared.buffer), run };
}

function attempt<T>(what: () => T): T | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}

function functionBody(): Code {
  const [read, write, last, a, b, c, d, carry, vector] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const { get, set, tee } = local;

  /** The flip of the pair of bytes at `offset` from `read`. */
  const flipAt = (offset: number): Code => [
    ...get(read), ...i32.load16(offset), ...i32.const(PAIRS - 1), ...i32.and,
    ...i32.const(1), ...i32.shiftLeft, ...i32.load16(TABLE),
  ];
  const shifted = (flip: number, bits: number): Code => [
    ...get(flip), ...i32.const(bits), ...i32.shiftLeft, ...i32.xor,
  ];
  const advance = (position: number): Code => [...get(position), ...i32.const(BLOCK), ...i32.add, ...set(position)];
  /** Finishes in the input the character that it stops within. */
  const stopAt = (offset: number): Code => [
    ...get(read), ...get(read), ...i32.load8(offset), ...get(carry), ...i32.xor, ...i32.store8(offset),
    ...get(read), ...i32.const(offset), ...i32.add, ...giveBack,
  ];
  /** Four bytes, each the first of a pair. The rest of the last one's flip is carried into the next four. */
  const upperWord = (offset: number): Code => [
    ...flipAt(offset), ...tee(a), ...flipAt(offset + 1), ...tee(b), ...i32.or,
    ...flipAt(offset + 2), ...tee(c), ...i32.or, ...flipAt(offset + 3), ...tee(d), ...i32.or,
    ...i32.const(LOOK_CLOSER), ...i32.and, ...when(stopAt(offset)),
    ...get(write), ...get(read), ...i32.load(offset), ...get(carry), ...i32.xor,
    ...get(a), ...i32.xor, ...shifted(b, 8), ...shifted(c, 16), ...shifted(d, 24), ...i32.store(offset),
    ...get(d), ...i32.const(8), ...i32.shiftRight, ...set(carry),
  ];
  /** v ^ ((v - 'a' < 26) & 0x20), with bytes that have no sign. */
  const upperAscii: Code = [
    ...get(vector), ...v128.splat(0x61), ...v128.subtract, ...v128.splat(26), ...v128.less,
    ...v128.splat(0x20), ...v128.and, ...get(vector), ...v128.xor,
  ];
  const nextBlock = [...advance(read), ...advance(write)];

  return forever((again) => [
    ...get(read), ...get(last), ...i32.greater, ...when(stopAt(0)),
    ...get(read), ...v128.load(0), ...tee(vector), ...v128.highBits, ...get(carry), ...i32.or, ...i32.eqz,
    ...when([...get(write), ...upperAscii, ...v128.store(0), ...nextBlock, ...again(1)]),
    ...[0, 4, 8, 12].flatMap(upperWord), ...nextBlock,
  ]);
}
