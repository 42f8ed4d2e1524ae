// What happened to connections, counted: in the log once a second at most, and summed up at the end. Used by server.ts
// and admission.ts.
import { counted } from '../../shared/log/log-format.ts';
import { describeTraffic } from '../../shared/log/log.ts';
import type { Log } from '../../shared/log/log.ts';
import { Totals } from '../totals.ts';
import { minus } from '../worker/messages.ts';
import type { CloseReason, Traffic } from '../worker/messages.ts';
import type { HeldConnection, Refusal } from './held-connections.ts';

const PERIOD_MS = 1000;

export class Tally {
  readonly #what: string;
  readonly #tell: (text: string, fields: object) => void;
  #total = 0;
  #untold = new Map<string, { count: number; from: string | undefined; detail: string | undefined }>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param what What happened to them, as in `3 connections refused: the line is full`.
   * @param tell Gets such a text, with the last address if the reason lies there, and the same as fields.
   */
  constructor(what: string, tell: (text: string, fields: object) => void) {
    this.#what = what;
    this.#tell = tell;
  }

  /** How many in all. */
  get total(): number {
    return this.#total;
  }

  /**
   * One more. The first after a silence is told at once.
   * @param reason One of few: nothing in it differs from client to client. @param from The client's address.
   * @param detail What else there is to say of this one.
   */
  count(reason: string, from?: string, detail?: string): void {
    this.#total++;
    this.#untold.set(reason, { count: (this.#untold.get(reason)?.count ?? 0) + 1, from, detail });
    if (this.#timer !== undefined) return;
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, PERIOD_MS).unref();
  }

  /** Tells what has not been told yet. */
  flush(): void {
    for (const [reason, { count, from, detail }] of this.#untold) {
      const last = from === undefined ? '' : `, the last from ${from}`;
      const more = detail === undefined ? '' : `: ${detail}`;
      const text = `${counted(count, 'connection')} ${this.#what}: ${reason}${last}${more}`;
      this.#tell(text, { count, reason, from, detail });
    }
    this.#untold = new Map();
  }
}

export class Statistics {
  readonly totals = new Totals();
  readonly bounced: Tally;
  readonly #refused: Tally;
  readonly #gone: Tally;
  readonly #log: Log;
  #probes = 0;
  /** How many of these count as served. */
  #servedProbes = 0;

  constructor(log: Log) {
    this.#log = log;
    this.#refused = new Tally('refused', (text, fields) => log.warn('refused', text, fields));
    this.bounced = new Tally('offered to another worker', (text, fields) => log.warn('bounced', text, fields));
    this.#gone = new Tally('gone', (text, fields) => log.info('gone', text, fields));
  }

  /** A client has connected. It will be served, refused or gone. */
  arrived(): void {
    this.totals.connections++;
  }

  /** It is served: by another worker too, but it counts once. */
  served(connection: HeldConnection): void {
    if (connection.counts !== null) return;
    connection.counts = 'served';
    this.totals.served++;
  }

  /** It is refused. @param connection Of those that were let in; it has not been served. */
  refuse({ kind, reason, from, detail }: Refusal, connection?: HeldConnection): void {
    if (connection !== undefined) connection.counts = 'refused';
    this.totals.refused[kind]++;
    this.#refused.count(reason, from, detail);
  }

  /** A client has left while it waited. @param connection null: it was not let in yet. */
  left(connection: HeldConnection | null): void {
    if (connection === null) this.totals.gone++;
    else this.#ended(connection);
    this.#gone.count('left while waiting');
  }

  /** A worker does not have it any more. @param traffic What it has seen so far, in earlier workers too. */
  hasLeft(worker: number, { moved }: HeldConnection, traffic: Traffic): void {
    this.totals.workerHasEnded(worker, moved === null ? traffic : minus(traffic, moved.traffic));
  }

  /** A worker has closed it. */
  closed(connection: HeldConnection, reason: CloseReason): void {
    this.#ended(connection);
    if (reason !== 'probe') return;
    this.#probes++;
    if (connection.counts === 'served') this.#servedProbes++;
  }

  /** It was reset. */
  cutOff(connection: HeldConnection): void {
    this.#ended(connection);
    this.totals.cutOff++;
  }

  #ended(connection: HeldConnection): void {
    if (connection.counts !== null) return;
    connection.counts = 'gone';
    this.totals.gone++;
  }

  /** The last lines: what has not been told yet, and the sums. */
  summarize(): void {
    for (const tally of [this.#refused, this.bounced, this.#gone]) tally.flush();
    const refused = this.#refused.total;
    const { cutOff, traffic } = this.totals;
    const served = this.totals.served - this.#servedProbes;
    const probes = this.#probes === 0 ? undefined : this.#probes;
    const more = probes === undefined ? '' : `, ${counted(probes, 'probe')}`;
    const what = `served ${counted(served, 'connection')}, ${describeTraffic(traffic)}`;
    this.#log.info('summary', `${what}; ${refused} refused, ${cutOff} cut off${more}`, {
      served, ...traffic, refused, cutOff, probes,
    });
  }
}
