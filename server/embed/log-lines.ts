// Reads what the server prints, line by line, as events. Used by index.ts.
import type { LogEvent } from './options.ts';

/** A line that has not ended after so many characters is cut: no line of the log is so long. */
const LONGEST_LINE = 1024 * 1024;

/** Cuts text into lines, however it comes. */
export class Lines {
  readonly #line: (line: string) => void;
  #rest = '';

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
    if (this.#rest.length > LONGEST_LINE) this.end();
  }

  /** What has come of the last line is all there is. */
  end(): void {
    const rest = this.#rest;
    this.#rest = '';
    if (rest !== '') this.#line(rest);
  }
}

/** What is no line of the log, such as a warning of Node's own, is told as it is. */
export function eventOf(line: string): LogEvent {
  const event = parsed(line);
  if (typeof event === 'object' && event !== null && 'event' in event) return event as LogEvent;
  return { time: new Date().toISOString(), level: 'warn', event: 'output', message: line };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
