// Whether those who wait at a primitive are told that nobody is left who could serve them. Used by the owners of Queue,
// Event and Semaphore.
//
// All must be certain: a process failed, all who hold the primitive wait at it, and nobody else can get it any more,
// since no value with it in it is kept where another process could take it (kept.ts). But such a value, or who can take
// it, may be on its way between two other processes at that moment. So what looks so is looked at again when all that
// was under way has been heard, and only if nothing has changed meanwhile it is said.

export class Verdict {
  readonly #whenAllHeard: (call: () => void) => void;
  #changes = 0;
  #isBeingProved = false;

  /** @param whenAllHeard Calls back when all that is under way now has come, with what follows from it. */
  constructor(whenAllHeard: (call: () => void) => void) {
    this.#whenAllHeard = whenAllHeard;
  }

  /** Something was heard that may count. */
  changed(): void {
    this.#changes++;
  }

  /** Calls `give` as soon as it is certain that nobody is left, if it looks like that now. */
  look(isNobodyLeft: () => boolean, give: () => void): void {
    if (this.#isBeingProved || !isNobodyLeft()) return;
    this.#isBeingProved = true;
    const before = this.#changes;
    this.#whenAllHeard(() => {
      this.#isBeingProved = false;
      if (this.#changes !== before) this.look(isNobodyLeft, give);
      else if (isNobodyLeft()) give();
    });
  }
}
