// Many connections to a server, held by the benchmark itself: for loads that the load generator does not make, so many
// messages in flight over all connections together, or so many messages a second. Every reply is compared.
// Used by figures/.
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Histogram } from '../../client/load/histogram.ts';
import { makeText } from '../../client/load/text.ts';
import { resetConnection } from '../../shared/reset.ts';
import { afterRunning } from '../../shared/running-time.ts';
import { descriptorLimit } from './process-tree.ts';

/** What a load has shown. */
export interface Shown {
  /** Messages answered a second. */
  readonly rate: number;
  readonly p99Us: number;
  /** Why the figures do not count. */
  readonly problems: readonly string[];
}

interface Member {
  socket: Socket;
  /** The next message's number in the text. */
  next: number;
  /** Where in the text's replies the next byte belongs. */
  at: number;
  /** When the messages that have no reply yet were sent, the oldest first. */
  readonly sentAt: number[];
}

const SIZE = 64;
const ONE_READ = 64 * 1024;
/** Opened at a time, so that a server's backlog does not overflow. */
const OPENED_AT_ONCE = 128;
const OPEN_LIMIT_MS = 30_000;
const LAST_REPLIES_MS = 5000;
/** So long for each connection that ends: what the server does then should not be part of the next figure. */
const AFTER_CLOSE_MS = 0.1;
/** Descriptors for all but the crowd: what this process and the server's master need besides. */
const RESERVED_DESCRIPTORS = 200;
/** The shortest time of a timer: so often is looked what is due. */
const PACE_MS = 1;

/**
 * How many connections are opened, and a sentence if they are fewer than a case wants.
 * @param most What `--connections` allows.
 */
export function roomFor(
  wanted: number, most: number, limit = descriptorLimit(),
): { count: number; note: string | undefined } {
  const room = Math.max(1, limit - RESERVED_DESCRIPTORS);
  const count = Math.min(wanted, most, room);
  const why = room < most
    ? `ulimit -n is ${limit}, and must be ${wanted + RESERVED_DESCRIPTORS} at least` : 'as --connections says';
  return { count, note: count < wanted ? `Only ${count} connections instead of ${wanted}: ${why}.` : undefined };
}

export class Crowd {
  readonly #members: Member[] = [];
  readonly #text = makeText('ascii', SIZE, 1, ONE_READ);
  readonly #into = Buffer.allocUnsafeSlow(ONE_READ);
  #latencies = new Histogram();
  #turn = 0;
  #inFlight = 0;
  #problem: string | undefined;
  #isClosed = false;
  #answered: (member: Member) => void = () => {};
  #fail: () => void = () => {};

  /** Opens them, and has one message answered on each: they are with the workers. @throws Error when one cannot. */
  static async open(port: number, count: number): Promise<Crowd> {
    const crowd = new Crowd();
    try {
      await crowd.#open(port, count);
    } catch (error) {
      await crowd.close();
      throw error;
    }
    return crowd;
  }

