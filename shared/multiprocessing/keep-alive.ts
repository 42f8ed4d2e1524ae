// What keeps this process running. A daemon child alone does not; but while somebody here awaits something that only
// another process can bring about (a lock, an item, an end), daemon children do.

/** Something that can hold this process's event loop open, or not: a daemon child with its channel. */
export interface Refable {
  ref(): void;
  unref(): void;
}

const daemons = new Set<Refable>();
let awaiting = 0;

export function addDaemon(daemon: Refable): void {
  daemons.add(daemon);
  if (awaiting === 0) daemon.unref();
}

export function removeDaemon(daemon: Refable): void {
  daemons.delete(daemon);
}

/** Call when a wait for another process begins. Pair it with {@link waitEnds}. */
export function waitBegins(): void {
  if (awaiting++ === 0) for (const daemon of daemons) daemon.ref();
}

export function waitEnds(): void {
  if (--awaiting === 0) for (const daemon of daemons) daemon.unref();
}
