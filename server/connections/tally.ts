// Counts what befalls many connections, as being refused, and tells of it at most once a second. Used by server.ts.

const PERIOD_MS = 1000;

export class Tally {
  readonly #what: string;
  readonly #tell: (text: string, fields: object) => void;
  readonly #totals = new Map<string, number>();
  #untold = new Map<string, { count: number; from: string | undefined }>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param what What happened to them, as in `3 connections refused: the line is full`.
   * @param tell Gets such a text, with whom that befell last, if the reason lies there, and the same as fields.
   */
  constructor(what: string, tell: (text: string, fields: object) => void) {
    this.#what = what;
    this.#tell = tell;
  }

  /**
   * One more. The first after a silence is told at once.
   * @param reason One of few: what differs from client to client does not belong in it. @param from The client's address.
   */
  count(reason: string, from?: string): void {
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    this.#untold.set(reason, { count: (this.#untold.get(reason)?.count ?? 0) + 1, from });
    if (this.#timer !== undefined) return;
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, PERIOD_MS).unref();
  }

  /** Tells what has not been told yet. */
  flush(): void {
    for (const [reason, { count, from }] of this.#untold) {
      const last = from === undefined ? '' : `, the last from ${from}`;
      this.#tell(`${count} ${count === 1 ? 'connection' : 'connections'} ${this.#what}: ${reason}${last}`, { count, reason, from });
    }
    this.#untold = new Map();
  }

  get total(): number {
    return [...this.#totals.values()].reduce((sum, count) => sum + count, 0);
  }
}
