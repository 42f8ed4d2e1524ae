// What was thrown in another process: taken apart there, put together here, with its own stack.
import { inspect } from 'node:util';

/** An error in a form that every structured clone keeps: name and code too, which the clone of an Error drops. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string | number;
  readonly cause?: RemoteError;
}

/** How deep causes are followed: an error may be its own cause. */
const DEEPEST_CAUSE = 8;

/** Takes apart whatever was thrown. */
export function takeApart(thrown: unknown, depth = 0): RemoteError {
  if (!(thrown instanceof Error)) {
    const message = `a value that is no Error was thrown: ${inspect(thrown, { depth: 1 })}`;
    return { name: 'Error', message, stack: `Error: ${message}` };
  }
  const code = 'code' in thrown && (typeof thrown.code === 'string' || typeof thrown.code === 'number')
    ? { code: thrown.code } : {};
  const cause = thrown.cause !== undefined && depth < DEEPEST_CAUSE ? { cause: takeApart(thrown.cause, depth + 1) } : {};
  return { name: thrown.name, message: thrown.message, stack: thrown.stack ?? String(thrown), ...code, ...cause };
}

/** @param where Where it was thrown, added to the stack: `Process-1 (pid 4711)`. */
export function rebuildError(remote: RemoteError, where: string): Error {
  const cause = remote.cause === undefined ? {} : { cause: rebuildError(remote.cause, where) };
  const error = new Error(remote.message, cause);
  error.name = remote.name;
  error.stack = `${remote.stack}\n    in ${where}`;
  if (remote.code !== undefined) Object.assign(error, { code: remote.code });
  return error;
}
