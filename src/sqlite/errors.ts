import { ExternalIdTaken } from '../store/records/external-id.ts';
import { DuplicateKey, StoreUnavailable } from '../store/store.ts';

/** What a SQLite result code means for a caller; https://sqlite.org/rescode.html. */
type SqliteFailure = 'busy' | 'full' | 'io' | 'readonly' | 'corrupt' | 'duplicate' | 'other';

const failures: ReadonlyMap<number, SqliteFailure> = new Map([
  [5, 'busy'],
  [6, 'busy'],
  [8, 'readonly'],
  [10, 'io'],
  [13, 'full'],
  [14, 'io'],
  [11, 'corrupt'],
  [26, 'corrupt'],
]);
const uniqueCodes: ReadonlySet<number> = new Set([1555, 2067]);

/** Null when the error is none of SQLite's. */
export function sqliteFailure(error: unknown): SqliteFailure | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  if (uniqueCodes.has(error.errcode)) return 'duplicate';
  // The low byte is the primary code, the rest says more of it.
  return failures.get(error.errcode & 0xff) ?? 'other';
}

/** The error that the store's contract names for it; the same error when the contract names none. */
export function sqliteError(error: unknown): unknown {
  switch (sqliteFailure(error)) {
    case 'duplicate':
      // SQLite names an index of expressions, and no columns.
      return String((error as Error).message).includes('keys_by_external_id')
        ? new ExternalIdTaken()
        : new DuplicateKey();
    case 'busy':
      return new StoreUnavailable('the database file is busy', { cause: error });
    case 'full':
      return new StoreUnavailable('the disk of the database file is full: make room on it', {
        trouble: 'full',
        cause: error,
      });
    case 'io':
      return new StoreUnavailable(
        'the database file could not be read or written: the disk is full or broken, or a limit is reached',
        { trouble: 'io', cause: error },
      );
    case 'readonly':
      return new StoreUnavailable('the database file is read-only', { trouble: 'readonly', cause: error });
    case 'corrupt':
      // What it holds cannot be told from what it held: whoever asks is told that nobody knows.
      return new StoreUnavailable('the database file is damaged; restore a backup', {
        trouble: 'damaged',
        cause: error,
      });
    default:
      return error;
  }
}
