// What a process and all its descendants cost, in time and in memory, from Linux's /proc (proc(5)). Used by load.ts and
// figures/memory.ts.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The clock ticks of /proc a second: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

/** Whether this system tells. */
export const knowsCpu = existsSync('/proc/self/task');

/** The process and all below it that live now. */
export function treeOf(pid: number): number[] {
  const found: number[] = [];
  for (const todo = [pid]; todo.length > 0;) {
    const next = todo.pop()!;
    found.push(next);
    for (const task of list(`/proc/${next}/task`)) {
      todo.push(...read(`/proc/${next}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
    }
  }
  return found;
}

/**
 * The CPU time of the tree in seconds, user and system. Children that have ended count if their parent has asked for
 * them, as it does in every server here.
 */
export function cpuOf(pid: number): number {
  let ticks = 0;
  for (const process of treeOf(pid)) {
    // The second field, the name in brackets, may hold anything. utime, stime, cutime and cstime are the 14th to 17th.
    const fields = read(`/proc/${process}/stat`).split(')').at(-1)!.trim().split(' ');
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return ticks / TICKS_A_SECOND;
}

/** The memory of the tree in bytes; what processes share counts in parts (Pss). 0 where the system does not tell. */
export function memoryOf(pid: number): number {
  let kilobytes = 0;
  for (const process of treeOf(pid)) {
    kilobytes += Number(/^Pss: +(\d+) kB$/m.exec(read(`/proc/${process}/smaps_rollup`))?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/**
 * How many descriptors a process may have open, this one if no other is asked for; Infinity where the system knows no
 * limit or does not tell.
 */
export function descriptorLimit(pid: number | 'self' = 'self'): number {
  return Number(/^Max open files +(\d+)/m.exec(read(`/proc/${pid}/limits`))?.[1] ?? Infinity);
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // It has ended meanwhile.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
