// Waits for a Lock at this process's client, within limits. Used by lock.ts.
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import type { LockClient } from './lock-client.ts';
import { asksOnce, checkWait, watchWait } from '../base/time-limit.ts';
import type { Wait, WaitOptions } from '../base/time-limit.ts';
import { whenRead } from '../transport/turn.ts';

/** @returns Whether the lock was had. It keeps the process running meanwhile. @throws As Lock.acquire. */
export async function waitAt(client: LockClient, wait: Wait): Promise<boolean> {
  const limits = checkWait(wait);
  if (client.take()) return true;
  const attempt = asksOnce(limits.timeoutMs);
  if (attempt && client.isInUseHere()) return false;
  waitBegins();
  try {
    if (client.mustListen()) {
      client.listen();
      await new Promise<void>(whenRead);
      client.listened();
      limits.signal?.throwIfAborted();
      if (client.take()) return true;
      if (attempt && client.isInUseHere()) return false;
    }
    return await waitInLine(client, attempt, attempt ? { signal: limits.signal } : limits);
  } finally {
    waitEnds();
  }
}

function waitInLine(client: LockClient, attempt: boolean, limits: WaitOptions): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let endWatch = (): void => {};
    const over = (): void => {
      isOver = true;
      endWatch();
    };
    const waiter = client.wait(attempt, (got) => {
      over();
      resolve(got);
    }, (error) => {
      over();
      reject(error);
    });
    if (isOver) return;
    endWatch = watchWait(limits, () => client.expire(waiter), (reason) => {
      client.withdraw(waiter);
      reject(reason as Error);
    });
  });
}
