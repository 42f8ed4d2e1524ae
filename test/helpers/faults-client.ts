// One connection of the verifying load: sends random messages, cut at random places, and holds every byte that comes
// back against what must come. Made by faults-load.ts.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { resetConnection } from '../../shared/reset.ts';
import { onFin } from './fin.ts';
import type { Message, Random } from './faults-random.ts';

/**
 * How a client behaves:
 * - prompt: one message, its whole reply, a pause, the next
 * - stream: keeps sending while not too much is unanswered
 * - slow: the same, and reads only now and then
 * - half: sends a few messages, half-closes, reads to the end; then another connection does the same
 * - idle: a message now and then, with a character begun before the pause and ended after it
 */
export type Kind = 'prompt' | 'stream' | 'slow' | 'half' | 'idle';

/** What went wrong with a connection, and nothing that was done to the server explains it. */
export interface Trouble {
  readonly what: 'cut off' | 'wrong bytes' | 'missing bytes' | 'not connected' | 'stuck';
  readonly client: string;
  readonly detail: string;
}

/** What a client tells the load that it belongs to. */
export interface ClientEvents {
  /** Its port is known from now on. */
  connected(client: LoadClient): void;
  trouble(client: LoadClient, what: Trouble['what'], detail: string): void;
  answered(client: LoadClient, bytes: number, latencyMs: number): void;
  /** The connection is over: as planned, or not. */
  over(client: LoadClient): void;
}

export interface ClientOptions {
  readonly port: number;
  readonly host: string;
  readonly kind: Kind;
  readonly random: Random;
  readonly messages: readonly Message[];
  /** The mean pause between a reply and the next message, in milliseconds. */
  readonly paceMs: number;
}

/** How much a client that streams leaves unanswered, in bytes. */
const STREAM_WINDOW = 256 * 1024;
const SLOW_WINDOW = 2 * 1024 * 1024;
const SLOW_PAUSE_MS = 20;
const IDLE_PAUSE_MS = 250;
const HALF_MESSAGES = 5;

interface Owed {
  readonly message: Message;
  readonly sentAt: number;
  /** How many bytes had been written when the message was. */
  readonly upTo: number;
}

export class LoadClient {
  readonly kind: Kind;
  readonly name: string;
  readonly #options: ClientOptions;
  readonly #events: ClientEvents;
  readonly #socket: Socket;
  readonly #owed: Owed[] = [];
  /** How much of the first reply owed has come. */
  #offset = 0;
  #unanswered = 0;
  #sent = 0;
  #sentMessages = 0;
  #sending = false;
  #finishing = false;
  #halfClosed = false;
  #pauseOver: NodeJS.Timeout | undefined;
  #state: 'connecting' | 'talking' | 'over' = 'connecting';
  /** Why it may be cut off, if something was done that explains it. */
  excuse: string | undefined;
  /**
   * What must be answered before a FIN that the server sends first, in messages owed; undefined: no such FIN may come.
   */
  #dueBeforeFin: number | undefined;
  /** How many replies have come whole. */
  answered = 0;
  /** This side's port: how the system knows the connection. */
  port = 0;
  /** When it ended, on the clock of performance.now(). */
  endedAt: number | undefined;
  endedBy: 'FIN' | 'reset' | undefined;

