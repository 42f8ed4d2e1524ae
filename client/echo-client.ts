// One connection to the echo server, a line a message. Used by the client program, the demos and the tests.

import { connect, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { unixPathOf } from '../shared/address.ts';
import { codeOf, messageOf } from '../shared/errors.ts';
import { counted } from '../shared/log/log-format.ts';

const LF = 0x0a;
/** Upper-casing makes three bytes of one at most (U+0390, U+01F0). */
const MOST_GROWTH = 3;
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** Where a server listens. */
export interface Endpoint {
  /** A name, an address, or `unix:PATH`, to which no port belongs. */
  host: string;
  port: number;
}

export interface ConnectOptions extends Endpoint {
  /** Aborting it ends the connecting, and later the connection, at once. */
  signal?: AbortSignal | undefined;
}

export interface EchoClientOptions extends ConnectOptions {
  /**
   * How long a reply may be, in bytes, 64 MiB if it is not said; but never less than three times its message, as long
   * as upper-casing may make it. It bounds the memory for a server that never ends a reply.
   */
  maxReplyBytes?: number | undefined;
  /** How many lines the server sends before it is asked: they are awaited, and are the client's `greeting`. */
  greetingLines?: number | undefined;
  /** Takes what no message asked for, whatever it is: then that does not end the connection. */
  onUnasked?: ((bytes: Buffer) => void) | undefined;
}

/**
 * Why there is no (whole) reply. `message` is a sentence that names host and port; `code` is the system's
 * (`ECONNREFUSED`, `ECONNRESET`, ...), `ABORT_ERR` after the signal, or one of
 * `ERR_ECHOPOOL_ENDED`: the server ended the connection; `ERR_ECHOPOOL_CLOSED`: this side called `close()`;
 * `ERR_ECHOPOOL_UNASKED`: the server sent what no message asked for, and nobody takes that (`greetingLines`,
 * `onUnasked`), so replies can no longer be told apart;
 * `ERR_ECHOPOOL_TOO_LONG`: a reply has not ended after `maxReplyBytes`.
 */
export class EchoClientError extends Error {
  override name = 'EchoClientError';
  readonly code: string;
  /** With `ERR_ECHOPOOL_TOO_LONG`: what had come of the reply. */
  readonly partial: Buffer | undefined;

  constructor(code: string, message: string, options?: ErrorOptions & { partial?: Buffer }) {
    super(message, options);
    this.code = code;
    this.partial = options?.partial;
  }
}

/** `host:port`, with brackets around an IPv6 address; `unix:PATH`. */
export function addressOf({ host, port }: Endpoint): string {
  if (unixPathOf(host) !== undefined) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What node:net takes to connect there. */
export function wayTo({ host, port }: Endpoint): { host: string; port: number } | { path: string } {
  const path = unixPathOf(host);
  return path === undefined ? { host, port } : { path };
}

/**
 * Opens a socket; resolves when it is connected.
 * @throws EchoClientError when it cannot be.
 */
export function openSocket(options: ConnectOptions & { allowHalfOpen?: boolean }): Promise<Socket> {
  const { signal, allowHalfOpen = false } = options;
  return new Promise((resolve, reject) => {
    let socket: Socket;
    try {
      socket = connect({ ...wayTo(options), allowHalfOpen, noDelay: true });
    } catch (error) {
      // No port, for example.
      reject(explain('connect', addressOf(options), error as Error));
      return;
    }
    if (signal) addAbortSignal(signal, socket);
    socket.once('error', (error) => reject(explain('connect', addressOf(options), error)));
    socket.once('connect', () => resolve(socket));
  });
}

/** What went wrong with a connection, as one sentence. No error means that the server ended it. */
export function explain(during: 'connect' | 'talk', address: string, cause?: Error): EchoClientError {
  if (cause === undefined) return new EchoClientError('ERR_ECHOPOOL_ENDED', `${address} closed the connection.`);
  // A name with several addresses fails with an AggregateError, which has a code but no message.
  const code = codeOf(cause) ?? 'ERR_ECHOPOOL_ENDED';
  const verb = during === 'connect' ? 'Cannot connect to' : 'Lost the connection to';
  const known: Record<string, string> = {
    ECONNREFUSED: `No server is listening on ${address} (ECONNREFUSED).`,
    ENOENT: `No server is listening on ${address} (ENOENT).`,
    EMFILE: `${verb} ${address}: this process may have no more files open (EMFILE); ulimit -n says how many it may.`,
    ABORT_ERR: `The connection to ${address} was given up.`,
  };
  return new EchoClientError(code, known[code] ?? `${verb} ${address}: ${messageOf(cause) || code}.`, { cause });
}

/** A message that was sent and whose reply is not whole yet. A linked list, as an array's shift() is linear. */
interface Waiting {
  /** How many newlines are still to come before its reply is whole. */
  newlines: number;
  /** How many bytes of it may come without an end. */
  readonly limit: number;
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
  readonly #maxReplyBytes: number;
  readonly #onUnasked: ((bytes: Buffer) => void) | undefined;
  readonly #closed: Promise<EchoClientError>;
  #why: EchoClientError | undefined;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  /** The first `#held` bytes are the beginning of the next reply. Grows by doubling, so that collecting is linear. */
  #partial = Buffer.alloc(0);
  #held = 0;
  #greeting = '';

  /**
   * Connects to `host` and `port`, and reads the greeting, if there is to be one.
   * @throws EchoClientError when that fails.
   */
  static async connect(options: EchoClientOptions): Promise<EchoClient> {
    const client = new EchoClient(await openSocket(options), options);
    const { greetingLines = 0 } = options;
    if (greetingLines > 0) client.#greeting = (await client.#lines(greetingLines, client.#maxReplyBytes)).toString();
    return client;
  }

  private constructor(socket: Socket, options: EchoClientOptions) {
    const address = addressOf(options);
    this.#socket = socket;
    this.#address = address;
    this.#maxReplyBytes = options.maxReplyBytes ?? MAX_REPLY_BYTES;
    this.#onUnasked = options.onUnasked;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#end(explain('talk', address, error)));
    // No reply can come after that, so there is no point in going on, even if the server still reads.
    socket.on('end', () => this.#end(explain('talk', address)));
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#end(explain('talk', address))));
    });
  }

  /** What the server has sent first, without the last newline; empty unless `greetingLines` were awaited. */
  get greeting(): string {
    return this.#greeting;
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
   * @throws EchoClientError when the connection ends before the reply is whole, as it also does when that is too long.
   */
  async send(message: string | Uint8Array): Promise<string> {
    const bytes = Buffer.from(message);
    const limit = Math.max(this.#maxReplyBytes, MOST_GROWTH * bytes.length);
    const reply = this.#lines(1 + countNewlines(bytes), limit);
    if (this.#why === undefined) {
      this.#socket.cork();
      this.#socket.write(bytes);
      this.#socket.write('\n');
      this.#socket.uncork();
    }
    return (await reply).toString();
  }

  /** The next lines of the server that nobody waits for yet, without the last newline. */
  #lines(newlines: number, limit: number): Promise<Buffer> {
    return new Promise<Buffer>((resolve, reject) => {
      if (this.#why) return reject(this.#why);
      const waiting: Waiting = { newlines, limit, resolve, reject, next: undefined };
      if (this.#last) this.#last.next = waiting;
      else this.#first = waiting;
      this.#last = waiting;
    });
  }

  /** Ends the connection at once; messages without a whole reply are rejected. Resolves when it is closed. */
  async close(): Promise<void> {
    const sentence = `The connection to ${this.#address} was closed on this side.`;
    this.#end(new EchoClientError('ERR_ECHOPOOL_CLOSED', sentence));
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #read(chunk: Buffer): void {
    let start = 0;
    let from = 0;
    while (start < chunk.length && this.#why === undefined) {
      const waiting = this.#first;
      if (waiting === undefined) {
        if (this.#onUnasked !== undefined) return this.#onUnasked(chunk.subarray(start));
        const sentence = `${this.#address} sent ${counted(chunk.length - start, 'byte')} that no message asked for.`;
        this.#end(new EchoClientError('ERR_ECHOPOOL_UNASKED', sentence));
        return;
      }
      const newline = chunk.indexOf(LF, from);
      if (newline === -1) {
        this.#hold(chunk.subarray(start));
        if (this.#held > waiting.limit) this.#tooLong();
        return;
      }
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

  #tooLong(): void {
    const partial = Buffer.from(this.#partial.subarray(0, this.#held));
    const sentence = `${this.#address} sent ${this.#held.toLocaleString('en-US')} bytes without an end of the reply.`;
    this.#end(new EchoClientError('ERR_ECHOPOOL_TOO_LONG', sentence, { partial }));
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
