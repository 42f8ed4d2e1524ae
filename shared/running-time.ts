// Time limits that count only the time in which this process ran. Used wherever the server gives somebody up: a client
// that is idle, a worker that hangs.
//
// A process stands still now and then: SIGSTOP, a laptop's lid, a paused virtual machine, a long computation. When it
// goes on all of its timers are due, and Node runs them before it reads what came meanwhile. So a clock here goes in
// beats: one that comes much too late shows a standstill, of which two beats are counted at most. And a beat is told
// only after a poll phase, so that what had arrived is read before anybody is given up.

/** Ends what was begun. Once it has ended by itself, or was ended before, this does nothing. */
export type Stop = () => void;

/** How many beats a time limit has, unless it is long. */
const BEATS = 20;
const LONGEST_BEAT_MS = 250;

/** The time limits with beats of one length: they share a timer. */
class Clock {
  readonly #beatMs: number;
  readonly #listeners = new Set<(ranMs: number) => void>();
  #timer: NodeJS.Timeout | undefined;
  #look: NodeJS.Immediate | undefined;
  #ranMs = 0;
  #lookedAt = performance.now();

  constructor(beatMs: number) {
    this.#beatMs = beatMs;
  }

  /** For how long this process ran, in milliseconds, since some moment. */
  get ranMs(): number {
    return this.#ranMs + Math.min(performance.now() - this.#lookedAt, 2 * this.#beatMs);
  }

  listen(listener: (ranMs: number) => void): Stop {
    if (this.#listeners.size === 0) this.#start();
    this.#listeners.add(listener);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#rest();
    };
  }

  #start(): void {
    this.#count();
    this.#timer = setInterval(() => {
      // Timers run before anything is read, immediates after.
      this.#look ??= setImmediate(() => this.#beat());
    }, this.#beatMs).unref();
  }

  #count(): void {
    this.#ranMs = this.ranMs;
    this.#lookedAt = performance.now();
  }

  #beat(): void {
    this.#look = undefined;
    this.#count();
    for (const listener of this.#listeners) listener(this.#ranMs);
  }

  #rest(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#look);
    this.#look = undefined;
  }
}

const clocks = new Map<number, Clock>();

function clockOf(beatMs: number): Clock {
  let clock = clocks.get(beatMs);
  if (clock === undefined) clocks.set(beatMs, clock = new Clock(beatMs));
  return clock;
}

/**
 * Calls `beat` about every `beatMs` milliseconds, after what had arrived is read; only once for a standstill, however
 * long. Keeps no process running.
 */
export function onBeats(beatMs: number, beat: () => void): Stop {
  return clockOf(beatMs).listen(beat);
}

/** A limit that runs. */
export interface Limit {
  /** How much of it has passed, in milliseconds. */
  readonly passedMs: number;
  readonly stop: Stop;
}

/**
 * Calls `lapsed`, once, when this process has run for so long without any progress. Keeps no process running.
 * @param ms A silence in milliseconds. It may be a twentieth longer, and is never shorter.
 * @param progress A number that changes whenever there was progress.
 * @param passedMs How long the silence was before this call.
 */
export function limitSilence(ms: number, progress: () => number, lapsed: () => void, passedMs = 0): Limit {
  const clock = clockOf(Math.min(LONGEST_BEAT_MS, Math.max(1, ms / BEATS)));
  let figure = progress();
  let since = clock.ranMs - passedMs;
  const stop = clock.listen((ranMs) => {
    const now = progress();
    if (now !== figure) {
      figure = now;
      since = ranMs;
    } else if (ranMs - since >= ms) {
      stop();
      lapsed();
    }
  });
  return { stop, get passedMs() { return progress() === figure ? clock.ranMs - since : 0; } };
}

/** The same for those who never ask how much has passed. */
export function afterSilence(ms: number, progress: () => number, lapsed: () => void): Stop {
  return limitSilence(ms, progress, lapsed).stop;
}

/** Calls `lapsed`, once, when this process has run for so many milliseconds. Keeps no process running. */
export function afterRunning(ms: number, lapsed: () => void): Stop {
  return afterSilence(ms, () => 0, lapsed);
}
