/** Counts of durations, in microseconds, each kept to within 1.6 %; 67 s and more count as 67 s. */
export interface Histogram {
  record(micros: number): void;
  /** The duration that `fraction` of the counts did not exceed, rounded up to its bucket's end. */
  quantile(fraction: number): number;
  clear(): void;
}

const exactMicros = 128;
const stepsPerDoubling = 64;
const microsMax = 2 ** 26 - 1;

/** The layout of HdrHistogram: exact to 128 µs, then 64 equal steps in each doubling. */
export function createHistogram(): Histogram {
  const counts = new Uint32Array(bucketOf(microsMax) + 1);
  let total = 0;
  return {
    record(micros) {
      const bucket = bucketOf(Math.min(micros, microsMax));
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      total += 1;
    },
    quantile(fraction) {
      let left = Math.ceil(total * fraction);
      const bucket = counts.findIndex((count) => {
        left -= count;
        return left <= 0;
      });
      return total === 0 ? Number.NaN : endOf(bucket);
    },
    clear() {
      counts.fill(0);
      total = 0;
    },
  };
}

function bucketOf(micros: number): number {
  if (micros < exactMicros) return micros | 0;
  const shift = 25 - Math.clz32(micros);
  return exactMicros + (shift - 1) * stepsPerDoubling + (micros >>> shift) - stepsPerDoubling;
}

function endOf(bucket: number): number {
  if (bucket < exactMicros) return bucket;
  const shift = Math.floor((bucket - exactMicros) / stepsPerDoubling) + 1;
  const step = stepsPerDoubling + ((bucket - exactMicros) % stepsPerDoubling);
  return ((step + 1) << shift) - 1;
}
