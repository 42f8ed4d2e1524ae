// What a load has measured, in one process or in all. Pure. Made by generator.ts, added up by processes.ts.

import { Histogram, type HistogramData } from './histogram.ts';
import type { WrongReply } from './wrong-reply.ts';

/** How long after the end the last replies are waited for, in milliseconds. */
export const LAST_REPLIES_MS = 5000;

export interface Tally {
  /** Replies that came in time, whole and right; and those that came after the end. */
  readonly messages: number;
  readonly late: number;
  readonly elapsedMs: number;
  /**
   * In microseconds: from sending a message, or with `churn` from connecting, or with a rate from when it was due, to
   * the end of its reply; to the end of the load for one that has none.
   */
  readonly latencies: HistogramData;
  /** In microseconds, how long connecting took each time. */
  readonly connects: HistogramData;
  /** Replies that never came: their connection was lost, or nobody waited any longer. */
  readonly missing: number;
  /** Messages that were due and could not be sent, for want of replies. */
  readonly unsent: number;
  /** Messages that had no reply yet when somebody ended the load. */
  readonly unanswered: number;
  /** By how much this program itself was late when a message was due, at most, in milliseconds. */
  readonly ownDelayMs: number;
  /** Connections that ended before they should, and how the first of them did, in a sentence. */
  readonly lost: number;
  readonly whyLost: string | undefined;
  /** The first one; the load ended with it. */
  readonly wrong: WrongReply | undefined;
  /** Why no connection could be opened, in a sentence; the load ended with it. */
  readonly failure: string | undefined;
}

export function emptyTally(): Tally {
  const none = new Histogram().data();
  return {
    messages: 0, late: 0, elapsedMs: 0, latencies: none, connects: none, missing: 0, unsent: 0, unanswered: 0,
    ownDelayMs: 0, lost: 0, whyLost: undefined, wrong: undefined, failure: undefined,
  };
}

/** All tallies as one. Parts run at the same time: the time is that of the longest. */
export function total(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, tally) => ({
    messages: sum.messages + tally.messages,
    late: sum.late + tally.late,
    elapsedMs: Math.max(sum.elapsedMs, tally.elapsedMs),
    latencies: added(sum.latencies, tally.latencies),
    connects: added(sum.connects, tally.connects),
    missing: sum.missing + tally.missing,
    unsent: sum.unsent + tally.unsent,
    unanswered: sum.unanswered + tally.unanswered,
    ownDelayMs: Math.max(sum.ownDelayMs, tally.ownDelayMs),
    lost: sum.lost + tally.lost,
    whyLost: sum.whyLost ?? tally.whyLost,
    wrong: sum.wrong ?? tally.wrong,
    failure: sum.failure ?? tally.failure,
  }), emptyTally());
}

function added(some: HistogramData, others: HistogramData): HistogramData {
  const histogram = new Histogram(some);
  histogram.add(others);
  return histogram.data();
}
