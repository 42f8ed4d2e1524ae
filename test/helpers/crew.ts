// Children that the tests of a file use, one after the other: a child takes much longer to start than to obey.
import type { Process } from '../../shared/multiprocessing/index.ts';
import type { Cleaner } from './processes.ts';

/** A child that can be told to use another primitive from now on. */
interface Member<Primitive> {
  readonly process: Process<never[]>;
  use(primitive: Primitive): Promise<void>;
}

export class Crew<Primitive, Child extends Member<Primitive>> implements Cleaner {
  readonly #start: (t: Cleaner, primitive: Primitive, name?: string) => Promise<Child>;
  readonly #idle: Child[] = [];
  readonly #work: (() => void | Promise<void>)[] = [];

  /** @param start Starts a child that holds the primitive. */
  constructor(start: (t: Cleaner, primitive: Primitive, name?: string) => Promise<Child>) {
    this.#start = start;
  }

  after(work: () => void | Promise<void>): void {
    this.#work.push(work);
  }

  /**
   * A child, of that name if one is given, that holds the primitive until the test ends. The test either leaves it as
   * it was, or sees it end.
   */
  async lend(t: Cleaner, primitive: Primitive, name?: string): Promise<Child> {
    const index = this.#idle.findIndex(({ process }) => name === undefined || process.name === name);
    let child: Child;
    if (index === -1) {
      child = await this.#start(this, primitive, name);
    } else {
      child = this.#idle.splice(index, 1)[0]!;
      await child.use(primitive);
    }
    t.after(() => {
      if (child.process.isAlive()) this.#idle.push(child);
    });
    return child;
  }

  /** Ends them all: for the `after` of their tests. */
  async end(): Promise<void> {
    for (const work of this.#work) await work();
  }
}
