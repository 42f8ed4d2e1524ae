// Values that wait for a reader on their way: in the hub of a Pipe, in a Manager's dicts and lists, in a Queue.
import { encode, ticketsOf } from './codec.ts';
import { copyPlain, NOT_PLAIN } from './plain.ts';
import { encodedPart } from './queue-item.ts';
import type { Item } from './queue-item.ts';
import * as router from './router.ts';

/** The kind of ticket with which the end of a Pipe travels. */
export const CONNECTION = 'Connection';

/** Tells the hub of a Pipe that an end of it can never arrive. `trip` is the ticket's. */
export interface Lost {
  readonly type: 'lost';
  readonly trip: number;
}

/**
 * Clones a value at once.
 * @param what How the error names the value: `the value of 'key'`.
 * @throws {NotCloneable} It holds a function, a socket …
 */
export function pack(value: unknown, what: string): Item {
  if (typeof value !== 'object' || value === null) return encode(value, what);
  const plain = copyPlain(value);
  return plain === NOT_PLAIN ? encode(value, what) : { plain: plain as object };
}

/**
 * The same for an array that was made for this and is nobody else's, with nothing besides its elements: if they have no
 * parts it is not even copied. @throws {NotCloneable}
 */
export function packOwn(values: unknown[], what: string): Item {
  return values.every(hasNoParts) ? { plain: values } : pack(values, what);
}

function hasNoParts(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') || value === null;
}

/** The same again, for a reader in the process that keeps the value: of what a reader may change it gets its own. */
export function copyOf(item: Item): Item {
  if (typeof item !== 'object' || item === null) return item;
  if ('plain' in item) return { plain: copyPlain(item.plain) as object };
  return { ...item, bytes: new Uint8Array(item.bytes) };
}

/**
 * Says that this process keeps the value from now on: the hubs of the Pipes of which an end is in it learn who answers
 * for that end until somebody takes it. Else it would belong to nobody while it waits here.
 */
export function carry(item: Item): void {
  for (const { kind, ref } of ticketsOf(encodedPart(item))) {
    if (kind === CONNECTION) router.post(router.ownerOf(ref), ref, router.ATTACH);
  }
}

/** Says that nobody will take a value which this process kept: an end of a Pipe in it is closed with that. */
export function drop(item: Item): void {
  for (const { kind, ref, detail } of ticketsOf(encodedPart(item))) {
    if (kind !== CONNECTION) continue;
    router.post(router.ownerOf(ref), ref, { type: 'lost', trip: detail as number } satisfies Lost);
  }
}

/** Says of a value which has just come, and which this process will not keep, that nobody will take it. */
export function refuse(item: Item): void {
  carry(item);
  drop(item);
}
