// Reads text/event-stream as it comes in pieces. Pure. https://html.spec.whatwg.org/#parsing-an-event-stream

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The last that was given, before or with this one. */
  readonly id: string;
}

/** An event is longer than it may be. */
export class EventTooLong extends Error {
  override name = 'EventTooLong';
}

export class EventStream {
  readonly #most: number;
  readonly #decoder = new TextDecoder();
  /** The line that has not ended yet, in pieces. */
  #pieces: string[] = [];
  #pending = 0;
  #endedInCr = false;
  #event = '';
  #data: string[] = [];
  #id = '';

  /** @param most How long an event may be, in characters. */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns The events that have become whole. @throws EventTooLong */
  push(bytes: Uint8Array): ServerEvent[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    // A CR LF may have been cut in its middle.
    if (this.#endedInCr && text.startsWith('\n')) text = text.slice(1);
    this.#endedInCr = text === '' ? false : text.endsWith('\r');
    const events: ServerEvent[] = [];
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop()!;
    for (const line of lines) {
      const whole = this.#pieces.length === 0 ? line : this.#pieces.join('') + line;
      this.#pieces = [];
      this.#count(line.length);
      const event = this.#take(whole);
      if (event !== undefined) events.push(event);
    }
    if (rest !== '') this.#pieces.push(rest);
    this.#count(rest.length);
    return events;
  }

  #count(characters: number): void {
    this.#pending += characters;
    if (this.#pending > this.#most) throw new EventTooLong(`an event has more than ${this.#most} characters`);
  }

  #take(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch();
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const event = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id };
    const isThere = this.#data.length > 0;
    this.#event = '';
    this.#data = [];
    this.#pending = 0;
    return isThere ? event : undefined;
  }
}
