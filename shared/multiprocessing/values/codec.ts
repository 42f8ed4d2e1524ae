// Values on their way to another process: structured clones, in which the toolkit's own primitives (a Lock, a Queue …)
// travel as references and come out as proxies, and errors are taken apart. For arguments, items, messages, results.
import { deserialize, serialize } from 'node:v8';
import { isPlainPart, isSubstituted, MOST_BYTES, survey, tooLarge, TRANSFER } from './cloneable.ts';
import type { Reference, Transferable } from './cloneable.ts';
import { messageOf, NotCloneable } from '../base/errors.ts';
import { sizeText } from '../base/size.ts';
import { rebuildError, takeApart } from './remote-error.ts';
import type { RemoteError } from './remote-error.ts';
import { isString } from '../base/shape.ts';

export { TRANSFER } from './cloneable.ts';
export type { Reference, Transferable } from './cloneable.ts';

/** What cannot be cloned as it is, and where it stands. */
interface Substituted {
  readonly path: readonly string[];
  readonly object: Transferable | Error;
}

type Placed<T> = readonly (readonly [path: readonly string[], what: T])[];

interface Packet {
  readonly bytes: Uint8Array;
  /** The primitives in the value: where each one stands, and its reference. */
  readonly references?: Placed<Reference>;
  /** Its errors that a clone would change: most have more than a message. */
  readonly errors?: Placed<RemoteError>;
}

/** A value ready to be sent: itself where it has no parts, so that numbers and strings cost nothing, else its clone. */
export type Encoded = Packet | string | number | bigint | boolean | null | undefined;

/** How much the arguments of a Process may take together, in bytes: somewhat less than a message of wire.ts. */
const MOST_TOGETHER = 1000 * 1024 * 1024;

const kinds = new Map<string, (reference: Reference) => Transferable>();

/** Says how a primitive of that kind comes to life in the process that receives its reference. */
export function defineKind(kind: string, revive: (reference: Reference) => Transferable): void {
  kinds.set(kind, revive);
}

/**
 * Clones a value at once, so that what the sender changes later does not matter.
 * @param what How the error names the value: `argument 2 of Process-1`.
 * @throws {NotCloneable} It could not arrive as what it is: it holds a function, an instance of a class, a primitive
 * inside a Map …, takes more than 512 MiB, or is nested more than 1,000 levels deep.
 */
export function encode(value: unknown, what: string): Encoded {
  return prepare(value, what)();
}

/**
 * The first half of {@link encode}: clones the value, or throws. The primitives in it travel when the returned function
 * is called, once; until then nothing has happened to them. @param isData Of a value that may have none.
 */
export function prepare(value: unknown, what: string, isData = false): () => Encoded {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') throw notCloneable(what, `it is a ${typeof value}`);
    if (typeof value === 'string' && value.length > MOST_BYTES / 2) throw notCloneable(what, tooLarge(value.length));
    return () => value as Encoded;
  }
  try {
    const found: Substituted[] = [];
    const bytes = serialize(survey(value) ? withoutSubstituted(value, [], found, new Map()) : value);
    if (bytes.length > MOST_BYTES) throw new Error(tooLarge(bytes.length));
    if (found.length === 0) return () => ({ bytes });
    const primitive = isData ? found.find(({ object }) => isTransferable(object)) : undefined;
    if (primitive !== undefined) throw new Error(`${primitive.path.join('.') || 'it'} is a primitive of the toolkit`);
    const errors: [readonly string[], RemoteError][] = [];
    for (const { path, object } of found) if (!isTransferable(object)) errors.push([path, takeApart(object)]);
    const primitives = found.flatMap(({ path, object }) => (
      isTransferable(object) ? [(): [readonly string[], Reference] => [path, object[TRANSFER]()]] : []
    ));
    return () => {
      const references = allOrNone(primitives, ([, reference]) => void revive(reference));
      return { bytes, ...(references.length > 0 ? { references } : {}), ...(errors.length > 0 ? { errors } : {}) };
    };
  } catch (error) {
    throw notCloneable(what, messageOf(error), error);
  }
}

/**
 * The arguments of a Process, at once. When it throws, nothing has happened to the primitives in them.
 * @param name Whose they are. @throws {NotCloneable} One cannot be sent, or all together cannot. @throws {WrongUse}
 */
