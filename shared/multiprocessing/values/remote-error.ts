// What was thrown in another process: taken apart there, put together here as what it was, with its own stack. Also for
// errors inside of values. Neither half ever throws, whatever was thrown, and whatever came.
import { inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { isError, survey } from './cloneable.ts';
import { OWN_ERRORS } from '../base/errors.ts';

/** An error in a form that every structured clone keeps. */
export interface RemoteError {
  /** The nearest of its classes that every process knows; undefined for Error itself. */
  readonly type?: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** A clone of its own enumerable properties, those that can be sent: `code`, `errno`, `path` … */
  readonly fields?: Uint8Array;
  readonly cause?: RemoteError | RemoteValue;
  /** Those of an AggregateError. */
  readonly errors?: readonly (RemoteError | RemoteValue)[];
}

/** A cause that is no error: its clone, or as text if it cannot be sent. */
interface RemoteValue {
  readonly value: Uint8Array | string;
}

type Class = { readonly prototype: Error };

/** How deep causes are followed: an error may be its own cause. */
const DEEPEST_CAUSE = 8;
/** How many errors may be in one, with their causes and theirs. */
const MOST_ERRORS = 100;
/** The longest message or stack, in characters: what is left out is said there. */
const LONGEST_TEXT = 64 * 1024;
/** The largest clone of what else is in an error, in bytes. */
const MOST_BYTES = 1024 * 1024;

const CLASSES: Readonly<Record<string, Class>> = {
  Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError, DOMException,
  ...OWN_ERRORS,
};

/** Takes apart whatever was thrown. */
export function takeApart(thrown: unknown): RemoteError {
  let message = 'an error was thrown that cannot be read';
  try {
    if (isErrorSafely(thrown)) return takeErrorApart(thrown, 0, { errors: MOST_ERRORS });
    message = `a value that is no Error was thrown: ${textOf(thrown)}`;
  } catch {
    // A Proxy may throw at anything.
  }
  return { name: 'Error', message, stack: `Error: ${message}` };
}

/**
 * @param remote What {@link takeApart} gave there; whatever else it is, an Error says so.
 * @param where Where it was thrown, added to the stack: `Process-1 (pid 4711)`.
 */
export function rebuildError(remote: RemoteError, where?: string): Error {
  try {
    return rebuildWell(remote, where);
  } catch {
    return new Error(`an error came from another process that cannot be put together: ${textOf(remote)}`);
  }
}

function takeErrorApart(error: Error, depth: number, left: { errors: number }): RemoteError {
  left.errors--;
  const type = typeOf(error);
  const part = (inner: unknown): RemoteError | RemoteValue => takePartApart(inner, depth + 1, left);
  const cause = read(error, 'cause');
  const errors = read(error, 'errors');
  const fields = fieldsOf(error);
  return {
    ...(type === 'Error' ? {} : { type }),
    name: textIn(error, 'name', 'Error'),
    message: textIn(error, 'message', ''),
    stack: textIn(error, 'stack', String(type)),
    ...(fields === undefined ? {} : { fields }),
    ...(cause !== undefined ? { cause: part(cause) } : {}),
    ...(Array.isArray(errors) ? { errors: firstOf(errors).map(part) } : {}),
  };
}

function firstOf(errors: unknown[]): unknown[] {
  const first = errors.slice(0, MOST_ERRORS);
  return errors.length > MOST_ERRORS ? [...first, `${errors.length - MOST_ERRORS} more are left out`] : first;
}

function takePartApart(part: unknown, depth: number, left: { errors: number }): RemoteError | RemoteValue {
  if (!isErrorSafely(part)) return { value: cloneOf(part) ?? textOf(part) };
  return depth > DEEPEST_CAUSE || left.errors === 0 ? { value: textOf(part) } : takeErrorApart(part, depth, left);
}

/** The nearest class that the other process knows too. */
function typeOf(error: Error): string {
  try {
    let prototype = Object.getPrototypeOf(error) as object | null;
    for (let i = 0; i < DEEPEST_CAUSE * 4 && prototype !== null; i++) {
      const { name } = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as { name?: unknown } ?? {};
      if (typeof name === 'string' && Object.hasOwn(CLASSES, name) && isClass(prototype, name)) return name;
      prototype = Object.getPrototypeOf(prototype) as object | null;
    }
  } catch {
    // A Proxy may throw at any of that.
  }
  return 'Error';
}

/** Another realm (node:vm) has its own prototypes of JavaScript's errors, but none of ours. */
function isClass(prototype: object, name: string): boolean {
  return CLASSES[name]!.prototype === prototype || !Object.hasOwn(OWN_ERRORS, name);
}

/** Each by itself: one that cannot be sent is left out, and the others are not. */
function fieldsOf(error: Error): Uint8Array | undefined {
  const fields: Record<string, unknown> = {};
  let left = MOST_BYTES;
  for (const key of keysOf(error)) {
    const clone = cloneOf(read(error, key), left);
    if (clone === undefined) continue;
    left -= clone.length + key.length;
    Object.defineProperty(fields, key, { value: deserialize(clone), enumerable: true });
  }
  return Object.keys(fields).length === 0 ? undefined : serialize(fields);
}

function keysOf(error: Error): string[] {
  try {
    const keys = Object.keys(error).filter((key) => !['message', 'stack', 'cause', 'errors'].includes(key));
    // A class may give its code by a getter.
    return !keys.includes('code') && isCode(read(error, 'code')) ? [...keys, 'code'] : keys;
  } catch {
    return [];
  }
}

function isCode(code: unknown): boolean {
  return typeof code === 'string' || typeof code === 'number';
}

function cloneOf(value: unknown, most = MOST_BYTES): Uint8Array | undefined {
  try {
    if (survey(value)) return undefined;
    const clone = serialize(value);
    return clone.length <= most ? clone : undefined;
  } catch {
    return undefined;
  }
}

function rebuildWell(remote: RemoteError, where: string | undefined): Error {
  const { type = 'Error', name, message, stack, fields, cause, errors } = remote;
  if (typeof name !== 'string' || typeof stack !== 'string') throw new TypeError('it has no name or no stack');
  const error = type === 'DOMException' ? new DOMException(message, name) : new Error(String(message));
  const known = Object.hasOwn(CLASSES, type) ? CLASSES[type]! : Error;
  if (type !== 'DOMException') Object.setPrototypeOf(error, known.prototype);
  hide(error, 'stack', where === undefined ? stack : `${stack}\n    in ${where}`);
  if (cause !== undefined) hide(error, 'cause', rebuildPart(cause, where));
  if (errors !== undefined) {
    const value = errors.map((inner) => rebuildPart(inner, where));
    const enumerable = type !== 'AggregateError';
    Object.defineProperty(error, 'errors', { value, enumerable, writable: true, configurable: true });
  }
  if (fields !== undefined) {
    for (const [key, value] of Object.entries(deserialize(fields) as Record<string, unknown>)) {
      if (key in DOMException.prototype && type === 'DOMException') continue;
      Object.defineProperty(error, key, { value, enumerable: true, writable: true, configurable: true });
    }
  }
  if (error.name !== name) hide(error, 'name', name);
  return error;
}

function rebuildPart(part: RemoteError | RemoteValue, where: string | undefined): unknown {
  if (!('value' in part)) return rebuildError(part, where);
  return typeof part.value === 'string' ? part.value : deserialize(part.value);
}

/** As Error itself has them: not enumerable. */
function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true });
}

function isErrorSafely(thrown: unknown): thrown is Error {
  try {
    return isError(thrown);
  } catch {
    return false;
  }
}

function read(error: object, key: string): unknown {
  try {
    return (error as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function textIn(error: Error, key: string, otherwise: string): string {
  const value = read(error, key);
  return cut(typeof value === 'string' ? value : value === undefined ? otherwise : textOf(value));
}

function textOf(value: unknown): string {
  try {
    return cut(inspect(value, { depth: 1, maxStringLength: LONGEST_TEXT }));
  } catch {
    return 'a value that cannot be shown';
  }
}

/** The end of a stack tells as much as its beginning, which is the message. */
function cut(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  const half = LONGEST_TEXT / 2;
  return `${text.slice(0, half)} … ${text.length - LONGEST_TEXT} characters are left out here … ${text.slice(-half)}`;
}
