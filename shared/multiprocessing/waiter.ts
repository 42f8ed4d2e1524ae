// Waits for what only another process can bring about. Used by the parts of Pipe.
import { waitBegins, waitEnds } from './keep-alive.ts';

/** What stands in a line until somebody settles it. */
export interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Waits, and keeps the process running meanwhile, until somebody settles what `enter` puts into a line. */
export async function waitInLine<T>(enter: (waiter: Waiter<T>) => void): Promise<T> {
  waitBegins();
  try {
    return await new Promise<T>((resolve, reject) => enter({ resolve, reject }));
  } finally {
    waitEnds();
  }
}
