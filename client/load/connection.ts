// One connection of the load generator: sends messages, compares what comes back, and takes the time. Made by
// generator.ts, which says when to begin and when it is over.

import { connect, type Socket } from 'node:net';
import { resetConnection } from '../../shared/reset.ts';
import { wayTo, type Endpoint } from '../echo-client.ts';
import type { Histogram } from './histogram.ts';
import { proxyHeader, type ProxyVersion } from './proxy-sender.ts';
import type { Schedule } from './schedule.ts';
import type { Text } from './text.ts';
import { locate, type WrongReply } from './wrong-reply.ts';

/** What all connections of a process have in common. */
export interface LoadHost {
  /** An address, not a name: it is not looked up each time. */
  readonly endpoint: Endpoint;
  readonly text: Text;
  readonly depth: number;
  readonly churn: boolean;
  /** Each connection begins with a PROXY protocol header of this version. */
  readonly proxy: ProxyVersion | undefined;
  /** The server begins each connection with a line, which is passed over. */
  readonly greeting: boolean;
  /** When each message is due; without it the next is sent when a reply is whole. */
  readonly schedule: Schedule | undefined;
  /** Every read of every connection goes here, one after the other: nothing is allocated for it. */
  readonly into: Buffer;
  readonly latencies: Histogram;
  /** How long it took to connect. */
  readonly connects: Histogram;
  /** Whether there are messages to send. Only without a schedule. */
  readonly hasMore: boolean;
  /** Takes some of the messages that are to be sent. @returns How many: `most`, or what there is. */
  take(most: number): number;
  /** It is connected, for the first time. */
  connected(): void;
  /** So many replies were whole and right. */
  answered(count: number): void;
  /** It has nothing more to send, and every reply is here. */
  finished(): void;
  wrong(reply: WrongReply): void;
  /** It ended before it should. @param missing How many replies will not come. */
  lost(missing: number, error: Error | undefined): void;
  cannotConnect(error: Error): void;
}

/** How long after a loss the next try comes, in milliseconds: a server that refuses is not to be stormed. */
const REDIAL_MS = 50;

export class LoadConnection {
  readonly #host: LoadHost;
  readonly #number: number;
  #socket: Socket | undefined;
  #isUp = false;
  #awaitsGreeting = false;
  #wasUp = false;
  #mayBegin = false;
  #isFinished = false;
  #dialledAt = 0;
  #redial: NodeJS.Timeout | undefined;
  /** The number of the next message to send among all that the text has; and of the one whose reply is next. */
  #next: number;
  #current: number;
  /** The number of the next message in the schedule. */
  #scheduled: number;
  #inFlight = 0;
  /** Where in the text's replies the next byte belongs, and how many bytes are to come for what is in flight. */
  #at: number;
  #owed = 0;
  /** When each message in flight was sent, or was due, in a ring, and where in it the oldest one is. */
  readonly #since: Float64Array;
  #slot = 0;
  #answered = 0;

  /** @param number From 1 on, over all processes. Each connection begins with another message. */
  constructor(host: LoadHost, number: number) {
    this.#host = host;
    this.#number = number;
    this.#scheduled = number - 1;
    this.#next = this.#current = number % host.text.variants;
    this.#at = this.#startOf(this.#current);
    this.#since = new Float64Array(host.depth);
  }

