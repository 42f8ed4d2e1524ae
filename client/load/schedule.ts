// When each message is due, for a load with --rate. Pure. Made by generator.ts, asked by connection.ts.
//
// A generator that waits for a reply before it sends the next message asks less of a server that stands still, and so
// measures it while it does well ("coordinated omission", Gil Tene). Here each message has its time, as in wrk2.

export class Schedule {
  /** How many messages there are, over all processes. */
  readonly total: number;
  /** Message `k`, from 0 on, is for the connection of that number, then for the next; after so many it begins anew. */
  readonly connections: number;
  readonly #rate: number;
  #began = 0;

  /** @param rate Messages a second, over all connections. */
  constructor(rate: number, durationMs: number, connections: number, messages = Infinity) {
    this.#rate = rate;
    this.connections = connections;
    this.total = Math.max(1, Math.min(messages, Math.round(rate * durationMs / 1000)));
  }

  /** How long it takes, in milliseconds. */
  get durationMs(): number {
    return this.total * 1000 / this.#rate;
  }

  /** @param now When message 0 is due; on the clock of performance.now(). */
  begin(now: number): void {
    this.#began = now;
  }

  /** On the clock of performance.now(). */
  dueAt(k: number): number {
    return this.#began + k * 1000 / this.#rate;
  }
}
