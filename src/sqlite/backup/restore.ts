import { chmodSync, constants, copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../database.ts';
import { sqliteFailure } from '../errors.ts';
import { type BackupContent, contentOf } from './content.ts';
import { makeFolder } from './folder.ts';
import { putMark } from './mark.ts';

export interface Restored extends BackupContent {
  /** Where the database that was there is kept; null where there was none. */
  readonly keptAs: string | null;
}

/**
 * Puts a copy of a backup in the place of a database that no process has, marked as restored, and keeps what was
 * there beside it. `now` is in Unix milliseconds. Throws an Error that says what to do where it cannot, and has then
 * changed nothing.
 */
export function restoreBackup(backup: string, path: string, now: number): Restored {
  if (!existsSync(backup)) throw new Error(`there is no file ${backup}`);
  makeFolder(dirname(path));
  const copy = `${path}.restoring`;
  removeDatabase(copy);
  try {
    copyFileSync(backup, copy, constants.COPYFILE_FICLONE);
    chmodSync(copy, 0o600);
    const content = prepare(copy, backup, now);
    const keptAs = existsSync(path) ? `${path}.before-${stampOf(now)}` : null;
    if (keptAs !== null) withoutOthers(path, () => moveDatabase(path, keptAs));
    renameSync(copy, path);
    return { ...content, keptAs };
  } finally {
    removeDatabase(copy);
  }
}

function prepare(copy: string, backup: string, now: number): BackupContent {
  const plain = new DatabaseSync(copy);
  let content: BackupContent;
  try {
    content = contentOf(plain, backup);
  } finally {
    plain.close();
  }
  const database = openDatabase(copy);
  try {
    putMark(database, { at: now, ...content.head });
    // All of it in the one file that is moved.
    database.exec('PRAGMA journal_mode = DELETE');
  } finally {
    database.close();
  }
  return content;
}

/** Throws where another process has the database; one that is damaged is nobody's. */
function withoutOthers(path: string, work: () => void): void {
  const database = new DatabaseSync(path, { timeout: 250 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
  } catch (error) {
    database.close();
    if (sqliteFailure(error) === 'busy') {
      throw new Error(`${path} is in use by another process; stop the service first`, { cause: error });
    }
    work();
    return;
  }
  // Closed first: it folds what stands in its log into the file.
  database.close();
  work();
}

const suffixes = ['', '-wal', '-shm', '-journal'];

function moveDatabase(from: string, to: string): void {
  for (const suffix of suffixes) if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
}

function removeDatabase(path: string): void {
  for (const suffix of suffixes) rmSync(path + suffix, { force: true });
}

function stampOf(now: number): string {
  return new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}
