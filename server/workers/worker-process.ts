// One worker's process as the master sees it: what is sent to it, whether the connection that it was offered last has
// arrived, and how long it may take to start and to retire. Made by worker-pool.ts.
import type { Socket } from 'node:net';
import type { Log } from '../../shared/log/log.ts';
import type { Lock } from '../../shared/multiprocessing/lock/lock.ts';
import { flagsForChildren } from '../../shared/multiprocessing/process/fork.ts';
import { Process } from '../../shared/multiprocessing/process/process.ts';
import { afterRunning, afterSilence } from '../../shared/running-time.ts';
import type { MoveReason } from '../../shared/status/status.ts';
import { work } from '../worker/entry.ts';
import { readFromWorker } from '../worker/messages.ts';
import type { Connection, FromWorker, Moved, OtherToWorker, WorkerReport } from '../worker/messages.ts';
import type { WorkerOptions } from '../worker/worker.ts';

const ENTRY = import.meta.url.endsWith('.ts') ? '../worker/entry.ts' : '../worker/entry.js';
/** A worker that has not said `ready` after so long never will, in milliseconds. */
const START_LIMIT_MS = 30_000;
/** How often a worker's offer is looked at, in milliseconds: one that is there at two looks is asked about. */
const OFFER_PROBE_MS = 200;
/** How long it may take to say what it has done, in milliseconds. */
const ASK_LIMIT_MS = 1000;
/**
 * The size of a half of V8's young generation, in MiB. It begins with 1, and what survives a burst of new connections
 * makes it grow to 16 or 32, which V8 gives back late or never. Under steady load it does not grow beyond this anyway.
 */
const YOUNG_GENERATION = '--max-semi-space-size=2';

/** A connection, as it is sent to a worker. */
export interface Offer {
  readonly id: number;
  readonly peer: string;
  readonly proxy: boolean;
  readonly moved: Moved | null;
  readonly socket: Socket;
}

export class WorkerProcess extends Process<[WorkerOptions, Lock]> {
  readonly id: number;
  readonly slot: number;
  /** How many lines of the log it had not printed when it answered last. */
  unprinted = 0;
  /** When it was started, when it became ready, and when it said something last, on the clock of performance.now(). */
  readonly startedAt = performance.now();
  readyAt = 0;
  heardAt = this.startedAt;
  /** What it leaves for, once it does. */
  leavesFor: MoveReason = 'other';
  /** It had to be ended; or it was not needed any more. */
  isGivenUp = false;
  isDismissed = false;
  /** It was told that no more connections come. */
  #leaves = false;
  readonly #log: Pick<Log, 'warn'>;
  /** How many messages have come from it. */
  #received = 0;
  /** The connection that it was offered and has not answered for, and the timer of the next look at it. */
  #offered: number | undefined;
  #offerProbe: NodeJS.Timeout | undefined;
  /** While it owes an answer: one that stands still is asked once. */
  #owesAnswer = false;
  /** Those who wait for it. A promise would keep all who ever waited, until it settles. */
  readonly #askers = new Set<() => void>();

  /** @param id Names it for the server, and is used once. */
  constructor(id: number, options: WorkerOptions, terminalLock: Lock, log: Pick<Log, 'warn'>) {
    const module = new URL(ENTRY, import.meta.url);
    const execArgv = flagsOfWorkers(process.execArgv, process.env['NODE_OPTIONS']);
    super({ module, target: work, args: [options, terminalLock], name: `worker ${options.slot}`, execArgv });
    this.id = id;
    this.slot = options.slot;
    this.#log = log;
  }

  /** Starts it. @param receive Takes what it says; undefined is a message that is none of the protocol. */
  run(receive: (message: FromWorker | undefined) => void): void {
    this.start();
    const stopLimit = afterRunning(START_LIMIT_MS, () => this.giveUp(`was not ready within ${START_LIMIT_MS} ms`));
    this.channel.listen((unread) => {
      this.#received++;
      this.heardAt = performance.now();
      const message = readFromWorker(unread);
      if (message?.type === 'ready') stopLimit();
      receive(message);
    });
    void this.ended.then(() => {
      stopLimit();
      clearTimeout(this.#offerProbe);
      this.answered();
    });
  }

  post(message: OtherToWorker): void {
    this.channel.post(message);
  }

  /**
   * Asks what it has done, unless it still owes an answer. Settles when it has said so, has ended, or was silent for a
   * second.
   */
  async ask(): Promise<void> {
    if (!this.isAlive) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stopLimit();
        this.#askers.delete(done);
        resolve();
      };
      const stopLimit = afterRunning(ASK_LIMIT_MS, done);
      this.#askers.add(done);
      if (!this.#owesAnswer) this.post({ type: 'ping' });
      this.#owesAnswer = true;
    });
  }

  /** It has said what it has done, or never will. */
  answered(): void {
    this.#owesAnswer = false;
    for (const done of this.#askers) done();
  }

  /**
   * Has it give its connections back and end. While it answers it is about to: it counts the grace itself.
   * @param silenceMs How long it may say nothing before it is given up.
   */
  retire(graceMs: number, silenceMs: number): void {
    this.post({ type: 'retire', graceMs });
    const stopLimit = afterSilence(silenceMs, () => this.#received, () => {
      this.giveUp(`has not ended, and has said nothing for ${silenceMs} ms`);
    });
    void this.ended.then(stopLimit);
  }

  /** While the server stops: no more connections come. One that still starts is ended. */
  leave(isStarting: boolean): void {
    if (isStarting) {
      this.isDismissed = true;
      this.kill();
    } else if (!this.#leaves) {
      this.#leaves = true;
      this.post({ type: 'leave' });
    }
  }

  /** Ends it at once. @param why Follows its name in the log. */
  giveUp(why: string): void {
    this.isGivenUp = true;
    this.#log.warn('hung', `${this.name} ${why} and is ended`, { worker: this.slot, pid: this.pid });
    this.kill();
  }

  /** Sends a connection with its socket: one at a time, until it is answered. */
  offer({ id, peer, proxy, moved, socket }: Offer): void {
    if (moved === null) this.channel.sendOwn([id, peer, proxy, moved] satisfies Connection, socket);
    else void this.channel.sendSocket([id, peer, proxy, moved] satisfies Connection, socket);
    this.#offered = id;
    this.#offerProbe ??= setTimeout(() => this.#probe(undefined), OFFER_PROBE_MS);
  }

  /** Notes that the offer is answered, if the report says so. @returns Whether the answer is `unusable`. */
  offerFailed({ type, id }: WorkerReport): boolean {
    if (id !== this.#offered || (type !== 'accepted' && type !== 'unusable')) return false;
    this.#offered = undefined;
    return type === 'unusable';
  }

  /**
   * Asks about an offer that was there at the last look. When the worker has no descriptor left, Node drops the message
   * with the socket and tells neither side. Whatever is posted now arrives after it, or after it was dropped.
   * @param seen The offer that was there at the last look. One timer is for all.
   */
  #probe(seen: number | undefined): void {
    this.#offerProbe = undefined;
    const id = this.#offered;
    if (id === undefined) return;
    if (id === seen) this.post({ type: 'check', id });
    else this.#offerProbe = setTimeout(() => this.#probe(id), OFFER_PROBE_MS);
  }
}

/** The flags of this process, and the size of the young generation, unless somebody has set that. */
export function flagsOfWorkers(flags: readonly string[], nodeOptions = ''): string[] {
  const fit = flagsForChildren(flags);
  return /semi[-_]space/.test(`${fit.join(' ')} ${nodeOptions}`) ? fit : [...fit, YOUNG_GENERATION];
}
