// Waits for a Lock at this process's seat, within limits. Used by lock.ts.
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import type { LockSeat } from './lock-client.ts';
import { asksOnce, checkWait, watchWait } from '../base/time-limit.ts';
import type { Wait, WaitOptions } from '../base/time-limit.ts';

/** @returns Whether the lock was had. It keeps the process running meanwhile. @throws As Lock.acquire. */
export async function waitAt(seat: LockSeat, wait: Wait): Promise<boolean> {
  const limits = checkWait(wait);
  if (seat.take()) return true;
  const attempt = asksOnce(limits.timeoutMs);
  if (attempt && seat.isInUseHere()) return false;
  waitBegins();
  try {
    if (seat.mustListen()) {
      seat.listen();
      await new Promise<void>(whenRead);
      seat.listened();
      limits.signal?.throwIfAborted();
      if (seat.take()) return true;
      if (attempt && seat.isInUseHere()) return false;
    }
    return await waitInLine(seat, attempt, attempt ? { signal: limits.signal } : limits);
  } finally {
    waitEnds();
  }
}

function waitInLine(seat: LockSeat, attempt: boolean, limits: WaitOptions): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let endWatch = (): void => {};
    const over = (): void => {
      isOver = true;
      endWatch();
    };
    const waiter = seat.wait(attempt, (got) => {
      over();
      resolve(got);
    }, (error) => {
      over();
      reject(error);
    });
    if (isOver) return;
    endWatch = watchWait(limits, () => seat.expire(waiter), (reason) => {
      seat.withdraw(waiter);
      reject(reason as Error);
    });
  });
}

/** Calls `work` when what had come by now has been read: after the second 'check' phase there was a 'poll' phase for certain. */
export function whenRead(work: () => void): void {
  setImmediate(() => setImmediate(work));
}
