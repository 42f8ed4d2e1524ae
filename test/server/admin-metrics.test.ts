// What GET /metrics says: each figure under its name, in the form that Prometheus reads.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { metricsText } from '../../server/admin/metrics-text.ts';
import { processFigures } from '../../server/admin/process-metrics.ts';
import type { ProcessFigures } from '../../server/admin/process-metrics.ts';
import { ask, FakeSource, openFake } from '../helpers/admin.ts';
import { missing } from '../helpers/missing.ts';

const OWN: ProcessFigures = {
  cpuSeconds: 1.5, residentBytes: 4096, virtualBytes: 8192, startSeconds: 1000.25, openDescriptors: 20,
  mostDescriptors: 1024,
};

const textOf = (source: FakeSource, own = OWN): string =>
  metricsText(source.status(), source.metrics(), own, 'v20.0.0');
const seriesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('each figure stands under its name, with all its labels from the first moment', () => {
  assert.deepEqual(seriesOf(textOf(new FakeSource())), [
    'echopool_connections_total 11',
    'echopool_current_connections{worker="1"} 3',
    'echopool_current_connections{worker="2"} 0',
    'echopool_waiting_connections 4',
    'echopool_refused_total{reason="full"} 1',
    'echopool_refused_total{reason="stopping"} 2',
    'echopool_refused_total{reason="address"} 3',
    'echopool_refused_total{reason="descriptors"} 4',
    'echopool_refused_total{reason="untrusted"} 5',
    'echopool_refused_total{reason="header"} 6',
    'echopool_refused_total{reason="accept"} 7',
    'echopool_messages_total{worker="1"} 20',
    'echopool_messages_total{worker="2"} 10',
    'echopool_received_bytes_total 31',
    'echopool_sent_bytes_total 32',
    'echopool_moved_total{reason="reload"} 1',
    'echopool_moved_total{reason="resize"} 2',
    'echopool_moved_total{reason="recycle"} 3',
    'echopool_moved_total{reason="other"} 4',
    'echopool_adopted_total 8',
    'echopool_cut_off_total 9',
    'echopool_workers{state="starting"} 0',
    'echopool_workers{state="ready"} 1',
    'echopool_workers{state="full"} 0',
    'echopool_workers{state="stalled"} 0',
    'echopool_workers{state="retiring"} 0',
    'echopool_worker_deaths_total{reason="signal"} 1',
    'echopool_worker_deaths_total{reason="exit"} 2',
    'echopool_worker_deaths_total{reason="hung"} 3',
    'echopool_worker_deaths_total{reason="start"} 4',
    'echopool_reloads_total 2',
    'echopool_log_lines_dropped_total 13',
    'echopool_handoff_seconds_bucket{le="0.001"} 2',
    'echopool_handoff_seconds_bucket{le="10"} 4',
    'echopool_handoff_seconds_bucket{le="+Inf"} 5',
    'echopool_handoff_seconds_sum 12.5',
    'echopool_handoff_seconds_count 5',
    'echopool_build_info{version="1.2.3",node="v20.0.0"} 1',
    'process_cpu_seconds_total 1.5',
    'process_resident_memory_bytes 4096',
    'process_virtual_memory_bytes 8192',
    'process_start_time_seconds 1000.25',
    'process_open_fds 20',
    'process_max_fds 1024',
  ]);
});

test('two processes in one slot, as when a worker retires, are one series', () => {
  const source = new FakeSource();
  const [worker] = source.now.workers;
  source.set({ workers: [{ ...worker!, state: 'retiring' }, { ...worker!, connections: 5, state: 'starting' }] });
  const text = textOf(source);
  assert.match(text, /^echopool_current_connections\{worker="1"\} 8$/m);
  assert.match(text, /^echopool_workers\{state="retiring"\} 1$/m);
  const names = seriesOf(text).map((line) => line.split(' ')[0]);
  assert.equal(new Set(names).size, names.length);
});

test('what the system does not tell is left out, and a label\'s value is escaped', () => {
  const source = new FakeSource();
  source.set({ version: 'a"b\\c\nd' });
  const nothing = { virtualBytes: undefined, openDescriptors: undefined, mostDescriptors: undefined };
  const text = textOf(source, { ...OWN, ...nothing });
  assert.doesNotMatch(text, /virtual|_fds|undefined|NaN/);
  assert.ok(text.includes('{version="a\\"b\\\\c\\nd",node="v20.0.0"} 1\n'));
});

test('promtool finds nothing to say', { skip: missing('promtool') }, async (t) => {
  const { port } = await openFake(t);
  const { status, headers, body } = await ask(port, '/metrics');
  assert.deepEqual([status, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  assert.deepEqual([checked.status, checked.stdout, checked.stderr], [0, '', '']);
});

test('the process\'s own figures are what the system has of it', () => {
  const before = process.memoryUsage.rss();
  const figures = processFigures();
  assert.ok(figures.cpuSeconds > 0 && figures.cpuSeconds < 1000);
  assert.ok(Math.abs(figures.residentBytes - before) < 0.5 * before);
  assert.ok(figures.startSeconds * 1000 <= Date.now() && figures.startSeconds * 1000 > Date.now() - 3_600_000);
  if (process.platform !== 'linux') return;
  assert.ok(figures.virtualBytes! > figures.residentBytes);
  assert.ok(figures.mostDescriptors! >= 1);
  assert.ok(figures.openDescriptors === undefined || figures.openDescriptors >= 3);
});
