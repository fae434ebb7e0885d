import type { Document, Filter } from 'mongodb';
import { usageRetentionMs } from '../../../store/store.ts';
import {
  levelOf,
  nextStart,
  type SumRange,
  startOf,
  type UsageQuery,
  type UsageUnit,
} from '../../../store/usage/usage-sums.ts';
import type { OpenDocument } from '../open/open-rows.ts';
import type { PlanDocument } from '../plan.ts';
import { closedBefore, placesOf, settledOf } from '../plan-hours.ts';
import { ownerId, type SumDocument, startId } from './sum-documents.ts';

/** Ranges of ids in one question; where there were more, one range is read and the rest of it left out. */
const rangesMax = 800;
/** Keys of an owner whose hours are found by their ids. */
export const keysMax = 200;

type HourFilter = Filter<Document & { _id: string }>;

/** Sums of a level and unit that begin within the range. */
export function sumsIn(
  query: Pick<UsageQuery, 'group' | 'owner'>,
  { unit, from, to }: SumRange,
): Filter<SumDocument> {
  const level = levelOf(query);
  const range = { _id: { $gte: startId(level, unit, from), $lt: startId(level, unit, to) } };
  if (query.owner === null) return range;
  const starts = startsOf(unit, from, to);
  if (starts.length > rangesMax) return { ...range, owner: query.owner };
  const ofOwner = starts.map((start) => `${startId(level, unit, start)} ${ownerId(query.owner)}`);
  return { $or: ofOwner.map((id) => ({ _id: { $gte: `${id} `, $lt: `${id}!` } })) };
}

/** Hours within the range: of these keys, where they are known and not too many. */
export function hoursIn(
  { owner }: Pick<UsageQuery, 'owner'>,
  { from, to }: Pick<SumRange, 'from' | 'to'>,
  owned: readonly string[] | null,
): HourFilter[] {
  if (owned !== null && owned.length <= keysMax) {
    const idOf = (key: string, at: number) => `${key} ${new Date(at).toISOString()}`;
    const ofKeys = owned.map((key) => ({ _id: { $gte: idOf(key, from), $lt: idOf(key, to) } }));
    return ofKeys.length === 0 ? [{ _id: '' }] : ofKeys;
  }
  return placesIn(owner, from + usageRetentionMs, to + usageRetentionMs);
}

/** The index by which they are purged is one by hours. */
function placesIn(owner: string | null, from: number, to: number): HourFilter[] {
  if (from >= to) return [];
  const range = { purge_at: { $gte: new Date(from), $lt: new Date(to) } };
  return [owner === null ? range : { ...range, owner }];
}

/** Hours of days and months that are not in them yet. */
export function openIn({ owner }: UsageQuery, { from, to }: SumRange, plan: PlanDocument | null) {
  if (plan?.closed === undefined) return [];
  const [first, end] = [from + usageRetentionMs, to + usageRetentionMs];
  const closing = plan.closing === undefined ? [] : placesOf(plan.closing);
  return [
    ...closing.flatMap((places) => placesIn(owner, Math.max(first, places.from), Math.min(end, places.to))),
    ...placesIn(owner, Math.max(first, plan.closed.getTime()), end),
  ];
}

/** Hours of which all are in days and months, and others. */
export function apart(
  ranges: readonly SumRange[],
  plan: PlanDocument | null,
): readonly [before: SumRange[], after: SumRange[]] {
  if (plan?.closed === undefined) return [[...ranges], []];
  const end = closedBefore(plan);
  const before = ranges.map((range) => ({ ...range, to: Math.min(range.to, end) }));
  const after = ranges.map((range) => ({ ...range, from: Math.max(range.from, end) }));
  const isSome = ({ from, to }: SumRange) => from < to;
  return [before.filter(isSome), after.filter(isSome)];
}

/** What is open of ranges of hours, days or months: of none of it is anything in days and months. */
export function waitingIn(
  ranges: readonly SumRange[],
  plan: PlanDocument | null,
): Filter<OpenDocument> | null {
  const settled = settledOf(plan);
  const runs = (plan?.runs ?? []).map(({ run }) => run);
  const hours = ranges.flatMap(({ from, to }) => {
    const first = Math.max(from, settled);
    return first < to ? [{ hour: { $gte: new Date(first), $lt: new Date(to) } }] : [];
  });
  return hours.length === 0 || runs.length === 0 ? null : { run: { $in: runs }, $or: hours };
}

/** Leaves out rows of hours that are in open documents still. */
export function settledRows(settled: number): HourFilter {
  return { $nor: [{ was_open: { $exists: true }, hour: { $gte: new Date(settled) } }] };
}

function startsOf(unit: UsageUnit, from: number, to: number): number[] {
  const starts: number[] = [];
  for (let start = startOf(unit, from); start < to; start = nextStart(unit, start)) starts.push(start);
  return starts;
}
