// What connects a client of a Queue with its owner and with time: made for real by link.ts, and by the model test.
import type { Packed } from '../../values/packed.ts';
import type { ToOwner } from '../owner/messages.ts';

export interface ClientHost {
  /** Whether the owner lives in this process, and answers at once. */
  readonly atHome: boolean;
  /** An item of the owner in this process, when nobody else waits for it; undefined when there is none. */
  takeHere(): { readonly item: Packed } | undefined;
  tell(message: ToOwner): void;
  /** What was told, and all that follows from it, goes out now. */
  flush(): void;
  /** A clock, in milliseconds. It decides when something is told, and how much comes ahead, and nothing else. */
  now(): number;
  /** Whether one more operation may be served in this turn of the event loop. */
  mayServeAtOnce(): boolean;
  /** Calls `work` when the event loop has turned. */
  nextTurn(work: () => void): void;
  /** Whether this process is about to end: nobody can wait for anything. */
  isAboutToEnd(): boolean;
  /** Calls `work`, which tells what was collected, when what runs now is done, or before anything else is told. */
  tellSoon(work: () => void): void;
}
