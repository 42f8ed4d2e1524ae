// The messages of one Queue: between the owner (queue-owner.ts), in the process that made the queue, and the seat that
// each process has at it (queue-seat.ts). Both ways they arrive in the order in which they were sent.
import type { Death } from './errors.ts';
import type { Item } from './queue-item.ts';

/** From a seat. Each waiting put and get is known to the owner by one message; which is which only the seat knows. */
export type ToOwner =
  | { readonly type: 'here' } // This process holds the queue, and speaks for itself.
  | { readonly type: 'want'; readonly now: boolean } // A put needs a place; `now`: it does not wait for one.
  | { readonly type: 'unwant' } // The time of one of those that wait ran out.
  | { readonly type: 'put'; readonly items: readonly Item[] } // A place was given for each.
  | { readonly type: 'unused'; readonly places: number } // Places come back.
  | { readonly type: 'parting'; readonly items: readonly Item[] } // My process ends: give them places when there are.
  | { readonly type: 'ask'; readonly now: boolean } // A get needs an item; `now`: it does not wait for one.
  | { readonly type: 'unask' } // The time of one of those that wait ran out.
  | { readonly type: 'used'; readonly taken: number; readonly done: number } // Since the last of these.
  | { readonly type: 'spare'; readonly count: number } // So many were sent for gets that wait no longer.
  | { readonly type: 'back'; readonly count: number } // To a recall: the last so many of what was sent are unused.
  | { readonly type: 'query'; readonly id: number; readonly about: 'size' | 'end of work' }
  | { readonly type: 'close' }
  | { readonly type: 'sealed' }; // To `closed`: no more puts will come from me.

/** To a seat. `ahead`: how many of them go beyond what was asked for. */
export type FromOwner =
  | { readonly type: 'places'; readonly count: number; readonly ahead: number }
  | { readonly type: 'full' } // To a put that does not wait.
  | { readonly type: 'items'; readonly items: readonly Item[]; readonly ahead: number }
  | { readonly type: 'empty' } // To a get that does not wait.
  | { readonly type: 'recall' } // Others need what was sent ahead.
  | { readonly type: 'stranded'; readonly side: 'put' | 'get'; readonly count: number; readonly death: Death }
  | { readonly type: 'closed' } // No more puts.
  | { readonly type: 'drained'; readonly count: number } // Closed, and nothing is left for so many gets.
  | { readonly type: 'answer'; readonly id: number; readonly value: number }
  | { readonly type: 'abandoned'; readonly id: number; readonly unfinished: number; readonly death: Death };
