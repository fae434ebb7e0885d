import type { DatabaseSync } from 'node:sqlite';
import { emptyJournal } from '../../journal/journal.ts';
import { sqliteFailure } from '../errors.ts';

/** What is in a backup. */
export interface BackupContent {
  readonly keys: number;
  /** The last entry of its journal: sequence 0 where there was none. */
  readonly head: { readonly sequence: number; readonly hash: string };
}

/** Throws an Error that names the database as `name` where it is damaged, or none of Postern's. */
export function contentOf(database: DatabaseSync, name: string): BackupContent {
  try {
    const [found] = database.prepare('PRAGMA quick_check(1)').all();
    if (found?.quick_check !== 'ok') throw new Error(`${name} is damaged`);
    const tables = database
      .prepare(
        "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table' AND name IN ('keys', 'meta')",
      )
      .get();
    if (Number(tables?.count) !== 2) throw new Error(`${name} is not a database of Postern`);
    const keys = Number(database.prepare('SELECT count(*) AS count FROM keys').get()?.count);
    return { keys, head: headOf(database) };
  } catch (error) {
    if (sqliteFailure(error) !== 'corrupt') throw error;
    throw new Error(`${name} is not an SQLite database, or is damaged`, { cause: error });
  }
}

function headOf(database: DatabaseSync): BackupContent['head'] {
  const hasJournal = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").get();
  const last =
    hasJournal && database.prepare('SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1').get();
  if (last !== undefined) return { sequence: Number(last.sequence), hash: String(last.hash) };
  const kept = database.prepare("SELECT value FROM meta WHERE name = 'journal_head'").get();
  if (kept === undefined) return emptyJournal;
  const { sequence, hash } = JSON.parse(String(kept.value)) as BackupContent['head'];
  return { sequence, hash };
}
