// How many connections the limit of descriptors has room for. The master refuses what goes beyond: if it ran into that
// limit (EMFILE), the kernel would drop clients that nobody counts (nodejs/node#45242). Called by server.ts.
import { readdirSync } from 'node:fs';

/** Kept free for what Node opens meanwhile (a file, a pipe to a new worker, a look-up) and for pending connections. */
const RESERVE = 16;
/** What a fresh process has open, where that cannot be counted. */
const USUAL = 32;

/**
 * How many more descriptors this process may open, without a reserve and the two of each worker (its channel and its
 * exit pipe); at least 1, and Infinity where there is no limit. Workers have the same limit and open fewer.
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
