import { setImmediate } from 'node:timers/promises';
import type { UsageTally } from '../store/usage/usage-tally.ts';

type Place = Pick<UsageTally, 'key' | 'hour'>;

/** Items that are sorted at once: half a millisecond. */
const runSize = 1_000;
/** Items of one batch that are made at once: as long. */
const madeAtOnce = 500;

/**
 * All items by hour, and within it by key, at most `size` at a time: a store that keeps them in that order writes each
 * page once. Sorting 100 000 at once would hold the thread for a tenth of a second; here it is given back after each
 * run until the first are there, and what is left of the work is done as they are asked for.
 */
export async function* batchesInOrder<T extends Place, Item>(
  parts: readonly Iterable<T>[],
  size: number,
  made: (item: T) => Item,
): AsyncGenerator<Item[], void> {
  const runs: Iterator<T>[] = [];
  for (const part of parts) {
    const items = [...part];
    for (let start = 0; start < items.length; start += runSize) {
      const run = items.slice(start, start + runSize);
      runs.push(run.sort(compare).values());
      if (run.length === runSize) await setImmediate();
    }
    if (items.length > runSize / 10) await setImmediate();
  }
  const merged = mergeAll(runs);
  for (;;) {
    const batch: Item[] = [];
    while (batch.length < size) {
      const { done, value } = merged.next();
      if (done === true) break;
      batch.push(made(value));
      if (batch.length % madeAtOnce === 0 && batch.length < size) await setImmediate();
    }
    if (batch.length > 0) yield batch;
    if (batch.length < size) return;
  }
}

function mergeAll<T extends Place>(runs: readonly Iterator<T>[]): Iterator<T> {
  const [one, another] = runs;
  if (one === undefined) return [][Symbol.iterator]();
  if (another === undefined) return one;
  const middle = Math.ceil(runs.length / 2);
  return merge(mergeAll(runs.slice(0, middle)), mergeAll(runs.slice(middle)));
}

function* merge<T extends Place>(left: Iterator<T>, right: Iterator<T>): Generator<T, void> {
  let one = left.next();
  let other = right.next();
  while (one.done !== true || other.done !== true) {
    if (other.done === true || (one.done !== true && compare(one.value, other.value) <= 0)) {
      yield one.value;
      one = left.next();
    } else {
      yield other.value;
      other = right.next();
    }
  }
}

function compare(one: Place, other: Place): number {
  if (one.hour !== other.hour) return one.hour - other.hour;
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
}
