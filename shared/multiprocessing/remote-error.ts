// What was thrown in another process: taken apart there, put together here, with its own stack.
import { inspect, types } from 'node:util';

/** An error in a form that every structured clone keeps: name and code too, which the clone of an Error drops. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string | number;
  readonly cause?: RemoteError | RemoteValue;
  /** Those of an AggregateError. */
  readonly errors?: readonly (RemoteError | RemoteValue)[];
}

/** A cause that is no error: itself, or as text if it has parts. */
interface RemoteValue {
  readonly value: string | number | bigint | boolean | null | undefined;
}

/** How deep causes are followed: an error may be its own cause. */
const DEEPEST_CAUSE = 8;

/** Takes apart whatever was thrown. */
export function takeApart(thrown: unknown): RemoteError {
  if (isError(thrown)) return takeErrorApart(thrown, 0);
  const message = `a value that is no Error was thrown: ${inspect(thrown, { depth: 1 })}`;
  return { name: 'Error', message, stack: `Error: ${message}` };
}

/** @param where Where it was thrown, added to the stack: `Process-1 (pid 4711)`. */
export function rebuildError(remote: RemoteError, where: string): Error {
  const cause = remote.cause === undefined ? {} : { cause: rebuild(remote.cause, where) };
  const error = remote.errors === undefined ? new Error(remote.message, cause)
    : new AggregateError(remote.errors.map((inner) => rebuild(inner, where)), remote.message, cause);
  error.name = remote.name;
  error.stack = `${remote.stack}\n    in ${where}`;
  if (remote.code !== undefined) Object.assign(error, { code: remote.code });
  return error;
}

function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}

function takeErrorApart(error: Error, depth: number): RemoteError {
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  const goesOn = depth < DEEPEST_CAUSE;
  return {
    name: String(error.name),
    message: String(error.message),
    stack: String(error.stack ?? error),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error.cause !== undefined && goesOn ? { cause: takeCauseApart(error.cause, depth + 1) } : {}),
    ...(Array.isArray(errors) && goesOn ? { errors: errors.map((inner) => takeCauseApart(inner, depth + 1)) } : {}),
  };
}

function takeCauseApart(cause: unknown, depth: number): RemoteError | RemoteValue {
  if (isError(cause)) return takeErrorApart(cause, depth);
  const isSimple = cause === null || !['object', 'function', 'symbol'].includes(typeof cause);
  return { value: isSimple ? cause as RemoteValue['value'] : inspect(cause, { depth: 1 }) };
}

function rebuild(remote: RemoteError | RemoteValue, where: string): unknown {
  return 'value' in remote ? remote.value : rebuildError(remote, where);
}