export function encodeArguments(args: readonly unknown[], name: string): Encoded[] {
  const encoded = allOrNone(args.map((arg, i) => prepare(arg, `argument ${i + 1} of ${name}`)), comeBack);
  const bytes = encoded.reduce((sum: number, arg) => sum + mostBytesOf(arg), 0);
  if (bytes <= MOST_TOGETHER) return encoded;
  encoded.forEach(comeBack);
  throw new NotCloneable(`the arguments of ${name} cannot be sent to another process: together they take up to `
    + `${sizeText(bytes)}, and at most ${sizeText(MOST_TOGETHER)} can be sent at once`);
}

/** A character of text takes one byte or two. */
function mostBytesOf(arg: Encoded): number {
  if (typeof arg === 'string') return 2 * arg.length;
  return typeof arg === 'object' && arg !== null ? arg.bytes.length : 0;
}

/** What had travelled and was not sent is here again. */
export function comeBack(encoded: Encoded): void {
  referencesIn(encoded).forEach(revive);
}

/**
 * Has all of them done. When one of them throws, those before are undone.
 * @throws What that one throws.
 */
export function allOrNone<Done>(all: readonly (() => Done)[], undo: (done: Done) => void): Done[] {
  const done: Done[] = [];
  try {
    for (const one of all) done.push(one());
    return done;
  } catch (error) {
    done.forEach(undo);
    throw error;
  }
}

/**
 * The value again, with proxies in the place of primitives that live elsewhere.
 * @throws {NotCloneable} It cannot be put together: a primitive in it is of a kind that this process does not know.
 */
export function decode(encoded: Encoded): unknown {
  if (typeof encoded !== 'object' || encoded === null) return encoded;
  try {
    const root = { value: deserialize(encoded.bytes) as unknown };
    for (const [path, reference] of encoded.references ?? []) place(root, path, revive(reference));
    for (const [path, error] of encoded.errors ?? []) place(root, path, rebuildError(error));
    return root.value;
  } catch (error) {
    if (error instanceof NotCloneable) throw error;
    const why = messageOf(error);
    throw new NotCloneable(`a value came from another process that cannot be put together: ${why}`, { cause: error });
  }
}

/** Puts something in its place in a value, and nowhere else: what came may be malformed. */
function place(root: { value: unknown }, path: readonly string[], what: unknown): void {
  let place: Record<string, unknown> = root;
  let key = 'value';
  for (const step of path) {
    if (!Object.hasOwn(place, key)) break;
    place = place[key] as Record<string, unknown>;
    key = step;
  }
  if (!Object.hasOwn(place, key)) throw new Error(`there is no place for what stood at ${path.join('.')}`);
  place[key] = what;
}

/** The references of the primitives that travel in an encoded value. */
export function referencesIn(encoded: Encoded): Reference[] {
  if (typeof encoded !== 'object' || encoded === null) return [];
  return (encoded.references ?? []).map(([, reference]) => reference);
}

/** Whether the references in what came from another process can be read. */
export function isEncoded(value: unknown): value is Encoded {
  try {
    return referencesIn(value as Encoded).every(({ kind, ref }) => isString(kind) && isString(ref));
  } catch {
    return false;
  }
}

/**
 * The kinds of the primitives in an encoded value that this process cannot bring to life: their files are not loaded.
 */
export function kindsMissing(encoded: Encoded): string[] {
  return referencesIn(encoded).map(({ kind }) => kind).filter((kind) => !kinds.has(kind));
}

function revive(reference: Reference): Transferable {
  const { kind } = reference;
  const make = kinds.get(kind);
  if (make === undefined) throw new NotCloneable(`a ${kind} came from another process, which is not known here`);
  return make(reference);
}

function notCloneable(what: string, why: string, cause?: unknown): NotCloneable {
  return new NotCloneable(`${what} cannot be sent to another process: ${why}`, { cause });
}

function isTransferable(value: object): value is Transferable {
  return TRANSFER in value;
}

/** A copy of the arrays and objects around what is substituted, with null in its place; everything else is shared. */
function withoutSubstituted(
  value: unknown, path: string[], found: Substituted[], copies: Map<object, unknown>,
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isSubstituted(value)) {
    found.push({ path, object: value });
    return null;
  }
  if (!isPlainPart(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const isArray = Array.isArray(value);
  // Without a prototype, so that a property `__proto__` is one like any other.
  const copy = (isArray ? new Array(value.length) : Object.create(null)) as Record<string, unknown>;
  copies.set(value, copy);
  for (const [key, inner] of Object.entries(value)) {
    copy[key] = withoutSubstituted(inner, [...path, key], found, copies);
  }
  return copy;
}
