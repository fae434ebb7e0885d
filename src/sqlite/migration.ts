import type { DatabaseSync } from 'node:sqlite';

/** What brings the tables from one version to the next. */
export interface Migration {
  /** Run in one transaction. */
  readonly statements: string;
  /**
   * The oldest version whose code serves the tables as they are then. A step that only adds what older code leaves
   * alone keeps that of the step before; one that takes away or changes what the version before still uses raises it,
   * and comes a release later than the code that can do without.
   */
  readonly readerMin: number;
  /** What no statement can do, after them, in the same transaction. */
  complete?(database: DatabaseSync): void;
}
