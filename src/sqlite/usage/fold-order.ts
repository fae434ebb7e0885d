import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../keys/key.ts';
import type { PendingHour } from './pending-hour.ts';

/** Places of one hour in the order of their keys, of which a few are sorted at once: a fraction of a millisecond. */
export interface FoldOrder {
  readonly isEmpty: boolean;
  /** The first `size` or a little more: what is there of one key in several tables stays together. Not empty. */
  first(size: number): readonly Place[];
  /** Takes so many of the first away. */
  drop(count: number): void;
}

export interface Place {
  readonly table: PendingHour;
  readonly place: number;
}

const rangeSize = 1_000;
/** Samples for each range: ranges then differ little. */
const samplesOfRange = 4;
/** Places of a table are below it. */
const placesMax = 2 ** 32;

/** Lets others have the thread again and again. */
export async function foldOrder(tables: readonly PendingHour[]): Promise<FoldOrder> {
  const compare = (one: number, other: number) => {
    const [left, right] = [placeOf(tables, one), placeOf(tables, other)];
    if (left.table === right.table) return left.table.compare(left.place, right.place);
    const [a, b] = [keyOf(left), keyOf(right)];
    return a < b ? -1 : a > b ? 1 : 0;
  };
  const all = tables.flatMap(({ size }, at) =>
    Array.from({ length: size }, (_, place) => at * placesMax + place),
  );
  const ranges = await inRanges(all, compare);
  let isSorted = false;

  return {
    get isEmpty() {
      return ranges.length === 0;
    },
    first(size) {
      const range = ranges[0] ?? [];
      if (!isSorted) range.sort(compare);
      isSorted = true;
      let end = Math.min(size, range.length);
      while (end < range.length && compare(range[end - 1] as number, range[end] as number) === 0) end++;
      return range.slice(0, end).map((each) => placeOf(tables, each));
    },
    drop(count) {
      const [range] = ranges;
      range?.splice(0, count);
      if (range?.length !== 0) return;
      ranges.shift();
      isSorted = false;
    },
  };
}

function placeOf(tables: readonly PendingHour[], at: number): Place {
  return { table: tables[Math.floor(at / placesMax)] as PendingHour, place: at % placesMax };
}

export function keyOf({ table, place }: Place): KeyId {
  return table.keyAt(place);
}

/** None of them empty; what compares as equal is in one of them. */
async function inRanges(
  all: readonly number[],
  compare: (one: number, other: number) => number,
): Promise<number[][]> {
  const count = Math.ceil(all.length / rangeSize);
  const samples = Array.from(
    { length: samplesOfRange * count },
    (_, at) => all[Math.floor((at * all.length) / (samplesOfRange * count))] as number,
  ).sort(compare);
  const limits = Array.from(
    { length: Math.max(0, count - 1) },
    (_, at) => samples[samplesOfRange * (at + 1)] as number,
  );
  const ranges = Array.from({ length: count }, (): number[] => []);
  for (const [at, each] of all.entries()) {
    if (at % rangeSize === rangeSize - 1) await setImmediate();
    let [low, high] = [0, limits.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(each, limits[middle] as number) < 0) high = middle;
      else low = middle + 1;
    }
    ranges[low]?.push(each);
  }
  return ranges.filter(({ length }) => length > 0);
}
