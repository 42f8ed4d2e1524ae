// Keeps the event loop turning for a moment after a message has come, before it sleeps: to be woken up takes a process
// longer than a question and its answer between two that are awake, on a virtual machine five times as long. Used by
// router.ts, so for the messages of primitives only: what a server tells its workers costs no CPU more.
//
// As locks do that spin before they sleep, it lingers only where that pays. After each time in vain it needs more
// messages that come close together before it tries again. So a process of a busy machine, where the one that could
// answer waits for a CPU, soon gives it up.

/** For this long a process waits for the next message awake, in milliseconds. */
const LINGER_MS = 0.2;
/** Messages at less than this distance, in milliseconds, are close together: the next may be worth waiting for. */
const CLOSE_MS = 1;
/** The most messages that must come close together before it lingers, after times in vain; and after it had to wait for a CPU. */
const MOST_NEEDED = 16;
const NEEDED_WHEN_BUSY = 1024;
/** A turn of a loop that does nothing but linger takes no longer than this, in milliseconds, unless others need the CPU. */
const LONGEST_TURN_MS = 1;

let heardAt = -Infinity;
let close = 0;
let needed = 1;
let turnedAt = 0;
let lingers = false;
let paid = false;

/** A message has come. */
export function heard(): void {
  const now = performance.now();
  close = now - heardAt < CLOSE_MS ? close + 1 : 0;
  heardAt = now;
  if (lingers) {
    paid = true;
  } else if (close >= needed) {
    lingers = true;
    paid = false;
    turnedAt = now;
    setImmediate(linger);
  }
}

function linger(): void {
  const now = performance.now();
  const isBusy = now - turnedAt > LONGEST_TURN_MS;
  turnedAt = now;
  if (!isBusy && now - heardAt < LINGER_MS) {
    setImmediate(linger);
    return;
  }
  lingers = false;
  close = 0;
  if (isBusy) needed = NEEDED_WHEN_BUSY;
  else needed = paid ? Math.max(1, needed / 2) : Math.min(MOST_NEEDED, needed * 2);
}
