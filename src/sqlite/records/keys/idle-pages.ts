import type { DatabaseSync } from 'node:sqlite';
import type { IdlePage, IdleRange } from '../../../journal/journal-store.ts';
import { firstIdAt, type KeyId, type KeyRecord } from '../../../keys/key.ts';
import { BadRecord } from '../../../store/store.ts';
import type { Query, Row } from '../../statements.ts';
import { fromRow, lastUsedAt, recordColumns } from './records.ts';

/** Keys that may be idle: what the store's contract says of `listIdle`. Throws SQLite's errors. */
export type IdlePages = (range: IdleRange, size: number) => IdlePage;

/** A key's own row names the hour of its latest use, by an earlier use in it (see `recordColumns`). */
const hourMs = 3_600_000;

export function createIdlePages(
  database: DatabaseSync,
  onBadRecord: (id: string, error: BadRecord) => void,
): IdlePages {
  const get = database.prepare(`SELECT ${recordColumns} FROM keys WHERE id = :id`);
  const statements = {
    use: database.prepare(idleQuery('use')),
    creation: database.prepare(idleQuery('creation')),
    revival: database.prepare(idleQuery('revival')),
  };

  return (range, size) => {
    const rows = statements[range.by].all(idleParameters(range, size));
    // What was looked at before, and is there again for the hour that it lies in, need not be read.
    const fresh = rows.filter(({ used }) => range.by !== 'use' || Number(used) > range.after);
    const keys = fresh.flatMap(({ id }) => read(get.get({ id: String(id) })));
    const last = rows.length < size ? undefined : rows.at(-1);
    return {
      keys,
      last: last === undefined ? null : { at: Number(last.at), id: String(last.id) as KeyId },
      until: range.until,
    };
  };

  function read(row: Row | undefined): KeyRecord[] {
    if (row === undefined) return [];
    try {
      return [fromRow(row)];
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      onBadRecord(String(row.id), error);
      return [];
    }
  }
}

/** At most `size` rows of an index, whatever becomes of them. */
export function idleQuery(by: IdleRange['by']): Query['sql'] {
  switch (by) {
    case 'use':
      return `SELECT id, last_used_at AS at, ${lastUsedAt} AS used FROM keys INDEXED BY keys_by_last_use
        WHERE (last_used_at, id) > (:after, :last) AND last_used_at <= :until ORDER BY last_used_at, id LIMIT :size`;
    case 'creation':
      return `SELECT id, 0 AS at FROM keys INDEXED BY keys_by_last_use
        WHERE last_used_at IS NULL AND id > :after AND id < :until ORDER BY id LIMIT :size`;
    case 'revival':
      return `SELECT id, revived_at AS at FROM keys INDEXED BY keys_by_revival
        WHERE revived_at IS NOT NULL AND (revived_at, id) > (:after, :last) AND revived_at <= :until
        ORDER BY revived_at, id LIMIT :size`;
  }
}

/** After every id. */
const noMore = 'key_~';

function idleParameters({ by, after, until, last }: IdleRange, size: number) {
  if (by === 'creation')
    return { after: last?.id ?? firstIdAt(after + 1), until: firstIdAt(until + 1), size };
  const start = by === 'use' ? after - hourMs : after;
  return { after: last?.at ?? start, last: last?.id ?? noMore, until, size };
}
