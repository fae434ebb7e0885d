import type { Collection, Filter } from 'mongodb';
import type { KeyId } from '../../../keys/key.ts';
import { labelSearch } from '../../../keys/label-text.ts';
import { foldText } from '../../../keys/name-text.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import type { ReadOptions } from '../../sessions.ts';
import { inEachCase, inName, labelFilters, listFilter, literally } from './key-filter.ts';
import type { KeyDocument } from './records.ts';

/** Keys that one way of a search may find for all of them to be put in order; of more, most that are looked at match. */
const foundMax = 5_000;

/**
 * The same as {@link listFilter}. A text may be part of a name, or begin a label, or be the last four, which no one index
 * has: few keys are found by an index for each of these first, and more are met on the way along all keys.
 */
export async function searchingFilter(
  keys: Collection<KeyDocument>,
  filter: KeyFilter,
  before: KeyId | null,
  read: ReadOptions,
): Promise<Filter<KeyDocument>> {
  const { search, ...others } = filter;
  if (search?.kind !== 'text') return listFilter(filter, before);
  const found = new Set<string>();
  for (const way of waysOf(search.text)) {
    const options = { ...read, projection: { _id: 1 }, limit: foundMax + 1 } as const;
    const ids = await keys.find(way, options).toArray();
    if (ids.length > foundMax) return listFilter(filter, before);
    for (const { _id } of ids) found.add(_id);
  }
  return { $and: [{ _id: { $in: [...found] } }, listFilter(others, before)] };
}

/** What an index finds each: of names all of it is read, but of the index alone. */
function waysOf(text: string): readonly Filter<KeyDocument>[] {
  const { value, named } = labelSearch(text);
  const folded = foldText(value);
  const begun = [folded, ...(named === null ? [] : [`${foldText(named.name)}=${foldText(named.value)}`])];
  const isLabel = { $or: labelFilters(text) };
  return [
    inName(text),
    { prefix: { $regex: `^${literally(text)}` } },
    { last4: { $in: inEachCase(text) } },
    ...begun.map((part) => ({
      $and: [{ labels_folded: { $elemMatch: { $gte: part, $lt: `${part}\u{10ffff}` } } }, isLabel],
    })),
    // Documents of before labels were folded.
    { $and: [{ labels_folded: { $exists: false } }, isLabel] },
  ];
}
