// What the program has forgotten: a proxy, or the primitive itself, that the garbage collector has taken. What this
// process keeps for it goes then too, as soon as nobody needs it. Used by lock.ts and queue.ts.
//
// A proxy's client goes when nothing is held, waits or is in work there; an owner when nobody else holds the primitive
// and nothing is in it. A reference that was still on its way then finds a new owner, as new as the old one was.

/** When it is looked at again whether something is still needed, in milliseconds; each time later. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 60_000;

const registry = new FinalizationRegistry<() => boolean>((isDone) => lookAgain(isDone));

/**
 * When `object` is forgotten, and then again and again, calls `isDone`, until it says that nothing is left to be done.
 * `object` must not be reachable from it.
 */
export function whenForgotten(object: object, isDone: () => boolean): void {
  registry.register(object, isDone);
}

/** The same without waiting for an object to be forgotten. */
export function lookAgain(isDone: () => boolean, afterMs = 0): void {
  if (afterMs === 0 && isDone()) return;
  const ms = Math.min(LONGEST_LOOK_MS, Math.max(FIRST_LOOK_MS, afterMs * 2));
  setTimeout(() => { if (!isDone()) lookAgain(isDone, ms); }, ms).unref();
}
