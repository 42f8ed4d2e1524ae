// What is behind an imap: reads the items, has the workers call the function with them, and keeps what comes of each
// until the caller takes it. Made by iterator.ts, which the caller has in hand.
//
// It is bounded by what the caller takes: so many items may have been read whose results were not taken, and then the
// source is not asked for more. Whatever comes of an item, a result or an error, is taken once.
import { Fifo } from '../base/fifo.ts';
import { waitBegins, waitEnds } from '../base/keep-alive.ts';
import { TimedOut } from '../base/errors.ts';
import { watchWait } from '../base/time-limit.ts';
import type { Located } from '../process/modules.ts';
import { packOwn } from '../values/packed.ts';
import type { Crew, Supplier } from './crew.ts';
import type { TaskOptions } from './options.ts';
import type { Source, Step } from './source.ts';
import { newTask } from './tasks.ts';
import type { Job } from './tasks.ts';

/** What comes of an item. */
type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** A part of the items, in the order of the source. */
interface Chunk {
  readonly size: number;
  outcomes: Outcome[] | undefined;
}

interface Taker {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export interface IterationPlan {
  readonly crew: Crew;
  readonly located: Located;
  readonly source: Source;
  readonly isOrdered: boolean;
  readonly chunksize: number;
  readonly limits: TaskOptions;
}

/** How many chunks for each worker may be read ahead: a slow one holds up the others no sooner. */
const CHUNKS_AHEAD = 4;
const END: IteratorResult<never, undefined> = { done: true, value: undefined };

export class Iteration implements Job, Supplier {
  readonly isGathered = false;
  left = 0;
  waiting = 0;
  holdsPrimitives = false;
  isDropped = false;
  isIdle = false;
  readonly #plan: IterationPlan;
  /** How many items were read whose outcomes were not taken; and how many may be. */
  #ahead = 0;
  readonly #most: number;
  /** Those at work, by their tasks' parts. */
  readonly #begun = new Map<number, Chunk>();
  /** If it is ordered, those whose outcomes cannot be taken yet. */
  readonly #line = new Fifo<Chunk>();
  readonly #outcomes = new Fifo<Outcome>();
  readonly #takers = new Fifo<Taker>();
  #lastPart = 0;
  /** Items are read; no more will be; the caller has left, or its limits are over. */
  #state: 'reading' | 'read' | 'over' = 'reading';
  /** The source is being asked: only one thing at a time. */
  #isAsking = false;
  /** It runs right now, in our own call. */
  #isInside = false;
  /** Why it came to an end, for the next one who asks. */
  #failure: { readonly error: unknown } | undefined;
  readonly #endWatch: () => void;

  constructor(plan: IterationPlan) {
    const { crew, chunksize, limits: { signal } } = plan;
    this.#plan = plan;
    this.#most = CHUNKS_AHEAD * crew.size * chunksize;
    this.#endWatch = watchWait({ signal }, () => {}, (reason) => this.#giveUp(() => reason), false);
    crew.add(this);
    void this.#read();
  }

