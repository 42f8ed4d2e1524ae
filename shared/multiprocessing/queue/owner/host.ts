// What connects the owner of a Queue with other processes: made for real by link.ts, and by the model test.
import type { Death } from '../../base/errors.ts';
import type { Packed } from '../../values/packed.ts';
import type { FromOwner } from './messages.ts';

export interface OwnerHost {
  /** The address of the process that made the queue. */
  readonly self: string;
  tell(to: string, message: FromOwner): void;
  /** An item has come to this process: into the queue, or to wait for a place in it. */
  arrives(item: Packed): void;
  /** This process answers for an item from now on: it is in the queue, or in it again. */
  carries(item: Packed): void;
  /** An item has left the queue for ever. */
  leaves(item: Packed): void;
  /**
   * Whether another process than this one has the queue or can get it, and so can take items.
   * @param death By which that may have changed.
   */
  isShared(isShared: boolean, death: Death | null): void;
  /** Calls `call` when all that is under way between any processes now has come, with what follows from it. */
  whenAllHeard(call: () => void): void;
  /** Calls `work` when what runs now is done, with all that follows from it at once. */
  afterThis(work: () => void): void;
}
