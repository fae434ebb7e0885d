import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { createRanking, type OpenSum, type Ranking } from '../../store/usage/usage-ranking.ts';
import {
  levelOf,
  rangesOf,
  type SumRange,
  type UsageQuery,
  type UsageSum,
} from '../../store/usage/usage-sums.ts';
import type { Row } from '../statements.ts';
import { addRow, nameOf, sumOf } from './adding.ts';
import type { PendingUse } from './pending.ts';
import { prepareReads, rowsAtOnce } from './reads.ts';
import { kindOf, startsOf, type UsageSumTable } from './sums.ts';
import { createWaitingRows } from './waiting.ts';

/** Adds up what keys were used for. Throws SQLite's errors. */
export type SumUsage = (query: UsageQuery, now: number) => Promise<UsageSum[]>;

/** Keys of an owner that are looked for one by one; of more the rows of all keys are read. */
const keysMax = 200;

export function createUsageSumming(
  database: DatabaseSync,
  kept: Pick<UsageSumTable, 'closed' | 'reading'>,
  pending: PendingUse,
): SumUsage {
  const waiting = createWaitingRows(pending);
  const { slice, sliceOfOwner, ends, best, hours, hourEnds, plainHours, otherHours, ...ofOne } =
    prepareReads(database);
  const { hoursOfKey, nextHour, sumOfKey, ownedKeys } = ofOne;

  return (query, now) => kept.reading(() => sum(query, now));

  async function sum(query: UsageQuery, now: number): Promise<UsageSum[]> {
    const ranking = createRanking(query);
    const ranges = rangesOf(query, now);
    const [range] = ranges;
    if (range !== undefined && ranges.length === 1 && isEachASum(query, range)) {
      await rank(query, range, ranking);
      return ranking.first();
    }
    const sums = new Map<string, OpenSum>();
    for (const range of ranges) {
      for await (const rows of rowsOf(query, range)) for (const row of rows) addRow(sums, query, row);
    }
    for (const sum of sums.values()) ranking.add(sum);
    return ranking.first();
  }

  /** Where nothing is to be added up, what does not come first is passed over by SQLite itself. */
  async function rank(query: UsageQuery, range: SumRange, ranking: Ranking): Promise<void> {
    const { unit, from, to } = range;
    const kind = kindOf('key', unit);
    const open = await openSums(query, range);
    for (const sum of open.values()) ranking.add(sum);
    const by = query.order === 'denied' ? 'denials' : 'allowed';
    for (let place: Place = [from, '', '']; ; ) {
      const end = ends.get(kind, ...place, to) as { start: number; owner: string; item: string } | undefined;
      const until: Place = end === undefined ? [to, '', ''] : [end.start, end.owner, end.item];
      for (const row of best[by].all(kind, ...place, ...until, ranking.least())) {
        const sum = sumOf(query, row);
        if (!open.has(nameOf(sum))) ranking.add(sum);
      }
      if (end === undefined) return;
      place = until;
      await setImmediate();
    }
  }

  /** The sums that hours have a part of which are not closed. */
  async function openSums(query: UsageQuery, range: SumRange): Promise<Map<string, OpenSum>> {
    const sums = new Map<string, OpenSum>();
    for await (const rows of openHours(range)) for (const row of rows) addRow(sums, query, row);
    const kind = kindOf('key', range.unit);
    for (const [looked, sum] of [...sums.values()].entries()) {
      if (looked % rowsAtOnce === rowsAtOnce - 1) await setImmediate();
      const starts = sum.start === null ? startsOf(range.unit, range.from, range.to) : [sum.start];
      for (const start of starts) {
        for (const row of sumOfKey.all(kind, start, sum.group)) addRow(sums, query, row);
      }
    }
    return sums;
  }

  /** The rows of keys within a range of days or months that are not in them yet. */
  async function* openHours(range: SumRange): AsyncGenerator<Row[], void> {
    const { from, to } = range;
    const { hour, key } = kept.closed();
    yield* hoursAfter(hour < from ? [from, ''] : [hour, key], to);
    yield* waiting.ofAllKeys(range);
  }

  function rowsOf(query: UsageQuery, range: SumRange): AsyncGenerator<Row[], void> {
    const level = levelOf(query);
    if (level === 'key')
      return query.owner === null ? ofKeys(query, range) : ofOwned(query.owner, query, range);
    return ofSums(kindOf(level, range.unit), query.owner, range);
  }

  async function* ofSums(kind: number, owner: string | null, range: SumRange): AsyncGenerator<Row[], void> {
    yield* owner === null ? allOf(kind, range) : ofOwner(kind, owner, range);
    yield waiting.ofOwners(range, owner);
  }

  async function* ofKeys(
    { interval }: Pick<UsageQuery, 'interval'>,
    range: SumRange,
  ): AsyncGenerator<Row[], void> {
    if (range.unit !== 'hour') {
      yield* sumsOfKeys(range);
      return;
    }
    const first: [number, string] = [range.from, ''];
    yield* interval === 'all' ? hoursTogether(first, range.to) : hoursAfter(first, range.to);
    yield* waiting.ofAllKeys(range);
  }

  async function* sumsOfKeys(range: SumRange): AsyncGenerator<Row[], void> {
    yield* allOf(kindOf('key', range.unit), range);
    yield* openHours(range);
  }

  async function* allOf(kind: number, { from, to }: SumRange): AsyncGenerator<Row[], void> {
    for (let place: Place = [from, '', '']; ; ) {
      const rows = slice.all(kind, ...place, to);
      yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < rowsAtOnce) return;
      place = [Number(last.start), String(last.owner), String(last.item)];
      await setImmediate();
    }
  }

  async function* ofOwner(
    kind: number,
    owner: string,
    { unit, from, to }: SumRange,
  ): AsyncGenerator<Row[], void> {
    let read = 0;
    for (const start of startsOf(unit, from, to)) {
      for (let item = ''; ; ) {
        const rows = sliceOfOwner.all(kind, start, owner, item);
        yield rows;
        const last = rows.at(-1);
        read += 1 + rows.length;
        if (read >= rowsAtOnce) await setImmediate();
        if (read >= rowsAtOnce) read = 0;
        if (last === undefined || rows.length < rowsAtOnce) break;
        item = String(last.item);
      }
    }
  }

  async function* hoursAfter(first: [number, string], to: number): AsyncGenerator<Row[], void> {
    for (let place = first; ; ) {
      const rows = hours.all(...place, to);
      yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < rowsAtOnce) return;
      place = [Number(last.start), String(last.item)];
      await setImmediate();
    }
  }

  /** Hours of keys added up as far as SQLite does it faster: those in which nothing was denied. */
  async function* hoursTogether(first: [number, string], to: number): AsyncGenerator<Row[], void> {
    for (let place = first; ; ) {
      const end = hourEnds.get(...place, to);
      const until: [number, string] =
        end === undefined ? [to - 1, '~'] : [Number(end.start), String(end.item)];
      yield plainHours.all(...place, ...until);
      yield otherHours.all(...place, ...until);
      if (end === undefined) return;
      place = until;
      await setImmediate();
    }
  }

  /** The rows of an owner's keys: of a few each by itself, of more among those of all. */
  async function* ofOwned(owner: string, query: UsageQuery, range: SumRange): AsyncGenerator<Row[], void> {
    const keys = await keysOf(owner);
    if (keys.size > keysMax) {
      for await (const rows of ofKeys(query, range)) yield rows.filter(({ item }) => keys.has(String(item)));
      return;
    }
    const { unit, from, to } = range;
    for (const start of startsOf(unit, from, to)) {
      yield [...keys].flatMap((key) =>
        unit === 'hour' ? hoursOfKey.all(start, key) : sumOfKey.all(kindOf('key', unit), start, key),
      );
      await setImmediate();
    }
    yield waiting.ofKeys(keys, range);
    if (unit !== 'hour') yield* openHoursOf([...keys], range);
  }

  /** The same as {@link openHours} of these keys alone, each by itself. */
  async function* openHoursOf(keys: readonly string[], { from, to }: SumRange): AsyncGenerator<Row[], void> {
    const closed = kept.closed();
    for (let last = Math.max(closed.hour, from) - 1; ; await setImmediate()) {
      const next = nextHour.get(last)?.hour;
      if (next == null || Number(next) >= to) return;
      last = Number(next);
      const open = keys.filter((key) => last > closed.hour || key > closed.key);
      yield open.flatMap((key) => hoursOfKey.all(last, key));
    }
  }

  async function keysOf(owner: string): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for (let last = ''; ; ) {
      const rows = ownedKeys.all(owner, last);
      for (const { key } of rows) keys.add(String(key));
      last = String(rows.at(-1)?.key);
      if (rows.length < rowsAtOnce) break;
      await setImmediate();
    }
    for (const key of waiting.keysOf(owner)) keys.add(key);
    return keys;
  }
}

/** The start, the owner and what else is in the name of a row. */
type Place = [number, string, string];

/** Whether each row of the range is a sum that was asked for. */
function isEachASum({ group, owner, interval }: UsageQuery, { unit, from, to }: SumRange): boolean {
  if (group !== 'key' || owner !== null || unit === 'hour') return false;
  return interval === unit || [...startsOf(unit, from, to)].length === 1;
}
