// What the ends of a Pipe and its hub tell each other, and the names under which they do.
import type { Death } from '../base/errors.ts';
import { isPacked } from '../values/packed.ts';
import type { Given, Lost } from '../transport/custody.ts';
import type { Load } from './window.ts';
import type { Packed } from '../values/packed.ts';
import { hasShape, isCount, isDeath, isObject, isString } from '../base/shape.ts';

/** Which of the two ends. */
export type Side = 0 | 1;

/** Why an end can no longer be used. */
export type Ending =
  | { readonly type: 'closed' }
  | { readonly type: 'died'; readonly death: Death } // Its process: after a normal end the exit code is 0.
  | { readonly type: 'elsewhere' }; // Another process has received it.

/** From an end to the hub. */
export type ToHub =
  | { readonly type: 'value'; readonly item: Packed }
  | { readonly type: 'read'; readonly count: number } // So many more were read.
  | { readonly type: 'ask'; readonly id: number } // Answer when all that has come for me is on its way to me.
  | { readonly type: 'pass'; readonly trip: number; readonly read: number } // This end leaves; so many were read.
  | { readonly type: 'left' } // My process ends; what it passed on has been sent.
  | Given
  | Lost
  | { readonly type: 'close' };

/** To an end. `trip` says how often the end was passed on before: it tells a late answer from the one that counts. */
export type FromHub =
  | { readonly type: 'welcome'; readonly trip: number; readonly load: Load } // After this comes all that is unread.
  | { readonly type: 'refused'; readonly trip: number; readonly ending: Ending }
  | { readonly type: 'gone'; readonly trip: number } // Somebody else answers for the end now.
  | { readonly type: 'value'; readonly item: Packed }
  | { readonly type: 'credit'; readonly load: Load } // So much of what this end sent was read.
  | { readonly type: 'ended'; readonly ending: Ending } // The other end. Nothing more will come.
  | { readonly type: 'answer'; readonly id: number };

/** @returns undefined when it is no such message. */
export function readToHub(body: unknown): ToHub | undefined {
  const is = hasShape<ToHub>(body, {
    value: { item: isPacked }, read: { count: isCount }, ask: { id: isCount }, pass: { trip: isCount, read: isCount },
    left: {}, given: { to: isString }, lost: { trip: isCount }, close: {},
  });
  return is ? body : undefined;
}

/** @returns undefined when it is no such message. */
export function readFromHub(body: unknown): FromHub | undefined {
  const is = hasShape<FromHub>(body, {
    welcome: { trip: isCount, load: isLoad }, refused: { trip: isCount, ending: isEnding }, gone: { trip: isCount },
    value: { item: isPacked }, credit: { load: isLoad }, ended: { ending: isEnding }, answer: { id: isCount },
  });
  return is ? body : undefined;
}

function isEnding(value: unknown): boolean {
  return hasShape<Ending>(value, { closed: {}, died: { death: isDeath }, elsewhere: {} });
}

function isLoad(value: unknown): boolean {
  return isObject(value) && isCount(value.count) && isCount(value.bytes);
}

/** Says that an end has arrived in the sender's process. */
export interface Claim {
  readonly ref: string;
  readonly trip: number;
}

/** @returns undefined when it is none. */
export function readClaim(body: unknown): Claim | undefined {
  return isObject(body) && isString(body.ref) && isCount(body.trip) ? { ref: body.ref, trip: body.trip } : undefined;
}

/**
 * Where claims for the ends of all pipes go that were made in the process at `owner`: not to the hub, because a pipe
 * that is over has none any more.
 */
export function claimRef(owner: string): string {
  return `${owner}#pipes`;
}

/** The name of an end: that of its pipe, and which end it is. */
export function refOf(pipe: string, side: Side): string {
  return `${pipe}/${side}`;
}

/** The name of the pipe to which an end belongs. */
export function pipeOf(ref: string): string {
  return ref.slice(0, -2);
}

/** Which end of its pipe that is. */
export function sideOf(ref: string): Side {
  return ref.endsWith('0') ? 0 : 1;
}
