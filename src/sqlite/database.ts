import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from './backup/folder.ts';
import { sqliteError, sqliteFailure } from './errors.ts';
import type { Migration } from './migration.ts';
import { migrate } from './schema.ts';

/** How long an open waits for a process that is just about to let go of the file. It blocks. */
const lockWaitMs = 250;

/** Pages of the file in memory; what else is read of it the system has in its cache. More makes nothing here faster. */
const pagesKiB = 16_384;

/**
 * Opens the file for this connection alone and brings its tables up to date. Its folder is made with mode
 * 0700 where it is missing, the file with 0600. Throws an Error that says what to do when the file is in
 * use, cannot be written, needs a newer Postern, or is no database.
 */
export function openDatabase(path: string, migrations?: readonly Migration[]): DatabaseSync {
  try {
    if (path !== ':memory:') makePrivate(path);
    const database = new DatabaseSync(path, { timeout: lockWaitMs, enableForeignKeyConstraints: false });
    try {
      claim(database);
      migrate(database, path, migrations);
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
  makeFolder(dirname(path));
  closeSync(openSync(path, 'a', 0o600));
  if ((statSync(path).mode & 0o777) !== 0o600) chmodSync(path, 0o600);
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

function openError(path: string, error: unknown): unknown {
  switch (sqliteFailure(error)) {
    case 'busy': {
      const advice = 'SQLite serves one process, use MongoDB for a fleet';
      return new Error(`${path} is in use by another process; ${advice}`, { cause: error });
    }
    case 'corrupt':
      return new Error(`${path} is not a SQLite database, or is damaged; restore a backup, or name another`, {
        cause: error,
      });
    case 'readonly':
      return notWritable(path, 'the file is read-only', error);
    case 'full':
    case 'io':
      return sqliteError(error);
    default:
      if (!(error instanceof Error && 'code' in error)) return error;
      if (['EACCES', 'EPERM', 'EROFS'].includes(String(error.code))) {
        return notWritable(path, error.message, error);
      }
      return new Error(`${path} could not be opened: ${error.message}`, { cause: error });
  }
}

function notWritable(path: string, why: string, cause: unknown): Error {
  const advice = 'Postern writes to the file and its folder: let it, or name a file where it may';
  return new Error(`${path} could not be opened: ${why}; ${advice}`, { cause });
}
