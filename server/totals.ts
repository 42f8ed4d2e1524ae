// What has happened since the start, in numbers: the one place where it is counted for those who watch the server. Told
// by statistics.ts, server.ts and worker-pool.ts; pure. Nothing here ever becomes less, as a worker's share is its
// slot's, and stays when the worker goes.
import type { DeathReason, MoveReason, Rates, RefusalKind } from '../shared/status/status.ts';
import { NO_TRAFFIC, plus } from './worker/messages.ts';
import type { Traffic } from './worker/messages.ts';

/** What a worker says of its work since it began: one figure each that only grows. */
export interface Work {
  readonly traffic: Traffic;
  /** Lines of the log that it had no room for. */
  readonly linesDropped: number;
}

/** A histogram, as Prometheus has it: each bucket counts all up to its bound, in seconds. */
export interface Handoffs {
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  readonly sum: number;
  readonly count: number;
}

/** The upper bounds of the hand-off's histogram, in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const NO_WORK: Work = { traffic: NO_TRAFFIC, linesDropped: 0 };
const NO_RATES: Rates = { messagesPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 };
/** A worker that has said nothing for so long, in milliseconds, is doing nothing that anybody knows of. */
const STALE_MS = 3000;
/** Figures that come closer together than this, in seconds, make no rate. */
const SHORTEST_S = 0.1;

/** What a worker has said last, on the clock of performance.now(). */
interface Report {
  readonly slot: number;
  work: Work;
  /** What its connections have seen that are gone from it: it may not have said so much when it dies. */
  ended: Traffic;
  rates: Rates;
  /** What the rates are reckoned from next time, and when that was said. */
  from: Traffic;
  at: number;
}

export class Totals {
  /**
   * Clients that have connected. Each is served, refused (all but `accept`, which were never there) or gone, and counts
   * as one of these alone; or it is here and not served yet.
   */
  connections = 0;
  /** Those that a worker has served; behind a proxy, those whose header was taken. */
  served = 0;
  /** Those that ended before they were served: they left, or were given up. */
  gone = 0;
  /** How many were reset, served or not: their worker died, or the grace was over. */
  cutOff = 0;
  /** How often another worker went on with one: of a worker that had died, or that gave it back. */
  adopted = 0;
  reloads = 0;
  readonly refused: Record<RefusalKind, number> = {
    full: 0, stopping: 0, address: 0, descriptors: 0, untrusted: 0, header: 0, accept: 0,
  };
  readonly moved: Record<MoveReason, number> = { reload: 0, resize: 0, recycle: 0, other: 0 };
  readonly deaths: Record<DeathReason, number> = { signal: 0, exit: 0, hung: 0, start: 0 };
  /** Lines that dead workers had not printed. */
  linesLost = 0;
  /** By slot, what workers have done that are gone. */
  readonly #done: Work[] = [];
  readonly #reports = new Map<number, Report>();
  readonly #handoffs = new Array<number>(BOUNDS.length + 1).fill(0);
  #handoffMs = 0;

  /** A worker is there. @param now On the clock of performance.now(), in milliseconds, as below. */
  workerStarted(worker: number, slot: number, now: number): void {
    this.#reports.set(worker, {
      slot, work: NO_WORK, ended: NO_TRAFFIC, rates: NO_RATES, from: NO_TRAFFIC, at: now,
    });
  }

  /** It says what it has done since it began. */
  workerSaid(worker: number, work: Work, now: number): void {
    const report = this.#reports.get(worker);
    if (report === undefined) return;
    report.work = work;
    const seconds = (now - report.at) / 1000;
    if (seconds < SHORTEST_S) return;
    const { from } = report;
    const { messages, bytesIn, bytesOut } = work.traffic;
    report.rates = {
      messagesPerSecond: (messages - from.messages) / seconds,
      bytesInPerSecond: (bytesIn - from.bytesIn) / seconds,
      bytesOutPerSecond: (bytesOut - from.bytesOut) / seconds,
    };
    report.from = work.traffic;
    report.at = now;
  }

  /** One of its connections is gone from it. @param traffic What that has seen there. */
  workerHasEnded(worker: number, traffic: Traffic): void {
    const report = this.#reports.get(worker);
    if (report !== undefined) report.ended = plus(report.ended, traffic);
  }

  /** It is gone: what it had done stays with its slot. */
  workerEnded(worker: number): void {
    const report = this.#reports.get(worker);
    if (report === undefined) return;
    this.#reports.delete(worker);
    this.#done[report.slot - 1] = sum(this.#done[report.slot - 1], workOf(report));
  }

  /** How fast it works: 0 when it has not said anything for a while. */
  ratesOf(worker: number, now: number): Rates {
    const report = this.#reports.get(worker);
    return report === undefined || now - report.at > STALE_MS ? NO_RATES : report.rates;
  }

  /** What was done in each slot: index 0 is worker 1. */
  bySlot(): Work[] {
    const slots = Array.from(this.#done, (done) => done ?? NO_WORK);
    for (const report of this.#reports.values()) {
      while (slots.length < report.slot) slots.push(NO_WORK);
      slots[report.slot - 1] = sum(slots[report.slot - 1], workOf(report));
    }
    return slots;
  }

  /** What was done in all slots. */
  get traffic(): Traffic {
    return this.bySlot().reduce((all, { traffic }) => plus(all, traffic), NO_TRAFFIC);
  }

  /** A worker has a connection. @param why It came from another one; null: it did not. */
  hasMoved(why: MoveReason | 'adopted' | null): void {
    if (why === 'adopted') this.adopted++;
    else if (why !== null) this.moved[why]++;
  }

  /** A worker has a connection for the first time. @param ms How long after it was accepted. */
  handedOver(ms: number): void {
    const bucket = BOUNDS.findIndex((bound) => ms <= 1000 * bound);
    this.#handoffs[bucket < 0 ? BOUNDS.length : bucket]!++;
    this.#handoffMs += ms;
  }

  /** How long that took: as many as took so long or less, in seconds, and all. */
  get handoffs(): Handoffs {
    let count = 0;
    const counts = this.#handoffs.map((more) => count += more);
    return { buckets: BOUNDS.map((le, i) => ({ le, count: counts[i]! })), sum: this.#handoffMs / 1000, count };
  }
}

/** What is known of it: each figure as it has said it, or as its connections tell, whichever is more. */
function workOf({ work: { traffic, linesDropped }, ended }: Report): Work {
  return {
    traffic: {
      messages: Math.max(traffic.messages, ended.messages),
      bytesIn: Math.max(traffic.bytesIn, ended.bytesIn),
      bytesOut: Math.max(traffic.bytesOut, ended.bytesOut),
    },
    linesDropped,
  };
}

function sum(a: Work = NO_WORK, b: Work): Work {
  return { traffic: plus(a.traffic, b.traffic), linesDropped: a.linesDropped + b.linesDropped };
}
