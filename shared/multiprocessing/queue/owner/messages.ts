// The messages of one Queue: between the owner (owner.ts), in the process that made the queue, and the client that
// each process has (client.ts). Both ways they arrive in the order in which they were sent. Whatever else comes is
// none of ours: the readers say so, and it is ignored.
import type { Death } from '../../base/errors.ts';
import { KEPT_SHAPE } from '../../base/kept.ts';
import type { KeptMessage } from '../../base/kept.ts';
import { isPacked } from '../../values/packed.ts';
import type { Packed } from '../../values/packed.ts';
import { hasShape, isBoolean, isCount, isDeath } from '../../base/shape.ts';
import type { Shapes } from '../../base/shape.ts';

/** From a client. `id` names a put or a get that waits there; `now` says that it wants its answer at once. */
export type ToOwner =
  | { readonly type: 'here' } // This process has the queue, and speaks for itself.
  | { readonly type: 'gone' } // It has nothing of it any more, and is not waiting: it speaks again if it gets it again.
  | KeptMessage
  | { readonly type: 'put'; readonly id: number; readonly now: boolean; readonly item: Packed } // Answered.
  | { readonly type: 'withdraw put'; readonly id: number } // Answered, unless it has been.
  | { readonly type: 'puts'; readonly items: readonly Packed[] } // Into a queue without a bound.
  // `ahead`: so many more could be used at once. `taken`, `done`: as in `used`.
  | { readonly type: 'get'; readonly id: number; readonly now: boolean; readonly ahead: number;
    readonly taken: number; readonly done: number; }
  // Answered, unless it has been. `aborted`: nothing must come for it any more.
  | { readonly type: 'withdraw get'; readonly id: number; readonly aborted: boolean }
  // Since the last such word: gets took so many that had come ahead, and so many of all are done.
  | { readonly type: 'used'; readonly taken: number; readonly done: number }
  | { readonly type: 'back'; readonly count: number } // The last so many of what was sent, all that is unused.
  | { readonly type: 'idle' } // To a probe: no get waits here.
  | { readonly type: 'left' } // The target has ended: what is put stays put, and nobody may wait for my gets.
  | { readonly type: 'query'; readonly id: number; readonly about: 'size' | 'end of work' }
  | { readonly type: 'withdraw join'; readonly id: number } // Answered, unless it has been.
  | { readonly type: 'close' }
  | { readonly type: 'sealed' }; // To `closed`: no more puts will come from me.

/** To a client. */
export type FromOwner =
  | { readonly type: 'accepted'; readonly id: number } // That put.
  | { readonly type: 'arrived'; readonly count: number } // So many items, in a queue without a bound; 0: begin.
  | { readonly type: 'full'; readonly id: number } // That put, which would not wait longer, is not in the queue.
  | { readonly type: 'items'; readonly id: number; readonly items: readonly Packed[] } // For that get, and some ahead.
  | { readonly type: 'empty'; readonly id: number } // To a get that would not wait longer.
  | { readonly type: 'recall' } // Others need what came ahead.
  | { readonly type: 'probe' } // Others wait for items that came back from you. Does nobody there want them?
  | { readonly type: 'deadlocked'; readonly side: 'put' | 'get'; readonly id: number; readonly death: Death }
  | { readonly type: 'closed' } // No more puts.
  | { readonly type: 'drained'; readonly id: number } // Closed, and nothing is left for that get.
  | { readonly type: 'answer'; readonly id: number; readonly value: number }
  | { readonly type: 'abandoned'; readonly id: number; readonly unfinished: number; readonly death: Death };

const TO_OWNER: Shapes<ToOwner> = {
  'here': {}, 'gone': {}, 'kept': KEPT_SHAPE,
  'put': { id: isCount, now: isBoolean, item: isPacked }, 'withdraw put': { id: isCount }, 'puts': { items: areItems },
  'get': { id: isCount, now: isBoolean, ahead: isCount, taken: isCount, done: isCount },
  'withdraw get': { id: isCount, aborted: isBoolean }, 'used': { taken: isCount, done: isCount },
  'back': { count: isCount },
  'idle': {}, 'left': {}, 'query': { id: isCount, about: (about) => about === 'size' || about === 'end of work' },
  'withdraw join': { id: isCount }, 'close': {}, 'sealed': {},
};

const FROM_OWNER: Shapes<FromOwner> = {
  'accepted': { id: isCount }, 'arrived': { count: isCount }, 'full': { id: isCount },
  'items': { id: isCount, items: (items) => areItems(items) && items.length > 0 }, 'empty': { id: isCount },
  'recall': {}, 'probe': {},
  'deadlocked': { side: (side) => side === 'put' || side === 'get', id: isCount, death: isDeath },
  'closed': {}, 'drained': { id: isCount }, 'answer': { id: isCount, value: isCount },
  'abandoned': { id: isCount, unfinished: isCount, death: isDeath },
};

/** @returns undefined when it is no such message. */
export function readToOwner(body: unknown): ToOwner | undefined {
  return hasShape(body, TO_OWNER) ? body : undefined;
}

/** @returns undefined when it is no such message. */
export function readFromOwner(body: unknown): FromOwner | undefined {
  return hasShape(body, FROM_OWNER) ? body : undefined;
}

function areItems(value: unknown): value is Packed[] {
  return Array.isArray(value) && value.every(isPacked);
}
