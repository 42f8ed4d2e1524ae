// Counts what the server had to refuse, and tells of it at most once a second, however many there are. Used by server.ts.

const PERIOD_MS = 1000;

export class Refusals {
  readonly #tell: (text: string) => void;
  readonly #totals = new Map<string, number>();
  #untold = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param tell Gets `3 connections refused: the line is full`. */
  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** One more, for this reason. The first of a reason is told at once. */
  count(reason: string): void {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    this.#untold.set(reason, (this.#untold.get(reason) ?? 0) + 1);
    if (this.#timer !== undefined) return;
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, PERIOD_MS).unref();
  }

  /** Tells what has not been told yet. */
  flush(): void {
    for (const [reason, count] of this.#untold) {
      this.#tell(`${count} ${count === 1 ? 'connection' : 'connections'} refused: ${reason}`);
    }
    this.#untold = new Map();
  }

  get total(): number {
    return [...this.#totals.values()].reduce((sum, count) => sum + count, 0);
  }
}
