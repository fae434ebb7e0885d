import type { Document } from 'mongodb';
import { type SumRange, startOf, type UsageQuery, type UsageUnit } from '../../../store/usage/usage-sums.ts';
import { bucketOf } from '../open/open-rows.ts';
import { ownerId } from '../sums/sum-documents.ts';
import { unitRun } from './owner-rows.ts';
import type { OwnerState } from './owner-state.ts';

/** Rows of owners in these ranges, in the form of sums; null where there is none. */
export function ownerPipeline(
  { owner }: Pick<UsageQuery, 'owner'>,
  ranges: readonly SumRange[],
  owners: OwnerState | undefined,
): Document[] | null {
  const places = owners === undefined ? [] : ranges.flatMap((range) => placesIn(range, owners, owner));
  if (places.length === 0) return null;
  return [
    { $match: { $or: places } },
    { $unwind: '$rows' },
    ...(owner === null ? [] : [{ $match: { 'rows.k': owner } }]),
    { $set: { kind: { $arrayElemAt: ['$kinds', { $ifNull: ['$rows.i', 0] }] } } },
    {
      $project: {
        ...{ _id: 1, start: '$hour', owner: '$rows.k', allowed: { $ifNull: ['$rows.allowed', 0] } },
        ...{ plan: '$kind.plan', scheme: '$kind.scheme', environment: '$kind.environment' },
        ...{ denied: '$rows.denied', observed: '$rows.observed', denials: denialsIn('$rows.denied') },
      },
    },
  ];
}

/** All that is denied, of counts by reason. */
export function denialsIn(field: string): Document {
  return { $sum: { $map: { input: { $objectToArray: { $ifNull: [field, {}] } }, in: '$$this.v' } } };
}

/** Months and days as far as there are rows of them, and of the rest hours. */
function placesIn({ unit, from, to }: SumRange, owners: OwnerState, owner: string | null): Document[] {
  const { closed, month } = owners;
  const end = closed.getTime();
  const past = (unit: UsageUnit, from: number, to: number) => pastIn(unit, from, to, owners, owner);
  if (unit === 'hour') return hoursIn(from, to, owners, owner);
  const hours = hoursIn(Math.max(from, end), to, owners, owner);
  if (unit === 'day') return [...past('day', from, Math.min(to, end)), ...hours];
  const isIn = month !== undefined && month.start.getTime() >= from && month.start.getTime() < to;
  const months = past('month', from, Math.min(to, startOf('month', end)));
  return [...months, ...(isIn ? [ofRun(month, owner)] : []), ...hours];
}

function hoursIn(from: number, to: number, owners: OwnerState, owner: string | null): Document[] {
  const { settled, runs = [] } = owners;
  const first = Math.max(from, settled.getTime());
  const hour = { $gte: new Date(first), $lt: new Date(to) };
  const open = first < to ? runs.map((run) => ({ ...ofRun(run, owner), hour })) : [];
  return [...pastIn('hour', from, Math.min(to, settled.getTime()), owners, owner), ...open];
}

/** Of hours, days or months whose rows are made: of one owner its bucket alone. */
function pastIn(
  unit: UsageUnit,
  from: number,
  to: number,
  { bits: bitsMax }: OwnerState,
  owner: string | null,
): Document[] {
  if (from >= to) return [];
  const hour = { $gte: new Date(from), $lt: new Date(to) };
  return Array.from({ length: bitsMax + 1 }, (_, bits) => ({ ...ofRun(unitRun(unit, bits), owner), hour }));
}

function ofRun(
  { run, bits }: { readonly run: number; readonly bits: number },
  owner: string | null,
): Document {
  return owner === null ? { run } : { run, bucket: bucketOf(ownerId(owner), bits) };
}
