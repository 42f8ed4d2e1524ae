// Whether a process runs that is not a child of this one. Used by the demos in which a daemon ends with its parent.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Then they are given up. */
const DEADLINE_MS = 60_000;

/** Waits until none of the processes runs, a minute at most. @returns Whether that is so. */
export async function haveEnded(pids: readonly number[]): Promise<boolean> {
  const deadline = Date.now() + DEADLINE_MS;
  while (pids.some(isRunning)) {
    if (Date.now() > deadline) return false;
    await sleep(1);
  }
  return true;
}

/** One that has ended may still be in the system's list (a zombie), until its new parent has taken note of it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return process.platform !== 'linux'; // Without /proc it is as kill says.
  }
}
