// What a caller of imap has in hand: the results, one after the other. Made by pool.ts.
import { whenForgotten } from '../base/forgotten.ts';
import { Iteration } from './iteration.ts';
import type { IterationPlan } from './iteration.ts';

/** The results of {@link Pool.imap} and {@link Pool.imapUnordered}, for `for await`, or to be asked for by `next()`. */
export class PoolIterator<Result> implements AsyncIterableIterator<Result>, AsyncDisposable {
  readonly #iteration: Iteration;

  constructor(plan: IterationPlan) {
    const iteration = new Iteration(plan);
    this.#iteration = iteration;
    // An error leaves a `for await` without a word: what is behind it then goes when nobody has this any more.
    whenForgotten(this, () => {
      iteration.leave().catch(() => {}); // Nobody is there who could hear of it.
      return true;
    });
  }

  /**
   * The next result. It may be called again before it has settled.
   * @throws What the call threw, with its own stack; {@link ProcessDied} when its worker died meanwhile; `NotCloneable`
   * when its item or its result cannot be sent; all these are of one item, and the next call goes on behind it. What
   * the source threw, when all that was read before has been taken. {@link TimedOut}, or the signal's reason, when a
   * limit is over; {@link WrongUse} when the pool was terminated. After the last three follows the end.
   */
  async next(): Promise<IteratorResult<Result, undefined>> {
    return await this.#iteration.take() as IteratorResult<Result, undefined>;
  }

  /**
   * Leaves before the end, as `break` does: nothing more is read, what waits for a worker is never begun, and the
   * source's own `return` is called. Calls of `next` that wait, and later ones, find the end. Twice is harmless.
   * @throws What the source throws at that.
   */
  async return(): Promise<IteratorResult<Result, undefined>> {
    await this.#iteration.leave();
    return { done: true, value: undefined };
  }

  /** The same with the block: `await using squares = pool.imap(…)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
