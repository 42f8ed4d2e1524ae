// Who answers for a value that waits for a reader: in the hub of a Pipe, in a Manager's dicts and lists, in a Queue.
import { ownerOf } from '../base/address.ts';
import { referencesIn } from '../values/codec.ts';
import { bringBack, encodedPart } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';
import * as router from './router.ts';

/** The kind of reference with which the end of a Pipe travels. */
export const CONNECTION = 'Connection';

/** Tells the hub of a Pipe that an end of it can never arrive. `trip` is the reference's. */
export interface Lost {
  readonly type: 'lost';
  readonly trip: number;
}

/**
 * Says that this process keeps the value from now on: the hubs of the Pipes of which an end is in it learn who answers
 * for that end until somebody takes it. Else it would belong to nobody while it waits here.
 */
export function takeCustody(item: Packed): void {
  for (const { kind, ref } of referencesIn(encodedPart(item))) {
    if (kind === CONNECTION) router.post(ownerOf(ref), ref, router.ATTACH);
  }
}

/** Tells the hub of a Pipe that another process answers for an end of it which is on its way there. */
export interface Given {
  readonly type: 'given';
  readonly to: string;
}

/** Says that a value which this process kept is on its way to the process at `to`, and with it the ends in it. */
export function giveCustody(item: Packed, to: string): void {
  for (const { kind, ref } of referencesIn(encodedPart(item))) {
    if (kind === CONNECTION) router.post(ownerOf(ref), ref, { type: 'given', to } satisfies Given);
  }
}

/** Says that nobody will take a value which this process kept: an end of a Pipe in it is closed with that. */
export function endCustody(item: Packed): void {
  for (const { kind, ref, detail } of referencesIn(encodedPart(item))) {
    if (kind !== CONNECTION) continue;
    router.post(ownerOf(ref), ref, { type: 'lost', trip: detail as number } satisfies Lost);
  }
}

/** Whether there are ends of Pipes in a value. */
export function hasEnds(item: Packed): boolean {
  return referencesIn(encodedPart(item)).some(({ kind }) => kind === CONNECTION);
}

/** A value is not sent after all: the ends of Pipes in it, which had left this process, are here again. */
export function bringHome(item: Packed): void {
  if (hasEnds(item)) bringBack(item);
}

/** Says of a value which has just come, and which this process will not keep, that nobody will take it. */
export function refuseCustody(item: Packed): void {
  takeCustody(item);
  endCustody(item);
}
