import type { DatabaseSync } from 'node:sqlite';
import type { Migration } from './migration.ts';
import { migrations as released } from './migrations.ts';
import { inTransaction } from './transaction.ts';

/**
 * Brings the tables up to date, each step in a transaction of its own: what is interrupted is done again from there
 * at the next open. Tables of a newer version are left as they are where they can be served by this one, and an Error
 * says which version they need where they cannot.
 */
export function migrate(
  database: DatabaseSync,
  path: string,
  migrations: readonly Migration[] = released,
): void {
  const version = versionOf(database);
  if (version > migrations.length) {
    requireServable(database, path, version, migrations.length);
    return;
  }
  for (const [step, { statements, readerMin, complete }] of migrations.entries()) {
    if (step < version) continue;
    inTransaction(database, () => {
      database.exec(statements);
      complete?.(database);
      database
        .prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('reader_min', :min)")
        .run({ min: String(readerMin) });
      database.exec(`PRAGMA user_version = ${step + 1}`);
    });
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version);
}

function requireServable(database: DatabaseSync, path: string, version: number, own: number): void {
  const readerMin = readerMinOf(database) ?? version;
  if (readerMin <= own) return;
  throw new Error(
    `${path} was written by a newer version of Postern: its tables are of version ${version} and need a Postern ` +
      `of table version ${readerMin} or later, this one is of ${own}; run the newer one, or name another file`,
  );
}

/** Null where it is not said, as before there was such a thing. */
function readerMinOf(database: DatabaseSync): number | null {
  const hasMeta = database
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'")
    .get();
  if (hasMeta === undefined) return null;
  const row = database.prepare("SELECT value FROM meta WHERE name = 'reader_min'").get();
  return row === undefined ? null : Number(row.value);
}
