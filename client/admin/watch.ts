// Follows a server by its events, and comes back when it was gone. Used by top.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../shared/status/status.ts';
import type { AdminAddress } from './address.ts';
import { changed, isChange, isStatus, parsed } from './check.ts';
import { EventStream, EventTooLong, type ServerEvent } from './event-stream.ts';
import { AdminError, ask, hearing, MOST_BYTES, noServer, open, refused, tooLong } from './requests.ts';

/** How long to wait before the server is looked for again, in milliseconds. */
const TRY_AGAIN_MS = 1000;
/** A server says something every 15 s at least. Without a word for so long, in milliseconds, it is stopped or stuck. */
const SILENCE_MS = 20_000;

export class Watch {
  readonly #address: AdminAddress;
  readonly #over = new AbortController();
  #status: Status | undefined;
  #heardAt = 0;
  #lastId = '';
  /** Why the server is not heard, in a sentence; undefined: it is. */
  trouble: string | undefined;
  /** Is called when the server is there, gone or back. */
  onTurn: () => void = () => {};

  constructor(address: AdminAddress) {
    this.#address = address;
  }

  /** What the server has said last; undefined: nothing yet. Times count on while it says nothing. */
  get status(): Status | undefined {
    if (this.#status === undefined) return undefined;
    const since = this.trouble === undefined ? performance.now() - this.#heardAt : 0;
    const now = this.#status.now + since;
    return {
      ...this.#status, now, uptimeMs: Math.max(0, now - this.#status.startedAt),
      workers: this.#status.workers.map((worker) => ({ ...worker, ageMs: Math.max(0, now - worker.startedAt) })),
    };
  }

  /**
   * Follows the server until close(). Once it has been heard, it is looked for again whenever it goes: it may only be
   * started anew.
   * @throws AdminError when it is not there at first.
   */
  async run(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof AdminError) || this.#status === undefined) throw error;
        this.trouble = error.message;
        this.onTurn();
      }
      await sleep(TRY_AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Asks the server to do something. @returns What it says to that. @throws AdminError */
  async post(path: string): Promise<{ status: number; body: string }> {
    return await ask(this.#address, { method: 'POST', path, signal: this.#over.signal });
  }

  close(): void {
    this.#over.abort();
  }

  /** Until the server ends. @throws AdminError */
  async #follow(): Promise<never> {
    const headers = { Accept: 'text/event-stream', ...this.#lastId !== '' && { 'Last-Event-ID': this.#lastId } };
    const answer = await open(this.#address, { method: 'GET', path: '/events', headers, signal: this.#over.signal });
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw refused(this.#address, answer.statusCode ?? 0);
    }
    let bytes = 0;
    await hearing(this.#address, answer, SILENCE_MS, () => bytes, async () => {
      const stream = new EventStream(MOST_BYTES);
      for await (const part of answer as AsyncIterable<Buffer>) {
        bytes += part.length;
        for (const event of this.#read(stream, part)) this.#take(event);
      }
    });
    throw new AdminError(`The server at ${this.#address.shown} is gone.`);
  }

  #read(stream: EventStream, part: Buffer): ServerEvent[] {
    try {
      return stream.push(part);
    } catch (error) {
      throw error instanceof EventTooLong ? tooLong(this.#address) : error;
    }
  }

  #take({ event, data, id }: ServerEvent): void {
    if (event !== 'status' && event !== 'change') return;
    const value = parsed(data);
    // Whoever sends what is no status is not asked to go on from there.
    this.#lastId = '';
    if (event === 'status') {
      if (!isStatus(value)) throw noServer(this.#address);
      this.#status = { ...value, connections: null };
    } else {
      // Without a status before it means nothing.
      if (!isChange(value) || this.#status === undefined) throw noServer(this.#address);
      this.#status = changed(this.#status, value);
    }
    this.#heardAt = performance.now();
    // As the server gives them; another one's could not be sent back as a header.
    this.#lastId = /^\d{1,16}$/.test(id) ? id : '';
    if (event === 'change' && this.trouble === undefined) return;
    this.trouble = undefined;
    this.onTurn();
  }
}
