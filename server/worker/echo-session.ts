// One connection in a worker: reads, upper-cases, writes back, and knows when it may be left to another worker.
// Made by worker.ts, which decides when to drain and when to give back.
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { codeOf } from '../../shared/errors.ts';
import { resetConnection } from '../../shared/reset.ts';
import { afterRunning, afterSilence, limitSilence, type Limit, type Stop } from '../../shared/running-time.ts';
import { Uppercaser } from '../uppercase/uppercaser.ts';
import { Arrivals } from './arrivals.ts';
import type { DelayedOutput } from './delayed-output.ts';
import type { Behavior } from './behavior.ts';
import { NO_TRAFFIC, UNTOUCHED, type CloseReason, type Moved, type Traffic } from './messages.ts';
import type { Session, SessionHost } from './session.ts';

/**
 * arrived ─▶ serving ─▶ ended      the client's FIN came, or all is sent that is to be: what is left, then our FIN
 *                    ─▶ draining   the server stops: what has arrived is answered, then our FIN
 *                    ─▶ returning  the worker retires: left as soon as all replies are out
 *         and from each ─▶ over, with `closed` or `givenBack`
 */
type State = 'arrived' | 'serving' | 'ended' | 'draining' | 'returning' | 'over';

/** After our FIN (nginx's lingering close): for how long the client may be silent, in milliseconds, */
const LINGERING_TIMEOUT_MS = 1000;
/** and for how long it may go on sending, before the connection is closed all the same. */
const LINGERING_TIME_MS = 2000;
/** At a stop no longer than one of so many parts of the grace: our FIN may come after half of it. */
const PARTS_OF_GRACE = 3;
const NOTHING = Buffer.alloc(0);
/** Where a stream has its session, for listeners that all share: own ones take 260 bytes more a connection. */
const SESSION = Symbol('session');
type Served<Stream> = Stream & { [SESSION]: EchoSession };

export class EchoSession implements Session {
  readonly id: number;
  readonly peer: string;
  readonly #socket: Socket;
  /** What holds replies back (--delay), and what they are written to: that, or the socket. */
  readonly #delayed: DelayedOutput | undefined;
  readonly #out: Writable;
  readonly #host: SessionHost;
  readonly #uppercaser = new Uppercaser();
  #state: State = 'arrived';
  #unread: Uint8Array;
  #reason: CloseReason = 'client ended';
  #messages: number;
  #bytesIn: number;
  #bytesOut: number;
  /** How many of these are the greeting; null: it is yet to be sent. */
  #greeted: number | null;
  /** How many there may be. */
  #mostOut: number;
  /** How long a stop may take. */
  #graceMs = Infinity;
  /** While draining: tells when all is answered that had arrived before. */
  #arrivals: Arrivals | undefined;
  /** Ends the clocks that run for this connection; the idle clock is one of them. */
  readonly #clocks: Stop[] = [];
  readonly #idle: Limit | undefined;

