// The figures of the server as Prometheus reads them: its text format, version 0.0.4. Pure. Used by admin.ts.
//
// Each series is there from the first moment, with 0 if need be: one that appeared later would begin with a jump that
// rate() does not see. So there is a series for each worker that there may ever be.
import type { Status } from '../../shared/status/status.ts';
import type { ProcessFigures } from './process-metrics.ts';
import type { Metrics } from './source.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string | number>>;
type Sample = readonly [labels: Labels, value: number];

const STATES = ['starting', 'ready', 'full', 'stalled', 'retiring'] as const satisfies Status['workers'][0]['state'][];

/** @param node Node's version. */
export function metricsText(
  { version, workers, pool, line, totals }: Status, { handoffSeconds }: Metrics, own: ProcessFigures, node: string,
): string {
  const slots = Math.max(pool.most, pool.size, totals.messagesBySlot.length, ...workers.map(({ slot }) => slot));
  const byWorker = (valueOf: (slot: number) => number): Sample[] =>
    Array.from({ length: slots }, (_, i) => [{ worker: i + 1 }, valueOf(i + 1)]);
  const connectionsOf = (slot: number): number =>
    workers.reduce((sum, worker) => sum + (worker.slot === slot ? worker.connections : 0), 0);
  const { sum, count, buckets } = handoffSeconds;
  return [
    counter('connections_total', 'Clients that have connected, refused ones included.', totals.connections),
    gauge('current_connections', 'Connections that a worker has.', byWorker(connectionsOf)),
    gauge('waiting_connections', 'Connections in the waiting line.', line.waiting),
    counter('refused_total', 'Connections that were refused.', by('reason', totals.refused)),
    counter('messages_total', 'Messages that were answered.', byWorker((slot) => totals.messagesBySlot[slot - 1] ?? 0)),
    counter('received_bytes_total', 'Bytes that clients sent.', totals.bytesIn),
    counter('sent_bytes_total', 'Bytes of replies.', totals.bytesOut),
    counter('moved_total', 'Connections that a worker gave back and another one took on.', by('reason', totals.moved)),
    counter('adopted_total', 'Connections of workers that died, which others took on.', totals.adopted),
    counter('cut_off_total', 'Connections that were cut off: their worker died, or the grace was over.', totals.cutOff),
    gauge('workers', 'Workers that there are.', STATES.map((state) =>
      [{ state }, workers.filter((worker) => worker.state === state).length])),
    counter('worker_deaths_total', 'Workers that died and were not to.', by('reason', totals.deaths)),
    counter('reloads_total', 'Times that all workers were to be replaced.', totals.reloads),
    counter('log_lines_dropped_total', 'Lines of the log that could not be printed.', totals.linesDropped),
    family('echopool_handoff_seconds', 'histogram', 'From accept to the first worker that has the connection.', [
      ...buckets.map(({ le, count }) => series('echopool_handoff_seconds_bucket', { le }, count)),
      series('echopool_handoff_seconds_bucket', { le: '+Inf' }, count),
      series('echopool_handoff_seconds_sum', {}, sum),
      series('echopool_handoff_seconds_count', {}, count),
    ]),
    gauge('build_info', 'The server\'s version and Node\'s. Always 1.', [[{ version, node }, 1]]),
    ...processFamilies(own),
  ].join('');
}

function processFamilies(own: ProcessFigures): string[] {
  const figures = [
    ['cpu_seconds_total', 'counter', 'User and system CPU time of the master process.', own.cpuSeconds],
    ['resident_memory_bytes', 'gauge', 'Memory that the master process has.', own.residentBytes],
    ['virtual_memory_bytes', 'gauge', 'Address space of the master process.', own.virtualBytes],
    ['start_time_seconds', 'gauge', 'When the master process began, since 1970.', own.startSeconds],
    ['open_fds', 'gauge', 'Descriptors that the master process has open.', own.openDescriptors],
    ['max_fds', 'gauge', 'Descriptors that the master process may have open.', own.mostDescriptors],
  ] as const;
  return figures.map(([name, type, help, value]) =>
    value === undefined ? '' : family(`process_${name}`, type, help, [series(`process_${name}`, {}, value)]));
}

function counter(name: string, help: string, values: number | readonly Sample[]): string {
  return ours(name, 'counter', help, values);
}

function gauge(name: string, help: string, values: number | readonly Sample[]): string {
  return ours(name, 'gauge', help, values);
}

function ours(name: string, type: string, help: string, values: number | readonly Sample[]): string {
  const samples: readonly Sample[] = typeof values === 'number' ? [[{}, values]] : values;
  return family(`echopool_${name}`, type, help, samples.map(([labels, value]) =>
    series(`echopool_${name}`, labels, value)));
}

function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function series(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}
