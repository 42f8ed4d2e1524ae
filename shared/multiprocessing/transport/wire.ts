// What goes over a fork channel, in the form that is cheapest there: Node writes small messages several times faster as
// JSON than as structured clones. Whatever JSON would change, and whatever is large, travels as a clone inside of it.
// Used by channel.ts.
//
// A message is an array: a header by which it is known to be ours, and the items of a batch; or, for an item that would
// be too long for one string, one of several parts of its clone.
import { deserialize, serialize } from 'node:v8';
import { NotCloneable } from '../base/errors.ts';
import { sizeText } from '../base/size.ts';
import type { Encoded } from '../values/codec.ts';

/** A message to an endpoint somewhere in the tree of processes: to whom, from whom, about which primitive, what. */
export type Envelope = [to: string, from: string, ref: string, body: unknown];
/** A message for the process at the other end itself: encoded, or as it is. */
export type Direct = [body: Encoded] | [body: unknown, isPlain: true];
export type Item = Envelope | Direct;
/** An item as it is, or its structured clone in base64. */
export type Wired = unknown[] | string;
/** What is given to Node as one message. */
export type Message = [header: Header, ...wired: Wired[]];

interface Header {
  /** The version of this form. */
  readonly echopool: typeof VERSION;
  /** Of an item in parts: which one, from 0 on, of how many. */
  readonly part?: readonly [index: number, count: number];
  /** Its place among all that the sender has sent, from 1 on: it may come twice when that one exits. */
  n?: number;
}

/** In bytes, or in characters, which take one each here. */
export interface WireLimits {
  /** The largest item: beyond it Node's own buffers and strings would not do, or the system's memory. */
  readonly item: number;
  /** The largest part of an item. */
  readonly part: number;
  /** About the largest batch. An item goes as JSON up to a quarter of it: an escaped character takes six there. */
  readonly batch: number;
}

const VERSION = 1;
const MiB = 1024 * 1024;
const LIMITS: WireLimits = { item: 1024 * MiB, part: 16 * MiB, batch: 16 * MiB };
/** The largest number of items in one message: bounds what one turn of either event loop has to chew on. */
const MOST_ITEMS = 512;
/** How deep a value may be for JSON: also ends the walk in one that contains itself. */
const DEEPEST = 12;
/** What a number, a bracket or a comma may take, on average. */
const SHORT = 8;
/** And what a short item may take at most. */
const SHORT_ITEM = 128;

/** Collects items, and makes messages of them. */
export class WireWriter {
  readonly #limits: WireLimits;
  #messages: Message[] = [];
  /** The one that more items are added to. */
  #open: Message | undefined;
  #openSize = 0;

  constructor(limits: WireLimits = LIMITS) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** @returns Whether it is time to {@link take}. @throws {NotCloneable} The item is too large, or cannot be cloned. */
  add(item: unknown[]): boolean {
    const { batch, part } = this.#limits;
    const length = jsonLength(item, 0);
    if (length <= batch / 4) return this.#put(item, length);
    const bytes = this.#clone(item);
    if (bytes.length <= part) return this.#put(bytes.toString('base64'), bytes.length * 4 / 3);
    const count = Math.ceil(bytes.length / part);
    for (let index = 0; index < count; index++) {
      const chunk = bytes.toString('base64', index * part, (index + 1) * part);
      this.#messages.push([{ echopool: VERSION, part: [index, count] }, chunk]);
    }
    this.#open = undefined;
    return true;
  }

  /** The same for one of which the caller knows that it is plain and short. */
  addShort(item: unknown[]): boolean {
    return this.#put(item, SHORT_ITEM);
  }

  /** All messages, in order. */
  take(): Message[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#open = undefined;
    return messages;
  }

  #put(wired: Wired, size: number): boolean {
    if (this.#open === undefined || this.#openSize + size > this.#limits.batch) {
      this.#open = [{ echopool: VERSION }];
      this.#openSize = 0;
      this.#messages.push(this.#open);
    }
    this.#openSize += size;
    return this.#open.push(wired) > MOST_ITEMS || this.#openSize >= this.#limits.batch;
  }

  #clone(item: unknown[]): Buffer {
    const bytes = serialize(item);
    const most = this.#limits.item;
    if (bytes.length <= most) return bytes;
    const sizes = `${sizeText(bytes.length)} cannot be sent to another process: at most ${sizeText(most)} can`;
    throw new NotCloneable(`a message of ${sizes}`);
  }
}

/** Makes items of messages again. What comes in may be anything. */
export class WireReader {
  /** Of the item that comes in parts. */
  #parts: Buffer[] = [];

  /** The items of a message, undefined in place of one that cannot be read. That is all of one that is none of ours. */
  read(message: unknown): (unknown[] | undefined)[] {
    const header: unknown = Array.isArray(message) ? message[0] : undefined;
    if (!isHeader(header)) return [undefined];
    const wired = (message as unknown[]).slice(1);
    return header.part === undefined ? wired.map(fromWire) : this.#join(header.part, wired);
  }

  #join([index, count]: readonly [number, number], [chunk, ...others]: unknown[]): (unknown[] | undefined)[] {
    if (index === 0) this.#parts = [];
    if (index !== this.#parts.length || typeof chunk !== 'string' || others.length > 0) return [undefined];
    this.#parts.push(Buffer.from(chunk, 'base64'));
    if (index + 1 < count) return [];
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return [fromClone(bytes)];
  }
}

/** The place of a message among all from its sender; undefined when it is none of ours. */
export function numberOf(message: unknown): number | undefined {
  const header: unknown = Array.isArray(message) ? message[0] : undefined;
  return isHeader(header) && typeof header.n === 'number' ? header.n : undefined;
}

export function isItem(item: unknown[] | undefined): item is Item {
  switch (item?.length) {
    case 1:
      return true; // decode() looks closer.
    case 2:
      return item[1] === true;
    case 4:
      return typeof item[0] === 'string' && typeof item[1] === 'string' && typeof item[2] === 'string';
    default:
      return false;
  }
}

function isHeader(header: unknown): header is Header {
  if (typeof header !== 'object' || header === null) return false;
  if (!('echopool' in header) || header.echopool !== VERSION) return false;
  if (!('part' in header)) return true;
  return Array.isArray(header.part) && header.part.length === 2 && header.part.every(Number.isSafeInteger);
}

function fromWire(wired: unknown): unknown[] | undefined {
  if (Array.isArray(wired)) return wired as unknown[];
  return typeof wired === 'string' ? fromClone(Buffer.from(wired, 'base64')) : undefined;
}

function fromClone(bytes: Buffer): unknown[] | undefined {
  try {
    const item: unknown = deserialize(bytes);
    return Array.isArray(item) ? item as unknown[] : undefined;
  } catch {
    return undefined;
  }
}

/** About how long the value is as JSON; NaN if JSON would not give back the very same. */
function jsonLength(value: unknown, depth: number): number {
  switch (typeof value) {
    case 'string':
      return value.length + SHORT;
    case 'boolean':
      return SHORT;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? SHORT : NaN;
    case 'object':
      return value === null ? SHORT : lengthOfParts(value, depth);
    default:
      return NaN;
  }
}

function lengthOfParts(value: object, depth: number): number {
  if (depth > DEEPEST) return NaN;
  let length = SHORT;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && length > 0; i++) length += jsonLength(value[i], depth + 1);
    return length;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return NaN;
  for (const key in value) {
    if (key === '__proto__') return NaN;
    length += key.length + jsonLength((value as Record<string, unknown>)[key], depth + 1);
    if (!(length > 0)) return NaN;
  }
  return length;
}