  /**
   * @param socket As it came from the master: paused. From here on the session's.
   * @param moved What comes along from an earlier worker.
   * @param idleTimeoutMs Closes the connection when for so long nothing was read from it and nothing taken of our
   * replies; 0: never.
   */
  constructor(host: SessionHost, id: number, peer: string, socket: Socket, moved: Moved | null, idleTimeoutMs: number) {
    this.id = id;
    this.peer = peer;
    this.#host = host;
    this.#socket = socket;
    this.#unread = moved?.unread ?? NOTHING;
    ({ messages: this.#messages, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut } = moved?.traffic ?? NO_TRAFFIC);
    const { behavior } = host;
    this.#greeted = moved?.greeted ?? null;
    this.#mostOut = behavior === undefined ? Infinity : behavior.mostReplies + (this.#greeted ?? 0);
    this.#delayed = behavior?.delay(socket);
    this.#out = this.#delayed ?? socket;
    // First of all: if the client has reset the connection by now, the first read fails.
    for (const stream of [socket, this.#out] as Served<Writable>[]) stream[SESSION] = this;
    socket.on('error', EchoSession.#onError);
    // It does not come along from the master. Without it a client that half-closes gets no reply.
    socket.allowHalfOpen = true;
    socket.on('data', EchoSession.#onData);
    socket.on('end', EchoSession.#onEnd);
    this.#out.on('drain', EchoSession.#onDrain);
    socket.on('close', EchoSession.#onClose);
    if (idleTimeoutMs > 0) {
      const progress = (): number => this.#bytesIn + this.#bytesOut - this.#unsent + (this.#delayed?.looks ?? 0);
      this.#idle = limitSilence(idleTimeoutMs, progress, () => this.#close('idle'), moved?.silentMs);
      this.#clocks.push(this.#idle.stop);
    }
  }

  /** Greets, answers what an earlier worker had read and not answered, and begins to read. */
  start(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'serving';
    if (this.#host.behavior !== undefined && this.#greeted === null) this.#greet(this.#host.behavior);
    if (this.#unread.length > 0) this.#answer(Buffer.from(this.#unread));
    this.#unread = NOTHING;
    // When the header of a proxy has come, and no more.
    if (this.#socket.readableEnded) this.#clientEnded();
    else this.#readOn();
  }

  /** Answers what has arrived, then sends a FIN. @param graceMs How long the server waits before it ends everything. */
  drain(graceMs: number): void {
    this.#graceMs = graceMs;
    if (this.#state === 'ended' && this.#socket.writableFinished) {
      // Our FIN is out, and the client has yet to close: no longer than a stop has time for that.
      this.#clocks.push(afterRunning(graceMs / PARTS_OF_GRACE, () => { this.#socket.destroy(); }));
    }
    this.start();
    if (this.#state !== 'serving' && this.#state !== 'returning') return;
    this.#state = 'draining';
    this.#readOn();
    this.#arrivals = new Arrivals(this.#socket, () => this.#stop());
    this.#arrivals.look();
    // A client that reads slower than it sends, or sends faster than we read, never ends by itself.
    this.#clocks.push(afterRunning(graceMs / 2, () => this.#stop()));
  }

  /** Leaves the connection to another worker, as soon as nothing waits to be sent. */
  giveBack(): void {
    if (this.#state === 'arrived') {
      this.#leave(this.#unread);
    } else if (this.#state === 'serving') {
      this.#state = 'returning';
      this.#socket.pause();
      // An empty write is done when all before it are. 'drain' would not do: it comes only after a full buffer.
      if (this.#unsent > 0) this.#out.write(NOTHING, () => this.#returnIfQuiet());
      else this.#returnIfQuiet();
    }
  }

  /** Closes the connection, which could not be given back in time. */
  giveUp(): void {
    if (this.#state !== 'over') this.#close('not quiet in time');
  }

  get traffic(): Traffic { return { messages: this.#messages, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut }; }

  static #onError(this: Served<Socket>, error: Error): void {
    if (this[SESSION].#state !== 'over') this[SESSION].#reason = `error ${codeOf(error) ?? error.message}`;
  }
  static #onData(this: Served<Socket>, bytes: Buffer): void { this[SESSION].#received(bytes); }
  static #onEnd(this: Served<Socket>): void { this[SESSION].#clientEnded(); }
  static #onDrain(this: Served<Writable>): void { this[SESSION].#drained(); }
  static #onClose(this: Served<Socket>): void { this[SESSION].#closed(); }

  #received(bytes: Buffer): void {
    if (this.#state === 'over') return;
    this.#messages++;
    this.#bytesIn += bytes.length;
    this.#host.message(this, bytes);
    this.#answer(bytes);
  }

  #answer(bytes: Buffer): void {
    const reply = this.#uppercaser.push(bytes);
    if (reply.length === 0) return;
    if (this.#bytesOut + reply.length >= this.#mostOut) return this.#answerLast(reply);
    this.#bytesOut += reply.length;
    // A client that does not read stops its own connection only: nothing more is read until it has. After a long reply
    // write() returns false even when the system has taken all of it.
    if (!this.#out.write(reply) && this.#out.writableLength > 0) this.#socket.pause();
  }

  #greet(behavior: Behavior): void {
    const greeting = behavior.greeting(this.#socket, this.peer);
    this.#greeted = greeting.length;
    this.#bytesOut += greeting.length;
    this.#mostOut += greeting.length;
    if (greeting.length > 0) this.#socket.write(greeting);
  }

  /** As many bytes as may still be sent, and then the end that was asked for. */
  #answerLast(reply: Buffer): void {
    const last = reply.subarray(0, this.#mostOut - this.#bytesOut);
    if (!this.#host.behavior!.resets) return this.#sendFin('--close-after', last);
    this.#state = 'ended';
    this.#reason = '--reset-after';
    this.#socket.removeAllListeners('data').pause();
    this.#bytesOut += last.length;
    this.#out.write(last, () => resetConnection(this.#socket));
  }

  /** How many bytes the system has not taken yet. */
  get #unsent(): number { return this.#socket.writableLength + (this.#delayed?.writableLength ?? 0); }

  /** Whether something of the client's that was read has no reply yet. */
  get #isOwedMore(): boolean {
    if (this.#state === 'ended') return false;
    return this.#unread.length + this.#uppercaser.held.length + this.#socket.readableLength > 0;
  }

  #drained(): void {
    if (this.#state === 'returning') return;
    this.#readOn();
    // A client that had to read first has made it wait.
    this.#arrivals?.look();
  }

  /** Unless the client has yet to read what it was sent: 'drain' comes then. */
  #readOn(): void {
    if (!this.#out.writableNeedDrain) this.#socket.resume();
  }

  #clientEnded(): void {
    if (this.#state === 'over' || this.#state === 'ended') return;
    this.#state = 'ended';
    this.#endWith(this.#uppercaser.end());
  }

  #stop(): void {
    if (this.#state === 'draining') this.#sendFin('server stopping', this.#uppercaser.end());
  }

  /** @param last Goes before it. */
  #sendFin(reason: CloseReason, last: Buffer): void {
    const socket = this.#socket;
    this.#state = 'ended';
    this.#reason = reason;
    // Closing while the client sends would reset the connection, and the reset might overtake our last replies. So what
    // still comes is read and dropped, until the client has closed too, or long enough.
    socket.removeAllListeners('data');
    this.#out.removeAllListeners('drain');
    // The idle clock goes on until then: a client that reads nothing would else stay for ever.
    socket.once('finish', () => {
      this.#stopClocks();
      socket.resume();
      const close = (): void => { socket.destroy(); };
      const most = this.#graceMs / PARTS_OF_GRACE;
      this.#clocks.push(afterSilence(Math.min(LINGERING_TIMEOUT_MS, most), () => socket.bytesRead, close));
      this.#clocks.push(afterRunning(Math.min(LINGERING_TIME_MS, most), close));
    });
    this.#endWith(last);
  }

  /** Sends the last bytes, as they are, and our FIN. */
  #endWith(rest: Buffer): void {
    const last = rest.subarray(0, Math.min(rest.length, this.#mostOut - this.#bytesOut));
    this.#bytesOut += last.length;
    if (last.length > 0) this.#out.end(last);
    else this.#out.end();
  }

  #returnIfQuiet(): void {
    const socket = this.#socket;
    if (this.#state !== 'returning' || this.#unsent > 0 || socket.destroyed) return;
    socket.removeAllListeners('data');
    // What the stream had read before it was paused is taken in this very turn: nothing can arrive in between.
    const read = socket.readableLength > 0 ? socket.read() as Buffer | null : null;
    if (read !== null) {
      this.#messages++;
      this.#bytesIn += read.length;
      this.#host.message(this, read);
    }
    this.#leave(read === null ? this.#uppercaser.held : Buffer.concat([this.#uppercaser.held, read]));
  }

  /** @param unread What the next worker has to answer. */
  #leave(unread: Uint8Array): void {
    this.#state = 'over';
    const silentMs = Math.round(this.#idle?.passedMs ?? 0);
    this.#stopClocks();
    this.#delayed?.destroy();
    // Closes our descriptor and no more: the master's copy keeps the connection as it is.
    this.#socket.destroy();
    this.#host.givenBack(this, { ...UNTOUCHED, traffic: this.traffic, unread, silentMs, greeted: this.#greeted });
  }

  #close(reason: CloseReason): void {
    this.#reason = reason;
    // A client that has not got all its replies must not take a FIN for their end.
    if (this.#unsent > 0 || this.#isOwedMore) resetConnection(this.#socket);
    else this.#socket.destroy();
  }

  #stopClocks(): void {
    if (this.#clocks.length > 0) for (const stop of this.#clocks.splice(0)) stop();
  }

  #closed(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#stopClocks();
    this.#delayed?.destroy();
    this.#host.closed(this, this.#reason, this.traffic);
  }
}
