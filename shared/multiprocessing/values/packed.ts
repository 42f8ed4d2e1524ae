// A value on its way through a primitive: small plain data is copied and travels in the batch that it is part of; a
// structured clone of its own, which costs ten times as much, is made only of the rest. Used by queue, pipe, manager,
// pool.
import { allOrNone, comeBack, decode, isEncoded, prepare, referencesIn } from './codec.ts';
import type { Encoded } from './codec.ts';
import { copyPlain, NOT_PLAIN } from './plain.ts';

/** A plain array or object. It stands here for itself, so whoever unpacks it must be the only one to have it. */
interface Plain {
  readonly plain: object;
}

export type Packed = Encoded | Plain;

const WHAT = 'the item put into a queue';
/** How much text, in characters, need not be looked at as to its size. */
const MOST_TEXT = 4 * 1024 * 1024;

/**
 * Clones a value at once.
 * @param what How the error names the value: `the value of 'key'`.
 * @throws {NotCloneable} It could not arrive as what it is: it holds a function, an instance of a class …
 */
export function pack(value: unknown, what = WHAT): Packed {
  return packLater(value, what)();
}

/**
 * Clones a value at once, for an item that may never be sent: the primitives in it travel only when the returned
 * function is called. @throws {NotCloneable} As {@link pack}.
 */
export function packLater(value: unknown, what = WHAT): () => Packed {
  if (typeof value !== 'object' || value === null) return prepare(value, what);
  const plain = copyPlain(value);
  return plain === NOT_PLAIN ? prepare(value, what) : () => ({ plain: plain as object });
}

/**
 * Clones several values at once. When one of them cannot be cloned, nothing has happened to the primitives in others.
 * @param what How the error names each. @throws {NotCloneable}
 */
export function packAll(values: readonly unknown[], what: (index: number) => string): Packed[] {
  return allOrNone(values.map((value, i) => packLater(value, what(i))), bringBack);
}

/**
 * Clones a value that others are only compared with, and of which nothing may travel.
 * @throws {NotCloneable} As {@link pack}; and there is a primitive of the toolkit in it.
 */
export function packData(value: unknown, what: string): Packed {
  const plain = copyPlain(value);
  if (typeof value !== 'object' || value === null || plain === NOT_PLAIN) return prepare(value, what, true)();
  return { plain: plain as object };
}

/**
 * Clones an array that was made for this and is nobody else's, with nothing besides its elements: if they have no
 * parts and little text they are not even copied. @param what How the error names an element. @throws {NotCloneable}
 */
export function packOwn(values: unknown[], what: string): Packed {
  return packOwnLater(values, what)();
}

/** The same for several of them, of which all travel or none. */
export function packAllOwn(arrays: readonly unknown[][], what: string): Packed[] {
  return allOrNone(arrays.map((values) => packOwnLater(values, what)), bringBack);
}

function packOwnLater(values: unknown[], what: string): () => Packed {
  if (areSmall(values)) return () => ({ plain: values });
  try {
    return packLater(values, what);
  } catch (error) {
    // The caller does not know of the array.
    for (const value of values) packLater(value, what);
    throw error;
  }
}

/** What had travelled and was not sent is here again: the ends of Pipes in it are. */
export function bringBack(packed: Packed): void {
  comeBack(encodedPart(packed));
}

/** The value again, with proxies in the place of primitives that live elsewhere. */
export function unpack(packed: Packed): unknown {
  return isPlain(packed) ? packed.plain : decode(packed);
}

/** The same again, for a reader in the process that keeps the value: of what a reader may change it gets its own. */
export function copyOf(packed: Packed): Packed {
  if (typeof packed !== 'object' || packed === null) return packed;
  if (isPlain(packed)) return { plain: copyPlain(packed.plain) as object };
  return { ...packed, bytes: new Uint8Array(packed.bytes) };
}

/** What travels as a structured clone of its own, and may hold primitives; undefined for all else. */
export function encodedPart(packed: Packed): Encoded {
  return isPlain(packed) ? undefined : packed;
}

/** Whether primitives of the toolkit travel in it. */
export function holdsPrimitives(packed: Packed): boolean {
  return referencesIn(encodedPart(packed)).length > 0;
}

/** About how many bytes of memory it takes. */
export function sizeOf(packed: Packed): number {
  if (typeof packed !== 'object' || packed === null) return sizeOfPlain(packed);
  return isPlain(packed) ? sizeOfPlain(packed.plain) : packed.bytes.byteLength;
}

/**
 * Whether what came from another process can be kept, counted and passed on here. What it holds is looked at only by
 * those who unpack it, and a value that they cannot unpack is theirs to report.
 */
export function isPacked(value: unknown): value is Packed {
  try {
    return Number.isFinite(sizeOf(value as Packed)) && isEncoded(encodedPart(value as Packed));
  } catch {
    return false;
  }
}

function isPlain(packed: Packed): packed is Plain {
  return typeof packed === 'object' && packed !== null && 'plain' in packed;
}

function areSmall(values: readonly unknown[]): boolean {
  let left = MOST_TEXT;
  return values.every((value) => {
    if (typeof value === 'string') return (left -= value.length) >= 0;
    return (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') || value === null;
  });
}

function sizeOfPlain(value: unknown): number {
  if (typeof value === 'string') return 8 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let size = 16;
  for (const key in value) size += sizeOfPlain((value as Record<string, unknown>)[key]);
  return size;
}
