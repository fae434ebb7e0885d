import type { Document, Filter } from 'mongodb';
import type { OpenDocument } from '../open/open-rows.ts';
import { denialsIn } from '../owners/owner-ranges.ts';

/** Hours of keys in the form of sums. */
export const asSums: Document[] = [
  {
    $project: {
      ...{ _id: 1, start: '$hour', allowed: 1, denied: 1, observed: 1 },
      key: { $first: { $split: ['$_id', ' '] } },
      denials: denialsIn('$denied'),
    },
  },
];

/** What is open of keys, in the same form. */
export function openPipeline(waiting: Filter<OpenDocument>, owner: string | null): Document[] {
  return [
    { $match: waiting },
    { $unwind: '$rows' },
    ...(owner === null ? [] : [{ $match: { 'rows.o': owner } }]),
    {
      $project: {
        ...{ _id: 1, start: '$hour', key: '$rows.k', allowed: { $ifNull: ['$rows.allowed', 0] } },
        ...{ denied: '$rows.denied', observed: '$rows.observed', denials: denialsIn('$rows.denied') },
      },
    },
  ];
}

/** Sums of keys as they were before this slice. */
export function withoutSlice(slice: number | null): Document[] {
  if (slice === null) return [];
  const less = (field: string) => ({ $subtract: [`$${field}`, ofSlice(slice, field)] });
  return [{ $set: { allowed: less('allowed'), denials: less('denials') } }];
}

/** What the slice has added to a sum. */
export function ofSlice(slice: number, field: string): Document {
  return { $cond: [{ $eq: ['$closing', slice] }, { $ifNull: [`$last.${field}`, 0] }, 0] };
}
