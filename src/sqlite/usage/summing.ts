import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { addReasons, createRanking, type OpenSum, type Ranking } from '../../store/usage/usage-ranking.ts';
import {
  bucketOf,
  levelOf,
  rangesOf,
  type SumRange,
  type UsageQuery,
  type UsageSum,
} from '../../store/usage/usage-sums.ts';
import { prepareReads, rowsAtOnce } from './reads.ts';
import { kindOf, startsOf, type UsageSumTable } from './sums.ts';

/** Adds up what keys were used for. Throws SQLite's errors. */
export type SumUsage = (query: UsageQuery, now: number) => Promise<UsageSum[]>;

type Row = Readonly<Record<string, unknown>>;

/** Keys of an owner that are looked for one by one; of more the rows of all keys are read. */
const keysMax = 200;

export function createUsageSumming(
  database: DatabaseSync,
  kept: Pick<UsageSumTable, 'closed' | 'reading'>,
): SumUsage {
  const { slice, sliceOfOwner, ends, best, hours, hoursOfKey, sumOfKey, ownedKeys } = prepareReads(database);

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
  function openHours({ from, to }: SumRange): AsyncGenerator<Row[], void> {
    const { hour, key } = kept.closed();
    return hoursAfter(hour < from ? [from, ''] : [hour, key], to);
  }

  function rowsOf(query: UsageQuery, range: SumRange): AsyncGenerator<Row[], void> {
    const level = levelOf(query);
    if (level === 'key') return query.owner === null ? ofKeys(range) : ofOwned(query.owner, range);
    const kind = kindOf(level, range.unit);
    return query.owner === null ? allOf(kind, range) : ofOwner(kind, query.owner, range);
  }

  function ofKeys(range: SumRange): AsyncGenerator<Row[], void> {
    return range.unit === 'hour' ? hoursAfter([range.from, ''], range.to) : sumsOfKeys(range);
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

  /** The rows of an owner's keys: of a few each by itself, of more among those of all. */
  async function* ofOwned(owner: string, range: SumRange): AsyncGenerator<Row[], void> {
    const keys = await keysOf(owner);
    if (keys.size > keysMax) {
      for await (const rows of ofKeys(range)) yield rows.filter(({ item }) => keys.has(String(item)));
      return;
    }
    const { unit, from, to } = range;
    for (const start of startsOf(unit, from, to)) {
      yield [...keys].flatMap((key) =>
        unit === 'hour' ? hoursOfKey.all(start, key) : sumOfKey.all(kindOf('key', unit), start, key),
      );
      await setImmediate();
    }
    if (unit === 'hour') return;
    for await (const rows of openHours(range)) yield rows.filter(({ item }) => keys.has(String(item)));
  }

  async function keysOf(owner: string): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for (let last = ''; ; ) {
      const rows = ownedKeys.all(owner, last);
      for (const { key } of rows) keys.add(String(key));
      last = String(rows.at(-1)?.key);
      if (rows.length < rowsAtOnce) return keys;
      await setImmediate();
    }
  }
}

/** The start, the owner and what else is in the name of a row. */
type Place = [number, string, string];

/** Whether each row of the range is a sum that was asked for. */
function isEachASum({ group, owner, interval }: UsageQuery, { unit, from, to }: SumRange): boolean {
  if (group !== 'key' || owner !== null || unit === 'hour') return false;
  return interval === unit || [...startsOf(unit, from, to)].length === 1;
}

function addRow(sums: Map<string, OpenSum>, query: UsageQuery, row: Row): void {
  const sum = sumOf(query, row);
  const name = nameOf(sum);
  const known = sums.get(name);
  if (known === undefined) {
    sums.set(name, sum);
    return;
  }
  known.allowed += sum.allowed;
  known.denials += sum.denials;
  known.denied = addReasons(known.denied, sum.denied);
  known.observed = addReasons(known.observed, sum.observed);
}

function nameOf({ start, group }: Pick<OpenSum, 'start' | 'group'>): string {
  return `${start ?? ''} ${group === null ? '' : `=${group}`}`;
}

const none = Object.freeze({});

function sumOf({ group, interval }: UsageQuery, row: Row): OpenSum {
  const denied = countsOf(row.denied);
  return {
    ...{ group: groupOf(group, row), start: bucketOf(interval, Number(row.start)) },
    ...{ allowed: Number(row.allowed), denied, observed: countsOf(row.observed) },
    denials: row.denials === undefined ? totalOf(denied) : Number(row.denials),
  };
}

function groupOf(group: UsageQuery['group'], { owner, item }: Row): string | null {
  if (group === 'none') return null;
  if (group === 'key') return String(item);
  if (group === 'owner') return owner === '' ? null : String(owner);
  const [plan, scheme, environment] = JSON.parse(String(item));
  return { plan, scheme, environment }[group];
}

function countsOf(text: unknown): OpenSum['denied'] {
  return text === '{}' ? none : JSON.parse(String(text));
}

function totalOf(counts: OpenSum['denied']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
