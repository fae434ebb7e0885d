import { Histogram, type Registry } from 'prom-client';

/** Observations in each bucket, one more than there are bounds, and their sum. */
interface Counted {
  readonly counts: readonly number[];
  readonly sum: number;
}

/** A histogram whose observations are counted elsewhere, and told when it is asked for them. */
export class CountedHistogram extends Histogram {
  readonly #counted: () => Counted;
  readonly #bounds: readonly number[];
  readonly #name: string;
  readonly #help: string;

  constructor(
    counted: () => Counted,
    { bounds, ...given }: { name: string; help: string; bounds: readonly number[]; registers: Registry[] },
  ) {
    super({ ...given, buckets: [...bounds] });
    this.#counted = counted;
    this.#bounds = bounds;
    this.#name = given.name;
    this.#help = given.help;
  }

  /** What the registry asks of a histogram; the library's types leave it out. */
  async getForPromString() {
    const bounds = this.#bounds;
    const { counts, sum } = this.#counted();
    let count = 0;
    const values = counts.map((inBucket, bucket) => {
      count += inBucket;
      return { labels: { le: bounds[bucket] ?? '+Inf' }, value: count, metricName: `${this.#name}_bucket` };
    });
    return {
      ...{ name: this.#name, help: this.#help, type: 'histogram' },
      values: [
        ...values,
        { labels: {}, value: sum, metricName: `${this.#name}_sum` },
        { labels: {}, value: count, metricName: `${this.#name}_count` },
      ],
    };
  }
}
