// Where newcomers stand for whom there is no room, until it has been looked who of those that wait has left. Used by
// server.ts.
//
// A look costs something, and a flood of newcomers must not cost one each. So the next comes a while after the last; until
// then they stand here. They may have to wait for their refusal, but none is refused while a place is free.

/** Between two looks there is so many times as long as one takes: at most a tenth of the time goes to looking. */
const PAUSE = 9;
/** But no longer than this, in milliseconds: a look may have taken long because this process was not let run. */
const LONGEST_PAUSE_MS = 200;

export class Door<Newcomer> {
  readonly #look: (standing: readonly Newcomer[]) => readonly Newcomer[];
  readonly #answer: (newcomer: Newcomer) => void;
  #standing: Newcomer[] = [];
  #restUntil = -Infinity;
  #nextLook: NodeJS.Timeout | undefined;

  /**
   * @param look Frees the places of those that have left, and gives those that are still here of those that stand here.
   * @param answer Lets one in, or refuses it.
   */
  constructor(look: (standing: readonly Newcomer[]) => readonly Newcomer[], answer: (newcomer: Newcomer) => void) {
    this.#look = look;
    this.#answer = answer;
  }

  /** Whether nobody stands here: else whoever comes is behind them. */
  get isFree(): boolean {
    return this.#standing.length === 0;
  }

  /** @param most When so many stand here, it is looked at once. */
  stand(newcomer: Newcomer, most: number): void {
    this.#standing.push(newcomer);
    if (this.#standing.length >= most) this.settle();
    else this.#nextLook ??= setTimeout(() => this.settle(), Math.max(0, this.#restUntil - performance.now()));
  }

  /** Lets in those for whom there is room now, without a look: the first ones. */
  letIn(hasRoom: (newcomer: Newcomer) => boolean): void {
    while (this.#standing.length > 0 && hasRoom(this.#standing[0]!)) this.#answer(this.#standing.shift()!);
  }

  /** Looks now, and answers all that stand here, in order. */
  settle(): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = undefined;
    const standing = this.#standing;
    if (standing.length === 0) return;
    this.#standing = [];
    const began = performance.now();
    const here = this.#look(standing);
    const ended = performance.now();
    this.#restUntil = ended + Math.min(LONGEST_PAUSE_MS, PAUSE * (ended - began));
    for (const newcomer of here) this.#answer(newcomer);
  }
}
