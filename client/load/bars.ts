// Bars and quantities as a terminal shows them. Pure. Used by report.ts and by the benchmark.

/** A bar of at most `width` columns; of what is not 0 something is seen. @param share 0 to 1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8);
  if (eighths === 0) return share > 0 ? '▏' : '';
  return '█'.repeat(Math.floor(eighths / 8)) + ' ▏▎▍▌▋▊▉'.charAt(eighths % 8).trim();
}

/** `1,234,567`, whatever the language of the system. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Three digits and a unit: `61 us`, `1.5 ms`, `12.3 s`. @param us A time in microseconds. */
export function duration(us: number): string {
  if (us < 1000) return `${digits(us)} us`;
  return us < 1e6 ? `${digits(us / 1000)} ms` : `${digits(us / 1e6)} s`;
}

/** At most three digits that matter, and no zeros behind the point. */
export function digits(value: number): string {
  return value >= 100 ? grouped(value) : String(Number(value.toPrecision(3)));
}
