// The benchmark's results as people read them: bars, figures and ratios, 80 columns wide. Pure. Used by main.ts.
import { bar, digits, duration } from '../../shared/terminal/bars.ts';
import type { CaseResult, ServerResult } from './compare.ts';
import type { FigureResult } from './figures/figure.ts';
import type { ToolkitResult } from './toolkit.ts';

const NAME_WIDTH = 17;
const BAR_WIDTH = 15;

/** A row a server: its rate, the first server's rate to it, and what it took. */
export function caseChart({ name, title, unit, servers }: CaseResult): string {
  const valueOf = ({ median }: ServerResult): number => (unit === 'MB/s' ? median?.mbPerSecond : median?.rate) ?? 0;
  const most = Math.max(...servers.map(valueOf));
  const rows = servers.map((server) => {
    const { median, ratio } = server;
    const drawn = bar(most > 0 ? valueOf(server) / most : 0, BAR_WIDTH);
    const head = `  ${server.name.padEnd(NAME_WIDTH)} ${drawn.padEnd(BAR_WIDTH)}`;
    if (median === null) return `${head} void\n      ${problemOf(server)}`;
    return [
      head, digits(valueOf(server)).padStart(13), (ratio === null ? '-' : ratio.toFixed(2)).padStart(8),
      duration(median.p99Us).padStart(8), (median.cpuUs === null ? '-' : `${digits(median.cpuUs)} us`).padStart(9),
    ].join(' ');
  });
  const heading = [
    ' '.repeat(NAME_WIDTH + BAR_WIDTH + 3), unit.padStart(13), `${servers[0]?.name ?? ''}/`.padStart(8),
    'p99'.padStart(8), 'CPU each'.padStart(9),
  ].join(' ');
  return [`${name}: ${title}`, heading, ...rows].join('\n');
}

/** A row a figure, and the first one's to it; after them what is to be known about them. */
export function figureChart({ name, title, unit, notes, servers }: FigureResult): string {
  const most = Math.max(...servers.map(({ median }) => median ?? 0));
  const rows = servers.map(({ name, median, ratio, rounds }) => {
    const drawn = bar(most > 0 ? (median ?? 0) / most : 0, BAR_WIDTH);
    const head = `  ${name.padEnd(NAME_WIDTH)} ${drawn.padEnd(BAR_WIDTH)}`;
    if (median === null) return `${head} void\n      ${problemOf({ rounds })}`;
    return [head, digits(median).padStart(13), (ratio === null ? '-' : ratio.toFixed(2)).padStart(8)].join(' ');
  });
  const heading = [
    ' '.repeat(NAME_WIDTH + BAR_WIDTH + 3), unit.padStart(13), `${servers[0]?.name.split(' ')[0] ?? ''}/`.padStart(8),
  ].join(' ');
  return [`${name}: ${title}`, heading, ...rows, ...notes.map((note) => `      ${note}`)].join('\n');
}

/** Two rows a primitive: ours and Python's. */
export function toolkitChart({ name, title, unit, servers }: ToolkitResult): string {
  const most = Math.max(...servers.map(({ rate }) => rate));
  const rows = servers.map(({ name, rate, ratio }) => [
    `  ${name.padEnd(15)} ${bar(rate / most, BAR_WIDTH).padEnd(BAR_WIDTH)}`,
    `${digits(rate)} ${unit}`.padStart(20),
    ratio.toFixed(2).padStart(7),
  ].join(' '));
  return [`${name}: ${title}`, ...rows].join('\n');
}

function problemOf({ rounds }: { readonly rounds: readonly { readonly problems: readonly string[] }[] }): string {
  return rounds.flatMap(({ problems }) => problems)[0] ?? '';
}
