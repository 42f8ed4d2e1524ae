// One connection to the echo server, a line a message. Used by client/main.ts, the demos and the tests.

import { connect, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { codeOf, messageOf } from '../shared/errors.ts';

const LF = 0x0a;

/** Where a server listens. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface ConnectOptions extends Endpoint {
  /** Aborting it ends the connecting, and later the connection, at once. */
  signal?: AbortSignal;
}

/**
 * Why there is no (whole) reply. `message` is a sentence that names host and port; `code` is the system's
 * (`ECONNREFUSED`, `ECONNRESET`, ...), `ABORT_ERR` after the signal, or one of
 * `ERR_ECHOPOOL_ENDED`: the server ended the connection; `ERR_ECHOPOOL_CLOSED`: this side called `close()`;
 * `ERR_ECHOPOOL_UNASKED`: the server sent what no message asked for, so replies can no longer be told apart.
 */
export class EchoClientError extends Error {
  override name = 'EchoClientError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressOf({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Opens a socket; resolves when it is connected.
 * @throws EchoClientError when it cannot be.
 */
export function openSocket(options: ConnectOptions & { allowHalfOpen?: boolean }): Promise<Socket> {
  const { host, port, signal, allowHalfOpen = false } = options;
  const socket = connect({ host, port, allowHalfOpen, noDelay: true });
  if (signal) addAbortSignal(signal, socket);
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(explain('connect', addressOf(options), error)));
    socket.once('connect', () => resolve(socket));
  });
}

/** What went wrong with a connection, as one sentence. No error means that the server ended it. */
export function explain(during: 'connect' | 'talk', address: string, cause?: Error): EchoClientError {
  if (cause === undefined) return new EchoClientError('ERR_ECHOPOOL_ENDED', `${address} closed the connection.`);
  // A name with several addresses fails with an AggregateError, which has a code but no message.
  const code = codeOf(cause) ?? 'ERR_ECHOPOOL_ENDED';
  const known: Record<string, string> = {
    ECONNREFUSED: `No server is listening on ${address} (ECONNREFUSED).`,
    ABORT_ERR: `The connection to ${address} was given up.`,
  };
  const verb = during === 'connect' ? 'Cannot connect to' : 'Lost the connection to';
  return new EchoClientError(code, known[code] ?? `${verb} ${address}: ${messageOf(cause) || code}.`, { cause });
}

/** A message that was sent and whose reply is not whole yet. A linked list, as an array's shift() is linear. */
interface Waiting {
  /** How many newlines are still to come before its reply is whole. */
  newlines: number;
  resolve(reply: Buffer): void;
  reject(error: EchoClientError): void;
  next: Waiting | undefined;
}

/**
 * A connection that pairs each message with its reply. The server returns newlines as they are, so a message is sent
 * with one at its end, and its reply is whole when that one is back: right for any length, any cut by TCP, and any
 * change of length by upper-casing.
 */
export class EchoClient {
  readonly #socket: Socket;
  readonly #address: string;
  readonly #closed: Promise<EchoClientError>;
  #why: EchoClientError | undefined;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  /** The first `#held` bytes are the beginning of the next reply. Grows by doubling, so that collecting is linear. */
  #partial = Buffer.alloc(0);
  #held = 0;

