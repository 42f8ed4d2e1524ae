// The forked side of the server: takes sockets from the master, echoes, logs, and ends when the master says so.
// Started by worker-process.ts, by way of entry.ts.
import type { Socket } from 'node:net';
import { Log } from '../../shared/log/log.ts';
import type { LogFormat, LogLevel } from '../../shared/log/log.ts';
import { currentProcess } from '../../shared/multiprocessing/process/current.ts';
// For the terminal's lock, which comes as an argument: else the whole toolkit would be loaded for it (kinds.ts).
import '../../shared/multiprocessing/lock/lock.ts';
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import { afterRunning, limitSilence } from '../../shared/running-time.ts';
import type { Stop } from '../../shared/running-time.ts';
import { Terminal } from '../../shared/terminal/terminal.ts';
import { jobOf } from '../signals/job.ts';
import { forgetLostTerminal } from '../signals/lost-terminal.ts';
import { EchoSession } from './echo-session.ts';
import type { Behavior, BehaviorOptions } from './behavior.ts';
import { ACCEPTED, CLOSED, minus, NO_TRAFFIC, plus, readToWorker } from './messages.ts';
import type {
  Accepted, Closed, CloseReason, Moved, OtherFromWorker, Pong, Probe, ProxyClient, ToWorker, Traffic,
} from './messages.ts';
import type { ProxyHost, ProxySession } from './proxy-session.ts';
import { writeNoStacksOfResets } from './reset-errors.ts';
import type { Session, SessionHost } from './session.ts';

/** What a worker needs to know from the start. */
export interface WorkerOptions {
  /** The worker's place in the pool, 1 to the number of workers: what the log calls it. */
  readonly slot: number;
  readonly idleTimeoutMs: number;
  readonly log: LogLevel;
  readonly logFormat: LogFormat;
  readonly color: boolean;
  /** false: who leaves without a byte is not logged, and reported as a probe. */
  readonly logsProbes: boolean;
  /** For the PROXY protocol header, where connections may begin with one; null: none does. */
  readonly proxyTimeoutMs: number | null;
  /** null: it answers plainly. */
  readonly behavior: BehaviorOptions | null;
}

/** What only some workers have: each is loaded when it is asked for. */
interface Extras {
  readonly ProxySession: typeof ProxySession | undefined;
  readonly behavior: Behavior | undefined;
}

/** How long the last log lines may take to be sent to the master, in milliseconds. */
const LAST_WORDS_MS = 500;

/** Serves connections until the master says `retire` or `drain` and none is left. */
export async function work(options: WorkerOptions, terminalLock: Lock): Promise<void> {
  // A terminal's Ctrl-C reaches every process of the group, and so does the SIGTERM of systemd and of timeout(1): but
  // the master decides when a worker stops.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  // Where there is a terminal, these come from it and stop the whole job (job-control.ts).
  if (jobOf(process.pid)?.hasTerminal !== true) {
    for (const signal of ['SIGTTIN', 'SIGTTOU'] as const) process.on(signal, () => {});
  }
  forgetLostTerminal();
  writeNoStacksOfResets();
  const log: Log = new Log({
    print: (block) => terminal.print(block),
    format: options.logFormat, level: options.log, color: options.color, who: options.slot,
  });
  const master = currentProcess().parent!;
  const terminal = new Terminal({
    lock: terminalLock, droppedLine: (count, least) => log.droppedLine(count, least),
    handTo: (blocks) => {
      for (const block of blocks) master.post({ type: 'lines', ...block } satisfies OtherFromWorker);
      return master.flushed();
    },
  });
  const extras: Extras = {
    ProxySession: options.proxyTimeoutMs === null ? undefined : (await import('./proxy-session.ts')).ProxySession,
    behavior: options.behavior === null
      ? undefined : await (await import('./behavior.ts')).behaviorOf(options.behavior, options.slot),
  };
  await new Worker(options, extras, log, terminal).ended;
  await terminal.close(LAST_WORDS_MS);
}

