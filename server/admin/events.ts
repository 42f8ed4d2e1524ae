// What happens, told on to those who watch (GET /events): first the whole status, then what changes, at most ten times
// a second, and looked at once for all readers. Used by admin.ts. https://html.spec.whatwg.org/#server-sent-events
import type { ServerResponse } from 'node:http';
import { SAFE_HEADERS } from './answer.ts';
import type { AdminSource } from './source.ts';

export const EVENTS_TYPE = 'text/event-stream; charset=utf-8';
/** How often to look what has changed, in milliseconds. */
const LOOK_MS = 100;
/** Whoever has not read so many bytes gets nothing more until they are read. */
const MOST_UNSENT = 256 * 1024;
/** The last changes are kept, for those who come back: so many, and so many bytes at most. */
const MOST_KEPT = 100;
const MOST_KEPT_BYTES = 1024 * 1024;
/** After so long without a change comes a comment, or a proxy between would take the silence for the end. */
const SILENCE_MS = 15_000;
/** When a browser comes back by itself, in milliseconds. */
const RETRY_MS = 1000;

interface Reader {
  readonly response: ServerResponse;
  /** The last frame that it has; undefined: it needs the whole status. */
  seen: number | undefined;
  /** Whether it still has to read what it was sent before. */
  isBehind: boolean;
}

interface Frame {
  readonly id: number;
  readonly bytes: Buffer;
}

export class Events {
  readonly #source: Pick<AdminSource, 'status' | 'change' | 'begin'>;
  readonly #readers = new Set<Reader>();
  readonly #kept: Frame[] = [];
  #keptBytes = 0;
  /** Counts frames on from a number that no server before this one reached: whoever comes back from that one is new. */
  #id = Date.now() * 1000;
  #hasBegun = false;
  #toldAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Pick<AdminSource, 'status' | 'change' | 'begin'>) {
    this.#source = source;
  }

  /** How many read. */
  get readers(): number {
    return this.#readers.size;
  }

  /** @param lastId Last-Event-ID: the last that it got, if it was here before. */
  add(response: ServerResponse, lastId: string | undefined): void {
    if (response.destroyed) return;
    response.writeHead(200, { ...SAFE_HEADERS, 'Content-Type': EVENTS_TYPE });
    response.write(`retry: ${RETRY_MS}\n\n`);
    const seen = lastId !== undefined && /^\d{1,16}$/.test(lastId) ? Number(lastId) : undefined;
    const reader: Reader = { response, seen, isBehind: false };
    this.#readers.add(reader);
    response.on('close', () => {
      this.#readers.delete(reader);
      if (this.#readers.size === 0) this.close();
    });
    if (this.#timer !== undefined) return; // It has its first frame with everybody's next one.
    this.#timer = setInterval(() => this.#tell(), LOOK_MS);
    this.#tell();
  }

  /** Looks no more, until somebody comes. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(): void {
    try {
      this.#look();
    } catch {
      // Whatever cannot be told ends those who read, and not the server: they come back.
      for (const { response } of this.#readers) response.destroy();
    }
  }

  #look(): void {
    if (this.#hasBegun) {
      const change = this.#source.change();
      if (change !== undefined) this.#keep('change', change);
    } else {
      this.#hasBegun = true;
      this.#source.begin();
    }
    let status: Frame | undefined;
    const now = performance.now();
    const isSilent = now - this.#toldAt >= SILENCE_MS;
    if (isSilent) this.#toldAt = now;
    for (const reader of this.#readers) {
      const { response, seen } = reader;
      if (response.writableLength > (reader.isBehind ? 0 : MOST_UNSENT)) {
        reader.isBehind = true;
        reader.seen = undefined;
        continue;
      }
      reader.isBehind = false;
      if (this.#canFollow(seen)) {
        for (const { id, bytes } of this.#kept) if (id > seen) response.write(bytes);
        if (isSilent) response.write(':\n\n');
      } else {
        status ??= frame(this.#id, 'status', this.#source.status());
        response.write(status.bytes);
      }
      reader.seen = this.#id;
    }
  }

  /** Whether all that came after that frame is still here. */
  #canFollow(seen: number | undefined): seen is number {
    if (seen === undefined || seen > this.#id) return false;
    return seen === this.#id || (this.#kept.length > 0 && seen >= this.#kept[0]!.id - 1);
  }

  #keep(event: string, value: unknown): void {
    const fresh = frame(++this.#id, event, value);
    this.#toldAt = performance.now();
    this.#kept.push(fresh);
    this.#keptBytes += fresh.bytes.length;
    while (this.#kept.length > MOST_KEPT || (this.#keptBytes > MOST_KEPT_BYTES && this.#kept.length > 1)) {
      this.#keptBytes -= this.#kept.shift()!.bytes.length;
    }
  }
}

/** JSON has no line break: it is one line of data, whatever clients sent. */
function frame(id: number, event: string, value: unknown): Frame {
  return { id, bytes: Buffer.from(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(value)}\n\n`) };
}
