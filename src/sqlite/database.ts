import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sqliteError, sqliteFailure } from './errors.ts';
import { migrations } from './migrations.ts';

/** How long an open waits for a process that is just about to let go of the file. It blocks. */
const lockWaitMs = 250;

/** Pages of the file in memory: the digests of a million keys. */
const pagesKiB = 65_536;

/**
 * Opens the file for this connection alone and brings its tables up to date. Its folder is made with mode
 * 0700 where it is missing, the file with 0600. Throws an Error that says what to do when the file is in
 * use, was written by a newer Postern, or is no database.
 */
export function openDatabase(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') makePrivate(path);
    const database = new DatabaseSync(path, { timeout: lockWaitMs, enableForeignKeyConstraints: false });
    try {
      claim(database);
      migrate(database, path);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw openError(path, error);
  }
}

/** SQLite gives its journal files the mode of the database. */
function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function claim(database: DatabaseSync): void {
  // Before the journal mode: the file is then never shared, not even for a moment.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA trusted_schema = OFF');
  // The log of each statement that runs triggers: as files they take half the time of an import.
  database.exec('PRAGMA temp_store = MEMORY');
  database.exec(`PRAGMA cache_size = -${pagesKiB}`);
  database.enableDefensive(true);
  database.exec('BEGIN IMMEDIATE; COMMIT');
}

function migrate(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version > migrations.length) {
    throw new Error(
      `${path} was written by a newer version of Postern; run that version, or name another file`,
    );
  }
  for (const [step, statements] of migrations.entries()) {
    if (step < version) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(statements);
      database.exec(`PRAGMA user_version = ${step + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

function openError(path: string, error: unknown): unknown {
  switch (sqliteFailure(error)) {
    case 'busy': {
      const advice = 'SQLite serves one process, use MongoDB for a fleet';
      return new Error(`${path} is in use by another process; ${advice}`, { cause: error });
    }
    case 'corrupt':
      return new Error(`${path} is not a SQLite database, or is damaged`, { cause: error });
    case 'full':
      return sqliteError(error);
    default:
      if (error instanceof Error && 'code' in error) {
        return new Error(`${path} could not be opened: ${error.message}`, { cause: error });
      }
      return error;
  }
}
