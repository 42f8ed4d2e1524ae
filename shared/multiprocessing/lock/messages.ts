// What the clients of a Lock and its arbiter tell each other.
import type { Death } from '../base/errors.ts';
import { hasShape, isBoolean, isCount, isDeathOrNull } from '../base/shape.ts';

/** From a process's client at the lock. `id`: counts the asks of that client, upwards. */
export type ToArbiter =
  // An attempt does not wait: it is answered.
  | { readonly type: 'ask'; readonly id: number; readonly attempt: boolean }
  | { readonly type: 'expire'; readonly id: number } // Its time is up: answer it.
  | { readonly type: 'withdraw'; readonly id: number } // It was called off: no answer is needed.
  // The token of that grant comes back. `abandonedBy`: what came with it, if nobody there has held it since and learned
  // of it.
  | { readonly type: 'return'; readonly grant: number; readonly abandonedBy: Death | null };

/** To such a client. */
export type FromArbiter =
  /** The token, and with it the turn of every ask of that client up to that number. */
  | {
    readonly type: 'grant';
    /** Counts the grants of the arbiter. */
    readonly grant: number;
    readonly upTo: number;
    /** Somebody else waits already. */
    readonly recalled: boolean;
    /** Who died with the token before. Not undefined, for then the message would not be small plain data (wire.ts). */
    readonly abandonedBy: Death | null;
  }
  | { readonly type: 'recall' } // Somebody else waits.
  | { readonly type: 'refuse'; readonly id: number }; // It is not had: an attempt, or one whose time was up.

/** @returns undefined when it is no such message. */
export function readToArbiter(body: unknown): ToArbiter | undefined {
  const is = hasShape<ToArbiter>(body, {
    ask: { id: isCount, attempt: isBoolean }, expire: { id: isCount }, withdraw: { id: isCount },
    return: { grant: isCount, abandonedBy: isDeathOrNull },
  });
  return is ? body : undefined;
}

/** @returns undefined when it is no such message. */
export function readFromArbiter(body: unknown): FromArbiter | undefined {
  const is = hasShape<FromArbiter>(body, {
    grant: { grant: isCount, upTo: isCount, recalled: isBoolean, abandonedBy: isDeathOrNull },
    recall: {}, refuse: { id: isCount },
  });
  return is ? body : undefined;
}
