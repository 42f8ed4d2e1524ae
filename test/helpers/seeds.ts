// Many random runs of a model, each from its seed (random.ts has the numbers). Used by the model tests and
// the random runs of Pool.

/** How many of so many seeds are run: a third, or all of them if ALL_SEEDS is set. */
export function seedsOf(all: number): number {
  return process.env['ALL_SEEDS'] === undefined ? Math.ceil(all / 3) : all;
}

/**
 * Calls `run` with so many seeds, or a third of them ({@link seedsOf}). A failure names its seed, and the environment
 * variable that begins with it.
 *
 * The models make errors by the hundred thousand, as what waits fails, and a stack trace takes longer than all else
 * about an error: there is none, but the run that failed is repeated with it.
 */
export function runSeeds(runs: number, variable: string, run: (seed: number) => void): void {
  const start = Number(process.env[variable] ?? 1);
  const count = seedsOf(runs);
  const limit = Error.stackTraceLimit;
  let seed = start;
  try {
    Error.stackTraceLimit = 0;
    for (; seed < start + count; seed++) run(seed);
  } catch (error) {
    Error.stackTraceLimit = limit;
    const message = `run ${seed} (${variable}=${seed}) failed: ${String(error)}`;
    throw new Error(message, { cause: causeOf(run, seed) ?? error });
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function causeOf(run: (seed: number) => void, seed: number): unknown {
  try {
    run(seed);
    return undefined;
  } catch (error) {
    return error;
  }
}
