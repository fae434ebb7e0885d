import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../../../keys/key.ts';
import { comparePlaces, type KeyOrder, type KeyPlace } from '../../../keys/key-order.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import type { Query, Row } from '../../statements.ts';
import { conditionsOf, type KeyLead, keySlice, keyValues, leadsOf } from './key-pages.ts';
import { firstMax, placeIn, slicesOf, used } from './key-slices.ts';
import { lastUsedAt } from './records.ts';

/** Keys that a filter's index may leave to be sorted at once: some milliseconds. */
const sortedMax = 5_000;
const searchedAtOnce = 5_000;
const hourMs = 3_600_000;

/** The index in whose order keys stand, and its first column; the hour alone of the last use. */
const columns = {
  created_at: { index: null, column: 'id' },
  last_used_at: { index: 'keys_by_last_use', column: 'last_used_at' },
  expires_at: { index: 'keys_by_expiry', column: 'expires_at' },
  name: { index: 'keys_by_name', column: 'name_folded' },
  owner: { index: 'keys_by_owner', column: 'owner' },
} as const satisfies Readonly<Record<KeyOrder['by'], { index: string | null; column: string }>>;

const values: Readonly<Record<KeyOrder['by'], string>> = {
  created_at: 'keys.id',
  last_used_at: `(${lastUsedAt})`,
  expires_at: 'keys.expires_at',
  name: 'keys.name_folded',
  owner: 'keys.owner',
};

/**
 * The places of the keys that the filter keeps, behind a place, in the order: where the filter's own indexes leave few,
 * those are sorted; else they are met along the index of the order. In slices, between which others have the thread.
 */
export async function* orderedPlaces(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  order: KeyOrder,
  after: KeyPlace | null,
): AsyncGenerator<KeyPlace> {
  const few = sortedPlaces(all, filter, order) ?? (await searchedPlaces(all, filter, order));
  if (few !== null) {
    for (const place of few) if (isBehind(order, place, after)) yield place;
    return;
  }
  if (after === null || after.value !== null) {
    const walked = order.by === 'last_used_at' ? byHours : along;
    yield* walked(all, filter, order, after);
  }
  if (order.by === 'last_used_at' || order.by === 'expires_at' || order.by === 'owner') {
    yield* withoutValue(all, filter, order, after?.value === null ? after : null);
  }
}

function isBehind(order: KeyOrder, place: KeyPlace, after: KeyPlace | null): boolean {
  return after === null || comparePlaces(order, place, after) > 0;
}

/** Null where the filter's indexes leave more than can be sorted at once. */
function sortedPlaces(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  order: KeyOrder,
): readonly KeyPlace[] | null {
  const leads = leadsOf(filter);
  if (leads === null) return null;
  const places: KeyPlace[] = [];
  for (const lead of leads) {
    const met = all(countQuery(filter, lead, sortedMax + 1));
    if (Number(met[0]?.count) > sortedMax - places.length) return null;
    places.push(...all(placesQuery(filter, lead, values[order.by])).map(placeIn));
  }
  return places.toSorted((one, other) => comparePlaces(order, one, other));
}

/** What no index finds is looked for once, in slices; null where there is more of it than can be sorted at once. */
async function searchedPlaces(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  order: KeyOrder,
): Promise<readonly KeyPlace[] | null> {
  if (filter.search?.kind !== 'text' && filter.nameContains === undefined) return null;
  const places: KeyPlace[] = [];
  for (let before: KeyId | null = null; ; await setImmediate()) {
    const slice = keySlice(filter, before, searchedAtOnce);
    const [start] = slice === null ? [] : all(slice);
    const from = start === undefined ? null : (String(start.id) as KeyId);
    const left = sortedMax + 1 - places.length;
    places.push(...all(keyValues(filter, { from, before }, values[order.by], left)).map(placeIn));
    if (places.length > sortedMax) return null;
    if (from === null) return places.sort((one, other) => comparePlaces(order, one, other));
    before = from;
  }
}

/** How many the lead leaves, up to `max`. */
export function countQuery(filter: KeyFilter, { from, condition }: KeyLead, max: number): Query {
  const where = condition === null ? '' : ` WHERE ${condition}`;
  const sql = `SELECT count(*) AS count FROM (SELECT 1 FROM ${from}${where} LIMIT ${max})`;
  return { sql, parameters: used(sql, conditionsOf(filter).parameters) };
}

function placesQuery(filter: KeyFilter, { from, condition }: KeyLead, value: string): Query {
  const given = conditionsOf(filter);
  const all = condition === null ? given.conditions : [condition, ...given.conditions];
  const where = all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`;
  const sql = `SELECT keys.id AS id, ${value} AS value FROM ${from}${where}`;
  return { sql, parameters: used(sql, given.parameters) };
}

/** Along the index of the order, which knows what it is ordered by to the last. */
async function* along(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  { by, isDescending }: KeyOrder,
  after: KeyPlace | null,
): AsyncGenerator<KeyPlace> {
  const { index, column } = columns[by];
  const slices = { ...{ index, column, value: values[by], isDescending }, bound: `${column} IS NOT NULL` };
  for await (const rows of slicesOf(all, filter, slices, after)) yield* rows.map(placeIn);
}

/** Within an hour the exact times are known for each key by itself: it is gone through for the first of them. */
async function* byHours(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  order: KeyOrder,
  after: KeyPlace | null,
): AsyncGenerator<KeyPlace> {
  const { isDescending } = order;
  const slices = { ...columns.last_used_at, value: values.last_used_at, isDescending: false };
  let start = after === null ? null : Number(after.value);
  for (;;) {
    const hour = nextHour(all, start, isDescending);
    if (hour === null) return;
    const bound = `last_used_at >= ${hour} AND last_used_at < ${hour + hourMs}`;
    for (let behind = after; ; ) {
      const first = { isDescending, behind };
      let met: KeyPlace[] = [];
      for await (const rows of slicesOf(all, filter, { ...slices, bound, first }, null)) {
        met.push(...rows.map(placeIn));
        met = met.sort((one, other) => comparePlaces(order, one, other)).slice(0, firstMax);
      }
      yield* met;
      behind = met.at(-1) ?? null;
      if (met.length < firstMax) break;
    }
    start = isDescending ? hour - 1 : hour + hourMs;
  }
}

/** The hour that the first use at that time or behind it is in. */
function nextHour(
  all: (query: Query) => readonly Row[],
  start: number | null,
  isDescending: boolean,
): number | null {
  const from = start === null ? null : isDescending ? hourOf(start) + hourMs - 1 : hourOf(start);
  const [which, range] = isDescending ? ['max', '<='] : ['min', '>='];
  const where = from === null ? 'IS NOT NULL' : `${range} :start`;
  const [row] = all({
    sql: `SELECT ${which}(last_used_at) AS value FROM keys INDEXED BY keys_by_last_use WHERE last_used_at ${where}`,
    parameters: from === null ? {} : { start: from },
  });
  return row?.value == null ? null : hourOf(Number(row.value));
}

function hourOf(time: number): number {
  return time - (time % hourMs);
}

/** Keys that have no such value, the newest first. */
async function* withoutValue(
  all: (query: Query) => readonly Row[],
  filter: KeyFilter,
  { by }: KeyOrder,
  after: KeyPlace | null,
): AsyncGenerator<KeyPlace> {
  const { index, column } = columns[by];
  const slices = { index, column: 'id', value: 'NULL', isDescending: true, bound: `${column} IS NULL` };
  const start = after === null ? null : { id: after.id, value: after.id };
  for await (const rows of slicesOf(all, filter, slices, start)) yield* rows.map(placeIn);
}
