// Waits for what only another process can bring about. Used by the parts of Pipe.
import { waitBegins, waitEnds } from './keep-alive.ts';
import { watchWait } from './time-limit.ts';
import type { WaitOptions } from './time-limit.ts';

/** What stands in a line until somebody settles it. */
export interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** How a waiter comes into its line, and out of it. */
export interface Way<T> {
  enter(waiter: Waiter<T>): void;
  /** It was called off, if it is still in the line. Nobody need settle it. */
  leave(waiter: Waiter<T>): void;
  /** Its time is up. */
  lapsed(waiter: Waiter<T>): void;
}

/** Waits, and keeps the process running meanwhile, until somebody settles the waiter, or the signal says so. */
export async function waitInLine<T>(limits: WaitOptions, way: Way<T>): Promise<T> {
  waitBegins();
  let endWatch: (() => void) | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = { resolve, reject };
      endWatch = watchWait(limits, () => way.lapsed(waiter), (reason) => {
        way.leave(waiter);
        reject(reason as Error);
      });
      way.enter(waiter);
    });
  } finally {
    endWatch?.();
    waitEnds();
  }
}
