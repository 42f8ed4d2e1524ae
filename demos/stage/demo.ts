// What a demo is: its names and texts, and the function that runs it. The demos export one each, catalog.ts lists them.
import type { Screen } from './screen.ts';

/** What the command line chose. */
export interface Options {
  /** `--workers`, or what the demo takes for this machine. */
  readonly workers: number;
  /** The flags of the steps to run, in this order; empty if the demo has no steps. */
  readonly steps: readonly string[];
  /** Those of the demo's switches that are given. */
  readonly switches: readonly string[];
}

/** A part of a demo that can be run alone, by a flag of its own. */
export interface Step {
  readonly flag: string;
  /** For `--help`: `run only …`. */
  readonly only: string;
}

/** The two steps of a demo that is run without a lock, and then with it. */
export const WITHOUT_AND_WITH_LOCK: readonly Step[] = [
  { flag: 'no-lock', only: 'the version without the lock' },
  { flag: 'lock', only: 'the version with it' },
];

export interface Demo {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** What happens, in a line: it is printed first. */
  readonly happens: string;
  /** What to look at, in a line: it is printed second. */
  readonly look: string;
  /** What to look at, in full: some lines for `--help`, of 80 columns at most. */
  readonly lookAt: string;
  /** What `--workers` counts. */
  readonly workersAre: string;
  /** The smallest number of workers that still shows it. */
  readonly fewest: number;
  /** The largest that does; 64 if that is not said. */
  readonly most?: number;
  /** How many workers there are without `--workers`. */
  readonly usual: (cpus: number) => number;
  /** The parts that can be run alone; without such a flag all of them are run. */
  readonly steps: readonly Step[];
  /** Further flags of its own, each with what its help says. */
  readonly switches?: readonly { readonly flag: string; readonly help: string }[];
  /** Runs it. @returns Whether it showed what it should. */
  readonly run: (screen: Screen, options: Options) => Promise<boolean>;
}

/** What a part of a demo came to: the line for the end, and whether that is what it should show. */
export interface Result {
  readonly text: string;
  readonly isShown: boolean;
}

/** More than this many rows are no longer worth looking at. */
const MOST_ROWS = 8;

/** One worker a CPU, and `fewest` at least. */
export function oneForEachCpu(fewest: number): (cpus: number) => number {
  return (cpus) => Math.max(fewest, Math.min(cpus, MOST_ROWS));
}

/** Says what the parts came to. @returns Whether each showed what it should. */
export async function sayResults(screen: Screen, results: readonly Result[]): Promise<boolean> {
  await screen.say(`\n${results.map(({ text }) => text).join('\n')}`);
  return results.every(({ isShown }) => isShown);
}

/** Runs these steps one after the other, and says what they came to. @returns As {@link sayResults}. */
export async function runSteps(
  screen: Screen, steps: readonly string[], runStep: (step: string) => Promise<Result>,
): Promise<boolean> {
  const results: Result[] = [];
  for (const step of steps) results.push(await runStep(step));
  return await sayResults(screen, results);
}
