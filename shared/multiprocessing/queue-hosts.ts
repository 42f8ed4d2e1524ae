// What connects the pure parts of a Queue with other processes and with time: the owner (queue-owner.ts and its two
// ends) and the seats (queue-seat.ts and its two halves). Made for real by queue-link.ts, and by the model test.
import type { Item } from './queue-item.ts';
import type { FromOwner, ToOwner } from './queue-messages.ts';

export interface OwnerHost {
  /** The address of the process that made the queue. */
  readonly self: string;
  tell(to: string, message: FromOwner): void;
  /** An item has come into the queue. */
  arrives(item: Item): void;
  /** An item has come back from a process that will not use it. */
  returns(item: Item): void;
  /** An item has left the queue for ever. */
  leaves(item: Item): void;
  /** A clock, in milliseconds. */
  now(): number;
  /** Calls `work` when what runs now is done, with all that follows from it at once. */
  afterThis(work: () => void): void;
  /** Calls `work` after that many milliseconds, if the process still runs. */
  after(ms: number, work: () => void): void;
}

export interface SeatHost {
  /** Whether the owner lives in this process, and answers at once. */
  readonly atHome: boolean;
  tell(message: ToOwner): void;
  /** What was told, and all that follows from it, goes out now. */
  hurry(): void;
  /** A clock, in milliseconds. */
  now(): number;
  /** Whether one more operation may be served in this turn of the event loop. */
  mayServeAtOnce(): boolean;
  /** Calls `work` when the event loop has turned. */
  nextTurn(work: () => void): void;
  /** Calls `work`, which tells what was collected, when what runs now is done, or before anything else is told. */
  tellSoon(work: () => void): void;
}
