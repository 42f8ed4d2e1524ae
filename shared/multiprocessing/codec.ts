// Values on their way to another process: structured clones, in which the toolkit's own primitives (a Lock, a Queue …)
// travel as references and come out as proxies. Used for arguments, items, messages and results.
import { deserialize, serialize } from 'node:v8';
import { messageOf } from '../errors.ts';
import { NotCloneable } from './errors.ts';

/** The method by which a primitive says how it travels. */
export const TRAVEL = Symbol('echopool.travel');

/** How a primitive travels: what it is, its name in the tree, and what its proxy needs to know at once. */
export interface Ticket {
  readonly kind: string;
  readonly ref: string;
  readonly detail?: unknown;
}

export interface Traveller {
  [TRAVEL](): Ticket;
}

/** A primitive in a value, and where it stands. */
interface Found {
  readonly path: readonly string[];
  readonly traveller: Traveller;
}

interface Packet {
  readonly bytes: Uint8Array;
  /** The primitives in the value: where each one stands, and its ticket. */
  readonly tickets?: readonly (readonly [path: readonly string[], ticket: Ticket])[];
}

/** A value ready to be sent: itself where it has no parts, so that numbers and strings cost nothing, else its clone. */
export type Encoded = Packet | string | number | bigint | boolean | null | undefined;

const kinds = new Map<string, (ticket: Ticket) => Traveller>();

/** Says how a primitive of that kind comes to life in the process that receives its ticket. */
export function defineKind(kind: string, revive: (ticket: Ticket) => Traveller): void {
  kinds.set(kind, revive);
}

/**
 * Clones a value at once, so that what the sender changes later does not matter.
 * @param what How the error names the value: `argument 2 of Process-1`.
 * @throws {NotCloneable} The value holds a function, a symbol, a socket …, or a primitive inside a Map or Set.
 */
export function encode(value: unknown, what: string): Encoded {
  return prepare(value, what)();
}

/**
 * The first half of {@link encode}: clones the value, or throws. The primitives in it travel when the returned function
 * is called, once; until then nothing has happened to them.
 */
export function prepare(value: unknown, what: string): () => Encoded {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') throw notCloneable(what, `it is a ${typeof value}`);
    return () => value as Encoded;
  }
  try {
    const found: Found[] = [];
    const plain = holdsTraveller(value, new Set()) ? withoutTravellers(value, [], found, new Map()) : value;
    const bytes = serialize(plain);
    if (found.length === 0) return () => ({ bytes });
    return () => ({ bytes, tickets: found.map(({ path, traveller }) => [path, traveller[TRAVEL]()]) });
  } catch (error) {
    throw notCloneable(what, messageOf(error), error);
  }
}

/** The value again, with proxies in the place of primitives that live elsewhere. */
export function decode(encoded: Encoded): unknown {
  if (typeof encoded !== 'object' || encoded === null) return encoded;
  const value: unknown = deserialize(encoded.bytes);
  if (encoded.tickets === undefined) return value;
  const root = { value };
  for (const [path, ticket] of encoded.tickets) {
    let place = root as Record<string, unknown>;
    let key = 'value';
    for (const step of path) {
      place = place[key] as Record<string, unknown>;
      key = step;
    }
    place[key] = revive(ticket);
  }
  return root.value;
}

/** The tickets of the primitives that travel in an encoded value. */
export function ticketsOf(encoded: Encoded): Ticket[] {
  if (typeof encoded !== 'object' || encoded === null) return [];
  return (encoded.tickets ?? []).map(([, ticket]) => ticket);
}

/** Whether this process has loaded what the primitives in an encoded value need. */
export function isKnown(encoded: Encoded): boolean {
  return ticketsOf(encoded).every(({ kind }) => kinds.has(kind));
}

function revive(ticket: Ticket): Traveller {
  const make = kinds.get(ticket.kind);
  if (make === undefined) throw new NotCloneable(`a ${ticket.kind} came from another process, which is not known here`);
  return make(ticket);
}

function notCloneable(what: string, why: string, cause?: unknown): NotCloneable {
  return new NotCloneable(`${what} cannot be sent to another process: ${why}`, { cause });
}

function isTraveller(value: object): value is Traveller {
  return TRAVEL in value;
}

/** Whether the walk stops here: nothing of ours can be inside bytes. */
function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' || value === null || ArrayBuffer.isView(value);
}

function holdsTraveller(value: object, seen: Set<object>): boolean {
  if (isTraveller(value)) return true;
  if (isLeaf(value) || seen.has(value)) return false;
  seen.add(value);
  let found = false;
  for (const inner of partsOf(value)) {
    if (typeof inner === 'object' && inner !== null && holdsTraveller(inner, seen)) found = true;
  }
  if (found && !isArrayOrObject(value)) {
    throw new Error('a primitive of the toolkit travels in arrays and plain objects, and in nothing else');
  }
  return found;
}

function partsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  return value instanceof Map || value instanceof Set ? [...value.keys(), ...value.values()] : Object.values(value);
}

/** Whether its structured clone is an array, or a plain object. */
function isArrayOrObject(value: object): boolean {
  return Array.isArray(value) || Object.prototype.toString.call(value) === '[object Object]';
}

/** A copy of the arrays and objects around primitives, with null in their places; everything else is shared. */
function withoutTravellers(value: unknown, path: string[], found: Found[], copies: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isTraveller(value)) {
    found.push({ path, traveller: value });
    return null;
  }
  if (!isArrayOrObject(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const isArray = Array.isArray(value);
  // Without a prototype, so that a property `__proto__` is one like any other.
  const copy = (isArray ? new Array(value.length) : Object.create(null)) as Record<string, unknown>;
  copies.set(value, copy);
  for (const [key, inner] of Object.entries(value)) copy[key] = withoutTravellers(inner, [...path, key], found, copies);
  return copy;
}
