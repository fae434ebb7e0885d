import type { DatabaseSync } from 'node:sqlite';
import { type RestoreMark, readMark } from '../../restore/restore-mark.ts';

/** The mark of a restored database, in its table `meta`; null for none. Throws SQLite's errors. */
export function getMark(database: DatabaseSync): RestoreMark | null {
  const row = database.prepare("SELECT value FROM meta WHERE name = 'restored'").get();
  if (row === undefined) return null;
  try {
    return readMark(JSON.parse(String(row.value)));
  } catch {
    return readMark(null);
  }
}

/** Durable when it returns; null takes the mark away. */
export function putMark(database: DatabaseSync, mark: RestoreMark | null): void {
  if (mark === null) database.exec("DELETE FROM meta WHERE name = 'restored'");
  else {
    database
      .prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('restored', :mark)")
      .run({ mark: JSON.stringify(mark) });
  }
}
