// Bars and timelines, drawn with characters, 80 columns wide. Pure. Used by the demos.

/** What happened from one time to another, on the clock of Date.now(). */
export interface Span {
  readonly from: number;
  readonly to: number;
  /** The character it is drawn with. */
  readonly mark: string;
}

export interface Row {
  readonly label: string;
  /** Where two meet, the later one in this list is seen. */
  readonly spans: readonly Span[];
  readonly paint?: (text: string) => string;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands behind the bar. */
  readonly text: string;
}

const COLUMNS = 79;
const INDENT = '  ';

/** One line a row, over the same stretch of time, with a scale below. Every span is seen, however short. */
export function timeline(rows: readonly Row[]): string {
  const spans = rows.flatMap((row) => row.spans);
  const start = Math.min(...spans.map(({ from }) => from));
  const length = Math.max(1, Math.max(...spans.map(({ to }) => to)) - start);
  const labels = labelWidth(rows);
  const width = COLUMNS - INDENT.length - labels - 1;
  const column = (time: number): number => Math.round((time - start) / length * width);
  const lines = rows.map(({ label, spans, paint = String }) => {
    const cells = new Array<string>(width).fill(' ');
    for (const { from, to, mark } of spans) {
      const first = Math.min(column(from), width - 1);
      cells.fill(mark, first, Math.max(first + 1, column(to)));
    }
    return `${INDENT}${label.padEnd(labels)} ${paint(cells.join('').trimEnd())}`;
  });
  const end = `${length} ms`;
  return [...lines, `${INDENT}${' '.repeat(labels)} 0${end.padStart(width - 1)}`].join('\n');
}

/** One line a bar; the longest is as wide as there is room. */
export function bars(rows: readonly Bar[]): string {
  const labels = labelWidth(rows);
  const texts = Math.max(...rows.map(({ text }) => text.length));
  const width = COLUMNS - INDENT.length - labels - texts - 2;
  const most = Math.max(...rows.map(({ value }) => value));
  return rows.map(({ label, value, text }) => {
    const bar = '█'.repeat(Math.max(value > 0 ? 1 : 0, Math.round(value / most * width)));
    return `${INDENT}${label.padEnd(labels)} ${bar.padEnd(width)} ${text}`.trimEnd();
  }).join('\n');
}

function labelWidth(rows: readonly { readonly label: string }[]): number {
  return Math.max(...rows.map(({ label }) => label.length));
}
