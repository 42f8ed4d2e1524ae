// Values that a Manager's dicts and lists hand out: copies, made unchangeable, so that nobody changes one in the belief
// that the shared value changes with it.
import { TRANSFER } from '../values/codec.ts';

/** The methods that change an object whose content is not in its properties. */
const CHANGING: readonly (readonly [type: abstract new (...args: never[]) => object, methods: readonly string[]])[] = [
  [Map, ['set', 'delete', 'clear']],
  [Set, ['add', 'delete', 'clear']],
  [Date, Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'))],
];

/**
 * Makes a value just decoded unchangeable, in all its depth: changing a plain object or array throws a TypeError (in
 * modules, which are strict), and so do the methods that change a Map, a Set or a Date. Bytes cannot be frozen: typed
 * arrays and ArrayBuffers are copies like the rest, but your own to change. Primitives of the toolkit stay as they are.
 * @returns The same value.
 */
export function freeze<T>(value: T): T {
  const open: unknown[] = [value];
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null || seen.has(next) || isLeftAlone(next)) continue;
    seen.add(next);
    refuseChanges(next);
    Object.freeze(next);
    if (next instanceof Map) for (const key of next.keys()) open.push(key);
    if (next instanceof Map || next instanceof Set) for (const inner of next.values()) open.push(inner);
    for (const inner of Object.values(next)) open.push(inner);
  }
  return value;
}

/** A RegExp is, because using it moves its lastIndex. */
function isLeftAlone(value: object): boolean {
  return TRANSFER in value || ArrayBuffer.isView(value) || value instanceof ArrayBuffer
    || value instanceof SharedArrayBuffer || value instanceof RegExp;
}

function refuseChanges(object: object): void {
  const methods = CHANGING.find(([type]) => object instanceof type)?.[1] ?? [];
  for (const method of methods) {
    Object.defineProperty(object, method, {
      value: () => {
        const { name } = object.constructor;
        throw new TypeError(`${method}() would change a copy of a shared ${name}: set a new one instead`);
      },
    });
  }
}
