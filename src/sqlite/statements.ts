import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** The statement of a text, prepared once; for texts of which there are few. */
export type Prepare = (sql: string) => StatementSync;

export function createStatements(database: DatabaseSync): Prepare {
  const known = new Map<string, StatementSync>();
  return (sql) => {
    const prepared = known.get(sql) ?? database.prepare(sql);
    known.set(sql, prepared);
    return prepared;
  };
}
