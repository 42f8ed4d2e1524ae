// A connection that begins with a PROXY protocol header, up to the end of that header: reads it, tells the master who
// the client is, and leaves the socket to an EchoSession when the master lets the client in. Loaded by worker.ts when
// there is a --bind-proxy.
import type { Socket } from 'node:net';
import { codeOf } from '../../shared/errors.ts';
import { resetConnection } from '../../shared/reset.ts';
import { limitSilence } from '../../shared/running-time.ts';
import type { Limit } from '../../shared/running-time.ts';
import { NO_TRAFFIC, UNTOUCHED } from './messages.ts';
import type { CloseReason, Moved, ProxyClient } from './messages.ts';
import { ProxyHeader } from './proxy-header.ts';
import type { BadHeader, GoodHeader } from './proxy-outcome.ts';
import type { Session } from './session.ts';

/** The worker, as these sessions see it. `admitted`, `badHeader`, `unserved` or `givenBack` is the last of one. */
export interface ProxyHost {
  /** The header is whole: the master is to be asked, and answers with {@link ProxySession.verdict}. */
  identified(session: ProxySession, client: ProxyClient): void;
  /** The client is let in. @returns What goes on with the socket, whose next bytes are the first behind the header. */
  admitted(session: ProxySession, socket: Socket): Session;
  badHeader(session: ProxySession, kind: BadHeader['kind'] | 'late', reason: string): void;
  /** It is over, and nothing was answered. */
  unserved(session: ProxySession, reason: CloseReason): void;
  givenBack(session: ProxySession, moved: Moved): void;
}

/** In milliseconds; 0: never. */
export interface ProxyLimits {
  /** Without a byte, as for every connection. */
  readonly idleTimeoutMs: number;
  /** Until the header is whole. A proxy has it ready when it connects. */
  readonly proxyTimeoutMs: number | null;
}

/**
 * arrived ─▶ reading ─▶ asked    the header is whole; nothing is read and nothing is said until the master answers
 *         and from each ─▶ over
 *
 * Given back, it goes with what there is of the header; once the master is asked, after its answer. When the server
 * stops, what has arrived is read, and it is ended if that was not a whole header.
 */
type State = 'arrived' | 'reading' | 'asked' | 'over';

/** After so many turns of the event loop without anything to read, nothing had arrived. */
const QUIET_TURNS = 3;

export class ProxySession implements Session {
  readonly id: number;
  /** The proxy's address; the client's, once that is known. */
  peer: string;
  /** A proxy's own check: there is no client behind it. */
  isLocal = false;
  /** A header is no message. */
  readonly traffic = NO_TRAFFIC;
  readonly #host: ProxyHost;
  readonly #socket: Socket;
  readonly #header: ProxyHeader;
  readonly #timeoutMs: number;
  #state: State = 'arrived';
  #reason: CloseReason = 'client ended';
  /** What the worker wants it to do, for when it is an echo. */
  #then: ((session: Session) => void) | undefined;
  readonly #idle: Limit | undefined;
  /** For the header to be whole, and how long earlier workers have waited for it. */
  #late: Limit | undefined;
  readonly #waitedMs: number;
  readonly #onData = (bytes: Buffer): void => this.#received(bytes);

