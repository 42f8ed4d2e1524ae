// Latencies and their percentiles. Filled by faults-load.ts.

export class Latencies {
  readonly #values: number[] = [];

  /** @param ms In milliseconds. */
  add(ms: number): void {
    this.#values.push(ms);
  }

  addAll(others: Latencies): void {
    for (const value of others.#values) this.#values.push(value);
  }

  get count(): number {
    return this.#values.length;
  }

  /** The latency that this part of all does not exceed, in milliseconds: 0.5 is the median. NaN when there are none. */
  percentile(part: number): number {
    const sorted = Float64Array.from(this.#values).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
  }

  /** `p50 0.5 ms, p99 3.0 ms, most 12.0 ms of 4711`. */
  toString(): string {
    const [p50, p99, most] = [0.5, 0.99, 1].map((part) => this.percentile(part).toFixed(1));
    return `p50 ${p50} ms, p99 ${p99} ms, most ${most} ms of ${this.count}`;
  }
}
