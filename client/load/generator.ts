// The load that one process makes: opens the connections, lets them run for a while, and counts. Used by processes.ts,
// in the program itself or in processes of its own.

import { watchWait } from '../../shared/multiprocessing/base/time-limit.ts';
import { addressOf, explain, type Endpoint } from '../echo-client.ts';
import type { LoadOptions } from './config.ts';
import { LoadConnection, type LoadHost } from './connection.ts';
import { Histogram } from './histogram.ts';
import type { ProxyVersion } from './proxy-sender.ts';
import { Schedule } from './schedule.ts';
import { LAST_REPLIES_MS, type Tally } from './tally.ts';
import { makeText, type Text } from './text.ts';
import type { WrongReply } from './wrong-reply.ts';

/** The load of one process: `host` is an address, `durationMs` the time from the first message on. */
export interface Share extends LoadOptions {
  /** The number of its first connection among those of all processes, from 1 on. */
  readonly firstConnection: number;
  /** How many connections all processes have; as many as this one, if it is not said. */
  readonly allConnections?: number;
}

/** The most that one read returns, in bytes. libuv reads no more at once either. */
const ONE_READ = 64 * 1024;
/** How many connections are opened at a time, so that a server's backlog does not overflow. */
const OPENED_AT_ONCE = 128;
/** Before a message is due, the clock is watched for so long, in milliseconds: timers are late by one or two. */
const WATCHED_MS = 2;

export class Generator implements LoadHost {
  readonly endpoint: Endpoint;
  readonly text: Text;
  readonly depth: number;
  readonly churn: boolean;
  readonly proxy: ProxyVersion | undefined;
  readonly greeting: boolean;
  readonly schedule: Schedule | undefined;
  readonly into = Buffer.allocUnsafeSlow(ONE_READ);
  readonly latencies = new Histogram();
  readonly connects = new Histogram();
  readonly #lastRepliesMs: number;
  readonly #durationMs: number;
  readonly #connections: LoadConnection[];
  readonly #firstConnection: number;
  /** Of a load without a schedule, how many messages are still to be sent. */
  #left: number;
  #opened = 0;
  #up = 0;
  #allUp: () => void = () => {};
  /** The time is over: nothing new is sent but what was due before. What still comes is compared, and timed. */
  #isOver = false;
  #isDone = false;
  /** It ends before its time, and its last replies are not waited for. */
  #isStopped = false;
  #began = 0;
  #elapsedMs = 0;
  #unfinished: number;
  #messages = 0;
  #late = 0;
  #missing = 0;
  #unsent = 0;
  #unanswered = 0;
  #ownDelayMs = 0;
  #lost = 0;
  #whyLost: string | undefined;
  #wrong: WrongReply | undefined;
  #failure: string | undefined;
  #endWatch: () => void = () => {};
  #end: () => void = () => {};

  /** @param lastRepliesMs How long the last replies are waited for, in milliseconds, once the time is up. */
  constructor(share: Share, lastRepliesMs: number = LAST_REPLIES_MS) {
    this.#lastRepliesMs = lastRepliesMs;
    const { host, port, connections, size, depth, durationMs, text, churn, firstConnection, messages, rate } = share;
    this.endpoint = { host, port };
    this.text = makeText(text, size, depth, ONE_READ, share.expect);
    this.depth = depth;
    this.churn = churn;
    this.proxy = share.proxy;
    this.greeting = share.greeting === true;
    if (rate !== undefined) {
      this.schedule = new Schedule(rate, durationMs, share.allConnections ?? connections, messages);
    }
    this.#durationMs = this.schedule?.durationMs ?? durationMs;
    this.#left = messages ?? Infinity;
    this.#firstConnection = firstConnection;
    this.#unfinished = connections;
    this.#connections = Array.from({ length: connections }, (_, i) => new LoadConnection(this, firstConnection + i));
  }

