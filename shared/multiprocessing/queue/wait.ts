// A wait for what the owner of a Queue says, with the limits that the caller gave. Used by link.ts.
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { asksOnce, watchWait } from '../base/time-limit.ts';
import type { WaitOptions } from '../base/time-limit.ts';

export interface Limited {
  /** The time is up: it may still settle, if somebody else has the last word. */
  lapsed(): void;
  /** It is called off, and keeps this process running no longer. */
  aborted(reason: unknown): void;
}

/**
 * A promise of what `begin` waits for: that calls `settle` or `fail`, possibly at once. `release`: it keeps this
 * process running no longer.
 */
export async function waitFor<T>(
  { timeoutMs, signal }: WaitOptions,
  begin: (settle: (value: T) => void, fail: (error: unknown) => void, release: () => void) => Limited,
): Promise<T> {
  let waits = true;
  let endWatch = nothing;
  const release = (): void => {
    if (waits) waitEnds();
    waits = false;
  };
  waitBegins();
  try {
    return await new Promise<T>((settle, fail) => {
      const limited = begin(settle, fail, release);
      // Who asks once is answered, whatever the time.
      const limit = { timeoutMs: asksOnce(timeoutMs) ? undefined : timeoutMs, signal };
      endWatch = watchWait(limit, () => limited.lapsed(), (reason) => {
        release();
        limited.aborted(reason);
      });
    });
  } finally {
    endWatch();
    release();
  }
}

function nothing(): void {}
