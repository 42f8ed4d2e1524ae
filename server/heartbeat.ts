// Notices workers whose event loop stands still. Fed and asked by worker-pool.ts; the clock comes from outside.

export interface HeartbeatEvents {
  ping(worker: number): void;
  /** It has not answered for a while: nothing more should be given to it. */
  stalled(worker: number): void;
  resumed(worker: number): void;
  /** It has not answered within the time limit. Told once. */
  lost(worker: number): void;
}

interface Pulse {
  heardAt: number;
  stalled: boolean;
}

/** Pings a time limit: an answer may be late, one lost tick decides nothing. */
const BEATS_A_TIMEOUT = 5;
const LONGEST_INTERVAL_MS = 1000;

export class Heartbeat {
  /** How often {@link tick} should be called, in milliseconds. */
  readonly intervalMs: number;
  readonly #timeoutMs: number;
  readonly #events: HeartbeatEvents;
  readonly #pulses = new Map<number, Pulse>();
  #tickedAt: number | undefined;

  /** @param timeoutMs After so long without an answer a worker is lost. */
  constructor(timeoutMs: number, events: HeartbeatEvents) {
    this.#timeoutMs = timeoutMs;
    this.#events = events;
    this.intervalMs = Math.min(LONGEST_INTERVAL_MS, timeoutMs / BEATS_A_TIMEOUT);
  }

  add(worker: number, now: number): void {
    this.#pulses.set(worker, { heardAt: now, stalled: false });
  }

  remove(worker: number): void {
    this.#pulses.delete(worker);
  }

  /** Anything that comes from a worker shows that it lives. */
  heard(worker: number, now: number): void {
    const pulse = this.#pulses.get(worker);
    if (pulse === undefined) return;
    pulse.heardAt = now;
    if (!pulse.stalled) return;
    pulse.stalled = false;
    this.#events.resumed(worker);
  }

  tick(now: number): void {
    // When this process itself stood still (a laptop's lid, SIGSTOP to the whole group, a debugger), the workers' silence
    // says nothing about them: they get their time from now on.
    const slept = this.#tickedAt !== undefined && now - this.#tickedAt > 2 * this.intervalMs + 100;
    this.#tickedAt = now;
    for (const [worker, pulse] of [...this.#pulses]) {
      if (slept) pulse.heardAt = now;
      const silence = now - pulse.heardAt;
      if (silence >= this.#timeoutMs) {
        this.#pulses.delete(worker);
        this.#events.lost(worker);
        continue;
      }
      if (silence >= 2 * this.intervalMs && !pulse.stalled) {
        pulse.stalled = true;
        this.#events.stalled(worker);
      }
      this.#events.ping(worker);
    }
  }
}
