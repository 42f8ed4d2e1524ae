// The arguments of a Process. Used by process.ts.
import { NotCloneable } from '../base/errors.ts';
import { sizeText } from '../base/size.ts';
import { comeBack, prepare, travelTogether } from '../values/codec.ts';
import type { Encoded } from '../values/codec.ts';

/** `args` are structured clones, and the toolkit's primitives. Where none are needed they may be left out. */
export type Arguments<Args extends readonly unknown[]> =
  [] extends Args ? { readonly args?: NoInfer<Readonly<Args>> | undefined }
    : { readonly args: NoInfer<Readonly<Args>> };

/** How much they may take together, in bytes: somewhat less than a message of wire.ts. */
const MOST_BYTES = 1000 * 1024 * 1024;

/**
 * Clones them at once. When it throws, nothing has happened to the primitives in them.
 * @param name Whose they are. @throws {NotCloneable} One cannot be sent, or all together cannot. @throws {WrongUse}
 */
export function encodeArguments(args: readonly unknown[], name: string): Encoded[] {
  const encoded = travelTogether(args.map((arg, i) => prepare(arg, `argument ${i + 1} of ${name}`)));
  const bytes = encoded.reduce((sum: number, arg) => sum + mostBytesOf(arg), 0);
  if (bytes <= MOST_BYTES) return encoded;
  encoded.forEach(comeBack);
  throw new NotCloneable(`the arguments of ${name} cannot be sent to another process: together they take up to `
    + `${sizeText(bytes)}, and at most ${sizeText(MOST_BYTES)} can be sent at once`);
}

/** A character of text takes one byte or two. */
function mostBytesOf(arg: Encoded): number {
  if (typeof arg === 'string') return 2 * arg.length;
  return typeof arg === 'object' && arg !== null ? arg.bytes.length : 0;
}
