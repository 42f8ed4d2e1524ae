// What keeps this process running. A daemon child alone does not, nor does the parent once the target has ended; but
// while somebody here awaits something that only another process can bring about (a lock, an item, an end), they do.

/** Something that can hold this process's event loop open, or not: a daemon child, the channel to the parent. */
export interface Refable {
  ref(): void;
  unref(): void;
}

const refables = new Set<Refable>();
let awaiting = 0;

/** From now on it keeps this process running only while somebody here awaits another process. */
export function keepWhileAwaiting(refable: Refable): void {
  refables.add(refable);
  if (awaiting === 0) refable.unref();
}

/** It is gone. */
export function keepNoLonger(refable: Refable): void {
  refables.delete(refable);
}

/** Call when a wait for another process begins. Pair it with {@link waitEnds}. */
export function waitBegins(): void {
  if (awaiting++ === 0) for (const refable of refables) refable.ref();
}

export function waitEnds(): void {
  if (--awaiting === 0) for (const refable of refables) refable.unref();
}
