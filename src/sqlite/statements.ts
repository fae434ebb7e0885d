import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/** What a statement is given by name. */
export type Parameters = Record<string, SQLInputValue>;
/** A statement, whose text depends on no value that may come from outside, and its values. */
export interface Query {
  readonly sql: string;
  readonly parameters: Parameters;
}

/** What a statement gives by column. */
export type Row = Readonly<Record<string, unknown>>;

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
