// What was measured, for people and as JSON. Pure. Called by client/load.ts.

import { bar, digits, duration, grouped } from './bars.ts';
import type { LoadOptions } from './config.ts';
import type { Tally } from './generator.ts';
import { Histogram } from './histogram.ts';
import { describeWrong, type WrongReply } from './wrong-reply.ts';

/** What `--json` prints, for scripts. Times are in microseconds if their name does not say otherwise. */
export interface LoadReport {
  readonly mode: 'messages' | 'churn';
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly size: number;
  readonly depth: number;
  readonly text: string;
  readonly processes: number;
  /** How long it was measured. */
  readonly elapsedMs: number;
  /** Replies that were whole and right in that time; with `churn` as many connections. */
  readonly messages: number;
  /** Of them a second; and of the bytes sent for them, in millions. */
  readonly rate: number;
  readonly mbPerSecond: number;
  readonly latencyUs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
  /** `from` is included, `to` is not. */
  readonly histogramUs: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  readonly wrong: WrongReply | null;
  readonly missing: number;
  readonly lost: number;
  /** What is wrong, in sentences: empty when every reply was right. */
  readonly problems: readonly string[];
}

const MOST_SPANS = 24;
const BAR_WIDTH = 40;

export function reportOf(options: LoadOptions, tally: Tally): LoadReport {
  const { host, port, connections, size, depth, text, processes, churn } = options;
  const latencies = new Histogram(tally.latencies);
  const rate = tally.elapsedMs > 0 ? tally.messages / tally.elapsedMs * 1000 : 0;
  const at = (share: number): number => latencies.percentile(share);
  return {
    mode: churn ? 'churn' : 'messages', host, port, connections, size, depth, text, processes,
    elapsedMs: tally.elapsedMs, messages: tally.messages, rate, mbPerSecond: rate * size / 1e6,
    latencyUs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: latencies.max },
    histogramUs: latencies.spans(MOST_SPANS),
    wrong: tally.wrong ?? null, missing: tally.missing, lost: tally.lost, problems: problemsOf(tally),
  };
}

/** What people read: the rate, the latencies, and how they are spread. 80 columns at most. */
export function reportText(report: LoadReport): string {
  const { mode, connections, size, depth, text, processes, elapsedMs, messages, rate, mbPerSecond, latencyUs } = report;
  const what = mode === 'churn' ? 'connections' : 'messages';
  const shape = mode === 'churn'
    ? `${grouped(connections)} at a time, each for one message of ${grouped(size)} bytes (${text})`
    : `${grouped(connections)} connections, messages of ${grouped(size)} bytes (${text}), ${depth} in flight on each`;
  const by = processes > 1 ? `, by ${processes} processes` : '';
  const { p50, p90, p99, p999, max } = latencyUs;
  return [
    `${shape}${by}`,
    `  ${grouped(messages)} ${what} in ${digits(elapsedMs / 1000)} s: ${grouped(rate)} ${what}/s, ` +
      `${digits(mbPerSecond)} MB/s each way`,
    `  latency: p50 ${duration(p50)}, p90 ${duration(p90)}, p99 ${duration(p99)}, p99.9 ${duration(p999)}, ` +
      `max ${duration(max)}`,
    ...histogramLines(report),
  ].join('\n');
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

function problemsOf({ wrong, failure, missing, lost, whyLost }: Tally): string[] {
  const problems: string[] = [];
  if (wrong !== undefined) problems.push(`Wrong reply on ${describeWrong(wrong)}.`);
  if (failure !== undefined) problems.push(failure);
  if (lost > 0) problems.push(`${counted(lost, 'connection was', 'connections were')} lost; the first: ${whyLost}`);
  if (missing > 0) problems.push(`${counted(missing, 'reply', 'replies')} never came.`);
  return problems;
}

function counted(count: number, one: string, many: string): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}
