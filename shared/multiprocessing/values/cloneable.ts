// What can reach another process as what it is: looked at here before the call returns, since a structured clone turns
// instances of classes into plain objects without a word, and one that is very deep can be made but not be read.
// Used by codec.ts and remote-error.ts.
import { inspect, types } from 'node:util';
import { sizeText } from '../base/size.ts';

/** The method by which a primitive says how it travels. */
export const TRANSFER = Symbol('echopool.travel');

/** How a primitive travels: what it is, its name in the tree, and what its proxy needs to know at once. */
export interface Reference {
  readonly kind: string;
  readonly ref: string;
  readonly detail?: unknown;
}

export interface Transferable {
  [TRANSFER](): Reference;
}

/** The largest value that can be sent, in bytes of its clone. Less than an item of wire.ts may have. */
export const MOST_BYTES = 512 * 1024 * 1024;
/** How deep a value may be: v8.deserialize() overflows Node's stack at 1,500 to 2,000 objects within each other. */
const DEEPEST = 1000;

/** An array of so many elements is long. */
const LONG = 100;

/** An object in the value, and the way to it. */
interface Place {
  readonly object: object;
  readonly depth: number;
  /** The property, the index, or a word in brackets. */
  readonly step: string | number;
  readonly within: Place | undefined;
}

/** The step to one of an AggregateError's errors. */
const AN_ERROR = '<error>';

type Kind = 'array' | 'object' | 'map' | 'set' | 'bytes' | 'whole' | 'primitive' | 'error';

/** Errors that a structured clone gives back as what they were, if they have nothing besides message and stack. */
const CLONED_ERRORS = new Set([
  'Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError',
]);
const BOXES = ['Number', 'String', 'Boolean', 'BigInt'];

/**
 * Looks at all that is in a value.
 * @returns Whether something in it must be replaced on its way: a primitive of the toolkit, or an error that a clone
 * would change.
 * @throws {Error} with the reason as a clause, `[0].work is a function, which could not be cloned`.
 */
export function survey(value: unknown): boolean {
  let hasSubstitutes = false;
  const seen = new Set<object>();
  // Taken from the end: so each object is met first on the way on which v8.serialize() meets it first, and is as deep.
  const open: Place[] = [];
  let bytes = lookAt(value, '', undefined, open);
  if (bytes > MOST_BYTES) throw new Error(tooLarge(bytes));
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { object, depth } = place;
    if (seen.has(object)) continue;
    seen.add(object);
    if (depth > DEEPEST) throw new Error(`it is nested more than ${DEEPEST} levels deep`);
    const kind = kindOf(object);
    if (kind === undefined) {
      throw new Error(`${pathTo(place)} is ${nameOf(object)}, which could not be cloned as what it is`);
    }
    if (kind === 'primitive' || kind === 'error') {
      refuseOutsideOfPlain(place, kind);
      hasSubstitutes = true;
    }
    bytes += lookInto(place, kind, open);
    if (bytes > MOST_BYTES) throw new Error(tooLarge(bytes));
  }
  return hasSubstitutes;
}

/** Why a value of so many bytes is refused. */
export function tooLarge(bytes: number): string {
  return `it takes ${sizeText(bytes)} or more, and at most ${sizeText(MOST_BYTES)} can be sent at once`;
}

/** Whether something stands for the object on its way. */
export function isSubstituted(object: object): object is Transferable | Error {
  return TRANSFER in object || (isError(object) && !isClonedWhole(object));
}

export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/** Whether it is an array, or an object that consists of its properties. */
export function isPlainPart(object: object): boolean {
  return Array.isArray(object) || isPlainPrototype(Object.getPrototypeOf(object) as object | null);
}

/** Looks at one value; what has parts is looked into later. @returns How many bytes it takes at least. */
function lookAt(value: unknown, step: string | number, within: Place | undefined, open: Place[]): number {
  switch (typeof value) {
    case 'string':
      return value.length;
    case 'object':
      if (value !== null) open.push({ object: value, depth: (within?.depth ?? 0) + 1, step, within });
      return 0;
    case 'function':
    case 'symbol': {
      const path = within === undefined ? 'it' : pathTo({ object: within.object, depth: 0, step, within });
      throw new Error(`${path} is a ${typeof value}, which could not be cloned`);
    }
    default:
      return 0;
  }
}

function lookInto(place: Place, kind: Kind, open: Place[]): number {
  const { object } = place;
  let bytes = 0;
  const from = open.length;
  if (kind === 'bytes') return (object as ArrayBufferView | ArrayBuffer).byteLength;
  if (kind === 'array') {
    const array = object as unknown[];
    let i = 0;
    for (; i < array.length && (array[i] !== undefined || i in array); i++) bytes += lookAt(array[i], i, place, open);
    // From the first hole on by its keys: it may have billions of holes. Behind the elements are its named properties.
    const others = i < array.length || mayHaveNames(array) ? Object.keys(array).slice(i) : [];
    for (const key of others) bytes += lookAt(array[key as never], key, place, open);
  } else if (kind === 'map' || kind === 'set') {
    refuseExtras(place);
    const isMap = kind === 'map';
    for (const [key, inner] of (object as Map<unknown, unknown> | Set<unknown>).entries()) {
      bytes += lookAt(key, isMap ? '<key>' : '<element>', place, open);
      if (isMap) bytes += lookAt(inner, '<value>', place, open);
    }
  } else if (kind === 'object') {
    refuseSymbols(place);
    for (const key of Object.keys(object)) {
      bytes += key.length + lookAt((object as Record<string, unknown>)[key], key, place, open);
    }
  } else if (kind === 'error') {
    const { cause, errors } = object as { cause?: unknown; errors?: unknown };
    bytes += lookAt(cause, 'cause', place, open);
    if (Array.isArray(errors)) for (const error of errors) bytes += lookAt(error, AN_ERROR, place, open);
    for (const key of Object.keys(object)) {
      if (key === 'cause' || key === 'errors') continue;
      bytes += lookAt((object as unknown as Record<string, unknown>)[key], key, place, open);
    }
  } else if (kind === 'whole') {
    refuseExtras(place);
  }
  reverse(open, from);
  return bytes;
}