  /**
   * @param socket As it came from the master: paused.
   * @param moved What comes along from an earlier worker.
   */
  constructor(host: ProxyHost, id: number, peer: string, socket: Socket, moved: Moved | null, limits: ProxyLimits) {
    this.#host = host;
    this.id = id;
    this.peer = peer;
    this.#socket = socket;
    this.#header = new ProxyHeader((moved ?? UNTOUCHED).header);
    this.#waitedMs = moved?.headerMs ?? 0;
    this.#timeoutMs = limits.proxyTimeoutMs ?? 0;
    // These are as in an EchoSession.
    socket.on('error', (error) => this.#failed(error));
    socket.allowHalfOpen = true;
    socket.on('data', this.#onData);
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
    const { idleTimeoutMs } = limits;
    if (idleTimeoutMs === 0) return;
    this.#idle = limitSilence(idleTimeoutMs, () => socket.bytesRead, () => this.#close('idle'), moved?.silentMs);
  }

  start(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'reading';
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs > 0) {
      const late = (): void => this.#bad('late', `not whole after ${timeoutMs} ms`);
      this.#late = limitSilence(timeoutMs, () => 0, late, this.#waitedMs);
    }
    this.#socket.resume();
  }

  drain(graceMs: number): void {
    this.start();
    this.#then = (session) => session.drain(graceMs);
    this.#endWhenQuiet(0, this.#socket.bytesRead);
  }

  giveBack(): void {
    if (this.#state === 'reading') {
      this.#socket.pause();
      // What the stream has read by now is taken in this very turn: nothing can arrive in between.
      while (this.#state === 'reading' && this.#socket.read() !== null);
    }
    if (this.#state === 'arrived' || this.#state === 'reading') {
      const silentMs = Math.round(this.#idle?.passedMs ?? 0);
      const headerMs = Math.round(this.#late?.passedMs ?? this.#waitedMs);
      this.#leave();
      this.#host.givenBack(this, { ...UNTOUCHED, silentMs, header: this.#header.held, headerMs });
    } else {
      this.#then ??= (session) => session.giveBack();
    }
  }

  giveUp(): void {
    this.#close('not quiet in time');
  }

  /** The master has answered. */
  verdict(admitted: boolean): void {
    const socket = this.#socket;
    if (this.#state !== 'asked' || socket.destroyed) return;
    if (!admitted) return this.#close('refused');
    this.#state = 'over';
    socket.removeListener('data', this.#onData);
    const session = this.#host.admitted(this, socket);
    session.start();
    this.#then?.(session);
  }

  #received(bytes: Buffer): void {
    if (this.#state !== 'reading') return;
    const outcome = this.#header.push(bytes);
    if (outcome.type === 'done') this.#whole(outcome, outcome.rest);
    else if (outcome.type === 'bad') this.#bad(outcome.kind, outcome.reason);
  }

  #whole({ host, source, isLocal }: GoodHeader, rest: Buffer): void {
    this.#state = 'asked';
    this.#stopClocks();
    this.#socket.pause();
    if (rest.length > 0) this.#socket.unshift(rest);
    this.isLocal = isLocal;
    this.peer = source ?? this.peer;
    this.#host.identified(this, { peer: this.peer, host: host ?? null, isLocal });
  }

  #ended(): void {
    if (this.#state !== 'reading') return;
    if (this.#header.held.length === 0) this.#close('client ended');
    else this.#incomplete();
  }

  #failed(error: Error): void {
    if (this.#state === 'reading' && this.#header.held.length > 0) this.#incomplete();
    else this.#reason = `error ${codeOf(error) ?? error.message}`;
  }

  #incomplete(): void {
    const { kind, reason } = this.#header.end();
    this.#bad(kind, reason);
  }

  #endWhenQuiet(quietTurns: number, before: number): void {
    setImmediate(() => {
      if (this.#state !== 'reading') return;
      const read = this.#socket.bytesRead;
      if (read !== before) this.#endWhenQuiet(0, read);
      else if (quietTurns < QUIET_TURNS) this.#endWhenQuiet(quietTurns + 1, read);
      else this.#close('server stopping');
    });
  }

  #bad(kind: BadHeader['kind'] | 'late', reason: string): void {
    if (this.#state === 'over') return;
    this.#leave();
    this.#host.badHeader(this, kind, reason);
  }

  #close(reason: CloseReason): void {
    if (this.#state === 'over') return;
    this.#reason = reason;
    // Who was not refused is owed a reply to what has come behind the header: it must not take a FIN for its end.
    if (reason !== 'refused' && this.#socket.readableLength > 0) resetConnection(this.#socket);
    else this.#socket.destroy();
  }

  /** Closes our descriptor, of which there is nothing more to say. */
  #leave(): void {
    this.#state = 'over';
    this.#stopClocks();
    this.#socket.destroy();
  }

  #stopClocks(): void {
    this.#idle?.stop();
    this.#late?.stop();
  }

  #closed(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#stopClocks();
    this.#host.unserved(this, this.#reason);
  }
}
