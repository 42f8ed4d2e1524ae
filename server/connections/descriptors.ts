// How many connections the descriptor limit has room for. The master refuses what goes beyond, because the other way out,
// running into EMFILE, has the kernel drop clients that nobody counts (nodejs/node#45242). Called by server.ts.
import { readdirSync } from 'node:fs';

/** Kept free for what Node opens by the way: a file to read, a pipe to a new worker, a look-up; and for a few at the door. */
const RESERVE = 16;
/** What a fresh process has open, where that cannot be counted. */
const USUAL = 32;

/**
 * How many more descriptors this process may open, less a reserve and the two that each worker takes: its channel and its
 * exit pipe; at least 1. The workers have the same limit, and fewer descriptors of their own. Infinity where the system
 * knows no limit.
 */
export function freeDescriptors(workers: number): number {
  const report = process.report.getReport() as unknown as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(report.userLimits?.open_files?.soft); // 'unlimited' gives NaN.
  return Number.isNaN(limit) ? Infinity : Math.max(1, limit - openDescriptors() - 2 * workers - RESERVE);
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return USUAL;
  }
}
