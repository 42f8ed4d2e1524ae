// How often each latency was seen, in little memory and exact to 1.6 %. Pure. Filled by connection.ts,
// read by report.ts.
//
// As HdrHistogram does it (https://github.com/HdrHistogram/HdrHistogram): up to 128 a bucket for each microsecond, and
// from then on 64 buckets each time the value doubles.

const EXACT = 128;
const STEPS = EXACT / 2;
const LARGEST = 2 ** 32 - 1;
const BUCKETS = bucketOf(LARGEST) + 1;

/** A histogram on its way to another process, or out of it. Times in microseconds. */
export interface HistogramData {
  /** Of each bucket. */
  readonly counts: Float64Array;
  readonly total: number;
  readonly min: number;
  readonly max: number;
}

/** Values from `from` (included) to `to` (excluded), in microseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export class Histogram {
  /** Not 32-bit integers: two million a second would overflow one bucket within the hour. */
  readonly #counts: Float64Array;
  #total: number;
  #min: number;
  #max: number;

  /** @param data What another histogram has seen, to begin with. */
  constructor(data?: HistogramData) {
    this.#counts = data === undefined ? new Float64Array(BUCKETS) : Float64Array.from(data.counts);
    this.#total = data?.total ?? 0;
    this.#min = data?.min ?? Infinity;
    this.#max = data?.max ?? 0;
  }

  /** How many values there are. */
  get total(): number {
    return this.#total;
  }

  /** The largest value, exactly; 0 without values. */
  get max(): number {
    return this.#max;
  }

  /** Adds a value. @param us Microseconds, cut to a whole number; more than 2^32 - 1 (71 minutes) is taken for that. */
  record(us: number): void {
    const value = us > LARGEST ? LARGEST : us >>> 0;
    this.#counts[bucketOf(value)]!++;
    this.#total++;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** Adds all that another one has seen. */
  add({ counts, total, min, max }: HistogramData): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket]! += counts[bucket]!;
    this.#total += total;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  /**
   * The value that this share of all values does not exceed, at most 1.6 % too large; 0 without values.
   * @param share 0.99 for the 99th percentile.
   */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= wanted) return Math.min(floorOf(bucket + 1) - 1, this.#max);
    }
    return 0;
  }

  /**
   * The values in spans whose width grows with the value: six to a tenfold, or three if these would be more than `most`
   * (or one). From the first that has values to the last, empty ones between them included.
   */
  spans(most: number): Span[] {
    if (this.#total === 0) return [];
    const choices = STEPS_A_DECADE.map((steps) => this.#spansBy(steps));
    return choices.find((spans) => spans.length <= most) ?? choices.at(-1)!;
  }

  data(): HistogramData {
    return { counts: Float64Array.from(this.#counts), total: this.#total, min: this.#min, max: this.#max };
  }

  #spansBy(steps: readonly number[]): Span[] {
    const edges = edgesBy(steps);
    const first = edges.findLastIndex((edge) => edge <= this.#min);
    const last = edges.findIndex((edge) => edge > this.#max);
    const counts = new Array<number>(last - first).fill(0);
    let span = first;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#counts[bucket]!;
      if (count === 0) continue;
      // A bucket that lies across an edge belongs to where it begins, but never before the smallest value.
      while (edges[span + 1]! <= floorOf(bucket)) span++;
      counts[span - first]! += count;
    }
    return counts.map((count, at) => ({ from: edges[first + at]!, to: edges[first + at + 1]!, count }));
  }
}

const STEPS_A_DECADE = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]];

/** 0, 1, 2, 5, 10, 20 … beyond the largest value. Only whole numbers. */
function edgesBy(steps: readonly number[]): number[] {
  const edges = [0];
  for (let decade = 1; edges.at(-1)! <= LARGEST; decade *= 10) edges.push(...steps.map((step) => step * decade));
  return edges.filter(Number.isInteger);
}

/** The bucket of a whole number from 0 to 2^32 - 1. */
function bucketOf(value: number): number {
  if (value < EXACT) return value;
  const doublings = 25 - Math.clz32(value); // so that what is left of the value is 64 to 127
  return STEPS * doublings + (value >>> doublings);
}

/** The smallest value of a bucket. */
function floorOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doublings = Math.floor(bucket / STEPS) - 1;
  return (bucket - STEPS * doublings) * 2 ** doublings;
}
