// How much of a Pipe's values may be under way: the sender counts what is unread, the reader says what it has read.
// Used by the parts of Pipe.

/** A number of values, and about how many bytes of memory they take. */
export interface Load {
  readonly count: number;
  readonly bytes: number;
}

export const NOTHING: Load = { count: 0, bytes: 0 };

/** While this much is sent and not read, send waits. The value that reaches the limit goes, whatever its size. */
const LIMIT: Load = { count: 1024, bytes: 1024 * 1024 };
/** The reader says what it has read whenever it is this part of the limit: a message for each would be slow. */
const PART = 4;

/** One value more. */
export function plusOne(load: Load, bytes: number): Load {
  return { count: load.count + 1, bytes: load.bytes + bytes };
}

export function plus(a: Load, b: Load): Load {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes };
}

export function minus(a: Load, b: Load): Load {
  return { count: a.count - b.count, bytes: a.bytes - b.bytes };
}

/** Whether more may be sent with so much unread. */
export function isOpen(unread: Load): boolean {
  return unread.count < LIMIT.count && unread.bytes < LIMIT.bytes;
}

/** Whether so much was read that the sender should know. */
export function isWorthTelling(read: Load): boolean {
  return read.count >= LIMIT.count / PART || read.bytes >= LIMIT.bytes / PART;
}
