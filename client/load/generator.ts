// The load that one process makes: opens the connections, lets them run for a while, and counts. Used by processes.ts,
// in the program itself or in processes of its own.

import { addressOf, explain, type Endpoint } from '../echo-client.ts';
import type { LoadOptions } from './config.ts';
import { LoadConnection, type LoadHost } from './connection.ts';
import { Histogram, type HistogramData } from './histogram.ts';
import { makeText, type Text } from './text.ts';
import type { WrongReply } from './wrong-reply.ts';

/** The load of one process: `host` is an address, `durationMs` the time from the first message on. */
export interface Share extends LoadOptions {
  /** The number of its first connection among those of all processes, from 1 on. */
  readonly firstConnection: number;
}

/** What was measured. */
export interface Tally {
  /** Replies that came in time, whole and right. */
  readonly messages: number;
  readonly elapsedMs: number;
  /** In microseconds: from sending a message, or with `churn` from connecting, to the end of its reply. */
  readonly latencies: HistogramData;
  /** Replies that never came. */
  readonly missing: number;
  /** Connections that ended before they should, and how the first of them did, in a sentence. */
  readonly lost: number;
  readonly whyLost: string | undefined;
  /** The first one; the load ended with it. */
  readonly wrong: WrongReply | undefined;
  /** Why no connection could be opened, in a sentence; the load ended with it. */
  readonly failure: string | undefined;
}

/** The most that one read returns, in bytes. libuv reads no more at once either. */
const ONE_READ = 64 * 1024;
/** How many connections are opened at a time, so that a server's backlog does not overflow. */
const OPENED_AT_ONCE = 128;
/** How long after the end the last replies are waited for, in milliseconds. */
const LAST_REPLIES_MS = 1000;

export class Generator implements LoadHost {
  readonly endpoint: Endpoint;
  readonly text: Text;
  readonly depth: number;
  readonly churn: boolean;
  readonly into = Buffer.allocUnsafeSlow(ONE_READ);
  readonly latencies = new Histogram();
  isOver = false;
  readonly #durationMs: number;
  readonly #connections: LoadConnection[];
  #opened = 0;
  #up = 0;
  #allUp: () => void = () => {};
  #messages = 0;
  #began = 0;
  #elapsedMs = 0;
  #unfinished: number;
  #missing = 0;
  #lost = 0;
  #whyLost: string | undefined;
  #wrong: WrongReply | undefined;
  #failure: string | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #end: () => void = () => {};

  constructor({ host, port, connections, size, depth, durationMs, text, churn, firstConnection }: Share) {
    this.endpoint = { host, port };
    this.text = makeText(text, size, depth, ONE_READ);
    this.depth = depth;
    this.churn = churn;
    this.#durationMs = durationMs;
    this.#unfinished = connections;
    this.#connections = Array.from({ length: connections }, (_, i) => new LoadConnection(this, firstConnection + i));
  }

  /** How many messages have been answered so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Opens all connections; with `churn` there is nothing to do. Never rejects: {@link measure} tells what failed. */
  async connect(): Promise<void> {
    if (this.churn || this.isOver) return;
    await new Promise<void>((resolve) => {
      this.#allUp = resolve;
      while (this.#opened < Math.min(OPENED_AT_ONCE, this.#connections.length)) this.#openNext();
    });
  }

  /** Runs the load, and ends all connections. Never rejects. */
  async measure(): Promise<Tally> {
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      this.#began = performance.now();
      if (this.isOver) return this.#finish();
      this.#timer = setTimeout(() => this.#timeIsUp(), this.#durationMs);
      for (const connection of this.#connections) {
        if (this.churn) connection.dial();
        else connection.begin();
      }
    });
    return {
      messages: this.#messages, elapsedMs: this.#elapsedMs, latencies: this.latencies.data(), missing: this.#missing,
      lost: this.#lost, whyLost: this.#whyLost, wrong: this.#wrong, failure: this.#failure,
    };
  }

  /** Ends it now. The last replies are not waited for, and not missed. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#finish();
  }

  connected(): void {
    if (this.churn) return;
    this.#up++;
    if (this.#up === this.#connections.length) this.#allUp();
    else if (this.#opened < this.#connections.length) this.#openNext();
  }

  answered(count: number): void {
    if (!this.isOver) this.#messages += count;
  }

  finished(): void {
    this.#unfinished--;
    if (this.#unfinished === 0) this.#finish();
  }

  wrong(reply: WrongReply): void {
    this.#wrong ??= reply;
    this.stop();
  }

  lost(missing: number, error: Error | undefined): void {
    this.#missing += missing;
    this.#lost++;
    this.#whyLost ??= explain('talk', addressOf(this.endpoint), error).message;
  }

  cannotConnect(error: Error): void {
    this.#failure ??= explain('connect', addressOf(this.endpoint), error).message;
    this.stop();
  }

  #openNext(): void {
    this.#connections[this.#opened++]!.dial();
  }

  /** Whoever waits for a reply may still get it. */
  #timeIsUp(): void {
    this.#over();
    this.#unfinished = 0;
    for (const connection of this.#connections) if (connection.isWaiting) this.#unfinished++;
    if (this.#unfinished === 0) this.#finish();
    else this.#timer = setTimeout(() => this.#finish(), LAST_REPLIES_MS);
  }

  #over(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.#began > 0) this.#elapsedMs = performance.now() - this.#began;
  }

  #finish(): void {
    this.#over();
    clearTimeout(this.#timer);
    for (const connection of this.#connections) {
      const missing = connection.close();
      if (!this.#stopped) this.#missing += missing;
    }
    this.#allUp();
    this.#end();
  }
}
