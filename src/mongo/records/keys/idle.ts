import type { Collection, Db, Filter } from 'mongodb';
import type { IdlePage, IdleRange } from '../../../journal/journal-store.ts';
import { firstIdAt, type KeyId, type KeyRecord } from '../../../keys/key.ts';
import { BadRecord } from '../../../store/store.ts';
import { keysName } from '../../collections.ts';
import type { Sessions } from '../../sessions.ts';
import type { UsageReads } from '../../usage/reads.ts';
import { earliest, fromDocument, type KeyDocument } from './records.ts';
import { createShownUse } from './shown-use.ts';

/** Keys that may be idle, in the collection `keys`: what the store's contract says of `listIdle`. */
export type IdlePages = (range: IdleRange, size: number) => Promise<IdlePage>;

export function createIdlePages(
  database: Db,
  sessions: Sessions,
  { lastUses, toldUntil }: Pick<UsageReads, 'lastUses' | 'toldUntil'>,
  onBadRecord: (id: string, error: BadRecord) => void,
): IdlePages {
  const keys: Collection<KeyDocument> = database.collection(keysName);
  const use = createShownUse(lastUses);

  return async (asked, size) => {
    // A key that was used later is found by its own document once that is told.
    const range = { ...asked, until: Math.min(asked.until, (await toldUntil()) - 1) };
    const found = await sessions.read(async (read) => {
      const documents: KeyDocument[] = [];
      for (const { filter, sort } of rangesOf(range)) {
        const limit = size - documents.length;
        if (limit > 0) documents.push(...(await keys.find(filter, { ...read, sort, limit }).toArray()));
      }
      return documents;
    });
    const last = found.length < size ? undefined : found.at(-1);
    const at = last === undefined ? 0 : (momentOf(last, range.by)?.getTime() ?? 0);
    return {
      keys: await use.many(found.flatMap(recordOf)),
      last: last === undefined ? null : { at, id: last._id as KeyId },
      until: range.until,
    };
  };

  function recordOf(document: KeyDocument): KeyRecord[] {
    try {
      return [fromDocument(document)];
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      onBadRecord(document._id, error);
      return [];
    }
  }
}

function momentOf({ last_used_at, revived_at }: KeyDocument, by: IdleRange['by']): Date | null | undefined {
  return by === 'use' ? last_used_at : by === 'revival' ? revived_at : null;
}

/** What is left of the range: of one index each, in its order. */
function rangesOf({
  by,
  after,
  until,
  last,
}: IdleRange): { filter: Filter<KeyDocument>; sort: Record<string, 1> }[] {
  if (by === 'creation') {
    const ids = {
      ...(last === undefined ? { $gte: firstIdAt(after + 1) } : { $gt: last.id }),
      $lt: firstIdAt(until + 1),
    };
    return [{ filter: { last_used_at: null, _id: ids }, sort: { last_used_at: 1, _id: 1 } }];
  }
  const member = by === 'use' ? 'last_used_at' : 'revived_at';
  const sort = { [member]: 1, _id: 1 } as const;
  const from = Math.max(last?.at ?? after, earliest);
  // What is of the same moment as the last one, and what is later.
  const same = { filter: { [member]: new Date(from), _id: { $gt: last?.id ?? '' } }, sort };
  const later = { filter: { [member]: { $gt: new Date(from), $lte: new Date(until) } }, sort };
  return last === undefined ? [later] : [same, later];
}
