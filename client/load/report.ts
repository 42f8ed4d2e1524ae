// What was measured, for people and as JSON. Pure. Called by client/load/main.ts.

import { bar, digits, duration, grouped } from '../../shared/terminal/bars.ts';
import type { LoadOptions } from './config.ts';
import { Histogram, type HistogramData } from './histogram.ts';
import { LAST_REPLIES_MS, type Tally } from './tally.ts';
import { describeWrong, type WrongReply } from './wrong-reply.ts';

type Percentiles = Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;

/** What `--json` prints, for scripts. Times are in microseconds if their name does not say otherwise. */
export interface LoadReport {
  readonly mode: 'messages' | 'churn';
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly size: number;
  readonly depth: number;
  readonly text: string;
  readonly expect: string;
  readonly processes: number;
  /** How long it was measured. */
  readonly elapsedMs: number;
  /** Replies that were whole and right in that time; with `churn` as many connections. */
  readonly messages: number;
  /** Of them a second; and of the bytes sent for them, in millions. */
  readonly rate: number;
  readonly mbPerSecond: number;
  /** How many were to be sent a second; null: as many as are answered. */
  readonly rateAsked: number | null;
  /** With a rate: by how much this program itself was late with a message, at most. */
  readonly ownDelayUs: number;
  /** Of all messages, answered in time, late or never: from when each was sent, or with a rate from when it was due. */
  readonly latencyUs: Percentiles;
  /** Of connecting. */
  readonly connectUs: Percentiles;
  /** `from` is included, `to` is not. */
  readonly histogramUs: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  readonly wrong: WrongReply | null;
  /** Replies that came after the end; that never came; messages that were due, and not sent for want of replies. */
  readonly late: number;
  readonly missing: number;
  readonly unsent: number;
  /**
   * Messages that had no reply yet when somebody ended it. Only those that took longer than any other are latencies.
   */
  readonly unanswered: number;
  readonly lost: number;
  /** What is wrong, in sentences: empty when every reply was right. */
  readonly problems: readonly string[];
}

const MOST_SPANS = 24;
const BAR_WIDTH = 40;

export function reportOf(options: LoadOptions, tally: Tally): LoadReport {
  const { host, port, connections, size, depth, text, expect = 'upper', processes, churn } = options;
  const { elapsedMs, messages, late, missing, unsent, unanswered, lost } = tally;
  const rate = elapsedMs > 0 ? messages / elapsedMs * 1000 : 0;
  return {
    mode: churn ? 'churn' : 'messages', host, port, connections, size, depth, text, expect, processes,
    elapsedMs, messages, rate, mbPerSecond: rate * size / 1e6,
    rateAsked: options.rate ?? null, ownDelayUs: Math.round(tally.ownDelayMs * 1000),
    latencyUs: percentilesOf(tally.latencies), connectUs: percentilesOf(tally.connects),
    histogramUs: new Histogram(tally.latencies).spans(MOST_SPANS),
    wrong: tally.wrong ?? null, late, missing, unsent, unanswered, lost, problems: problemsOf(tally),
  };
}

function percentilesOf(data: HistogramData): Percentiles {
  const histogram = new Histogram(data);
  const at = (share: number): number => histogram.percentile(share);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max };
}

/** What people read: the rate and the latencies, what the load was, and how they are spread. 80 columns at most. */
export function reportText(report: LoadReport): string {
  const { mode, elapsedMs, messages, rate, mbPerSecond, latencyUs, connectUs, late, unanswered } = report;
  const [one, many] = mode === 'churn' ? ['connection', 'connections'] as const : ['message', 'messages'] as const;
  const lines = [
    `${grouped(rate)} ${many}/s, ${digits(mbPerSecond)} MB/s each way: ` +
      `${counted(messages, one, many)} in ${digits(elapsedMs / 1000)} s`,
    percentileLine('latency', latencyUs),
    percentileLine('connect', connectUs),
    `  ${shapeOf(report)}`,
    ...rateLines(report),
  ];
  if (late > 0) lines.push(`  ${counted(late, 'more reply', 'more replies')} came after the end`);
  if (unanswered > 0) lines.push(`  ${counted(unanswered, 'message', 'messages')} had no reply yet when it was ended`);
  return [...lines, ...histogramLines(report)].join('\n');
}

function percentileLine(name: string, { p50, p90, p99, p999, max }: Percentiles): string {
  return `  ${name}: p50 ${duration(p50)}, p90 ${duration(p90)}, p99 ${duration(p99)}, p99.9 ${duration(p999)}, ` +
    `max ${duration(max)}`;
}

function shapeOf({ mode, connections, size, depth, text, processes }: LoadReport): string {
  const bytes = `${counted(size, 'byte', 'bytes')} (${text})`;
  const shape = mode === 'churn'
    ? `${grouped(connections)} at a time, each for one message of ${bytes}`
    : `${counted(connections, 'connection', 'connections')}, messages of ${bytes}, ${depth} in flight on each`;
  return processes > 1 ? `${shape}, by ${processes} processes` : shape;
}

function rateLines({ rateAsked, ownDelayUs }: LoadReport): string[] {
  if (rateAsked === null) return [];
  return [`  ${digits(rateAsked)} a second were due, timed from then; our own delay max ${duration(ownDelayUs)}`];
}

function histogramLines({ histogramUs }: LoadReport): string[] {
  const most = Math.max(...histogramUs.map(({ count }) => count));
  const total = histogramUs.reduce((sum, { count }) => sum + count, 0);
  const numbers = histogramUs.map(({ count }) => grouped(count));
  const width = Math.max(0, ...numbers.map(({ length }) => length));
  return histogramUs.map(({ from, count }, i) => {
    const share = count > 0 ? `${(count / total * 100).toFixed(1).padStart(5)} %` : '';
    const drawn = bar(count / most, BAR_WIDTH).padEnd(BAR_WIDTH);
    return `  ${duration(from).padStart(8)} ${drawn} ${numbers[i]!.padStart(width)} ${share}`.trimEnd();
  });
}

function problemsOf({ wrong, failure, missing, unsent, lost, whyLost }: Tally): string[] {
  const problems: string[] = [];
  if (wrong !== undefined) problems.push(`Wrong reply on ${describeWrong(wrong)}.`);
  if (failure !== undefined) problems.push(failure);
  if (lost > 0) problems.push(`${counted(lost, 'connection was', 'connections were')} lost; the first: ${whyLost}`);
  if (missing > 0) {
    const waited = lost > 0 ? '' : `, not in the ${LAST_REPLIES_MS / 1000} s after the end either`;
    problems.push(`${counted(missing, 'reply', 'replies')} never came${waited}.`);
  }
  if (unsent > 0) {
    const were = counted(unsent, 'message was', 'messages were');
    problems.push(`${were} due and never sent: the server answers too slowly.`);
  }
  return problems;
}

function counted(count: number, one: string, many: string): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}
