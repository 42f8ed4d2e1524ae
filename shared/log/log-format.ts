// The log's lines as text: for people, or one JSON object a line. Pure, apart from the clock given. Used by log.ts.
import { paintWarning, paintWho } from '../terminal/color.ts';
import type { Who } from '../terminal/color.ts';
import { escapeHidden, previewOf, toJson } from '../terminal/preview.ts';

export type LineLevel = 'info' | 'warn';

/** One way to write the log. Every method returns one line, without its newline, whatever the arguments contain. */
export interface LineFormat {
  message(peer: string, bytes: Buffer): string;
  connection(event: string, peer: string, text: string, fields: object): string;
  notice(level: LineLevel, event: string, text: string, fields: object): string;
  /** One or more lines. */
  notices(level: LineLevel, event: string, text: readonly string[], fields: object): string;
}

/** `12:34:56.789 worker 1  127.0.0.1:53122  5 bytes  "hello"`, in local time. */
export class PrettyFormat implements LineFormat {
  readonly #start: () => string;
  readonly #warning: string;

  constructor(who: Who, color: boolean, now: () => number) {
    const name = (who === 'master' ? who : `worker ${who}`).padEnd('worker 1'.length);
    const shown = color ? paintWho(who, name) : name;
    this.#start = cached(now, (time) => `${localTime(time)} ${shown}  `);
    this.#warning = color ? paintWarning('warning:') : 'warning:';
  }

  message(peer: string, bytes: Buffer): string {
    const { text, cut } = previewOf(bytes);
    const quoted = text.includes('"') ? text.replaceAll('"', '\\"') : text;
    const size = counted(bytes.length, 'byte');
    return `${this.#start()}${escapeHidden(peer)}  ${size}  "${quoted}"${cut ? '...' : ''}`;
  }

  connection(_event: string, peer: string, text: string): string {
    return `${this.#start()}${escapeHidden(peer)}  ${escapeHidden(text)}`;
  }

  notice(level: LineLevel, _event: string, text: string): string {
    return `${this.#start()}${level === 'warn' ? `${this.#warning} ` : ''}${escapeHidden(text)}`;
  }

  notices(level: LineLevel, event: string, text: readonly string[]): string {
    return text.map((line) => this.notice(level, event, line)).join('\n');
  }
}

/** `{"time":"2026-01-31T12:34:56.789Z","level":"info","event":"message","worker":1,"peer":…,"bytes":5,…}` */
export class JsonFormat implements LineFormat {
  readonly #time: () => string;
  readonly #worker: string;

  constructor(who: Who, now: () => number) {
    this.#time = cached(now, (time) => new Date(time).toISOString());
    this.#worker = who === 'master' ? '' : `,"worker":${who}`;
  }

  message(peer: string, bytes: Buffer): string {
    // The text itself, escaped once, as JSON does it. Bytes that are no UTF-8 are U+FFFD there.
    const { bytes: shown, cut } = previewOf(bytes);
    const preview = toJson(bytes.toString('utf8', 0, shown) + (cut ? '...' : ''));
    return `${this.#start('info', 'message')},"peer":${toJson(peer)},"bytes":${bytes.length},"preview":${preview}}`;
  }

  connection(event: string, peer: string, _text: string, fields: object): string {
    return `${this.#start('info', event)},"peer":${toJson(peer)}${members(fields)}}`;
  }

  notice(level: LineLevel, event: string, text: string, fields: object): string {
    return `${this.#start(level, event)},"message":${toJson(text)}${members(fields)}}`;
  }

  notices(level: LineLevel, event: string, _text: readonly string[], fields: object): string {
    return `${this.#start(level, event)}${members(fields)}}`;
  }

  #start(level: LineLevel, event: string): string {
    return `{"time":"${this.#time()}","level":"${level}","event":${JSON.stringify(event)}${this.#worker}`;
  }
}

/** `1 byte`, `2 bytes`. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

/** The same, where `least` may be less: `0 to 1 byte`, `1 to 2 bytes`. */
export function countedFrom(least: number, most: number, noun: string): string {
  return least < most ? `${least} to ${counted(most, noun)}` : counted(most, noun);
}

/** The members of a plain object as they follow others in JSON: `,"a":1,"b":2`, or nothing. */
function members(fields: object): string {
  const inside = toJson(fields).slice(1, -1);
  return inside === '' ? '' : `,${inside}`;
}

/** A text that depends on the time, made anew only when the clock has moved: 50 lines may come in a millisecond. */
function cached(now: () => number, format: (time: number) => string): () => string {
  let time = NaN;
  let text = '';
  return () => {
    const current = now();
    if (current !== time) {
      time = current;
      text = format(current);
    }
    return text;
  };
}

/** Hours, minutes, seconds and milliseconds where the server runs. */
function localTime(time: number): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
