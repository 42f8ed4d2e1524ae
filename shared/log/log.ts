// Log: what happens in a process of the server, as whole lines for the terminal. The master and each worker have one.
// What a line looks like is in log-format.ts.
import type { Who } from '../terminal/color.ts';
import { counted, countedFrom, JsonFormat, PrettyFormat } from './log-format.ts';
import type { LineFormat, LineLevel } from './log-format.ts';

export { useColor } from '../terminal/color.ts';

export type LogFormat = 'pretty' | 'json';
/** What is logged of connections: their messages too, only their begin and end, or nothing. Notices always are. */
export type LogLevel = 'messages' | 'connections' | 'none';

export interface LogOptions {
  /** Takes one line at a time, for example to a Terminal. */
  print: (block: string) => void;
  format: LogFormat;
  level: LogLevel;
  /** Only for `pretty`. */
  color: boolean;
  who: Who;
  /** Is told of each notice, too. */
  noticed?: ((level: LineLevel, event: string, text: string, fields: object) => void) | undefined;
  /** The time in milliseconds since 1970. Default: Date.now. */
  now?: () => number;
}

/** What a connection has seen so far. */
export interface Traffic {
  /** What one read returned is one message. */
  readonly messages: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class Log {
  readonly #print: (block: string) => void;
  readonly #format: LineFormat;
  readonly #noticed: LogOptions['noticed'];
  readonly #messages: boolean;
  readonly #connections: boolean;

  constructor({ print, format, level, color, who, noticed, now = Date.now }: LogOptions) {
    this.#noticed = noticed;
    this.#print = print;
    this.#format = format === 'json' ? new JsonFormat(who, now) : new PrettyFormat(who, color, now);
    this.#messages = level === 'messages';
    this.#connections = level !== 'none';
  }

  /**
   * A client sent something.
   * @param peer Its address and port.
   * @param bytes All of what one read returned. Only the first are looked at, now: they may change afterwards.
   */
  message(peer: string, bytes: Buffer): void {
    if (this.#messages) this.#print(this.#format.message(peer, bytes));
  }

  /** A client is served from now on. */
  connected(peer: string): void {
    if (this.#connections) this.#print(this.#format.connection('connected', peer, 'connected', {}));
  }

  /**
   * A client is gone.
   * @param reason Why, in a few words.
   * @param traffic What it had sent and received, if it was served.
   */
  closed(peer: string, reason: string, traffic?: Traffic): void {
    if (!this.#connections) return;
    const text = traffic === undefined ? `closed: ${reason}` : `closed: ${reason}, ${describeTraffic(traffic)}`;
    this.#print(this.#format.connection('closed', peer, text, { reason, ...traffic }));
  }

  /**
   * Something about the server itself: it listens, a worker has started, it stops.
   * @param event What happened, in a word: for programs that read the JSON.
   * @param text What happened, in a sentence: printed as it is, with control characters escaped.
   * @param fields The facts in the sentence, as they go into the JSON.
   */
  info(event: string, text: string, fields: object = {}): void {
    this.#notice('info', event, text, fields);
  }

  /** The same for what went wrong without ending the server. */
  warn(event: string, text: string, fields: object = {}): void {
    this.#notice('warn', event, text, fields);
  }

  /** The same of more lines, which are printed in one piece. As JSON they are one line, and `fields` alone. */
  infoLines(event: string, text: readonly string[], fields: object): void {
    this.#print(this.#format.notices('info', event, text, fields));
  }

  #notice(level: LineLevel, event: string, text: string, fields: object): void {
    this.#print(this.#format.notice(level, event, text, fields));
    this.#noticed?.(level, event, text, fields);
  }

  /** The line, in this log's format, by which a Terminal says how many it dropped: at most, and at least. */
  droppedLine(count: number, least = count): string {
    const text = `${countedFrom(least, count, 'line')} dropped`;
    return this.#format.notice('warn', 'dropped', text, { lines: count, atLeast: least < count ? least : undefined });
  }
}

/** `3 messages, 15 bytes in, 15 bytes out`. */
export function describeTraffic({ messages, bytesIn, bytesOut }: Traffic): string {
  return `${counted(messages, 'message')}, ${counted(bytesIn, 'byte')} in, ${counted(bytesOut, 'byte')} out`;
}