  /** Connects. With `churn` that follows by itself when there is a message. */
  dial(): void {
    const { endpoint, into } = this.#host;
    this.#dialledAt = performance.now();
    this.#isUp = false;
    this.#awaitsGreeting = this.#host.greeting;
    const socket = connect({
      ...wayTo(endpoint), noDelay: true,
      onread: { buffer: into, callback: (length) => this.#received(length) },
    });
    this.#socket = socket;
    let failure: Error | undefined;
    socket.once('connect', () => { if (this.#socket === socket) this.#connected(); });
    socket.on('error', (error) => { failure = error; });
    socket.once('close', () => {
      if (this.#socket !== socket) return; // It was given up here.
      this.#socket = undefined;
      if (this.#isUp) this.#lost(failure);
      else if (failure !== undefined) this.#host.cannotConnect(failure);
    });
  }

  /** Sends its messages from now on. */
  begin(): void {
    this.#mayBegin = true;
    this.goOn(performance.now());
  }

  /** Sends what is to be sent and has room, or finds that it has finished. */
  goOn(now: number): void {
    if (!this.#mayBegin || this.#isFinished) return;
    const { churn } = this.#host;
    if (churn ? this.#socket === undefined && this.#redial === undefined : this.#isUp) {
      const count = this.#take(now);
      this.#inFlight += count;
      if (count > 0 && churn) this.dial();
      else if (count > 0) this.#send(count);
    }
    if (this.#inFlight > 0 || this.#hasMore) return;
    this.#isFinished = true;
    this.#host.finished();
  }

  /**
   * Ends the connection.
   * @param longerThan What is not answered is a latency if it has taken longer than this, in microseconds: it would
   * have taken even more.
   * @returns How many replies were still to come, and how many messages were due and not sent.
   */
  close(now: number, longerThan: number): { inFlight: number; unsent: number } {
    clearTimeout(this.#redial);
    const { depth, schedule } = this.#host;
    const inFlight = this.#inFlight;
    for (let i = 0; i < inFlight; i++) this.#giveUp(now - this.#since[(this.#slot + i) % depth]!, longerThan);
    let unsent = 0;
    for (; schedule !== undefined && this.#isDue(schedule, now); this.#scheduled += schedule.connections) {
      this.#giveUp(now - schedule.dueAt(this.#scheduled), longerThan);
      unsent++;
    }
    const socket = this.#socket;
    this.#inFlight = 0;
    this.#socket = undefined;
    this.#isFinished = true;
    if (!this.#isUp) socket?.destroy();
    else if (socket !== undefined && inFlight > 0) resetConnection(socket);
    else socket?.destroySoon();
    return { inFlight, unsent };
  }

  #giveUp(ms: number, longerThan: number): void {
    if (ms * 1000 > longerThan) this.#host.latencies.record(ms * 1000);
  }

  get #hasMore(): boolean {
    const { schedule, hasMore } = this.#host;
    return schedule === undefined ? hasMore : this.#scheduled < schedule.total;
  }

  #isDue(schedule: Schedule, now: number): boolean {
    return this.#mayBegin && this.#scheduled < schedule.total && schedule.dueAt(this.#scheduled) <= now;
  }

  /** Takes messages to send, and notes since when each is timed. @returns How many. */
  #take(now: number): number {
    const { depth, schedule } = this.#host;
    const room = depth - this.#inFlight;
    let end = this.#slot + this.#inFlight;
    if (schedule === undefined) {
      const count = this.#host.take(room);
      for (let i = 0; i < count; i++) this.#since[end++ % depth] = now;
      return count;
    }
    let count = 0;
    for (; count < room && this.#isDue(schedule, now); this.#scheduled += schedule.connections) {
      this.#since[end++ % depth] = schedule.dueAt(this.#scheduled);
      count++;
    }
    return count;
  }

  #connected(): void {
    const { churn, connects, proxy } = this.#host;
    const now = performance.now();
    if (proxy !== undefined) this.#socket!.write(proxyHeader(proxy, this.#socket!));
    connects.record((now - this.#dialledAt) * 1000);
    this.#isUp = true;
    if (churn) this.#send(1);
    else this.goOn(now);
    if (!this.#wasUp) this.#host.connected();
    this.#wasUp = true;
  }

  #send(count: number): void {
    const { text } = this.#host;
    const first = this.#next;
    const bytes = count === 1
      ? text.messages[first]!
      : text.requests.subarray(first * text.size, (first + count) * text.size);
    for (let i = 0; i < count; i++) {
      const at = this.#next;
      this.#owed += text.replyEnds[at]! - this.#startOf(at);
      this.#next = at + 1 === text.variants ? 0 : at + 1;
    }
    this.#socket!.write(bytes);
  }

  /** So many bytes were read. @returns true: go on reading. */
  #received(length: number): boolean {
    if (this.#socket === undefined) return true; // It was given up here.
    const { text, into } = this.#host;
    if (this.#awaitsGreeting) return this.#passOverGreeting(into.subarray(0, length));
    const at = this.#at;
    if (length > this.#owed || into.compare(text.replies, at, at + length, 0, length) !== 0) {
      this.#host.wrong({
        connection: this.#number,
        ...locate(text, into.subarray(0, length), {
          at, owed: this.#owed, current: this.#current, answered: this.#answered, inFlight: this.#inFlight,
        }),
      });
      return true;
    }
    this.#owed -= length;
    this.#at = at + length;
    if (this.#at >= text.replyEnds[this.#current]!) this.#takeWhole(performance.now());
    return true;
  }

  #passOverGreeting(bytes: Buffer): boolean {
    const end = bytes.indexOf('\n');
    if (end < 0) return true;
    this.#awaitsGreeting = false;
    const rest = bytes.subarray(end + 1);
    this.#host.into.set(rest);
    return rest.length === 0 || this.#received(rest.length);
  }

  /** Times the replies that are whole, and goes on. */
  #takeWhole(now: number): void {
    const host = this.#host;
    const { replyEnds, variants } = host.text;
    let whole = 0;
    do {
      host.latencies.record((now - this.#since[this.#slot]!) * 1000);
      this.#slot = this.#slot + 1 === host.depth ? 0 : this.#slot + 1;
      whole++;
      if (++this.#current === variants) {
        this.#current = 0;
        this.#at -= replyEnds[variants - 1]!;
      }
    } while (whole < this.#inFlight && this.#at >= replyEnds[this.#current]!);
    this.#inFlight -= whole;
    this.#answered += whole;
    if (host.churn) {
      const socket = this.#socket!;
      this.#socket = undefined;
      resetConnection(socket); // Not a FIN: the port would be in use for another minute, and there are only so many.
    }
    host.answered(whole);
    this.goOn(now);
  }

  #lost(error: Error | undefined): void {
    if (this.#isFinished) return; // It had no more to do.
    const missing = this.#inFlight;
    this.#isUp = false;
    this.#inFlight = 0;
    this.#owed = 0;
    this.#current = this.#next;
    this.#at = this.#startOf(this.#next);
    this.#host.lost(missing, error);
    if (this.#hasMore) {
      this.#redial = setTimeout(() => {
        this.#redial = undefined;
        if (this.#host.churn) this.goOn(performance.now());
        else this.dial();
      }, REDIAL_MS);
    }
    this.goOn(performance.now());
  }

  #startOf(message: number): number {
    return message === 0 ? 0 : this.#host.text.replyEnds[message - 1]!;
  }
}
