import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../../keys/key.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import type { Query, Row } from '../../statements.ts';
import { keyCount, keySlice, leadsOf } from './key-pages.ts';
import { countQuery } from './ordered-pages.ts';

/** Keys that are looked through before others have the thread: a few milliseconds. */
const sliceSize = 5_000;

/** How many keys the filter keeps, up to `max`, in slices of the index that leads to them. */
export async function countListed(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  max: number,
): Promise<number> {
  const countOf = (query: Query) => Number(all(query)[0]?.count);
  const { unusedSince, expiresBefore, now, ...others } = filter;
  const isAlone = (unusedSince === undefined) !== (expiresBefore === undefined);
  if (isAlone && Object.values(others).every((value) => value === undefined)) {
    // Indexes of their own know those that nothing else is asked of.
    const counts = leadsOf(filter)?.map((lead) => countOf(countQuery(filter, lead, max))) ?? [];
    return Math.min(
      max,
      counts.reduce((sum, count) => sum + count, 0),
    );
  }
  let count = 0;
  for (let before: KeyId | null = null; ; await setImmediate()) {
    const slice = keySlice(filter, before, sliceSize);
    const [start] = slice === null ? [] : all(slice);
    const from = start === undefined ? null : (String(start.id) as KeyId);
    count += countOf(keyCount(filter, { from, before }, max - count));
    if (from === null || count >= max) return count;
    before = from;
  }
}
