import { reading, unreadable } from '../files/file-access.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { apisixRows, isApisix } from './apisix.ts';
import { csvRows } from './csv.ts';
import { type ExportTree, readExport } from './export-tree.ts';
import { jsonlRows } from './jsonl.ts';
import { isKong, kongRows } from './kong.ts';
import type { ImportRow, ImportRows } from './row.ts';
import type { ExportTerms } from './terms.ts';
import { isUnkey, unkeyRows } from './unkey.ts';

export const importFormats = ['csv', 'jsonl', 'kong', 'apisix', 'unkey'] as const;
export type ImportFormat = (typeof importFormats)[number];

/** A file's rows, and how far they have come. */
export interface ImportSource {
  readonly rows: ImportRows;
  /** 0 to 1; null where the length is not known. */
  done(): number | null;
}

const exports: readonly {
  readonly format: ImportFormat;
  readonly isIt: (value: unknown) => boolean;
  readonly rowsOf: (tree: ExportTree, terms: ExportTerms) => ImportRow[];
}[] = [
  { format: 'kong', isIt: isKong, rowsOf: kongRows },
  { format: 'apisix', isIt: isApisix, rowsOf: apisixRows },
  { format: 'unkey', isIt: isUnkey, rowsOf: unkeyRows },
];

/**
 * The keys in a file, or in standard input for `-`. Where no format is given, the file's ending tells CSV and JSON
 * lines, and what is in it the exports of other products. Throws a {@link CommandError} where that is not clear.
 */
export function openSource(
  io: Io,
  path: string,
  given: ImportFormat | undefined,
  terms: ExportTerms,
): ImportSource {
  const bytesAll = path === '-' ? null : reading(path, () => io.fileBytes(path));
  let bytes = 0;
  const chunks = counted(io, path, (more) => {
    bytes += more;
  });
  const done = () => (bytesAll === null ? null : bytesAll === 0 ? 1 : Math.min(1, bytes / bytesAll));
  const format = given ?? formatByName(path);
  if (format === 'csv') return { rows: csvRows(chunks), done };
  if (format === 'jsonl') return { rows: jsonlRows(chunks), done };
  return exportSource(chunks, format, terms);
}

function exportSource(
  chunks: AsyncIterable<Uint8Array | string>,
  format: ImportFormat | null,
  terms: ExportTerms,
): ImportSource {
  const progress = { rows: 0, all: 0 };
  async function* rows(): ImportRows {
    const tree = await readExport(chunks);
    const found = exports.find((one) => (format === null ? one.isIt(tree.value) : one.format === format));
    if (found === undefined) throw unclear();
    const all = found.rowsOf(tree, terms);
    if (all.length === 0) throw empty(found.format);
    progress.all = all.length;
    for (let start = 0; start < all.length; start += groupSize) {
      yield all.slice(start, start + groupSize);
      progress.rows = start + groupSize;
    }
  }
  return { rows: rows(), done: () => (progress.all === 0 ? 0 : Math.min(1, progress.rows / progress.all)) };
}

/** Rows that are told of at a time, as of the pieces of a file. */
const groupSize = 500;

function formatByName(path: string): ImportFormat | null {
  if (/\.csv$/i.test(path)) return 'csv';
  if (/\.(?:jsonl|ndjson)$/i.test(path)) return 'jsonl';
  if (/\.(?:ya?ml|json)$/i.test(path)) return null;
  throw unclear();
}

async function* counted(io: Io, path: string, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const chunks = path === '-' ? io.stdin : io.readChunks(path);
  try {
    for await (const chunk of chunks) {
      const bytes = Buffer.from(chunk as Uint8Array);
      count(bytes.length);
      yield bytes;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** An export that is read as another would be done at once, and nobody would miss its keys. */
function empty(format: ImportFormat): CommandError {
  return new CommandError(exitCodes.usage, [
    `there is no key in this file, read as an export of ${format}`,
    'Look whether it is the right file, and whether --format fits.',
  ]);
}

function unclear(): CommandError {
  return new CommandError(exitCodes.usage, [
    'it is not clear what kind of file this is',
    `Say it by --format: ${importFormats.join(', ')}`,
  ]);
}
