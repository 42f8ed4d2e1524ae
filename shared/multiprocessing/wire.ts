// What goes over a fork channel, in the form that is cheapest there: Node writes small messages several times faster as
// JSON than as structured clones. Whatever JSON would change travels as a clone inside of it. Used by channel.ts.
import { deserialize, serialize } from 'node:v8';

/** An item as it is, or its structured clone in base64. */
export type Wired = unknown[] | string;

/** How deep a value may be for JSON: also ends the walk in one that contains itself. */
const DEEPEST = 12;

/** The item as it is sent. */
export function toWire(item: unknown[]): Wired {
  return survivesJson(item, 0) ? item : serialize(item).toString('base64');
}

/** The item as it was. */
export function fromWire(wired: Wired): unknown[] {
  return typeof wired === 'string' ? deserialize(Buffer.from(wired, 'base64')) as unknown[] : wired;
}

/** Whether JSON gives back the very same value. */
function survivesJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return value === null || partsSurvive(value, depth);
    default:
      return false;
  }
}

function partsSurvive(value: object, depth: number): boolean {
  if (depth > DEEPEST) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!survivesJson(value[i], depth + 1)) return false;
    return true;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) {
    if (key === '__proto__' || !survivesJson((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}
