// What a running server says of itself: GET /status, and what /events sends. The master makes it (server/status/), the
// table, `top` and the page read it. Its form is documented in docs/operate.md and is stable: members are only added.
// Times are milliseconds since 1970; what lasts is in milliseconds; rates are per second.

/**
 * starting ─▶ ready ─▶ leaving ─▶ stopping      leaving: it is to stop, and clients are still let in (--stop-delay)
 *    from each of them ─▶ stopping
 */
export type Phase = 'starting' | 'ready' | 'leaving' | 'stopping';

/** `full`: it could not take the last connection that it was offered. `stalled`: it does not answer for a moment. */
export type WorkerState = 'starting' | 'ready' | 'full' | 'stalled' | 'retiring';

export interface Rates {
  readonly messagesPerSecond: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
}

export interface WorkerStatus extends Rates {
  /** Its place in the pool, from 1 on: `worker 1`. Its successor has it too. */
  readonly slot: number;
  readonly pid: number;
  readonly state: WorkerState;
  readonly startedAt: number;
  readonly ageMs: number;
  /** When the master heard from it last. */
  readonly heardAt: number;
  /** How long ago that was. */
  readonly lastBeatMs: number;
  /** How many it has, those included that it is just being offered. */
  readonly connections: number;
}

/** Where a connection is: `line`, or `worker 1`. */
export type Place = 'line' | `worker ${number}`;

export interface ConnectionStatus {
  /** Its number, from 1 on, which no other has. */
  readonly id: number;
  readonly at: Place;
  /** How it came there: for the first time, given back by a worker, or left over by one that died. */
  readonly how: 'new' | 'given back' | 'adopted';
  readonly peer: string;
}

/** Who has the lock around the terminal. */
export interface TerminalStatus {
  /** `master`, `worker 1`; null: nobody. */
  readonly holder: string | null;
  /** Since when; null: nobody has it. */
  readonly since: number | null;
  /** How many wait for it. */
  readonly waiting: number;
}

/** Why a connection was refused. */
export type RefusalKind =
  | 'full' // All workers and the waiting line are.
  | 'stopping' // The server is.
  | 'address' // --connections-per-address
  | 'descriptors' // None is left (ulimit -n).
  | 'untrusted' // From where no PROXY protocol header is taken (--proxy-from).
  | 'header' // A bad PROXY protocol header.
  | 'accept'; // The system could not accept it.
/** Why a connection moved: what its worker was to leave for. */
export type MoveReason = 'reload' | 'resize' | 'recycle' | 'other';
/** How a worker died that was not to. `hung`: it was ended, because it did not answer. */
export type DeathReason = 'signal' | 'exit' | 'hung' | 'start';

/** Since the start. Nothing here ever becomes less, whatever happens to workers. */
export interface Totals {
  /**
   * Clients that have connected: as many as served, refused (without `accept`: those were never there) and gone, and
   * those that are here and not served yet.
   */
  readonly connections: number;
  /** Those that a worker has served; behind a proxy, those whose header was taken. */
  readonly served: number;
  /** Those that ended before they were served: they left, or were given up. */
  readonly gone: number;
  readonly refused: Readonly<Record<RefusalKind, number>>;
  readonly messages: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages by slot: index 0 is worker 1. */
  readonly messagesBySlot: readonly number[];
  readonly moved: Readonly<Record<MoveReason, number>>;
  readonly adopted: number;
  /** How many were reset, served or not. */
  readonly cutOff: number;
  readonly deaths: Readonly<Record<DeathReason, number>>;
  readonly reloads: number;
  readonly linesDropped: number;
}

/** What happened, as the log says it. */
export interface Notice {
  /** Counts them, from 1 on. */
  readonly id: number;
  readonly time: number;
  readonly level: 'info' | 'warn';
  /** In a word: `reload`, `worker`, `retire`, `adopted`, `cutOff`, `stopping` … */
  readonly event: string;
  /** A sentence. May hold what a client sent: to be shown as text, never as markup. */
  readonly text: string;
  /** The worker's slot that it is about, if it is about one. */
  readonly worker: number | null;
}

export interface Status extends Rates {
  readonly version: string;
  readonly pid: number;
  readonly phase: Phase;
  readonly now: number;
  readonly startedAt: number;
  readonly uptimeMs: number;
  /** Where clients connect: `127.0.0.1:8080`. */
  readonly listening: readonly string[];
  /** By slot. */
  readonly workers: readonly WorkerStatus[];
  /** How many workers there should be, and may be. */
  readonly pool: { readonly size: number; readonly most: number };
  readonly line: { readonly waiting: number; readonly limit: number };
  readonly terminal: TerminalStatus;
  /** How many connections there are: those in the line and those that workers have. */
  readonly current: number;
  /** Each one; null when there are more than 500. */
  readonly connections: readonly ConnectionStatus[] | null;
  readonly totals: Totals;
  /** The last 50, oldest first. */
  readonly notices: readonly Notice[];
  /** What the server was told, by flag: `{"--workers":"2"}`. */
  readonly config: Readonly<Record<string, string | number | boolean | null>>;
  /** Whether POST does anything (--admin-actions). */
  readonly actions: boolean;
}

/**
 * What /events sends after the status: what has changed since. Members of a Status stand for the new value as a whole;
 * `now`, `uptimeMs`, `ageMs` and `lastBeatMs` count as no change.
 */
export interface Change extends Partial<Omit<Status, 'connections' | 'notices'>> {
  readonly now: number;
  /** All connections anew: when there were more than 500 before, or are now (null). */
  readonly connections?: readonly ConnectionStatus[] | null;
  /** Those that are new, or elsewhere than before. */
  readonly moved?: readonly ConnectionStatus[];
  /** Those that have ended. */
  readonly ended?: readonly { readonly id: number; readonly cutOff: boolean }[];
  /** The new ones. */
  readonly notices?: readonly Notice[];
}

/** So many connections are told of one by one; of more only the numbers. */
export const MOST_NAMED = 500;
