// The messages of one Queue: between the owner (queue-owner.ts), in the process that made the queue, and the seat that
// each process has at it (queue-seat.ts). Both ways they arrive in the order in which they were sent.
import type { Death } from './errors.ts';
import type { Item } from './queue-item.ts';

/** From a seat. `id` names a put or a get that waits there; `now` says that it wants its answer at once. */
export type ToOwner =
  | { readonly type: 'here' } // This process holds the queue, and speaks for itself.
  | { readonly type: 'gone' } // It has nothing of it any more, and is not waiting: it speaks again if it gets it again.
  // So many more items of other queues, which are kept in this process, have this queue in them.
  | { readonly type: 'kept'; readonly more: number }
  | { readonly type: 'want'; readonly id: number; readonly now: boolean } // A put needs a place.
  | { readonly type: 'unwant'; readonly id: number } // It does not any more.
  | { readonly type: 'put'; readonly items: readonly Item[] } // A place was given for each.
  | { readonly type: 'unused'; readonly places: number } // Places come back.
  | { readonly type: 'parting'; readonly items: readonly Item[] } // My process ends: give them places when there are.
  | { readonly type: 'ask'; readonly id: number; readonly now: boolean } // A get needs an item.
  | { readonly type: 'unask'; readonly id: number } // It does not any more.
  | { readonly type: 'used'; readonly taken: number; readonly done: number } // Since the last of these.
  | { readonly type: 'spare' } // An item came for a get that waits no longer.
  | { readonly type: 'back'; readonly count: number } // To a recall: the last so many of what was sent are unused.
  | { readonly type: 'query'; readonly id: number; readonly about: 'size' | 'end of work' }
  | { readonly type: 'close' }
  | { readonly type: 'sealed' }; // To `closed`: no more puts will come from me.

/** To a seat. What comes for an `id` comes with more, ahead of asking, when that seems to be of use. */
export type FromOwner =
  | { readonly type: 'places'; readonly count: number; readonly id: number }
  | { readonly type: 'full'; readonly id: number } // To a put that wants its answer at once.
  | { readonly type: 'arrived'; readonly count: number } // So many more may be on their way to an unbounded queue.
  | { readonly type: 'items'; readonly items: readonly Item[]; readonly id: number }
  | { readonly type: 'empty'; readonly id: number } // To a get that wants its answer at once.
  | { readonly type: 'recall' } // Others need what came ahead.
  | { readonly type: 'stranded'; readonly side: 'put' | 'get'; readonly id: number; readonly death: Death }
  | { readonly type: 'closed' } // No more puts.
  | { readonly type: 'drained'; readonly id: number } // Closed, and nothing is left for that get.
  | { readonly type: 'answer'; readonly id: number; readonly value: number }
  | { readonly type: 'abandoned'; readonly id: number; readonly unfinished: number; readonly death: Death };
