import type { DatabaseSync } from 'node:sqlite';
import type { Parameters, Row } from '../statements.ts';

/** Rows by their `id`, written only where nobody else has written them since they were read. Throws SQLite's errors. */
export interface VersionedRows {
  get(id: string): Row | null;
  /** Writes the row, of all columns, if the stored one has the version `ifVersion`, 0 for none; says whether it did. */
  put(row: Parameters, ifVersion: number): boolean;
}

/** Of a table with the columns `id`, `version` and these. */
export function createVersionedRows(
  database: DatabaseSync,
  table: 'owners' | 'portal_sessions' | 'roles',
  others: readonly string[],
): VersionedRows {
  const columns = ['version', ...others];
  const get = database.prepare(`SELECT * FROM ${table} WHERE id = :id`);
  const insert = database.prepare(
    `INSERT OR IGNORE INTO ${table} (id, ${columns.join(', ')}) VALUES (:id, :${columns.join(', :')})`,
  );
  const update = database.prepare(
    `UPDATE ${table} SET ${columns.map((column) => `${column} = :${column}`).join(', ')}
     WHERE id = :id AND version = :if_version`,
  );

  return {
    get: (id) => get.get({ id }) ?? null,
    put(row, ifVersion) {
      const { changes } = ifVersion === 0 ? insert.run(row) : update.run({ ...row, if_version: ifVersion });
      return changes > 0;
    },
  };
}

/** What a column holds as JSON; undefined where it is none. The parser's message would quote the text. */
export function jsonIn(column: unknown): unknown {
  try {
    return JSON.parse(String(column));
  } catch {
    return undefined;
  }
}
