// What a demo is: its names and texts, and the function that runs it. The demos export one each, catalog.ts lists them.
import type { Screen } from './screen.ts';

/** What the command line chose. */
export interface Options {
  /** `--workers`, or what the demo takes for this machine. */
  readonly workers: number;
  /** Which versions to run, in this order: false is the one without the lock. */
  readonly versions: readonly boolean[];
}

export interface Demo {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** What to look at: some lines for `--help`, of 80 columns at most. */
  readonly lookAt: string;
  /** What `--workers` counts. */
  readonly workersAre: string;
  /** The smallest number of workers that still shows it. */
  readonly fewest: number;
  /** How many workers there are without `--workers`. */
  readonly usual: (cpus: number) => number;
  /** Whether there is a version with and one without a lock: `--lock` and `--no-lock`. */
  readonly hasLock: boolean;
  /** Runs it. @returns Whether it showed what it should. */
  readonly run: (screen: Screen, options: Options) => Promise<boolean>;
}

/** More than this many rows are no longer worth looking at. */
const MOST_ROWS = 8;

/** One worker a CPU, and `fewest` at least. */
export function oneForEachCpu(fewest: number): (cpus: number) => number {
  return (cpus) => Math.max(fewest, Math.min(cpus, MOST_ROWS));
}
