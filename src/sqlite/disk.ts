import { type FileHandle, open } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { createCoalesced } from '../store/coalesced.ts';
import { StoreUnavailable } from '../store/store.ts';
import { inTransaction, withoutSync } from './transaction.ts';

/** Transactions whose wait for the disk does not hold up the thread. */
export interface Disk {
  /** Runs the work in one transaction, which a power cut may undo until {@link Disk.durable} has resolved. */
  write<T>(work: () => T): T;
  /** Resolves when all that was written before the call is on the disk; one wait serves all who ask meanwhile. */
  durable(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A commit that waits for the disk takes a millisecond on a good one and ten on another, in which nobody is answered:
 * where many small ones come at once, each is written to the write-ahead log, and that file is brought to the disk by
 * a thread of Node's own, once for all. What a recovery reads of the log are whole transactions in their order, so what
 * is durable is so with all that was written before. SQLite locks the database and never its log, so that to close
 * this handle lets go of no lock. A database without the log, or in memory, commits as it does by itself.
 */
export async function createDisk(database: DatabaseSync, path: string): Promise<Disk> {
  const log = path === ':memory:' ? null : await openLog(`${path}-wal`);
  if (log === null) {
    return { write: (work) => inTransaction(database, work), durable: async () => {}, close: async () => {} };
  }
  return {
    write: (work) => withoutSync(database, work),
    durable: createCoalesced(() => sync(log)),
    close: () => log.close(),
  };
}

async function openLog(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function sync(log: FileHandle): Promise<void> {
  try {
    await log.datasync();
  } catch (cause) {
    throw new StoreUnavailable('the database file could not be brought to the disk', {
      trouble: 'io',
      cause,
    });
  }
}