  constructor(name: string, options: ClientOptions, events: ClientEvents) {
    this.name = `${options.kind} ${name}`;
    this.kind = options.kind;
    this.#options = options;
    this.#events = events;
    const { port, host, kind } = options;
    const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => {
      this.port = socket.localPort ?? 0;
      this.#state = 'talking';
      events.connected(this);
      this.#next();
    });
    socket.on('data', (bytes: Buffer) => {
      this.#check(bytes);
      if (kind === 'slow') this.#rest();
    });
    onFin(socket, () => this.#ended());
    socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error.code ?? error.message));
    socket.on('close', () => this.#over('reset'));
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Connected, and not over. */
  get isTalking(): boolean {
    return this.#state === 'talking';
  }

  /** Nothing is on the way, in either direction. */
  get isQuiet(): boolean {
    return this.#owed.length === 0 && !this.#sending;
  }

  /** How long the oldest reply is due, in milliseconds. */
  get waitingMs(): number {
    const oldest = this.#owed[0];
    return oldest === undefined ? 0 : performance.now() - oldest.sentAt;
  }

  /** From now on the server may end the connection with a FIN, once all that it surely has received is answered. */
  expectFin(): void {
    const received = this.#socket.bytesWritten - this.#socket.writableLength;
    this.#dueBeforeFin = this.answered + this.#owed.filter(({ upTo }) => upTo <= received).length;
  }

  /** Sends no more than it has begun, reads all replies, and half-closes: `over` comes when the server's FIN has. */
  finish(): void {
    this.#finishing = true;
    if (this.#pauseOver !== undefined) {
      clearTimeout(this.#pauseOver);
      this.#pauseOver = undefined;
      this.#sending = false;
    }
    this.#socket.resume();
    this.#next();
  }

  /** Ends at once, whatever is under way: at the end of a test that has failed. */
  destroy(): void {
    this.excuse = 'destroyed by the test';
    resetConnection(this.#socket);
  }

  #next(): void {
    if (this.#state !== 'talking' || this.#sending || this.#halfClosed) return;
    const { kind, random, messages, paceMs } = this.#options;
    if (this.#finishing || (kind === 'half' && this.#sentMessages >= HALF_MESSAGES)) {
      this.#halfClosed = true;
      this.#socket.end();
      return;
    }
    const window = kind === 'stream' ? STREAM_WINDOW : kind === 'slow' ? SLOW_WINDOW : kind === 'half' ? Infinity : 1;
    if (this.#unanswered >= window) return;
    const pauseMs = (kind === 'idle' ? IDLE_PAUSE_MS : paceMs) * 2 * random.fraction();
    const message = random.oneOf(messages);
    this.#sending = true;
    this.#pauseOver = setTimeout(() => this.#send(message), pauseMs);
  }

  #send(message: Message): void {
    if (this.#state !== 'talking') return;
    this.#pauseOver = undefined;
    this.#sentMessages++;
    this.#sent += message.sent.length;
    this.#unanswered += message.reply.length;
    this.#owed.push({ message, sentAt: performance.now(), upTo: this.#sent });
    this.#write(message.sent);
  }

  /** In pieces, in turns of the event loop of their own: so most of them arrive as they were cut. */
  #write(rest: Buffer): void {
    if (this.#state !== 'talking') return;
    const { random, kind } = this.#options;
    const cut = random.fraction() < 0.5 ? rest.length : random.between(1, rest.length);
    this.#socket.write(rest.subarray(0, cut));
    if (cut < rest.length) {
      const later = (): void => this.#write(rest.subarray(cut));
      if (kind === 'idle' && !this.#finishing) setTimeout(later, IDLE_PAUSE_MS * random.fraction());
      else setImmediate(later);
      return;
    }
    this.#sending = false;
    this.#next();
  }

  #check(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const first = this.#owed[0];
      if (first === undefined) return this.#wrong(`${bytes.length - at} bytes more than were due`);
      const { reply } = first.message;
      const length = Math.min(bytes.length - at, reply.length - this.#offset);
      if (bytes.compare(reply, this.#offset, this.#offset + length, at, at + length) !== 0) {
        if (this.#endsInBegunCharacter(bytes.subarray(at))) return;
        const shown = bytes.subarray(at, at + Math.min(length, 40)).toString('hex');
        const due = reply.subarray(this.#offset, this.#offset + Math.min(length, 40)).toString('hex');
        return this.#wrong(`after ${this.answered} replies and ${this.#offset} bytes: ${shown}, not ${due}`);
      }
      at += length;
      this.#offset += length;
      this.#unanswered -= length;
      if (this.#offset === reply.length) {
        this.#owed.shift();
        this.#offset = 0;
        this.answered++;
        this.#events.answered(this, reply.length, performance.now() - first.sentAt);
      }
    }
    this.#next();
  }

  /**
   * Whether the bytes are right up to a character of which only the beginning had come when the server stopped: that is
   * returned as it is.
   */
  #endsInBegunCharacter(bytes: Buffer): boolean {
    if (this.#dueBeforeFin === undefined) return false;
    const { message: { sent, reply } } = this.#owed[0]!;
    const got = Buffer.concat([reply.subarray(0, this.#offset), bytes]);
    let at = 0;
    for (const character of sent.toString()) {
      const begun = got.subarray(at);
      const whole = Buffer.from(character);
      if (begun.length < whole.length && whole.subarray(0, begun.length).equals(begun)) {
        return got.subarray(0, at).equals(reply.subarray(0, at));
      }
      at += Buffer.byteLength(character.toUpperCase());
    }
    return false;
  }

  #wrong(detail: string): void {
    // What a crashed worker had read and not answered is lost to an adopted client; all that follows is out of step.
    if (this.excuse === undefined) this.#events.trouble(this, 'wrong bytes', detail);
    resetConnection(this.#socket);
  }

  #rest(): void {
    if (this.#finishing) return;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), SLOW_PAUSE_MS);
  }

  /** The server's FIN. */
  #ended(): void {
    const due = this.#dueBeforeFin ?? (this.#halfClosed ? this.answered + this.#owed.length : undefined);
    if (due === undefined) {
      if (this.excuse === undefined) {
        this.#events.trouble(this, 'cut off', `by a FIN, with ${this.#owed.length} replies due`);
      }
    } else if (this.answered < due && this.excuse === undefined) {
      const missing = this.#owed.slice(0, due - this.answered)
        .reduce((sum, { message }) => sum + message.reply.length, -this.#offset);
      this.#events.trouble(this, 'missing bytes', `${missing} bytes of ${due - this.answered} replies`);
    }
    this.#socket.end();
    this.#over('FIN');
    this.#socket.destroySoon();
  }

  #failed(code: string): void {
    if (this.#state === 'over' || this.excuse !== undefined) return;
    const replies = `${this.answered} replies, with ${this.#owed.length} due`;
    if (this.#state === 'connecting') this.#events.trouble(this, 'not connected', code);
    else this.#events.trouble(this, 'cut off', `by ${code} after ${replies}`);
  }

  #over(by: 'FIN' | 'reset'): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.endedAt = performance.now();
    this.endedBy = by;
    clearTimeout(this.#pauseOver);
    this.#events.over(this);
  }
}
