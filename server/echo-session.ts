// One connection in a worker: reads, upper-cases, writes back, and knows when it may be left to another worker.
// Made by worker.ts, which decides when to drain and when to give back.
import type { Socket } from 'node:net';
import { codeOf } from '../shared/errors.ts';
import { Uppercaser } from '../shared/uppercase.ts';
import type { CloseReason, Moved, Traffic } from './messages.ts';

/** The worker, as its sessions see it. Either `closed` or `givenBack` comes, once, and is the last of a session. */
export interface SessionHost {
  /** One read returned these bytes. They are changed right after: keep nothing of them. */
  message(session: EchoSession, bytes: Buffer): void;
  closed(session: EchoSession, reason: CloseReason, traffic: Traffic): void;
  givenBack(session: EchoSession, moved: Moved): void;
}

/**
 * serving ─▶ ended      the client's FIN came: what is left is sent, then our FIN
 *         ─▶ draining   the server stops: what has arrived is answered, then our FIN
 *         ─▶ returning  the worker retires: left as soon as all replies are out
 *         and from each ─▶ over, with `closed` or `givenBack`
 */
type State = 'serving' | 'ended' | 'draining' | 'returning' | 'over';

/** How long a client that keeps sending is listened to while the server stops, in milliseconds. */
const DRAIN_MS = 100;
/** How long after our FIN a client may go on sending before the connection is closed all the same, in milliseconds. */
const LINGER_MS = 200;
const NOTHING = Buffer.alloc(0);

export class EchoSession {
  /** The connection's number, and its client's address for the log. */
  readonly id: number;
  readonly peer: string;
  readonly #socket: Socket;
  readonly #host: SessionHost;
  readonly #uppercaser = new Uppercaser();
  #state: State = 'serving';
  #reason: CloseReason = 'client ended';
  #messages: number;
  #bytesIn: number;
  #bytesOut: number;
  #heardInThisTurn = false;

  /**
   * @param socket As it came from the master: paused. From here on the session's.
   * @param traffic What the connection has seen with earlier workers.
   * @param idleTimeoutMs Closes the connection after so long without traffic; 0: never.
   */
  constructor(host: SessionHost, id: number, peer: string, socket: Socket, traffic: Traffic, idleTimeoutMs: number) {
    this.id = id;
    this.peer = peer;
    this.#host = host;
    this.#socket = socket;
    ({ messages: this.#messages, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut } = traffic);
    // First of all: a client that has reset the connection by now is told of at the first read.
    socket.on('error', (error) => this.#failed(error));
    // Lost on the way from the master. Without it a client that half-closes gets no reply.
    socket.allowHalfOpen = true;
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
    socket.on('end', () => this.#clientEnded());
    socket.on('drain', () => this.#drained());
    socket.on('close', () => this.#closed());
    if (idleTimeoutMs > 0) socket.setTimeout(idleTimeoutMs, () => this.#close('idle'));
  }

  /** Begins to read. @param unread What an earlier worker had read and not answered. */
  start(unread: Uint8Array | undefined): void {
    if (unread !== undefined && unread.length > 0) this.#answer(Buffer.from(unread));
    this.#socket.resume();
  }

  /** Answers what has arrived, then sends a FIN. */
  drain(): void {
    if (this.#state !== 'serving' && this.#state !== 'returning') return;
    this.#state = 'draining';
    this.#socket.resume();
    const deadline = performance.now() + DRAIN_MS;
    // Whatever had arrived when the server stopped is read within two turns; silence says that no more is on the way.
    const look = (quietTurns: number): void => {
      if (this.#state !== 'draining') return;
      const quiet = !this.#heardInThisTurn && this.#socket.writableLength === 0;
      this.#heardInThisTurn = false;
      if (quietTurns >= 2 || performance.now() > deadline) this.#sayGoodbye();
      else setImmediate(look, quiet ? quietTurns + 1 : 0);
    };
    setImmediate(look, 0);
  }

  /** Leaves the connection to another worker, as soon as nothing waits to be sent. */
  giveBack(): void {
    if (this.#state !== 'serving') return;
    this.#state = 'returning';
    this.#socket.pause();
    // An empty write is done when all before it are. 'drain' would not do: it comes only after a full buffer.
    if (this.#socket.writableLength > 0) this.#socket.write(NOTHING, () => this.#returnIfQuiet());
    else this.#returnIfQuiet();
  }

  /** Closes a connection that could not be given back in time. */
  giveUp(): void {
    if (this.#state !== 'over') this.#close('not quiet in time');
  }

  get #traffic(): Traffic {
    return { messages: this.#messages, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  #received(bytes: Buffer): void {
    if (this.#state === 'over') return;
    this.#heardInThisTurn = true;
    this.#messages++;
    this.#bytesIn += bytes.length;
    this.#host.message(this, bytes);
    this.#answer(bytes);
  }

  #answer(bytes: Buffer): void {
    const reply = this.#uppercaser.push(bytes);
    if (reply.length === 0) return;
    this.#bytesOut += reply.length;
    // A client that does not read stops its own connection only: nothing more is read until it has.
    if (!this.#socket.write(reply)) this.#socket.pause();
  }

  #drained(): void {
    if (this.#state !== 'returning') this.#socket.resume();
  }

  #clientEnded(): void {
    if (this.#state === 'over' || this.#state === 'ended') return;
    this.#state = 'ended';
    this.#endWith(this.#uppercaser.end());
  }

  #sayGoodbye(): void {
    const socket = this.#socket;
    this.#state = 'ended';
    this.#reason = 'server stopping';
    // Closing with bytes unread would reset the connection, and the reset might overtake our last replies. So for a
    // short while what still comes is read and dropped.
    socket.removeAllListeners('data').removeAllListeners('timeout');
    // Not socket.setTimeout: a client that goes on sending would put it off for ever.
    socket.once('finish', () => setTimeout(() => socket.destroy(), LINGER_MS).unref());
    this.#endWith(this.#uppercaser.end());
    socket.resume();
  }

  /** Sends the last bytes, as they are, and our FIN. */
  #endWith(rest: Buffer): void {
    this.#bytesOut += rest.length;
    if (rest.length > 0) this.#socket.end(rest);
    else this.#socket.end();
  }

  #returnIfQuiet(): void {
    const socket = this.#socket;
    if (this.#state !== 'returning' || socket.writableLength > 0 || socket.readableEnded) return;
    socket.removeAllListeners('data');
    // What the stream had read before it was paused comes out now, in this very turn: nothing can arrive in between.
    const read = socket.readableLength > 0 ? socket.read() as Buffer | null : null;
    if (read !== null) {
      this.#messages++;
      this.#bytesIn += read.length;
      this.#host.message(this, read);
    }
    const unread = read === null ? this.#uppercaser.held : Buffer.concat([this.#uppercaser.held, read]);
    this.#state = 'over';
    // Closes our descriptor and no more: the master's copy keeps the connection as it is.
    socket.destroy();
    this.#host.givenBack(this, { unread, traffic: this.#traffic });
  }

  #failed(error: Error): void {
    if (this.#state !== 'over') this.#reason = `error ${codeOf(error) ?? error.message}`;
  }

  #close(reason: CloseReason): void {
    this.#reason = reason;
    this.#socket.destroy();
  }

  #closed(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#host.closed(this, this.#reason, this.#traffic);
  }
}
