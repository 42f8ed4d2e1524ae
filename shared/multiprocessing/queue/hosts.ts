// What connects the pure parts of a Queue with other processes and with time: the owner (queue-owner.ts and its two
// ends) and the clients (queue-client.ts and its parts). Made for real by queue-link.ts, and by the model test.
import type { Item } from '../values/packed.ts';
import type { FromOwner, ToOwner } from './owner/messages.ts';

export interface OwnerHost {
  /** The address of the process that made the queue. */
  readonly self: string;
  tell(to: string, message: FromOwner): void;
  /** An item has come to this process: into the queue, or to wait for a place in it. */
  arrives(item: Item): void;
  /** This process answers for an item from now on: it is in the queue, or in it again. */
  carries(item: Item): void;
  /** An item has left the queue for ever. */
  leaves(item: Item): void;
  /** Calls `work` when what runs now is done, with all that follows from it at once. */
  afterThis(work: () => void): void;
}

export interface ClientHost {
  /** Whether the owner lives in this process, and answers at once. */
  readonly atHome: boolean;
  /** An item of the owner in this process, when nobody else waits for it; undefined when there is none. */
  takeHere(): { readonly item: Item } | undefined;
  tell(message: ToOwner): void;
  /** What was told, and all that follows from it, goes out now. */
  hurry(): void;
  /** A clock, in milliseconds. It decides when something is told, and how much comes ahead, and nothing else. */
  now(): number;
  /** Whether one more operation may be served in this turn of the event loop. */
  mayServeAtOnce(): boolean;
  /** Calls `work` when the event loop has turned. */
  nextTurn(work: () => void): void;
  /** Calls `work`, which tells what was collected, when what runs now is done, or before anything else is told. */
  tellSoon(work: () => void): void;
}
