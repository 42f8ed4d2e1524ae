// Keeps the event loop turning for a moment after a message has come, before it sleeps: to be woken up takes a process
// longer than a question and its answer between two that are awake, on a virtual machine five times as long. Used by
// router.ts, so for the messages of primitives only: what a server tells its workers costs no CPU more.
//
// As locks do that spin before they sleep, it lingers only where that pays. After each time in vain it needs more
// messages that come close together before it tries again. And where others wanted the CPU meanwhile, it gives it up
// for a while, each time for longer: who could answer may be waiting for that very CPU.

/** For this long a process waits for the next message awake, in milliseconds. */
const LINGER_MS = 0.2;
/** Messages at less than this distance, in milliseconds, are close together: the next may be worth waiting for. */
const CLOSE_MS = 1;
/** The most messages that must come close together before it lingers, after times in vain. */
const MOST_NEEDED = 16;
/**
 * For so long it does not when others wanted the CPU, in milliseconds. Once may be chance: some daemon that ran for a
 * moment.
 */
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;
/** A turn of a loop that does nothing but linger takes no longer than this, in milliseconds, unless it was not let. */
const LONGEST_TURN_MS = 1;

let heardAt = -Infinity;
let close = 0;
let needed = 1;
let pauseMs = SHORTEST_PAUSE_MS;
let pausesUntil = -Infinity;
let lingers = false;
let paid = false;
let turnedAt = 0;
let preemptions = 0;

/** A message has come. */
export function heard(): void {
  const now = performance.now();
  close = now - heardAt < CLOSE_MS ? close + 1 : 0;
  heardAt = now;
  if (lingers) {
    paid = true;
  } else if (close >= needed && now >= pausesUntil) {
    lingers = true;
    paid = false;
    turnedAt = now;
    preemptions = countPreemptions();
    setImmediate(linger);
  }
}

function linger(): void {
  const now = performance.now();
  const isBusy = now - turnedAt > LONGEST_TURN_MS && wasPreempted();
  turnedAt = now;
  if (!isBusy && now - heardAt < LINGER_MS) {
    setImmediate(linger);
    return;
  }
  lingers = false;
  close = 0;
  if (isBusy) {
    pausesUntil = now + pauseMs;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
  } else if (paid) {
    needed = Math.max(1, needed / 2);
    pauseMs = Math.max(SHORTEST_PAUSE_MS, pauseMs / 2);
  } else {
    needed = Math.min(MOST_NEEDED, needed * 2);
  }
}

/**
 * Whether the system took the CPU from this process for others. A long turn alone does not tell that: it may be a
 * collection of garbage, or a virtual machine that was not let run.
 */
function wasPreempted(): boolean {
  const before = preemptions;
  preemptions = countPreemptions();
  return preemptions > before;
}

function countPreemptions(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}