  /** So many messages in flight, all connections in turn. */
  async loadInTotal(inFlight: number, seconds: number): Promise<Shown> {
    return await this.#load(seconds, (isOver) => {
      this.#answered = () => { if (!isOver()) this.#sendNext(); };
      for (let i = 0; i < inFlight; i++) this.#sendNext();
      return () => {};
    });
  }

  /** So many messages a second, all connections in turn, whether or not replies come. */
  async loadPaced(rate: number, seconds: number): Promise<Shown> {
    return await this.#load(seconds, () => {
      this.#answered = () => {};
      const began = performance.now();
      let sent = 0;
      const timer = setInterval(() => {
        for (const due = (performance.now() - began) / 1000 * rate; sent < due; sent++) this.#sendNext();
      }, PACE_MS);
      return () => clearInterval(timer);
    });
  }

  /** Ends them all, with a reset: a FIN would keep as many ports in use for a minute. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { socket } of this.#members) resetConnection(socket);
    await delay(AFTER_CLOSE_MS * this.#members.length);
  }

  async #load(seconds: number, begin: (isOver: () => boolean) => () => void): Promise<Shown> {
    let messages = 0;
    let isOver = false;
    let first = (): void => {};
    this.#latencies = new Histogram();
    const failed = new Promise<void>((resolve) => { this.#fail = resolve; });
    const began = performance.now();
    const end = begin(() => isOver);
    const goOn = this.#answered;
    let allHere = (): void => {};
    this.#answered = (member) => {
      if (!isOver) messages++;
      first();
      goOn(member);
      if (this.#inFlight === 0) allHere();
    };
    await Promise.race([failed, delay(seconds * 1000)]);
    // When the machine stood still for all that time, there is still something to measure.
    if (messages === 0) await this.#waitAtMost(failed, new Promise((resolve) => { first = resolve; }));
    end();
    isOver = true;
    const elapsed = performance.now() - began;
    if (this.#inFlight > 0) {
      await this.#waitAtMost(failed, new Promise((resolve) => { allHere = resolve; }));
    }
    if (this.#inFlight > 0) this.#problem ??= `${this.#inFlight} replies never came.`;
    const problems = this.#problem === undefined ? [] : [this.#problem];
    return { rate: messages / elapsed * 1000, p99Us: this.#latencies.percentile(0.99), problems };
  }

  /** Waits for replies, as long as the load generator does. */
  async #waitAtMost(...what: Promise<void>[]): Promise<void> {
    let stop = (): void => {};
    const lapsed = new Promise<void>((resolve) => { stop = afterRunning(LAST_REPLIES_MS, resolve); });
    await Promise.race([...what, lapsed]);
    stop();
  }

  async #open(port: number, count: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let up = 0;
      const timer = setTimeout(() => reject(new Error(`${up} of ${count} connections after 30 s`)), OPEN_LIMIT_MS);
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#fail = () => settle(new Error(this.#problem));
      this.#answered = () => {
        if (++up === count) settle();
        else if (this.#members.length < count) this.#openOne(port);
      };
      for (let i = 0; i < Math.min(OPENED_AT_ONCE, count); i++) this.#openOne(port);
    });
  }

  #openOne(port: number): void {
    const { variants } = this.#text;
    const first = this.#members.length % variants; // Each begins with another message.
    const socket = connect({
      host: '127.0.0.1', port, noDelay: true,
      onread: { buffer: this.#into, callback: (length) => this.#received(member, length) },
    });
    const member: Member = { socket, next: first, at: first * SIZE, sentAt: [] };
    this.#members.push(member);
    socket.once('connect', () => this.#send(member));
    socket.on('error', () => {});
    socket.once('close', () => { if (!this.#isClosed) this.#fails('A connection was lost.'); });
  }

  #sendNext(): void {
    this.#send(this.#members[this.#turn]!);
    this.#turn = this.#turn + 1 === this.#members.length ? 0 : this.#turn + 1;
  }

  #send(member: Member): void {
    const { messages, variants } = this.#text;
    member.sentAt.push(performance.now());
    this.#inFlight++;
    member.socket.write(messages[member.next]!);
    member.next = member.next + 1 === variants ? 0 : member.next + 1;
  }

  /** @returns true: go on reading. */
  #received(member: Member, length: number): boolean {
    const { replies, variants } = this.#text;
    const { at, sentAt } = member;
    const owed = sentAt.length * SIZE - at % SIZE;
    if (length > owed || this.#into.compare(replies, at, at + length, 0, length) !== 0) {
      this.#fails('Wrong reply.');
      return true;
    }
    const whole = Math.floor((at % SIZE + length) / SIZE);
    member.at = (at + length) % (variants * SIZE);
    const now = whole > 0 ? performance.now() : 0;
    for (let i = 0; i < whole; i++) {
      this.#latencies.record((now - sentAt.shift()!) * 1000);
      this.#inFlight--;
      this.#answered(member);
    }
    return true;
  }

  #fails(problem: string): void {
    this.#problem ??= problem;
    this.#fail();
  }
}
