import type { DatabaseSync } from 'node:sqlite';
import type { KeyId } from '../../../keys/key.ts';
import type { Digest } from '../../../keys/secret.ts';
import type { KeyPage, StoredKey } from '../../../store/records/key-pages.ts';
import { BadRecord } from '../../../store/store.ts';
import { checkedColumns, fromRow, rowOfValues } from './records.ts';

/** A page of all keys, for memory that is to have them all. Throws SQLite's errors. */
export type ReadKeyPage = (before: KeyId | null, size: number) => KeyPage;

/** Ids begin with a letter. */
const afterAllIds = '~';

export function createKeyPages(database: DatabaseSync): ReadKeyPage {
  const page = database.prepare(`SELECT ${checkedColumns} FROM keys WHERE id < ? ORDER BY id DESC LIMIT ?`);

  page.setReturnArrays(true);

  return (before, size) => {
    const rows = page.all(before ?? afterAllIds, size).map(rowOfValues);
    const keys: StoredKey[] = [];
    const unreadable: Digest[] = [];
    for (const row of rows) {
      try {
        const key = fromRow(row);
        keys.push({ digest: key.digest, key });
      } catch (error) {
        if (!(error instanceof BadRecord)) throw error;
        // Whoever asks for it is told.
        unreadable.push(String(row.digest) as Digest);
      }
    }
    const last = rows.length < size ? undefined : rows.at(-1);
    return { keys, unreadable, next: last === undefined ? null : (String(last.id) as KeyId) };
  };
}
