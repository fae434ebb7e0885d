import { csvLine } from '../files/csv.ts';
import { writing } from '../files/file-access.ts';
import type { Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';
import type { Fault } from './row.ts';

/** Tells what became of rows that were not taken in. No row is quoted. */
export interface Report {
  failed(place: string, fault: Fault): void;
  duplicate(place: string): void;
  /** Of the file, so far; 0 without one. */
  bytes(): number;
  close(): void;
}

/**
 * Failures go to standard error. With a file they go there too, and so do duplicates, as CSV; it goes on after
 * `bytesBefore`, all that a run before had certainly written.
 */
export function openReport(io: Io, path: string | undefined, bytesBefore: number): Report {
  const file = path === undefined ? null : writing(path, () => io.openToAppend(path, bytesBefore));
  let bytes = bytesBefore;
  const add = (cells: readonly string[]) => {
    if (file === null || path === undefined) return;
    const line = csvLine(cells);
    writing(path, () => file.write(line));
    bytes += Buffer.byteLength(line);
  };
  if (bytes === 0) add(['place', 'outcome', 'field', 'description']);

  return {
    failed(place, { field, description }) {
      add([place, 'failed', field, description]);
      io.stderr.write(`${printable(`${place}: ${field === '' ? '' : `${field}: `}${description}`)}\n`);
    },
    duplicate(place) {
      add([place, 'duplicate', '', 'is there already']);
    },
    bytes: () => bytes,
    close: () => file?.close(),
  };
}
