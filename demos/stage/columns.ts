// How wide the output is, and text that fits it. Used by screen.ts.
import { constants, openSync } from 'node:fs';
import { isatty, WriteStream } from 'node:tty';

/** A file, a pipe, and a terminal that does not say. */
const USUAL_COLUMNS = 80;
/** Pictures need so many; on a narrower terminal they are cut by it. */
export const FEWEST_COLUMNS = 40;
/** What is carried over to the next line stands so far behind the beginning of its first. */
const HANGING = 2;

/**
 * How many columns the standard output has: the terminal's, else those of the variable COLUMNS, else 80. At least 40.
 */
export function outputColumns(env: Readonly<Record<string, string | undefined>>): number {
  const columns = terminalColumns() ?? Number(/^\d{1,4}$/.exec(env['COLUMNS'] ?? '')?.[0] ?? USUAL_COLUMNS);
  return Math.max(FEWEST_COLUMNS, columns);
}

/**
 * Asks by a descriptor of its own: Node's stream for the standard output would make the one non-blocking that all
 * share.
 */
function terminalColumns(): number | undefined {
  if (!isatty(1)) return undefined;
  try {
    const stream = new WriteStream(openSync('/proc/self/fd/1', constants.O_RDWR | constants.O_NOCTTY));
    const { columns } = stream;
    stream.destroy();
    return columns > 0 ? columns : undefined;
  } catch {
    return undefined; // Another user's terminal, or a system without /proc.
  }
}

/**
 * The text with each line that is too long broken between words, but not behind a sign of a legend; the rest of it is
 * indented a little more. Colours count nothing.
 */
export function wrap(text: string, columns: number): string {
  return text.split('\n').map((line) => wrapLine(line, columns)).join('\n');
}

function wrapLine(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  const indent = /^ */.exec(line)![0];
  const lines: string[] = [];
  let current = indent;
  const words = line.slice(indent.length).matchAll(/( *)((?:[^\x00-\x7f] )?[^ ]+)/g) as Iterable<string[]>;
  for (const [, gap, word] of words) {
    if (current.trim() !== '' && widthOf(current + gap! + word!) > columns) {
      lines.push(current);
      current = indent + ' '.repeat(HANGING) + word;
    } else {
      current += gap! + word!;
    }
  }
  return [...lines, current].join('\n');
}

/** How many columns it takes: without what only changes the colour. Each character of the demos takes one. */
function widthOf(text: string): number {
  return text.replace(/\x1b\[\d+m/g, '').length;
}
