// Small plain data on its way to another process: copied here in a moment, where a structured clone of its own would
// cost more than the sending. Used by channel.ts for messages.
import { types } from 'node:util';
import { TRANSFER } from './cloneable.ts';

/** What {@link copyPlain} returns for anything that needs a structured clone. */
export const NOT_PLAIN = Symbol('echopool.notPlain');

/** The largest number of arrays and objects in one piece of small plain data. */
const MOST_PARTS = 16;
/** The largest text or Buffer in it, in characters or bytes. */
const LONGEST = 1024 * 1024;

/**
 * A copy of the value, as a structured clone would make it, if it is small plain data: primitives and
 * Buffers in at most 16 arrays and plain objects, none of which stands in two places. Else {@link NOT_PLAIN}, also when
 * it cannot be read: codec.ts says then why.
 */
export function copyPlain(value: unknown): unknown {
  try {
    return copy(value, []);
  } catch {
    return NOT_PLAIN;
  }
}

function copy(value: unknown, seen: object[]): unknown {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'string') return value.length > LONGEST ? NOT_PLAIN : value;
    return typeof value === 'function' || typeof value === 'symbol' ? NOT_PLAIN : value;
  }
  if (Buffer.isBuffer(value)) return value.length > LONGEST ? NOT_PLAIN : Buffer.from(value);
  if (seen.length >= MOST_PARTS || seen.includes(value)) return NOT_PLAIN;
  seen.push(value);
  const isArray = Array.isArray(value);
  const expected = isArray ? Array.prototype : Object.prototype;
  if (Object.getPrototypeOf(value) !== expected || TRANSFER in value || types.isProxy(value)) return NOT_PLAIN;
  const keys = Object.keys(value);
  if (isArray && keys.length !== value.length) return NOT_PLAIN; // Holes, or properties besides the elements.
  if (!isArray && Object.getOwnPropertySymbols(value).length > 0) return NOT_PLAIN;
  const result: Record<string, unknown> = (isArray ? [] : {}) as Record<string, unknown>;
  for (const key of keys) {
    const inner = copy((value as Record<string, unknown>)[key], seen);
    if (inner === NOT_PLAIN || key === '__proto__') return NOT_PLAIN;
    result[key] = inner;
  }
  return result;
}
