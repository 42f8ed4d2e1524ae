// Bars and timelines, drawn with characters, as wide as they may be. Pure. Used by screen.ts.

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

const INDENT = '  ';
/** With fewer columns than this for the bars they get a line of their own. */
const FEWEST_FOR_BARS = 12;

/** One line a row, over the same stretch of time, with a scale below. Every span is seen, however short. */
export function timeline(rows: readonly Row[], columns: number): string {
  const spans = rows.flatMap((row) => row.spans);
  const start = Math.min(...spans.map(({ from }) => from));
  const length = Math.max(1, Math.max(...spans.map(({ to }) => to)) - start);
  const labels = labelWidth(rows);
  const width = columns - 1 - INDENT.length - labels - 1;
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

/** One line a bar, or two where there is little room; the longest is as wide as there is room. */
export function bars(rows: readonly Bar[], columns: number): string {
  const labels = labelWidth(rows);
  const room = columns - 1 - INDENT.length;
  const beside = room - labels - Math.max(...rows.map(({ text }) => text.length)) - 2;
  const isBeside = beside >= FEWEST_FOR_BARS;
  const width = isBeside ? beside : room;
  const most = Math.max(...rows.map(({ value }) => value));
  return rows.map(({ label, value, text }) => {
    const bar = '█'.repeat(Math.max(value > 0 ? 1 : 0, Math.round(value / most * width)));
    const line = isBeside
      ? `${label.padEnd(labels)} ${bar.padEnd(width)} ${text}` : `${label} ${text}\n${INDENT}${bar}`;
    return `${INDENT}${line}`.trimEnd();
  }).join('\n');
}

function labelWidth(rows: readonly { readonly label: string }[]): number {
  return Math.max(...rows.map(({ label }) => label.length));
}
