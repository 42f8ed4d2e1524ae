// One connection of the load generator: sends messages, compares what comes back, and takes the time. Made by
// generator.ts, which says when to begin and when it is over.

import { connect, type Socket } from 'node:net';
import { resetConnection } from '../../shared/reset.ts';
import type { Endpoint } from '../echo-client.ts';
import type { Histogram } from './histogram.ts';
import type { Text } from './text.ts';
import { locate, type WrongReply } from './wrong-reply.ts';

/** What all connections of a process have in common. */
export interface LoadHost {
  /** An address, not a name: it is not looked up each time. */
  readonly endpoint: Endpoint;
  readonly text: Text;
  readonly depth: number;
  readonly churn: boolean;
  /** Every read of every connection goes here, one after the other: nothing is allocated for it. */
  readonly into: Buffer;
  readonly latencies: Histogram;
  /** The time is over: nothing new is sent, counted or timed, but what still comes is compared. */
  readonly isOver: boolean;
  /** It is connected, for the first time. */
  connected(): void;
  /** So many replies were whole and right. */
  answered(count: number): void;
  /** It is over, and every reply is here. */
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
  #wasUp = false;
  #mayBegin: boolean;
  #dialledAt = 0;
  #redial: NodeJS.Timeout | undefined;
  /** The number of the next message to send among all that there are; and of the one whose reply is next. */
  #next: number;
  #current: number;
  #inFlight = 0;
  /** Where in the text's replies the next byte belongs, and how many bytes are to come for what is in flight. */
  #at: number;
  #owed = 0;
  /** When each message in flight was sent, in a ring, and where in it the oldest one is. */
  readonly #sentAt: Float64Array;
  #slot = 0;
  #answered = 0;

  /** @param number From 1 on, over all processes. Each connection begins with another message. */
  constructor(host: LoadHost, number: number) {
    this.#host = host;
    this.#number = number;
    this.#mayBegin = host.churn;
    this.#next = this.#current = number % host.text.variants;
    this.#at = this.#startOf(this.#current);
    this.#sentAt = new Float64Array(host.depth);
  }

  /** Connects. With `churn` its one message follows at once. */
  dial(): void {
    const { endpoint, into } = this.#host;
    this.#dialledAt = performance.now();
    this.#isUp = false;
    const socket = connect({
      host: endpoint.host, port: endpoint.port, noDelay: true,
      onread: { buffer: into, callback: (length) => this.#received(length) },
    });
    this.#socket = socket;
    let failure: Error | undefined;
    socket.once('connect', () => this.#connected());
    socket.on('error', (error) => { failure = error; });
    socket.once('close', () => {
      if (this.#socket !== socket) return; // It was given up here.
      this.#socket = undefined;
      if (this.#isUp) this.#lost(failure);
      else if (failure !== undefined) this.#host.cannotConnect(failure);
    });
  }

  /** Sends the first messages: from now on. With `churn` that follows the connecting by itself. */
  begin(): void {
    this.#mayBegin = true;
    if (this.#isUp) this.#begin(performance.now());
  }

  /** Whether it still has a reply to get. */
  get isWaiting(): boolean {
    return this.#inFlight > 0 || (this.#host.churn && this.#socket !== undefined);
  }

  /** Ends the connection. @returns How many replies were still to come. */
  close(): number {
    clearTimeout(this.#redial);
    const missing = this.#inFlight;
    const socket = this.#socket;
    this.#inFlight = 0;
    this.#socket = undefined;
    if (socket !== undefined && missing > 0) resetConnection(socket);
    else socket?.destroySoon();
    return missing;
  }

  #connected(): void {
    const { churn } = this.#host;
    this.#isUp = true;
    if (this.#mayBegin) this.#begin(churn ? this.#dialledAt : performance.now());
    if (!this.#wasUp) this.#host.connected();
    this.#wasUp = true;
  }

  #begin(now: number): void {
    this.#sentAt.fill(now);
    this.#slot = 0;
    this.#send(this.#host.depth);
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
    this.#inFlight += count;
    this.#socket!.write(bytes);
  }

  /** So many bytes were read. @returns true: go on reading. */
  #received(length: number): boolean {
    const { text, into } = this.#host;
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
    if (this.#at >= text.replyEnds[this.#current]!) this.#goOn(this.#takeWhole());
    return true;
  }

  /** Times the replies that are whole. @returns How many. */
  #takeWhole(): number {
    const { text, depth, latencies, isOver } = this.#host;
    const { replyEnds, variants } = text;
    const now = performance.now();
    let whole = 0;
    do {
      if (!isOver) latencies.record((now - this.#sentAt[this.#slot]!) * 1000);
      this.#sentAt[this.#slot] = now; // As the next message in flight begins now.
      this.#slot = this.#slot + 1 === depth ? 0 : this.#slot + 1;
      whole++;
      if (++this.#current === variants) {
        this.#current = 0;
        this.#at -= replyEnds[variants - 1]!;
      }
    } while (whole < this.#inFlight && this.#at >= replyEnds[this.#current]!);
    return whole;
  }

  #goOn(whole: number): void {
    const host = this.#host;
    this.#inFlight -= whole;
    this.#answered += whole;
    host.answered(whole);
    if (host.churn) {
      const socket = this.#socket!;
      this.#socket = undefined;
      resetConnection(socket); // Not a FIN: the port would be in use for another minute, and there are only so many.
      if (host.isOver) host.finished();
      else this.dial();
    } else if (!host.isOver) {
      this.#send(whole);
    } else if (this.#inFlight === 0) {
      host.finished();
    }
  }

  #lost(error: Error | undefined): void {
    const missing = this.#inFlight;
    this.#inFlight = 0;
    this.#owed = 0;
    this.#current = this.#next;
    this.#at = this.#startOf(this.#next);
    this.#host.lost(missing, error);
    if (!this.#host.isOver) this.#redial = setTimeout(() => this.dial(), REDIAL_MS);
    else if (missing > 0) this.#host.finished();
  }

  #startOf(message: number): number {
    return message === 0 ? 0 : this.#host.text.replyEnds[message - 1]!;
  }
}
