// Small plain data on its way to another process: copied here in a moment, where a structured clone of its own would
// cost more than the sending. Used by channel.ts for messages.
import { TRAVEL } from './codec.ts';

/** What {@link copyPlain} returns for anything that needs a structured clone. */
export const NOT_PLAIN = Symbol('echopool.notPlain');

/** The largest number of arrays and objects in one piece of small plain data. */
const MOST_PARTS = 16;

/**
 * A copy of the value, as a structured clone would make it, if it is small plain data: primitives and
 * Buffers in at most 16 arrays and plain objects, none of which stands in two places. Else {@link NOT_PLAIN}.
 */
export function copyPlain(value: unknown): unknown {
  return copy(value, []);
}

function copy(value: unknown, seen: object[]): unknown {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function' || typeof value === 'symbol' ? NOT_PLAIN : value;
  }
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (seen.length >= MOST_PARTS || seen.includes(value)) return NOT_PLAIN;
  seen.push(value);
  const isArray = Array.isArray(value);
  if (!isArray && Object.getPrototypeOf(value) !== Object.prototype || TRAVEL in value) return NOT_PLAIN;
  const keys = Object.keys(value);
  if (isArray && keys.length !== value.length) return NOT_PLAIN; // Holes, or properties besides the elements.
  const result: Record<string, unknown> = (isArray ? [] : {}) as Record<string, unknown>;
  for (const key of keys) {
    const inner = copy((value as Record<string, unknown>)[key], seen);
    if (inner === NOT_PLAIN || key === '__proto__') return NOT_PLAIN;
    result[key] = inner;
  }
  return result;
}