/** To ask a long array for its keys takes several times as long as to clone it; inspect() asks for its names alone. */
function mayHaveNames(array: readonly unknown[]): boolean {
  if (array.length < LONG) return true;
  const options = { maxArrayLength: 0, depth: 0, customInspect: false };
  return inspect(array, options) !== `[ ... ${array.length} more items ]`;
}

function kindOf(object: object): Kind | undefined {
  if (types.isProxy(object)) return undefined;
  if (TRANSFER in object) return 'primitive';
  const prototype = Object.getPrototypeOf(object) as object | null;
  if (prototype === Object.prototype) return 'object';
  if (Array.isArray(object)) return prototype !== null && constructorOf(prototype) === 'Array' ? 'array' : undefined;
  if (isPlainPrototype(prototype)) return 'object';
  const made = constructorOf(prototype!);
  if (ArrayBuffer.isView(object)) {
    const name = Buffer.isBuffer(object) ? made : Object.prototype.toString.call(object).slice(8, -1);
    return made === name && !types.isSharedArrayBuffer(object.buffer) ? 'bytes' : undefined;
  }
  if (types.isMap(object)) return made === 'Map' ? 'map' : undefined;
  if (types.isSet(object)) return made === 'Set' ? 'set' : undefined;
  if (isError(object)) return isClonedWhole(object) ? 'whole' : 'error';
  if (types.isArrayBuffer(object)) return made === 'ArrayBuffer' ? 'bytes' : undefined;
  const isWhole = (types.isDate(object) && made === 'Date') || (types.isRegExp(object) && made === 'RegExp')
    || (types.isBoxedPrimitive(object) && BOXES.includes(made));
  return isWhole ? 'whole' : undefined;
}

function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype || prototype === null) return true;
  // The same in another realm (node:vm).
  return Object.getPrototypeOf(prototype) === null && constructorOf(prototype) === 'Object';
}

/** By its name, since other realms have their own. A prototype without one is somebody's own. */
function constructorOf(prototype: object): string {
  if (!Object.hasOwn(prototype, 'constructor')) return '';
  const { constructor } = prototype as { constructor: unknown };
  return typeof constructor === 'function' ? constructor.name : '';
}

function isClonedWhole(error: Error): boolean {
  const prototype = Object.getPrototypeOf(error) as object | null;
  return types.isNativeError(error) && prototype !== null && CLONED_ERRORS.has(constructorOf(prototype))
    && error.name === constructorOf(prototype) && !Object.hasOwn(error, 'cause') && Object.keys(error).length === 0;
}

function refuseOutsideOfPlain(place: Place, kind: 'primitive' | 'error'): void {
  // remote-error.ts takes the errors in an error apart with it.
  let isInError = kind === 'error';
  for (let { step, within: around } = place; around !== undefined; { step, within: around } = around) {
    isInError &&= isError(around.object) && (step === 'cause' || step === AN_ERROR);
    if (isInError || isPlainPart(around.object)) continue;
    const what = kind === 'primitive' ? 'a primitive of the toolkit' : 'an error with more than a message';
    throw new Error(`${pathTo(place)}: ${what} travels in arrays and plain objects, and in nothing else`);
  }
}

function refuseSymbols(place: Place): void {
  const symbols = Object.getOwnPropertySymbols(place.object);
  if (symbols.length === 0) return;
  const symbol = symbols.find((key) => Object.prototype.propertyIsEnumerable.call(place.object, key));
  if (symbol === undefined) return;
  throw new Error(`${pathTo(place)} has a property with the key ${String(symbol)}, which could not be cloned`);
}

/** A clone drops the properties that such an object has besides what it is. */
function refuseExtras(place: Place): void {
  if (types.isStringObject(place.object)) return; // It has its characters.
  const [key] = Object.keys(place.object);
  if (key === undefined) return;
  const what = `${nameOf(place.object)} with a property '${key}' besides`;
  throw new Error(`${pathTo(place)} is ${what}, which could not be cloned`);
}

function nameOf(object: object): string {
  if (types.isProxy(object)) return 'a Proxy';
  const name = constructorOf((Object.getPrototypeOf(object) as object | null) ?? {});
  if (name === '') return 'an object with a prototype of its own';
  const isShared = ArrayBuffer.isView(object) && types.isSharedArrayBuffer(object.buffer);
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}${isShared ? ' in shared memory' : ''}`;
}

function textOf(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  if (step === '' || step.startsWith('<')) return step;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

function pathTo(place: Place): string {
  const steps: string[] = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.within) steps.push(textOf(at.step));
  const path = steps.reverse().join('').replace(/^\./, '');
  if (path === '') return 'it';
  return path.length > 200 ? `${path.slice(0, 100)} … ${path.slice(-90)}` : path;
}

function reverse(places: Place[], from: number): void {
  for (let to = places.length - 1; from < to; from++, to--) {
    [places[from], places[to]] = [places[to]!, places[from]!];
  }
}
