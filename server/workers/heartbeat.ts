// Notices workers whose event loop stands still. Used by worker-pool.ts. It knows no clock but beats, which come only
// while the master runs and after it has read what arrived (running-time.ts): if all stand still, nobody is blamed.

export interface HeartbeatEvents {
  ping(worker: number): void;
  /** It has not answered for a while: nothing more should be given to it. */
  stalled(worker: number): void;
  resumed(worker: number): void;
  /** It has not answered within the time limit. Told once. */
  lost(worker: number): void;
}

interface Pulse {
  /** How many pings there were since its last message. */
  unanswered: number;
  stalled: boolean;
}

/** How many pings a time limit has at least: one late answer decides nothing. */
const BEATS_A_TIMEOUT = 5;
const LONGEST_INTERVAL_MS = 1000;
/** After so many pings without an answer a worker is stalled. */
const STALLED_BEATS = 2;

export class Heartbeat {
  /** How often {@link beat} should be called, in milliseconds. */
  readonly intervalMs: number;
  readonly #lostBeats: number;
  readonly #events: HeartbeatEvents;
  readonly #pulses = new Map<number, Pulse>();

  /** @param timeoutMs After so long without an answer a worker is lost. */
  constructor(timeoutMs: number, events: HeartbeatEvents) {
    this.#lostBeats = Math.max(BEATS_A_TIMEOUT, Math.ceil(timeoutMs / LONGEST_INTERVAL_MS));
    this.#events = events;
    this.intervalMs = timeoutMs / this.#lostBeats;
  }

  add(worker: number): void {
    this.#pulses.set(worker, { unanswered: 0, stalled: false });
  }

  remove(worker: number): void {
    this.#pulses.delete(worker);
  }

  /** Anything that comes from a worker shows that it lives. */
  heard(worker: number): void {
    const pulse = this.#pulses.get(worker);
    if (pulse === undefined) return;
    pulse.unanswered = 0;
    if (!pulse.stalled) return;
    pulse.stalled = false;
    this.#events.resumed(worker);
  }

  beat(): void {
    for (const [worker, pulse] of [...this.#pulses]) {
      if (pulse.unanswered >= this.#lostBeats) {
        this.#pulses.delete(worker);
        this.#events.lost(worker);
        continue;
      }
      if (pulse.unanswered >= STALLED_BEATS && !pulse.stalled) {
        pulse.stalled = true;
        this.#events.stalled(worker);
      }
      pulse.unanswered++;
      this.#events.ping(worker);
    }
  }
}
