// Turns of the event loop. A loop of awaits that are served at once never lets the event loop turn, and then no message
// comes in or goes out; so whoever serves at once asks here how long that may go on. And what such a loop has to tell
// others is collected here, and told as one. Used by what owners serve at once; tellNow by all that tells others.

/** For this long the operations of one turn may be served at once, in milliseconds. */
const SLICE_MS = 2;
/** So many operations in one turn may be served at once: then others should get what came of them. */
const MOST_IN_A_TURN = 256;

let served = 0;
let since: number | undefined;

/** Whether one more operation may be served at once. If not, serve it at the {@link nextTurn}. */
export function mayServeAtOnce(): boolean {
  if (since === undefined) {
    since = performance.now();
    served = 1;
    setImmediate(() => {
      since = undefined;
    });
    return true;
  }
  return ++served <= MOST_IN_A_TURN && performance.now() - since < SLICE_MS;
}

/** Calls `work` when the event loop has turned, and messages may have come in. */
export function nextTurn(work: () => void): void {
  setImmediate(work);
}

/**
 * Calls `work` when what had come by now has been read: after the second 'check' phase there was a 'poll' phase for
 * certain.
 */
export function whenRead(work: () => void): void {
  setImmediate(() => setImmediate(work));
}

let turn: Promise<void> | undefined;

/**
 * Settles when the event loop has turned: what is done at once settles no sooner when {@link mayServeAtOnce} says no.
 */
export function afterTurn(): Promise<void> {
  turn ??= new Promise((resolve) => {
    nextTurn(() => {
      turn = undefined;
      resolve();
    });
  });
  return turn;
}

const pendingSends: (() => void)[] = [];
let isExiting = false;
// Nothing runs after the listeners of 'exit'. Loaded before the program, it hears of it before the program's own do.
process.once('exit', () => {
  isExiting = true;
  tellNow();
});

/** Whether this process is about to end, and nothing that is put off will be done. */
export function isAboutToEnd(): boolean {
  return isExiting;
}

/**
 * Calls `work`, which tells others what was collected until then, when what runs now is done. It is called before this
 * process tells others anything else, so that they hear of everything in the order in which it was done.
 */
export function tellSoon(work: () => void): void {
  if (isExiting) work();
  else if (pendingSends.push(work) === 1) afterThis(tellNow);
}

/** Tells all that was collected: call it before others are told something else. */
export function tellNow(): void {
  if (pendingSends.length > 0) for (const work of pendingSends.splice(0)) work();
}

/** Calls `work` when what runs now is done, with all that follows from it at once, as after settled promises. */
export function afterThis(work: () => void): void {
  queueMicrotask(() => process.nextTick(work));
}
