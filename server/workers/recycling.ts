// How many clients each worker was the first to serve, so that it is replaced after --max-connections-per-worker.

export class Recycling {
  /** 0: no limit. */
  readonly #most: number;
  readonly #clientsOf = new Map<number, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * It serves one more. Only new clients count: those that a recycled worker gave back would else recycle the next one
   * at once. @returns Whether that was its last one.
   */
  isDue(worker: number): boolean {
    const count = (this.#clientsOf.get(worker) ?? 0) + 1;
    this.#clientsOf.set(worker, count);
    return count === this.#most;
  }

  forget(worker: number): void {
    this.#clientsOf.delete(worker);
  }
}
