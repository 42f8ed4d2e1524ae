// Which of the toolkit's files a forked process loads: each costs its start about a millisecond, so a target that imports
// what it uses gets no more; but a primitive may come to it in an argument, and must find its file there.
import { isKnown } from './values/codec.ts';
import type { Encoded } from './values/codec.ts';

/** Loads the whole toolkit unless all primitives in these values can come to life already. */
export async function learnKindsIn(values: readonly Encoded[]): Promise<void> {
  if (!values.every(isKnown)) await import('./index.ts');
}
