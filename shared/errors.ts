// The error that every part throws for what a user can put right, and how any thrown value becomes one line.

/** Something the user can put right. `message` is one sentence that names the value and what is allowed. */
export class UsageError extends Error {
  override name = 'UsageError';
  readonly code: string = 'ERR_ECHOPOOL_USAGE';
}

/** The sentence of anything that was thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's code of an error (`EADDRINUSE`, `EPIPE`), or `undefined` when it has none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
