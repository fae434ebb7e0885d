import { BadRecord } from '../../store/store.ts';
import type { Row } from '../statements.ts';

/** How one kind of page is read. */
export interface PageReading<T> {
  /** The rows after that row, null for the beginning, at most so many. */
  readonly rows: (after: Row | null, size: number) => readonly Row[];
  /** Throws `BadRecord` where the row cannot be read. */
  readonly read: (row: Row) => T;
  /** Is told of each row that is left out. */
  readonly onBadRecord: (row: Row, error: BadRecord) => void;
}

/** A page without the rows that cannot be read; they make it no shorter, since a short page is the last one. */
export function readPage<T>(size: number, { rows, read, onBadRecord }: PageReading<T>): T[] {
  const found: T[] = [];
  let last: Row | null = null;
  while (found.length < size) {
    const wanted = size - found.length;
    const block: readonly Row[] = rows(last, wanted);
    for (const row of block) {
      try {
        found.push(read(row));
      } catch (error) {
        if (!(error instanceof BadRecord)) throw error;
        onBadRecord(row, error);
      }
    }
    last = block.at(-1) ?? null;
    if (block.length < wanted) break;
  }
  return found;
}
