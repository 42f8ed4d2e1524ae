// Who waits at one end of a Queue, in the order of asking: whoever gives up leaves from the middle at no cost, however
// long the line is. Used by the owner's two ends (gets.ts, puts.ts).

export interface Place<T> {
  readonly value: T;
  before: Place<T> | undefined;
  behind: Place<T> | undefined;
}

export class Line<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;

  get first(): Place<T> | undefined {
    return this.#first;
  }

  push(value: T): Place<T> {
    const place: Place<T> = { value, before: this.#last, behind: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.behind = place;
    this.#last = place;
    return place;
  }

  /** It must be in this line. Its `behind` stays as it was, so that a walk can go on. */
  remove({ before, behind }: Place<T>): void {
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
  }

  /** All that are in it now. Each may be removed meanwhile. */
  all(): Place<T>[] {
    const places: Place<T>[] = [];
    for (let place = this.#first; place !== undefined; place = place.behind) places.push(place);
    return places;
  }
}
