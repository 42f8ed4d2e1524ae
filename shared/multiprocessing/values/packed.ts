// An item of a Queue on its way: small plain data is copied and travels in the batch that it is part of; a structured
// clone of its own, which costs ten times as much, is made only of the rest. Used by the parts of Queue.
import { decode, prepare } from './codec.ts';
import type { Encoded } from './codec.ts';
import { copyPlain, NOT_PLAIN } from './plain.ts';

/** A plain array or object. It stands here for itself, so whoever unpacks it must be the only one to have it. */
interface Plain {
  readonly plain: object;
}

export type Item = Encoded | Plain;

const WHAT = 'the item put into a queue';

/**
 * Clones a value at once.
 * @param what How the error names the value: `the value of 'key'`.
 * @throws {NotCloneable} It could not arrive as what it is: it holds a function, an instance of a class …
 */
export function pack(value: unknown, what = WHAT): Item {
  return packLater(value, what)();
}

/**
 * Clones a value at once, for an item that may never be sent: the primitives in it travel only when the returned
 * function is called. @throws {NotCloneable} As {@link pack}.
 */
export function packLater(value: unknown, what = WHAT): () => Item {
  if (typeof value !== 'object' || value === null) return prepare(value, what);
  const plain = copyPlain(value);
  return plain === NOT_PLAIN ? prepare(value, what) : () => ({ plain: plain as object });
}

/** The value again, with proxies in the place of primitives that live elsewhere. */
export function unpack(item: Item): unknown {
  return isPlain(item) ? item.plain : decode(item);
}

/** What travels as a structured clone of its own, and may hold primitives; undefined for all else. */
export function encodedPart(item: Item): Encoded {
  return isPlain(item) ? undefined : item;
}

/** About how many bytes of memory it takes. */
export function sizeOf(item: Item): number {
  if (typeof item !== 'object' || item === null) return sizeOfPlain(item);
  return isPlain(item) ? sizeOfPlain(item.plain) : item.bytes.byteLength;
}

function sizeOfPlain(value: unknown): number {
  if (typeof value === 'string') return 8 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let size = 16;
  for (const key in value) size += sizeOfPlain((value as Record<string, unknown>)[key]);
  return size;
}

function isPlain(item: Item): item is Plain {
  return typeof item === 'object' && item !== null && 'plain' in item;
}
