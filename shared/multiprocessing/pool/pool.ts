// Pool: a fixed number of processes that call functions for others. Follows Python's multiprocessing.pool.Pool.
//
// A worker does one task at a time, and the rest wait here, in order. So when a worker dies it is plain what it took
// with it: that one task rejects with the reason, another worker takes its place, and nothing else notices. (In Python
// the caller waits for ever: python/cpython#82265.) Only of a map whose parts are quick a worker gets the next part
// ahead, so that it need not wait for it; it comes back when the worker dies.
import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { TimedOut, WrongUse } from '../base/errors.ts';
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { locate } from '../process/modules.ts';
import type { Target } from '../process/modules.ts';
import { Crew } from './crew.ts';
import type { Supplier } from './crew.ts';
import { PoolIterator } from './iterator.ts';
import { checkChunksize, checkPool } from './options.ts';
import type { MapOptions, PoolOptions, TaskOptions } from './options.ts';
import { itemsOf, sourceOf } from './source.ts';
import { Call, newTask } from './tasks.ts';
import { packAllOwn } from '../values/packed.ts';
import { checkWait, watchWait } from '../base/time-limit.ts';
import { afterTurn, mayServeAtOnce } from '../transport/turn.ts';
import type { Wait } from '../base/time-limit.ts';

/** The arguments may be left out where none are needed. A number is a `timeoutMs`. */
type ArgumentsAndOptions<Args extends readonly unknown[]> = [] extends Args
  ? [args?: NoInfer<Readonly<Args>>, options?: number | TaskOptions]
  : [args: NoInfer<Readonly<Args>>, options?: number | TaskOptions];

/** What map and imap read their items from. */
type Items<Item> = Iterable<Item> | AsyncIterable<Item>;

/** Into how many parts a map is cut for each worker: few messages, and still even work when some items take longer. */
const CHUNKS_A_WORKER = 4;

let lastPool = 0;

export class Pool<Args extends readonly unknown[] = never[]> {
  readonly #crew: Crew;

  /**
   * Starts the workers: daemons, so a pool that nobody closes does not keep the program running.
   * @param options A number is the `size`.
   * @throws {WrongUse} The size is no whole number of at least 1, or another option is not what it should be; or this
   * process is a child that imports a target's module right now, or a worker of a pool that a worker of a pool made.
   * @throws {NotCloneable} An argument of the initializer cannot be sent.
   */
  constructor(options: number | PoolOptions<Args> = {}) {
    this.#crew = new Crew(`Pool-${++lastPool}`, checkPool(options as number | PoolOptions));
  }

  /** How many workers it has: that many tasks run at once. */
  get size(): number {
    return this.#crew.size;
  }

  /** How many tasks wait for a worker, now: calls of apply, and chunks of map and imap. */
  get waiting(): number {
    return this.#crew.waiting;
  }

  /** How many tasks are with a worker, now. */
  get running(): number {
    return this.#crew.running;
  }

  /** How many tasks have ended since the pool was made, well or not. Those that were called off before do not count. */
  get done(): number {
    return this.#crew.done;
  }

  /**
   * Calls the function with these arguments in one of the workers.
   * @returns What it returns, as a structured clone. Rejects with what it throws, with its own stack; with
   * {@link ProcessDied} when its worker dies meanwhile, whose `cause` is the error that ended it, if one did.
   * @throws {NotCloneable} An argument cannot be sent. @throws {WrongUse} The pool is closed.
   * @throws {TimedOut} Its time is up. @throws The signal's reason, when that calls it off.
   */
  async apply<Args extends readonly unknown[], Result>(
    target: Target<Args, Result>, ...[args, options]: ArgumentsAndOptions<Args>
  ): Promise<Awaited<Result>> {
    const inputs = args ?? [];
    if (!Array.isArray(inputs)) throw new WrongUse(`the arguments of a task must be an array, not ${inspect(inputs)}`);
    const [[result]] = await this.#run(target, inputs, (all) => [[...all]], false, options) as [[unknown]];
    return result as Awaited<Result>;
  }

