// The errors of the toolkit. Each has a `code` and a sentence that says what happened and to whom.
import { constants } from 'node:os';

/** How a process of the tree ended: what every other process learns of it. */
export interface Death {
  readonly address: string;
  readonly name: string;
  readonly pid: number | undefined;
  /**
   * 0 or more: what the process returned. Negative: the number of the signal that ended it. NaN: that is not
   * known, or no longer.
   */
  readonly exitCode: number;
  /** It ended without a good-bye, so what it sent last may be missing, whatever its exit code says. */
  readonly isCut?: boolean;
}

/** Whether a process ended in good order: with exit code 0, and nothing of what it sent is missing. */
export function endedWell({ exitCode, isCut }: Death): boolean {
  return exitCode === 0 && isCut !== true;
}

/** `Process-2 (pid 4711) was ended by SIGKILL`, or `… exited with code 3`. */
export function describeDeath(death: Death): string {
  const who = death.pid === undefined ? death.name : `${death.name} (pid ${death.pid})`;
  const how = death.isCut === true ? ' without a good-bye' : '';
  if (Number.isNaN(death.exitCode)) return `${who} ended${how || ' long ago'}`;
  if (death.exitCode >= 0) return `${who} exited with code ${death.exitCode}${how}`;
  const signal = Object.entries(constants.signals).find(([, number]) => number === -death.exitCode);
  return `${who} was ended by ${signal?.[0] ?? `signal ${-death.exitCode}`}`;
}

/** What was awaited can no longer come, because a process died. `death` says which one and how. */
export class ProcessDied extends Error {
  override name = 'ProcessDied';
  readonly code = 'ERR_PROCESS_DIED';
  readonly death: Death;

  /** @param lost What can no longer happen, as a clause: `nobody is left to put an item`. */
  constructor(death: Death, lost: string, options?: ErrorOptions) {
    super(`${describeDeath(death)}: ${lost}`, options);
    this.death = death;
  }
}

/** The toolkit was used in a way that has no meaning: starting twice, releasing what is not held. */
export class WrongUse extends Error {
  override name = 'WrongUse';
  readonly code = 'ERR_WRONG_USE';
}

/** An argument, item or result cannot be sent to another process. `cause` is the structured clone's own error. */
export class NotCloneable extends Error {
  override name = 'NotCloneable';
  readonly code = 'ERR_NOT_CLONEABLE';
}

/** The pipe has come to its end in good order: one of its ends was closed, or the process there ended normally. */
export class PipeClosed extends Error {
  override name = 'PipeClosed';
  readonly code = 'ERR_PIPE_CLOSED';
}

/** The manager was shut down, and its dicts and lists with it. */
export class ManagerClosed extends Error {
  override name = 'ManagerClosed';
  readonly code = 'ERR_MANAGER_CLOSED';
}

/** What was waited for did not come within the time that the caller gave it. */
export class TimedOut extends Error {
  override name = 'TimedOut';
  readonly code = 'ERR_TIMED_OUT';

  /** @param what What did not happen, as a clause: `no value came`. @param where Who is to blame, as another. */
  constructor(what: string, timeoutMs: number | undefined, where?: string) {
    super(`${what} within ${Math.max(0, timeoutMs ?? 0)} ms${where === undefined ? '' : `: ${where}`}`);
  }
}

/** There was no place in the queue, or none became free in time. */
export class QueueFull extends Error {
  override name = 'QueueFull';
  readonly code = 'ERR_QUEUE_FULL';
}

/** There was no item in the queue, or none came in time. */
export class QueueEmpty extends Error {
  override name = 'QueueEmpty';
  readonly code = 'ERR_QUEUE_EMPTY';
}

/** The queue is closed: nothing can be put into it, and nothing is left to be got from it. */
export class QueueClosed extends Error {
  override name = 'QueueClosed';
  readonly code = 'ERR_QUEUE_CLOSED';
}

/** Not all came to the barrier, and not all can: since one gave up, or died, or somebody said so. */
export class BrokenBarrierError extends Error {
  override name = 'BrokenBarrierError';
  readonly code = 'ERR_BROKEN_BARRIER';
  /** Who died, if that is the reason. */
  readonly death: Death | undefined;

  /** @param why As a sentence: `Process-2 (pid 4711) gave up after 500 ms`. */
  constructor(why: string, death?: Death) {
    super(`the barrier is broken: ${why}`);
    this.death = death;
  }
}

/** The sentence of anything that was thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The toolkit's own errors by their names: what is thrown in another process comes back as what it was. */
export const OWN_ERRORS: Readonly<Record<string, { readonly prototype: Error }>> = {
  ProcessDied, TimedOut, WrongUse, NotCloneable, PipeClosed, ManagerClosed, QueueFull, QueueEmpty, QueueClosed,
  BrokenBarrierError,
};
