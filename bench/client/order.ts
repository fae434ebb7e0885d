import { createRandom } from '../common/random.ts';

/**
 * Which key a Check presents: each as likely as another; few often and most seldom; each once, one after another, for the
 * first time or when all were.
 */
export const orders = ['even', 'zipf', 'once', 'again'] as const;
export type Order = (typeof orders)[number];

/** Whether a turn is a part of the keys, and not a time. */
export function isListed(order: Order): boolean {
  return order === 'once' || order === 'again';
}

/** What is sent, by its place in a list. */
export interface Sequence {
  isOver(): boolean;
  next(): number;
}

/** From `from` up to, not including, `to`. */
export function inOrder(from: number, to: number): Sequence {
  let index = from;
  return { isOver: () => index >= to, next: () => index++ };
}

export function atRandom(count: number, seed: number): () => number {
  const random = createRandom(seed);
  return () => random.below(count);
}

const unit = 0x1_0000_0000;

/** Zipf's law with an exponent of 1: place n is n + 1 times less likely than the first. */
export function byZipf(count: number, seed: number): () => number {
  const random = createRandom(seed);
  const sums = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    sum += 1 / (at + 1);
    sums[at] = sum;
  }
  return () => {
    const wanted = (random.below(unit) / unit) * sum;
    let [low, high] = [0, count - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