  /**
   * Connects to `host` and `port`.
   * @throws EchoClientError when that fails.
   */
  static async connect(options: ConnectOptions): Promise<EchoClient> {
    return new EchoClient(await openSocket(options), addressOf(options));
  }

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.#address = address;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#end(explain('talk', address, error)));
    // No reply can come after that, so there is no point in going on, even if the server still reads.
    socket.on('end', () => this.#end(explain('talk', address)));
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#end(explain('talk', address))));
    });
  }

  /** Whether the connection has ended, by whichever side. */
  get closed(): boolean {
    return this.#why !== undefined;
  }

  /** Resolves, never rejects, with the reason when the connection has ended. */
  whenClosed(): Promise<EchoClientError> {
    return this.#closed;
  }

  /**
   * Sends one message and resolves with its whole reply, without the newline that ends it. May be called again before
   * that: replies come in order. The message may hold newlines; its reply then holds as many. Bytes of the reply that
   * are not UTF-8 become U+FFFD in the string.
   * @throws EchoClientError when the connection ends before the reply is whole.
   */
  async send(message: string | Uint8Array): Promise<string> {
    const bytes = Buffer.from(message);
    const reply = await new Promise<Buffer>((resolve, reject) => {
      if (this.#why) return reject(this.#why);
      const waiting: Waiting = { newlines: 1 + countNewlines(bytes), resolve, reject, next: undefined };
      if (this.#last) this.#last.next = waiting;
      else this.#first = waiting;
      this.#last = waiting;
      this.#socket.cork();
      this.#socket.write(bytes);
      this.#socket.write('\n');
      this.#socket.uncork();
    });
    return reply.toString();
  }

  /** Ends the connection at once; messages without a whole reply are rejected. Resolves when it is closed. */
  async close(): Promise<void> {
    const sentence = `The connection to ${this.#address} was closed on this side.`;
    this.#end(new EchoClientError('ERR_ECHOPOOL_CLOSED', sentence));
    await this.#closed;
  }

  #read(chunk: Buffer): void {
    let start = 0;
    let from = 0;
    while (start < chunk.length && this.#why === undefined) {
      const waiting = this.#first;
      if (waiting === undefined) {
        const sentence = `${this.#address} sent ${chunk.length - start} bytes that no message asked for.`;
        this.#end(new EchoClientError('ERR_ECHOPOOL_UNASKED', sentence));
        return;
      }
      const newline = chunk.indexOf(LF, from);
      if (newline === -1) return this.#hold(chunk.subarray(start));
      from = newline + 1;
      waiting.newlines -= 1;
      if (waiting.newlines > 0) continue;
      this.#first = waiting.next;
      if (this.#first === undefined) this.#last = undefined;
      waiting.resolve(this.#take(chunk.subarray(start, newline)));
      start = from;
    }
  }

  #hold(bytes: Buffer): void {
    const length = this.#held + bytes.length;
    if (length > this.#partial.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#partial.length));
      this.#partial.copy(grown, 0, 0, this.#held);
      this.#partial = grown;
    }
    bytes.copy(this.#partial, this.#held);
    this.#held = length;
  }

  #take(rest: Buffer): Buffer {
    if (this.#held === 0) return rest;
    this.#hold(rest);
    const whole = this.#partial.subarray(0, this.#held);
    this.#partial = Buffer.alloc(0);
    this.#held = 0;
    return whole;
  }

  /** Settles everything, once: the first reason stays. */
  #end(why: EchoClientError): EchoClientError {
    if (this.#why) return this.#why;
    this.#why = why;
    this.#socket.destroy();
    for (let waiting = this.#first; waiting; waiting = waiting.next) waiting.reject(why);
    this.#first = this.#last = undefined;
    this.#partial = Buffer.alloc(0);
    return why;
  }
}

function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) count += 1;
  return count;
}

// ---- What a person or a pipe sends: lines without the white space around them, no empty ones

/** Space, tab, vertical tab, form feed, carriage return; what surrounds a line may be bytes of any encoding. */
function isBlank(code: number): boolean {
  return code <= 0x20 && (code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d));
}

/** The line without the ASCII white space around it. */
export function trimLine(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

/**
 * The same for a stream of bytes in pieces cut anywhere: what comes out are the trimmed lines that are not empty, each
 * with a newline. Memory is bounded by the longest run of white space, not by the longest line.
 */
export class LineTrimmer {
  /** How many messages have been given out whole. */
  messages = 0;
  /** Whether the line has had a byte that is not white space. */
  #started = false;
  /** White space from earlier pieces that counts only if the line goes on after it. */
  #blanks: Buffer[] = [];

  /** Takes the next bytes of the input; gives what can be sent of it, in order. */
  push(chunk: Uint8Array): Buffer[] {
    const out = Buffer.allocUnsafe(chunk.length);
    let pieces: Buffer[] = [];
    let held = this.#blanks;
    let started = this.#started;
    let length = 0; // of what is sure to be sent
    let blanks = 0; // of the white space behind it, which may yet turn out to be inside a line
    for (let at = 0; at < chunk.length; at += 1) { // Not for-of: three times as slow, and this is a pipe's speed.
      const byte = chunk[at] as number;
      if (isBlank(byte)) {
        if (started) out[length + blanks++] = byte;
      } else if (byte === LF) {
        if (started) {
          out[length++] = LF;
          this.messages += 1;
        }
        started = false;
        if (held.length > 0) held = [];
        blanks = 0;
      } else {
        if (held.length > 0) {
          // They come first, as since they were put aside nothing but white space has been seen.
          pieces = held;
          held = [];
        }
        started = true;
        length += blanks;
        blanks = 0;
        out[length++] = byte;
      }
    }
    if (blanks > 0) held.push(Buffer.from(out.subarray(length, length + blanks)));
    this.#blanks = held;
    this.#started = started;
    if (length > 0) pieces.push(out.subarray(0, length));
    return pieces;
  }

  /** The end of the input: gives the newline that the last line may lack. */
  end(): Buffer[] {
    return this.#started ? this.push(Buffer.from('\n')) : [];
  }
}