class Worker implements SessionHost, ProxyHost {
  readonly ended: Promise<void>;
  readonly behavior: Behavior | undefined;
  readonly #ProxySession: typeof ProxySession | undefined;
  readonly #options: WorkerOptions;
  readonly #log: Log;
  readonly #terminal: Terminal;
  readonly #sessions = new Map<number, EchoSession | ProxySession>();
  /** Those of which nothing is logged yet, or will be; undefined when each is logged at once. */
  readonly #probes: Map<number, Probe> | undefined;
  readonly #master = currentProcess().parent!;
  /** What connections have seen that are gone from here, without what connections had seen before they came. */
  #elsewhere = NO_TRAFFIC;
  #leaving: 'retire' | 'drain' | undefined;
  #stopGrace: Stop = () => {};
  /** While the server stops: how much of the grace is left. Time in which this process stood still is nobody's. */
  #graceLeftMs = (): number => 0;
  /** Whether more connections may come although it is leaving. */
  #awaitsMore = false;
  #end: () => void = () => {};

  constructor(options: WorkerOptions, { ProxySession, behavior }: Extras, log: Log, terminal: Terminal) {
    this.#options = options;
    this.#ProxySession = ProxySession;
    this.behavior = behavior;
    this.#probes = options.logsProbes ? undefined : new Map();
    this.#log = log;
    this.#terminal = terminal;
    this.ended = new Promise((resolve) => { this.#end = resolve; });
    this.#master.listen((message, socket) => this.#receive(message, socket));
    this.#tell({ type: 'ready' });
  }

  #tell(message: OtherFromWorker): void {
    this.#master.post(message);
  }

  #receive(unread: unknown, socket: Socket | undefined): void {
    const message = readToWorker(unread);
    switch (message?.type) {
      case 'connection':
        this.#serve(message, socket);
        break;
      case 'verdict': {
        const session = this.#sessions.get(message.id);
        if (session !== undefined && 'verdict' in session) session.verdict(message.admitted);
        break;
      }
      case 'ping':
        this.#tell(this.#pong());
        break;
      case 'retire':
        this.#retire(message.graceMs);
        break;
      case 'drain':
        this.#drain(message.graceMs);
        break;
      case 'leave':
        this.#awaitsMore = false;
        this.#endIfDone();
        break;
      case 'check':
        // Node drops a message whose socket this process had no descriptor for. If it did arrive, and has ended since,
        // the master has heard that before, and does not believe this.
        if (!this.#sessions.has(message.id)) this.#tell({ type: 'unusable', id: message.id });
        break;
      case undefined:
        socket?.destroy();
        this.#log.warn('protocol', 'the master sent a message that is none of the protocol; it is ignored');
        break;
    }
  }

  #pong(): Pong {
    const { unprinted, dropped } = this.#terminal;
    let traffic = this.#elsewhere;
    for (const session of this.#sessions.values()) traffic = plus(traffic, session.traffic);
    return { type: 'pong', unprinted, dropped, traffic };
  }

  #serve({ id, peer, proxy, moved }: ToWorker & { type: 'connection' }, socket: Socket | undefined): void {
    if (socket === undefined) {
      // It was destroyed before it was sent.
      this.#tell({ type: 'unusable', id });
      return;
    }
    const session = proxy
      ? new this.#ProxySession!(this, id, peer, socket, moved, this.#options)
      : new EchoSession(this, id, peer, socket, moved, this.#options.idleTimeoutMs);
    this.#sessions.set(id, session);
    if (moved !== null) this.#elsewhere = minus(this.#elsewhere, moved.traffic);
    this.#master.postOwn([ACCEPTED, id] satisfies Accepted);
    // Not a byte is read before the system has the message `accepted`. Else, if this process died, the connection would
    // go to another worker, and what this one had read would be missing.
    this.#master.whenFlushed(() => session.start());
    if (!proxy) this.#introduce(session, moved);
    if (this.#leaving === 'retire') session.giveBack();
    if (this.#leaving === 'drain') session.drain(this.#graceLeftMs());
  }

  /** Logs that it is connected, unless it may be a probe: then with its first byte. */
  #introduce({ id, peer }: Session, moved: Moved | null, isLocal = false): void {
    const probe = moved === null ? (isLocal ? 'local' : 'silent') : moved.probe;
    if (this.#probes === undefined) {
      if (moved === null) this.#log.connected(peer);
    } else if (probe !== null) {
      this.#probes.set(id, probe);
    }
  }

  message({ id, peer }: Session, bytes: Buffer): void {
    if (this.#probes?.has(id) === true) {
      if (this.#probes.get(id) === 'local') return;
      this.#probes.delete(id);
      this.#log.connected(peer);
    }
    this.#log.message(peer, bytes);
  }

  closed({ id, peer }: Session, reason: CloseReason, traffic: Traffic): void {
    this.#elsewhere = plus(this.#elsewhere, traffic);
    const probe = this.#probes?.get(id);
    const hasLeft = reason === 'client ended' || reason.startsWith('error ');
    const isProbe = probe === 'local' || (probe === 'silent' && hasLeft);
    this.#tellClosed(id, isProbe ? 'probe' : reason, traffic);
    if (!isProbe) {
      if (probe !== undefined) this.#log.connected(peer);
      this.#log.closed(peer, reason, traffic);
    }
    this.#forget(id);
  }

  givenBack({ id }: Session, moved: Moved): void {
    this.#elsewhere = plus(this.#elsewhere, moved.traffic);
    const probe = this.#probes?.get(id) ?? null;
    this.#tell({ type: 'givenBack', id, moved: probe === null ? moved : { ...moved, probe } });
    this.#forget(id);
  }

  identified({ id }: Session, client: ProxyClient): void {
    this.#tell({ type: 'client', id, ...client });
  }

  admitted({ id, peer, isLocal }: ProxySession, socket: Socket): Session {
    const session = new EchoSession(this, id, peer, socket, null, this.#options.idleTimeoutMs);
    this.#sessions.set(id, session);
    this.#introduce(session, null, isLocal);
    return session;
  }

  badHeader({ id }: Session, kind: string, reason: string): void {
    this.#tell({ type: 'badHeader', id, kind, reason });
    this.#forget(id);
  }

  unserved(session: ProxySession, reason: CloseReason): void {
    const { id, isLocal } = session;
    if (reason === 'refused') {
      // The master has logged that.
      this.#tellClosed(id, reason, NO_TRAFFIC);
      this.#forget(id);
    } else {
      this.#introduce(session, null, isLocal);
      this.closed(session, reason, NO_TRAFFIC);
    }
  }

  /** No hurry where the client has ended it; else it sees the end only when the master has closed its copy too. */
  #tellClosed(id: number, reason: CloseReason, { messages, bytesIn, bytesOut }: Traffic): void {
    this.#master.postLater([CLOSED, id, messages, bytesIn, bytesOut, reason] satisfies Closed);
    if (reason !== 'client ended' && !reason.startsWith('error ')) this.#master.flush();
  }

  #forget(id: number): void {
    this.#sessions.delete(id);
    this.#probes?.delete(id);
    this.#endIfDone();
  }

  #retire(graceMs: number): void {
    if (this.#leaving !== undefined) return;
    this.#leaving = 'retire';
    // From now on the master prints: whatever ends this process then, no line is lost.
    this.#terminal.handOver();
    this.#stopGrace = afterRunning(graceMs, () => {
      for (const session of this.#sessions.values()) session.giveUp();
    });
    for (const session of this.#sessions.values()) session.giveBack();
    this.#endIfDone();
  }

  #drain(graceMs: number): void {
    this.#leaving = 'drain';
    this.#terminal.handOver();
    this.#awaitsMore = true;
    this.#stopGrace();
    const grace = limitSilence(graceMs, () => 0, () => {});
    this.#stopGrace = grace.stop;
    this.#graceLeftMs = () => Math.max(0, graceMs - grace.passedMs);
    for (const session of this.#sessions.values()) session.drain(graceMs);
  }

  #endIfDone(): void {
    if (this.#leaving === undefined || this.#awaitsMore || this.#sessions.size > 0) return;
    this.#stopGrace();
    this.#tell(this.#pong());
    this.#end();
  }
}
