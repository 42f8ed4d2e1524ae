// What a case is that gives one figure a round and server, and no load generator's report. Types only.
import type { LoadGenerator } from '../load.ts';
import type { Servers } from '../servers.ts';

/** One figure, measured once. */
export interface FigureRound {
  readonly value: number;
  /** Why it does not count. */
  readonly problems: readonly string[];
}

/** What a case measures with. */
export interface Ground {
  readonly servers: Servers;
  /** How long it measures each time. */
  readonly seconds: number;
  /** The most connections that it opens. */
  readonly connections: number;
  readonly generator: LoadGenerator;
  /** What is measured now. */
  now(what: string): void;
  /** A sentence that belongs to the figures. */
  note(text: string): void;
}

export interface FigureCase {
  /** For people. */
  readonly title: string;
  readonly unit: 'MB' | 'ms' | 'us' | 'messages/s';
  /** Those that it can be measured of. */
  readonly servers: readonly string[];
  /** How many rounds it has instead of those that were asked for. */
  rounds?(asked: number): number;
  /**
   * One round. @returns A figure for each row of the result: of a server's name, or of that and of what is measured
   * of it: `ours peak`.
   */
  measure(servers: readonly string[], ground: Ground): Promise<ReadonlyMap<string, FigureRound>>;
}

export interface FigureRow {
  readonly name: string;
  /** Null when a round had a problem. */
  readonly median: number | null;
  /** The figure of the first row of the same kind to this one's: the median over the rounds. */
  readonly ratio: number | null;
  readonly rounds: readonly FigureRound[];
}

export interface FigureResult {
  readonly name: string;
  readonly title: string;
  readonly unit: FigureCase['unit'];
  readonly notes: readonly string[];
  readonly servers: readonly FigureRow[];
}
