// Which values of a shared list are the same, and which comes first. They are packed, and compared where the list is.
// Used by shared-list.ts.
import { isDeepStrictEqual } from 'node:util';
import { WrongUse } from '../base/errors.ts';
import { referencesIn } from '../values/codec.ts';
import { encodedPart, unpack } from '../values/packed.ts';
import type { Packed } from '../values/packed.ts';

/** Says of each value whether it is the same as this one: by what is in it, as copies are never the same object. */
export function sameAs(sought: Packed): (value: Packed) => boolean {
  const wanted = dataOf(sought);
  if (wanted === undefined) return () => false;
  return (value) => value === sought || isDeepStrictEqual(dataOf(value), wanted);
}

/** The value itself, in a box; none of one that is more than data, or that nobody can put together. */
function dataOf(value: Packed): readonly [unknown] | undefined {
  // An end of a Pipe that is put together here would be at home here.
  if (referencesIn(encodedPart(value)).length > 0) return undefined;
  try {
    return [unpack(value)];
  } catch {
    return undefined;
  }
}

/** In order: numbers by their size, NaN as the last; text by its UTF-16 units. @throws {WrongUse} There is none. */
export function inOrder(values: readonly Packed[], isReversed: boolean): Packed[] {
  const [first] = values;
  const odd = values.findIndex((value) => kindOf(value) === undefined || kindOf(value) !== kindOf(first));
  if (odd !== -1) {
    const [one, other] = [first, values[odd]].map((value) => (value === null ? 'null' : `of type ${typeof value}`));
    const why = odd === 0 ? `value 1 is ${one}` : `value 1 is ${one}, and value ${odd + 1} ${other}`;
    throw new WrongUse(`sort needs a list of numbers alone or of strings alone: ${why}`);
  }
  const sign = isReversed ? -1 : 1;
  return values.toSorted((a, b) => sign * compare(a as number, b as number));
}

function kindOf(value: Packed): string | undefined {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 'number';
    case 'string':
      return 'string';
    default:
      return undefined;
  }
}

/** Of two numbers, or two strings: `<` is the same for both. */
function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
