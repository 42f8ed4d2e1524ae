// Whether what came from another process as an item, a value on its way, can be kept, counted and passed on here.
import { ticketsOf } from './codec.ts';
import { encodedPart, sizeOf } from './packed.ts';
import type { Item } from './packed.ts';
import { isString } from '../base/shape.ts';

/** What it holds is looked at only by those who unpack it, and a value that they cannot unpack is theirs to report. */
export function isItem(value: unknown): value is Item {
  try {
    return Number.isFinite(sizeOf(value as Item))
      && ticketsOf(encodedPart(value as Item)).every(({ kind, ref }) => isString(kind) && isString(ref));
  } catch {
    return false;
  }
}