  /**
   * Calls the function with each item, spread over the workers. The items of an async iterable are all read before.
   * @returns The results in the order of the items. Rejects as {@link apply} does, with the first failure.
   * @throws {WrongUse} `items` are no iterable. @throws What the source throws.
   */
  async map<Packed, Result>(
    target: Target<[Packed], Result>, items: Items<Packed>, options?: number | MapOptions,
  ): Promise<Awaited<Result>[]> {
    const chunksize = checkChunksize(options);
    const cut = (inputs: readonly unknown[]): unknown[][] => {
      const size = chunksize ?? Math.ceil(inputs.length / (CHUNKS_A_WORKER * this.#crew.size));
      const parts: unknown[][] = [];
      for (let at = 0; at < inputs.length; at += size) parts.push(inputs.slice(at, at + size));
      return parts;
    };
    const results = await this.#run(target, itemsOf(items), cut, true, options);
    // Not by flat(), which takes longer than all the rest here; nor by spreading, of which the stack is the limit.
    const all: unknown[] = [];
    for (const part of results) for (const result of part) all.push(result);
    return all as Awaited<Result>[];
  }

  /**
   * Calls the function with each item, as {@link map}, for many items, or such as come by and by: `for await (const
   * result of pool.imap(…))` has each result as soon as it and those before are there. It begins at once, and reads
   * ahead of what was taken four chunks for each worker; then the source waits until results are taken.
   *
   * A failed call rejects one `next()`, and the next one goes on behind it. A `for await` ends with it, and leaves the
   * source as it is: with `await using results = pool.imap(…)` it is closed then, too.
   * @param items The source. When the loop is left, its own `return` is called, and what waits is never begun.
   * @param options How long each `next()` waits, and what calls off all: either ends it.
   * @throws {WrongUse} The pool is closed, `items` are no iterable, an option is not what it should be.
   * @throws The signal's reason, when it is aborted already. What each `next()` throws, {@link PoolIterator.next} says.
   */
  imap<Item, Result>(
    target: Target<[Item], Result>, items: Items<Item>, options?: number | MapOptions,
  ): PoolIterator<Awaited<Result>> {
    return this.#iterate(target, items, options, true);
  }

  /** The same with the results in the order in which they come: a slow item holds up no other. */
  imapUnordered<Item, Result>(
    target: Target<[Item], Result>, items: Items<Item>, options?: number | MapOptions,
  ): PoolIterator<Awaited<Result>> {
    return this.#iterate(target, items, options, false);
  }

  /**
   * Takes no more tasks. The workers end when all that were given are done, and each imap has been read to its end, or
   * left, by a loop's end or an error.
   */
  close(): void {
    this.#crew.close();
  }

  /** Ends the workers at once. Tasks that are not done reject, and so does each imap that is not at its end. */
  terminate(): void {
    this.#crew.terminate();
  }

  /**
   * Waits until all workers have ended: true when they have, false when the time was up before.
   * @throws {WrongUse} The pool was neither closed nor terminated.
   * @throws The signal's reason, when that calls the wait off.
   */
  async join(wait?: Wait): Promise<boolean> {
    const { name, state } = this.#crew;
    if (state === 'open') throw new WrongUse(`${name} must be closed or terminated before it is joined`);
    return await this.#crew.join(checkWait(wait));
  }

  /**
   * Terminates the pool with the block, `await using pool = new Pool()`, as Python's `with` does, and waits until its
   * workers have ended. To let them finish, close and join it in the block.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.terminate();
    await this.join();
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { name, size, state, waiting, running, done } = this.#crew;
    return `Pool ${inspect({ name, size, state, waiting, running, done }, options)}`;
  }

  #iterate<Item, Result>(
    target: Target<[Item], Result>, items: Items<Item>, options: number | MapOptions | undefined, isOrdered: boolean,
  ): PoolIterator<Awaited<Result>> {
    this.#crew.checkOpen();
    const chunksize = checkChunksize(options) ?? 1;
    const limits: TaskOptions = checkWait(options);
    const located = locate(target, 'a task of a Pool');
    return new PoolIterator({ crew: this.#crew, located, source: sourceOf(items), isOrdered, chunksize, limits });
  }

  async #run(
    target: Target<never[]>, inputs: readonly unknown[] | AsyncIterable<unknown>,
    cut: (inputs: readonly unknown[]) => unknown[][], isMap: boolean, options: number | TaskOptions | undefined,
  ): Promise<unknown[][]> {
    this.#crew.checkOpen();
    const located = locate(target, 'a task of a Pool');
    const limits: TaskOptions = checkWait(options);
    const what = isMap ? `an item of ${located.target}` : `an argument of ${located.target}`;
    const call = new Call(isMap, () => void this.#crew.drop(call));
    const submit = (all: readonly unknown[]): void => {
      const packed = packAllOwn(cut(all), what);
      if (packed.length === 0) call.finish();
      const how = isMap ? 'all' : 'once';
      this.#crew.submit(packed.map((part, at) => newTask(call, at, located, part, how)));
    };
    waitBegins();
    const endWatch = watchWait(limits, () => {
      const where = this.#crew.drop(call, limits.kill);
      const name = `${isMap ? 'the map of ' : ''}${located.target}`;
      call.failed(0, new TimedOut(`${name} was not done`, limits.timeoutMs, where));
    }, (reason) => {
      this.#crew.drop(call, limits.kill);
      call.failed(0, reason);
    }, false);
    try {
      if (Array.isArray(inputs)) submit(inputs);
      else this.#gather(inputs as AsyncIterable<unknown>, call, submit).catch((error) => call.failed(0, error));
      return await call.results;
    } finally {
      // What is still at work when it has failed is the limits' yet.
      call.whenOver(endWatch);
      waitEnds();
    }
  }

  /** Reads all items, until nobody waits for the call any more. */
  async #gather(
    items: AsyncIterable<unknown>, call: Call, submit: (all: readonly unknown[]) => void,
  ): Promise<void> {
    const supplier: Supplier = {
      get isIdle() { return call.isDropped; },
      poolEnded: (reason) => call.failed(0, reason),
    };
    this.#crew.add(supplier);
    const source = items[Symbol.asyncIterator]();
    // It may wait for an item for ever, which nobody wants any more.
    call.results.catch(() => {
      this.#crew.remove(supplier);
      Promise.resolve(source.return?.()).catch(() => {});
    });
    try {
      const all: unknown[] = [];
      for (let next = await source.next(); !next.done; next = await source.next()) {
        all.push(next.value);
        // One that always has an item would not let the limits see that their time is up.
        if (!mayServeAtOnce()) await afterTurn();
        if (call.isDropped) return;
      }
      if (!call.isDropped) submit(all);
    } finally {
      this.#crew.remove(supplier);
    }
  }
}
