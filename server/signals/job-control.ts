// SIGTTIN and SIGTTOU are a command to the server, or come from the terminal, which stops a background job that uses it
// (SIGTTOU after `stty tostop`). This tells which, and stops with the job. Used by signals.ts.
//
// A signal does not tell who sent it. But the terminal sends it to the whole process group, a command goes to the
// master alone. The others of the group show it: npm, a shell, and workers that have a terminal are stopped by it.
// To ask stty(1) instead would be wrong: a child that is forked while the terminal floods the group is stopped before
// it has begun, and Node waits for it.
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { activeChildren } from '../../shared/multiprocessing/process/process.ts';
import { jobOf, type Job } from './job.ts';

export type JobSignal = 'SIGTTIN' | 'SIGTTOU';

/**
 * Whether this process is in the background of its terminal, and others of its group were sent the signal too. If it is
 * alone in its group, the background is enough.
 */
export function isFromTerminal(signal: JobSignal): boolean {
  const job = jobOf(process.pid);
  if (job === undefined || !job.hasTerminal || job.foreground === job.group) return false;
  const others = processes().filter((pid) => pid !== process.pid && isMember(pid, job.group));
  return others.length === 0 || others.some((pid) => wasSent(pid, signal));
}

/**
 * Stops this process and its children, until somebody continues the job, and with it all of them.
 * A group that nobody could continue is not stopped by the system either, and goes on.
 *
 * By SIGSTOP, while the handler stays: without it the next of the terminal's signals would stop this process before its
 * own, and that one would do it again, after the job was continued.
 */
export function stopWithJob(signal: JobSignal, handler: () => void): void {
  const job = jobOf(process.pid);
  if (job !== undefined && job.foreground !== job.group && canBeContinued(job)) {
    for (const pid of children()) process.kill(pid, 'SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  }
  // What has come and was not heard is of the time before.
  process.removeListener(signal, handler);
  process.on(signal, handler);
  continueChildren();
}

/** Undoes what a command that was sent to the whole group all the same has done to the workers. */
export function continueChildren(): void {
  for (const pid of children()) if (jobOf(pid)?.hasTerminal === true) process.kill(pid, 'SIGCONT');
}

function children(): number[] {
  return activeChildren().flatMap(({ pid }) => pid ?? []);
}

/** Whether it is of that group, and lives. */
function isMember(pid: number, group: number): boolean {
  const job = jobOf(pid);
  return job?.group === group && job.state !== 'Z';
}

/** Whether a shell watches over the group, as the parent of one in it: else it is an orphaned process group (POSIX). */
function canBeContinued({ group, session }: Job): boolean {
  return processes().some((pid) => {
    const parent = isMember(pid, group) ? jobOf(jobOf(pid)?.parent ?? 0) : undefined;
    return parent?.session === session && parent.group !== group;
  });
}

/** Whether it is stopped, or about to be stopped by that signal. */
function wasSent(pid: number, signal: JobSignal): boolean {
  if (jobOf(pid)?.state === 'T') return true;
  try {
    const mask = /^ShdPnd:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
    return (BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1) & 1n) === 1n;
  } catch {
    return false; // It has ended meanwhile.
  }
}

function processes(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}
