// What console.log shows of the toolkit's classes, whose state is private.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';

/** For a method `[inspect.custom](_depth: number, options: InspectOptions)`: `Process { name: 'Process-1', pid: 4711 }`. */
export function shownAs(name: string, state: object, options: InspectOptions): string {
  return `${name} ${inspect(state, options)}`;
}