  /** The next outcome: a result, the end, or a rejection. */
  async take(): Promise<IteratorResult<unknown, undefined>> {
    this.isIdle = false;
    const { limits: { timeoutMs } } = this.#plan;
    waitBegins();
    let endWatch = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        this.#takers.push({ resolve, reject });
        this.#serve();
        if (this.#takers.length === 0) return;
        endWatch = watchWait({ timeoutMs }, () => this.#giveUp((where) => (
          new TimedOut(`the next result of ${this.#plan.located.target} did not come`, timeoutMs, where))), () => {});
      });
    } finally {
      endWatch();
      waitEnds();
    }
  }

  /** The caller has left. @returns Settles when the source has been told, if that is not busy with something else. */
  async leave(): Promise<void> {
    if (this.#state === 'over') return;
    const isReading = this.#state === 'reading';
    this.#end();
    if (isReading) await this.#closeSource();
  }

  done(part: number, results: unknown, failures: ReadonlyMap<number, Error>): void {
    this.#came(part, (place) => {
      const error = failures.get(place);
      return error === undefined ? { value: (results as readonly unknown[])[place] } : { error };
    });
  }

  failed(part: number, error: unknown): void {
    this.#came(part, () => ({ error }));
  }

  poolEnded(error: Error): void {
    if (this.#state !== 'reading') return;
    this.#failure = { error };
    this.#state = 'read';
    this.#abandonSource();
    this.#serve();
  }

  #came(part: number, outcome: (place: number) => Outcome): void {
    const chunk = this.#begun.get(part);
    if (chunk === undefined) return;
    this.#begun.delete(part);
    chunk.outcomes = Array.from({ length: chunk.size }, (_, place) => outcome(place));
    if (!this.#plan.isOrdered) this.#keep(chunk.outcomes);
    while (this.#line.at(0)?.outcomes !== undefined) this.#keep(this.#line.shift()!.outcomes!);
    this.#serve();
  }

  #keep(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) this.#outcomes.push(outcome);
  }

  /** Gives the takers what there is, and reads on. */
  #serve(): void {
    let isFailed = false;
    while (this.#takers.length > 0) {
      const outcome = this.#outcomes.shift();
      if (outcome !== undefined) this.#ahead--;
      else if (this.#state === 'reading' || this.#begun.size > 0) break;
      const taker = this.#takers.shift()!;
      const given = outcome ?? this.#failure;
      if (outcome === undefined) this.#failure = undefined;
      isFailed = given !== undefined && 'error' in given;
      if (given === undefined) this.#finish(taker);
      else if ('error' in given) taker.reject(given.error);
      else taker.resolve({ done: false, value: given.value });
    }
    // With its loop left by that error, the caller may never come back.
    if (isFailed && this.#takers.length === 0) {
      this.isIdle = true;
      this.#plan.crew.look();
    } else if (this.#state === 'reading') {
      void this.#read();
    }
  }

  #finish(taker: Taker): void {
    this.#state = 'over';
    this.#endWatch();
    taker.resolve(END);
  }

  /**
   * Reads as far ahead as it may, and always to the end of a chunk. The source's own error comes last, behind what was
   * read before.
   */
  async #read(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { chunksize } = this.#plan;
    let items: unknown[] = [];
    try {
      while (this.#state === 'reading' && (items.length > 0 || this.#mayRead())) {
        const asked = this.#ask();
        const step = 'then' in asked ? await asked : asked;
        if (this.#state !== 'reading') return;
        if (step.done === true) {
          this.#state = 'read';
        } else if (items.push(step.value) === chunksize) {
          this.#begin(items);
          items = [];
        }
      }
    } catch (error) {
      if (this.#state !== 'reading') return;
      this.#failure = { error };
      this.#state = 'read';
    } finally {
      this.#isAsking = false;
    }
    if (this.#state !== 'read') return;
    if (items.length > 0) this.#begin(items);
    this.#plan.crew.remove(this);
    if (this.#takers.length > 0) this.#serve();
  }

  /** The source itself may leave or call off all this, and cannot be closed before it has answered. */
  #ask(): Step | PromiseLike<Step> {
    this.#isInside = true;
    try {
      return this.#plan.source.next();
    } finally {
      this.#isInside = false;
      if (this.#state !== 'reading') this.#abandonSource();
    }
  }

  #mayRead(): boolean {
    return !this.isIdle && this.#ahead + this.#plan.chunksize <= this.#most;
  }

  #begin(items: unknown[]): void {
    const { crew, located, isOrdered } = this.#plan;
    const { length } = items;
    let task;
    try {
      task = newTask(this, this.#lastPart + 1, located, packOwn(items, `an item of ${located.target}`), 'each');
    } catch (error) {
      // One that cannot be sent is nothing to the others.
      if (length > 1) return items.forEach((item) => this.#begin([item]));
      task = { error };
    }
    const chunk: Chunk = { size: length, outcomes: undefined };
    const part = ++this.#lastPart;
    this.#ahead += length;
    this.#begun.set(part, chunk);
    if (isOrdered) this.#line.push(chunk);
    if ('error' in task) this.failed(part, task.error);
    else crew.submit([task]);
  }

  /** Its limits are over. @param reason Why, told who is at it. */
  #giveUp(reason: (where: string) => unknown): void {
    if (this.#state === 'over') return;
    const wasReading = this.#state === 'reading';
    const takers = this.#takers.takeAll();
    const where = this.#end();
    const error = reason(where);
    if (takers.length === 0) this.#failure = { error };
    for (const taker of takers) taker.reject(error);
    if (wasReading) this.#abandonSource();
  }

  /** Nobody takes anything any more. @returns Where its tasks are. */
  #end(): string {
    const { crew, limits: { kill } } = this.#plan;
    this.#state = 'over';
    this.#endWatch();
    this.#begun.clear();
    this.#line.takeAll();
    this.#outcomes.takeAll();
    const where = crew.drop(this, kill);
    crew.remove(this);
    for (const taker of this.#takers.takeAll()) taker.resolve(END);
    return where;
  }

  /** A source that is being asked hears of it when it has answered, which may be never: nobody waits for that. */
  async #closeSource(): Promise<void> {
    if (this.#isAsking) this.#abandonSource();
    else await this.#plan.source.close();
  }

  /** Why the caller gets no more is said to it already, and comes before what the source may throw at its end. */
  #abandonSource(): void {
    if (this.#isInside) return;
    this.#plan.source.close().catch(() => {});
  }
}
