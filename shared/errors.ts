// The error that every part throws for what a user can put right, and how any thrown value becomes one line.
export { messageOf } from './multiprocessing/base/errors.ts';

/** Something the user can put right. `message` is one sentence that names the value and what is allowed. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly code: string = 'ERR_ECHOPOOL_USAGE';
}

/** The system's code of an error (`EADDRINUSE`, `EPIPE`), or `undefined` when it has none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
