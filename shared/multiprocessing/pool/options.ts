// What a Pool and its calls may be told, and whether it has a meaning. Used by pool.ts.
import { inspect } from 'node:util';
import { WrongUse } from '../base/errors.ts';
import type { WaitOptions } from '../base/time-limit.ts';
import { cpuCount } from '../process/current.ts';
import type { ForkOptions } from '../process/fork.ts';
import { locate } from '../process/modules.ts';
import type { Located, Target } from '../process/modules.ts';

/** `args` such as the function takes; where it is not known which one it is, as they come. */
type InitializerArguments<Args extends readonly unknown[]> =
  never[] extends Args ? { readonly args?: readonly unknown[] | undefined }
    : [] extends Args ? { readonly args?: readonly NoInfer<Args[number]>[] | undefined }
      : { readonly args: readonly NoInfer<Args[number]>[] };

/** How the workers are started, as for a Process, and how long they serve. `Args`: what the initializer takes. */
export interface PoolOptions<Args extends readonly unknown[] = never[]> extends ForkOptions {
  /** How many: more than the CPUs pays only for work that waits. Default: as many as there are CPUs. */
  readonly size?: number | undefined;
  /**
   * A worker that has done so many tasks ends, whatever they have left running in it, and another takes its place: for
   * functions that leave something behind, as memory. A call of apply is a task, and so is a chunk of map and imap.
   * Default: it serves as long as the pool.
   */
  readonly maxTasksPerChild?: number | undefined;
  /**
   * Called in each worker before its first task, with `args`: structured clones, and the toolkit's primitives. It may
   * return a promise. When it fails again and again, the pool gives up: all its calls reject, and say why.
   */
  readonly initializer?: Target<Args> & InitializerArguments<Args> | undefined;
}

/**
 * The limits of apply, map and imap. When they are over, what waits for a worker is never begun. What was begun goes
 * on, and nobody hears of its result. They still hold for what is at work when a map has failed. The ends of Pipes in
 * what is never begun are here again.
 */
export interface TaskOptions extends WaitOptions {
  /** What was begun ends then, too: its worker is killed, and another takes its place. Default: false. */
  readonly kill?: boolean | undefined;
}

export interface MapOptions extends TaskOptions {
  /**
   * So many items are sent to a worker at once, and are one task. Many make few messages; but one that takes long holds
   * up the others with it, and its worker's death is that of them all. Default: of map, so that each worker gets four
   * such chunks; of imap, 1.
   */
  readonly chunksize?: number | undefined;
}

/** The same, checked. */
export interface PoolPlan {
  readonly size: number;
  readonly maxTasksPerChild: number;
  readonly initializer: Located | null;
  readonly args: readonly unknown[];
  readonly forkOptions: ForkOptions;
}

/** @param options A number is the `size`. @throws {WrongUse} One of them is not what it should be. */
export function checkPool(options: number | PoolOptions): PoolPlan {
  const isNamed = typeof options === 'object' && options !== null;
  const { size = cpuCount(), maxTasksPerChild = Infinity, initializer, ...forkOptions }: PoolOptions =
    isNamed ? options : { size: options };
  if (!isCount(size)) throw new WrongUse(`a Pool has a whole number of workers from 1 on, not ${inspect(size)}`);
  if (maxTasksPerChild !== Infinity && !isCount(maxTasksPerChild)) {
    throw new WrongUse(`maxTasksPerChild is a whole number from 1 on, not ${inspect(maxTasksPerChild)}`);
  }
  if (initializer === undefined) return { size, maxTasksPerChild, initializer: null, args: [], forkOptions };
  const who = 'the initializer of a Pool';
  if (typeof initializer !== 'object' || initializer === null) {
    throw new WrongUse(`${who} is given as { module, target, args }, not as ${inspect(initializer)}`);
  }
  const { args = [] } = initializer;
  if (!Array.isArray(args)) throw new WrongUse(`the args of ${who} must be an array, not ${inspect(args)}`);
  return { size, maxTasksPerChild, initializer: locate(initializer, who), args: [...args], forkOptions };
}

/** @throws {WrongUse} It is given, and no whole number from 1 on. */
export function checkChunksize(options: number | MapOptions | undefined): number | undefined {
  const chunksize = typeof options === 'object' && options !== null ? options.chunksize : undefined;
  if (chunksize === undefined || isCount(chunksize)) return chunksize;
  throw new WrongUse(`a chunksize is a whole number from 1 on, not ${inspect(chunksize)}`);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1;
}
