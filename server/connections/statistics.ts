// What happened to connections, counted: in the log once a second at most, and summed up at the end. Used by server.ts
// and admission.ts.
import { counted } from '../../shared/log/log-format.ts';
import { describeTraffic } from '../../shared/log/log.ts';
import type { Log } from '../../shared/log/log.ts';
import { Totals } from '../totals.ts';
import { NO_TRAFFIC, plus } from '../worker/messages.ts';
import type { CloseReason, Moved, Traffic } from '../worker/messages.ts';
import type { DispatcherCounters } from './dispatcher-states.ts';
import type { Refusal } from './held-connections.ts';

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
  #traffic: Traffic = NO_TRAFFIC;
  /** How many were refused by what their header said: workers had them, and did not serve them. */
  #turnedAway = 0;
  #probes = 0;

  constructor(log: Log) {
    this.#log = log;
    this.#refused = new Tally('refused', (text, fields) => log.warn('refused', text, fields));
    this.bounced = new Tally('offered to another worker', (text, fields) => log.warn('bounced', text, fields));
    this.#gone = new Tally('gone', (text, fields) => log.info('gone', text, fields));
  }

  /** A client has connected. */
  arrived(): void {
    this.totals.connections++;
  }

  /** It is refused. */
  refuse({ kind, reason, from, detail }: Refusal): void {
    this.totals.refused[kind]++;
    this.#refused.count(reason, from, detail);
  }

  /** A client has left before a worker had it. @param moved Not null: before another worker had it. */
  left(moved: Moved | null): void {
    if (moved !== null) this.add(moved.traffic);
    this.totals.gone++;
    this.#gone.count('left while waiting');
  }

  /** Refused when a worker had it already. */
  turnedAway(refusal: Refusal): void {
    this.#turnedAway++;
    this.refuse(refusal);
  }

  /** A worker has closed it. */
  closed({ reason, traffic }: { readonly reason: CloseReason; readonly traffic: Traffic }): void {
    if (reason === 'probe') this.#probes++;
    this.add(traffic);
  }

  /** What a connection has seen until its end. */
  add(traffic: Traffic): void {
    this.#traffic = plus(this.#traffic, traffic);
  }

  /** The last lines: what has not been told yet, and the sums. */
  summarize({ served: accepted }: Readonly<DispatcherCounters>): void {
    for (const tally of [this.#refused, this.bounced, this.#gone]) tally.flush();
    const refused = this.#refused.total;
    const { cutOff } = this.totals;
    const traffic = describeTraffic(this.#traffic);
    const served = accepted - this.#turnedAway - this.#probes;
    const probes = this.#probes === 0 ? undefined : this.#probes;
    const more = probes === undefined ? '' : `, ${counted(probes, 'probe')}`;
    const text = `served ${counted(served, 'connection')}, ${traffic}; ${refused} refused, ${cutOff} cut off${more}`;
    this.#log.info('summary', text, { served, ...this.#traffic, refused, cutOff, probes });
  }
}
