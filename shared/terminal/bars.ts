// Bars and quantities as a terminal shows them. Pure. Used by the load generator, the benchmark and the status.

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'];
const SPARKS = '▁▂▃▄▅▆▇█';

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

/** Four characters at most: `0.5`, `12`, `999`, `1.2k`, `12M`. @param value 0 or more. */
export function compact(value: number): string {
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  const few = value < 9.95 && (unit > 0 || !Number.isInteger(value));
  return `${few ? value.toFixed(1) : Math.min(Math.round(value), 999)}${UNITS[unit]}`;
}

/** How long something lasts or is old, in six characters at most: `12s`, `3m 05s`, `1h 02m`, `3d 04h`. */
export function age(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${two(minutes % 60)}m`;
  const days = Math.floor(hours / 24);
  return days < 10 ? `${days}d ${two(hours % 24)}h` : `${Math.min(days, 99_999)}d`;
}

/** One character a value, the later the further right; 0 is a line at the bottom. @param most What is a whole block. */
export function sparkLine(values: readonly number[], most: number): string {
  const level = (value: number): number => Math.min(SPARKS.length, Math.ceil(value / most * SPARKS.length));
  return values.map((value) => (value > 0 ? SPARKS.charAt(level(value) - 1) : '_')).join('');
}
