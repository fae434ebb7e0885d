import { randomBytes } from 'node:crypto';
import { createReadStream, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { sqliteError } from '../errors.ts';

const copySuffix = '.copy-';

/** Pages in one step, in which whoever needs the database waits for it: some milliseconds. */
const pagesAtOnce = 64;

/**
 * The bytes of a copy of the whole database as it is at the end of the copying, whatever is written to it meanwhile
 * by this connection. It needs room beside the database for as long as it is read. Rejects with what the store's
 * contract says of an error, and soon after the signal aborts.
 */
export async function* copyOf(
  database: DatabaseSync,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const copy = `${path}${copySuffix}${randomBytes(6).toString('hex')}`;
  try {
    await backup(database, copy, { rate: pagesAtOnce, progress: () => signal.throwIfAborted() });
    for await (const chunk of createReadStream(copy)) yield chunk;
  } catch (error) {
    throw sqliteError(error);
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true });
  }
}

/** Removes copies that a crash has left beside the database. */
export function removeCopies(path: string): void {
  const folder = dirname(path);
  const left = readdirSync(folder).filter((name) => name.startsWith(basename(path) + copySuffix));
  for (const name of left) rmSync(join(folder, name), { force: true });
}