  /** How many messages have been answered so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Opens all connections; with `churn` there is nothing to do. Never rejects: {@link measure} tells what failed. */
  async connect(): Promise<void> {
    if (this.churn || this.#isDone) return;
    await new Promise<void>((resolve) => {
      this.#allUp = resolve;
      while (this.#opened < Math.min(OPENED_AT_ONCE, this.#connections.length)) this.#openNext();
    });
  }

  /** Runs the load, and ends all connections. Never rejects. */
  async measure(): Promise<Tally> {
    await new Promise<void>((resolve) => {
      if (this.#isDone) return resolve();
      this.#end = resolve;
      this.#began = performance.now();
      this.schedule?.begin(this.#began);
      this.#watch(this.#durationMs, () => this.#timeIsUp());
      for (const connection of this.#connections) connection.begin();
      if (this.schedule !== undefined) this.#followSchedule(this.schedule, 0);
    });
    return {
      messages: this.#messages, late: this.#late, elapsedMs: this.#elapsedMs,
      latencies: this.latencies.data(), connects: this.connects.data(),
      missing: this.#missing, unsent: this.#unsent, unanswered: this.#unanswered, ownDelayMs: this.#ownDelayMs,
      lost: this.#lost, whyLost: this.#whyLost, wrong: this.#wrong, failure: this.#failure,
    };
  }

  /** Ends it now. The last replies are not waited for, and not missed. */
  stop(): void {
    this.#isStopped = true;
    this.#finish();
  }

  get hasMore(): boolean {
    return !this.#isOver && this.#left > 0;
  }

  take(most: number): number {
    if (this.#isOver) return 0;
    const taken = Math.min(most, this.#left);
    this.#left -= taken;
    return taken;
  }

  connected(): void {
    if (this.churn) return;
    this.#up++;
    if (this.#up === this.#connections.length) this.#allUp();
    else if (this.#opened < this.#connections.length) this.#openNext();
  }

  answered(count: number): void {
    if (this.#isOver) this.#late += count;
    else this.#messages += count;
  }

  finished(): void {
    this.#unfinished--;
    // A schedule lasts until its end, though its last message may be answered before.
    if (this.#unfinished === 0 && (this.#isOver || this.schedule === undefined)) this.#finish();
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

  /** @param place Of the next message in the schedule among those of this process. */
  #followSchedule(schedule: Schedule, place: number): void {
    const count = this.#connections.length;
    for (; !this.#isDone; place++) {
      const k = this.#firstConnection - 1 + place % count + Math.floor(place / count) * schedule.connections;
      if (k >= schedule.total) return;
      const now = performance.now();
      const wait = schedule.dueAt(k) - now;
      const goOn = (): void => this.#followSchedule(schedule, place);
      // What keeps the program running is the end of its time, not the next message.
      if (wait > 2 * WATCHED_MS) return void setTimeout(goOn, wait - WATCHED_MS).unref();
      if (wait > 0) return void setImmediate(goOn);
      this.#ownDelayMs = Math.max(this.#ownDelayMs, -wait);
      this.#connections[place % count]!.goOn(now);
    }
  }

  /** Whoever waits for a reply may still get it. */
  #timeIsUp(): void {
    this.#over();
    const now = performance.now();
    for (const connection of this.#connections) connection.goOn(now);
    if (this.#unfinished === 0) this.#finish();
    else this.#watch(this.#lastRepliesMs, () => this.#finish());
  }

  /** One clock at a time. What had come when it rings has been read before. */
  #watch(timeoutMs: number, ring: () => void): void {
    this.#endWatch();
    this.#endWatch = watchWait({ timeoutMs }, ring, () => {});
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#began > 0) this.#elapsedMs = performance.now() - this.#began;
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#over();
    this.#endWatch();
    const now = performance.now();
    // A message that was cut off says nothing, unless it had taken longer than any other; when the load ends with a
    // failure, none does.
    const isFailed = this.#wrong !== undefined || this.#failure !== undefined;
    const longerThan = isFailed ? Infinity : this.#isStopped ? this.latencies.max : -1;
    for (const connection of this.#connections) {
      const { inFlight, unsent } = connection.close(now, longerThan);
      if (isFailed) continue;
      if (this.#isStopped) this.#unanswered += inFlight + unsent;
      else {
        this.#missing += inFlight;
        this.#unsent += unsent;
      }
    }
    this.#allUp();
    this.#end();
  }
}
