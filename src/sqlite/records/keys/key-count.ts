import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../../keys/key.ts';
import type { KeyCounts } from '../../../store/diagnosis/standing.ts';
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

/** How many keys there are in each state, in slices of all of them. */
export function createStateCounts(database: DatabaseSync): (now: number) => Promise<KeyCounts> {
  const idSlice = database.prepare(
    'SELECT id FROM keys WHERE id > :after ORDER BY id LIMIT 1 OFFSET :skipped',
  );
  // A blob is more than every text.
  const slice = "id > :after AND id <= coalesce(:last, x'')";
  // By the index of each state, which knows them without their rows.
  const states = database.prepare(
    `SELECT (SELECT count(*) FROM keys WHERE ${slice}),
       (SELECT count(*) FROM keys INDEXED BY keys_revoked WHERE revoked_at IS NOT NULL AND ${slice}),
       (SELECT count(*) FROM keys INDEXED BY keys_disabled
        WHERE revoked_at IS NULL AND disabled_at IS NOT NULL AND ${slice}),
       (SELECT count(*) FROM keys INDEXED BY keys_ending
        WHERE revoked_at IS NULL AND disabled_at IS NULL AND expires_at IS NOT NULL AND ${slice}
          AND expires_at <= :now)`,
  );
  return async (now) => {
    const counts = { active: 0, disabled: 0, revoked: 0, expired: 0 };
    for (let after = ''; ; await setImmediate()) {
      const last = idSlice.get({ after, skipped: sliceSize - 1 })?.id;
      const counted = Object.values(states.get({ after, last: last ?? null, now }) ?? {});
      const [total = 0, revoked = 0, disabled = 0, expired = 0] = counted.map(Number);
      counts.revoked += revoked;
      counts.disabled += disabled;
      counts.expired += expired;
      counts.active += total - revoked - disabled - expired;
      if (last === undefined) return counts;
      after = String(last);
    }
  };
}
