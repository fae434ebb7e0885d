import type { Filter, Sort } from 'mongodb';
import type { KeyOrder, KeyPlace } from '../../../keys/key-order.ts';
import { date, earliest, type KeyDocument } from './records.ts';

/** Part of the keys in an order, one behind the other, each of which an index leads through. */
export interface OrderedRange {
  readonly range: Filter<KeyDocument>;
  readonly sort: Sort;
}

const fields = {
  created_at: '_id',
  last_used_at: 'last_used_at',
  expires_at: 'expires_at',
  name: 'name_folded',
  owner: 'owner',
} as const satisfies Readonly<Record<KeyOrder['by'], keyof KeyDocument>>;

/** What lies behind a place: those with its value, those with later ones, and those without, the newest first. */
export function orderedRanges({ by, isDescending }: KeyOrder, after: KeyPlace | null): OrderedRange[] {
  const field = fields[by];
  const way = isDescending ? -1 : 1;
  const behind = isDescending ? '$lt' : '$gt';
  if (field === '_id') {
    return [{ range: after === null ? {} : { _id: { [behind]: after.id } }, sort: { _id: way } }];
  }
  const sort: Sort = { [field]: way, _id: way };
  const isTime = field === 'last_used_at' || field === 'expires_at';
  const hasNull = field !== 'name_folded';
  const without: OrderedRange[] = hasNull
    ? [
        {
          range: { [field]: null, ...(after?.value === null && { _id: { $lt: after.id } }) },
          sort: { _id: -1 },
        },
      ]
    : [];
  if (after?.value === null) return without;
  // By it a partial index is known to have them.
  const there = isTime ? { $gte: date(earliest) } : { $type: 'string' };
  if (after === null) return [{ range: { [field]: there } as Filter<KeyDocument>, sort }, ...without];
  const value = typeof after.value === 'number' ? date(after.value) : after.value;
  const later = isTime && isDescending ? { $lt: value, ...there } : { [behind]: value };
  return [
    { range: { [field]: value, _id: { [behind]: after.id } } as Filter<KeyDocument>, sort: { _id: way } },
    { range: { [field]: later } as Filter<KeyDocument>, sort },
    ...without,
  ];
}
