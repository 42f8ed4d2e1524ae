// Who answers for a value that waits for a reader: in the hub of a Pipe, in a Manager's dicts and lists, in a Queue, in
// a Pool. The hubs of the Pipes of which an end is in it must know, or the end would belong to nobody; and so must the
// owners of the other primitives in it, or they would say that nobody is left who could serve those who wait there.
import { ownerOf } from '../base/address.ts';
import type { Death } from '../base/errors.ts';
import type { KeptMessage } from '../base/kept.ts';
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
function hasEnds(item: Packed): boolean {
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

/** Those whose owners give up when nobody is left; and a dict and a list, which keep such ones themselves. */
const HEARING: readonly string[] = ['Queue', 'JoinableQueue', 'Event', 'Semaphore', 'DictProxy', 'ListProxy'];

/** What one primitive, or the like, keeps in this process for those who will take it. */
export class Keeper {
  /** In how many of the values each primitive is. */
  readonly #kept = new Map<string, number>();
  readonly #ownRef: () => string | undefined;
  #isOpen: boolean;

  /**
   * @param isOpen As {@link offer}. @param ownRef The name of what keeps the values: who gets it out of itself has it
   * already, so that it offers itself to nobody.
   */
  constructor(isOpen: boolean, ownRef: () => string | undefined = () => undefined) {
    this.#isOpen = isOpen;
    this.#ownRef = ownRef;
  }

  /**
   * Whether another process than this one, which lives, can take what is kept here.
   * @param death By which that has changed.
   */
  offer(isOpen: boolean, death: Death | null = null): void {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    for (const [ref, count] of this.#kept) this.#tell(ref, 0, isOpen ? count : -count, death);
  }

  /** A value is kept from now on. */
  keep(item: Packed): void {
    this.#count(item, 1, null);
  }

  /** It is not any more: it was taken, or nobody will. @param death As {@link offer}. */
  letGo(item: Packed, death: Death | null = null): void {
    this.#count(item, -1, death);
  }

  /** {@link keep}, and {@link takeCustody}. */
  take(item: Packed): void {
    takeCustody(item);
    this.keep(item);
  }

  /** {@link letGo}, and {@link giveCustody}. */
  give(item: Packed, to: string): void {
    giveCustody(item, to);
    this.letGo(item);
  }

  /** {@link letGo}, and {@link endCustody}. */
  drop(item: Packed, death: Death | null = null): void {
    endCustody(item);
    this.letGo(item, death);
  }

  #count(item: Packed, more: 1 | -1, death: Death | null): void {
    for (const { kind, ref } of referencesIn(encodedPart(item))) {
      if (!HEARING.includes(kind)) continue;
      const count = (this.#kept.get(ref) ?? 0) + more;
      if (count > 0) this.#kept.set(ref, count);
      else this.#kept.delete(ref);
      this.#tell(ref, more, this.#isOpen ? more : 0, death);
    }
  }

  #tell(ref: string, more: number, offered: number, death: Death | null): void {
    if (ref === this.#ownRef()) offered = 0;
    router.post(ownerOf(ref), ref, { type: 'kept', more, offered, death } satisfies KeptMessage);
  }
}
