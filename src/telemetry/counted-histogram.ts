import { Histogram, type Registry } from 'prom-client';
import type { Buckets } from './check-counts.ts';

/** A histogram whose observations are counted elsewhere, and told when it is asked for them. */
export class CountedHistogram extends Histogram {
  readonly #buckets: Buckets;
  readonly #name: string;
  readonly #help: string;

  constructor(buckets: Buckets, given: { name: string; help: string; registers: Registry[] }) {
    super({ ...given, buckets: [...buckets.bounds] });
    this.#buckets = buckets;
    this.#name = given.name;
    this.#help = given.help;
  }

  /** What the registry asks of a histogram; the library's types leave it out. */
  async getForPromString() {
    const { bounds, counts, sum } = this.#buckets;
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
