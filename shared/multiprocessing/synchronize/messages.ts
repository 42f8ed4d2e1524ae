// What the clients of an Event, a Semaphore or a Barrier and its owner tell each other: the same for all three.
import type { Death } from '../base/errors.ts';
import { KEPT_SHAPE } from '../base/kept.ts';
import type { KeptMessage } from '../base/kept.ts';
import { hasShape, isBoolean, isCount, isDeathOrNull, isNumber, isString } from '../base/shape.ts';

/** From a process's client. `id`: counts the asks of that client, upwards. */
export type ToOwner =
  | { readonly type: 'here'; readonly who: string } // That process, which is called so, holds it from now on.
  | { readonly type: 'gone' } // It has forgotten it.
  | KeptMessage
  /** `heard`: the number of the last ask of which it has heard that it was granted; 0: of none. */
  | { readonly type: 'ask'; readonly id: number; readonly what: string; readonly heard: number }
  | { readonly type: 'expire'; readonly id: number; readonly afterMs: number } // Its time is up: answer it.
  | { readonly type: 'withdraw'; readonly id: number; readonly heard: number }; // It was called off: no answer.

/** To such a client. */
export type FromOwner =
  | { readonly type: 'answer'; readonly id: number; readonly value: number | boolean }
  /** A permit. `abandonedBy`: who died holding it before. Not undefined, as then it would travel as a clone. */
  | { readonly type: 'grant'; readonly id: number; readonly abandonedBy: Death | null }
  | Refusal & { readonly type: 'refuse'; readonly id: number };

/** Why an ask fails: `error` says which error it is rejected with. */
export interface Refusal {
  readonly error: 'broken' | 'wrong' | 'died';
  readonly why: string;
  readonly death: Death | null;
}

/** @returns undefined when it is no such message. */
export function readToOwner(body: unknown): ToOwner | undefined {
  const is = hasShape<ToOwner>(body, {
    here: { who: isString }, gone: {}, kept: KEPT_SHAPE, ask: { id: isCount, what: isString, heard: isCount },
    expire: { id: isCount, afterMs: isNumber }, withdraw: { id: isCount, heard: isCount },
  });
  return is ? body : undefined;
}

/** @returns undefined when it is no such message. */
export function readFromOwner(body: unknown): FromOwner | undefined {
  const is = hasShape<FromOwner>(body, {
    answer: { id: isCount, value: (value) => isNumber(value) || isBoolean(value) },
    grant: { id: isCount, abandonedBy: isDeathOrNull },
    refuse: { id: isCount, error: (error) => isString(error) && ['broken', 'wrong', 'died'].includes(error),
      why: isString, death: isDeathOrNull },
  });
  return is && !(body.type === 'refuse' && body.error === 'died' && body.death === null) ? body : undefined;
}
