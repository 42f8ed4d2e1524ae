// Where newcomers stand for whom there is no room, until it has been looked who has left. Used by server.ts.
//
// Who of those that wait has left gives up the place at the look. The place of one that a worker served is free when the worker
// has said so, and a client may be here again before that: so for each such place one stays, and it is looked again.
//
// A look costs something, and a flood of newcomers must not cost one each. So the next comes a while after the last; until
// then they stand here. They may have to wait for their refusal, but none is refused while a place is free.

/** Between two looks there is so many times as long as one takes: at most a tenth of the time goes to looking. */
const PAUSE = 9;
/** But no longer than this, in milliseconds: a look may have taken long because this process was not let run. */
const LONGEST_PAUSE_MS = 200;

/** What the door asks of the server, which has the places. */
export interface Places<Newcomer> {
  /** Frees the places of those that have left, and gives those that are still here of those that stand here. */
  look(standing: readonly Newcomer[]): readonly Newcomer[];
  /** Whether there is no room for it, but soon a place that nobody else stays for. Asked after each look, in order. */
  staysFor(newcomer: Newcomer): boolean;
  /** Lets one in, or refuses it. */
  answer(newcomer: Newcomer): void;
}

export class Door<Newcomer> {
  readonly #places: Places<Newcomer>;
  #standing: Newcomer[] = [];
  #restUntil = -Infinity;
  #nextLook: NodeJS.Timeout | undefined;

  constructor(places: Places<Newcomer>) {
    this.#places = places;
  }

  /** Whether nobody stands here: else whoever comes is behind them. */
  get isFree(): boolean {
    return this.#standing.length === 0;
  }

  /** @param most When so many stand here, it is looked at once. */
  stand(newcomer: Newcomer, most: number): void {
    this.#standing.push(newcomer);
    if (this.#standing.length >= most) this.settle();
    else this.#lookLater();
  }

  /** Lets in those for whom there is room now, without a look, in order. */
  letIn(hasRoom: (newcomer: Newcomer) => boolean): void {
    if (this.isFree) return;
    this.#standing = this.#standing.filter((newcomer) => {
      if (!hasRoom(newcomer)) return true;
      this.#places.answer(newcomer);
      return false;
    });
  }

  /** Looks now, and answers all that stand here, in order. */
  settle(): void {
    this.#lookNow(() => false);
  }

  #lookLater(): void {
    this.#nextLook ??= setTimeout(
      () => this.#lookNow((newcomer) => this.#places.staysFor(newcomer)),
      Math.max(0, this.#restUntil - performance.now()),
    );
  }

  #lookNow(stays: (newcomer: Newcomer) => boolean): void {
    clearTimeout(this.#nextLook);
    this.#nextLook = undefined;
    const standing = this.#standing;
    if (standing.length === 0) return;
    this.#standing = [];
    const began = performance.now();
    const here = this.#places.look(standing);
    this.#standing = here.filter((newcomer) => {
      if (stays(newcomer)) return true;
      this.#places.answer(newcomer);
      return false;
    });
    const ended = performance.now();
    this.#restUntil = ended + Math.min(LONGEST_PAUSE_MS, PAUSE * (ended - began));
    if (!this.isFree) this.#lookLater();
  }
}
