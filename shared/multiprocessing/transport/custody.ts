// Values that wait for a reader on their way: in the hub of a Pipe, in a Manager's dicts and lists, in a Queue.
import { ticketsOf } from '../values/codec.ts';
import { copyPlain } from '../values/plain.ts';
import { encodedPart, pack } from '../values/packed.ts';
import type { Item } from '../values/packed.ts';
import * as router from './router.ts';

/** The kind of ticket with which the end of a Pipe travels. */
export const CONNECTION = 'Connection';

/** How much text, in characters, need not be looked at as to its size. */
const MOST_TEXT = 4 * 1024 * 1024;

/** Tells the hub of a Pipe that an end of it can never arrive. `trip` is the ticket's. */
export interface Lost {
  readonly type: 'lost';
  readonly trip: number;
}

/**
 * Clones an array that was made for this and is nobody else's, with nothing besides its elements: if they have no
 * parts and little text they are not even copied. @throws {NotCloneable}
 */
export function packOwn(values: unknown[], what: string): Item {
  return areSmall(values) ? { plain: values } : pack(values, what);
}

function areSmall(values: readonly unknown[]): boolean {
  let left = MOST_TEXT;
  return values.every((value) => {
    if (typeof value === 'string') return (left -= value.length) >= 0;
    return (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') || value === null;
  });
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
