import { type BigIntStats, statSync } from 'node:fs';

/** Whether the files that are open are still those that their names stand for. */
export interface FileWatch {
  /** Looks now; costs some microseconds. */
  isInPlace(): boolean;
}

/**
 * Of the database and of its write-ahead log, where it has one. A file that was deleted or replaced is written to as if
 * nothing had happened, and all of that is gone when it is closed.
 */
export function watchFile(path: string): FileWatch {
  if (path === ':memory:') return { isInPlace: () => true };
  const files = [path, `${path}-wal`].flatMap((file) => {
    const opened = look(file);
    return opened === null ? [] : [{ file, opened }];
  });
  return {
    isInPlace: () =>
      files.every(({ file, opened }) => {
        const found = look(file);
        return found !== null && found.ino === opened.ino && found.dev === opened.dev;
      }),
  };
}

/** Null for none, and for one that cannot be looked at any more. */
function look(file: string): BigIntStats | null {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}
