import { type Scan, textRecords } from '../files/text-records.ts';
import { type ImportRows, importRow, RowError } from './row.ts';

/** The keys of a file with a JSON object on each line, as ImportKeys takes them. */
export async function* jsonlRows(chunks: AsyncIterable<Uint8Array | string>): ImportRows {
  for await (const records of textRecords(chunks, scanLine)) {
    yield records
      .filter(({ read }) => read.value?.trim() !== '')
      .map(({ line, read }) =>
        importRow(`line ${line}`, () => {
          if (read.fault !== null) throw new RowError('', read.fault);
          return objectOf(read.value);
        }),
      );
  }
}

const scanLine: Scan<string> = (text, start, isWhole) => {
  const feed = text.indexOf('\n', start);
  if (feed < 0 && !isWhole) return null;
  const end = feed < 0 ? text.length : feed + 1;
  return { end, read: { value: text.slice(start, end), fault: null } };
};

function objectOf(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RowError('', 'cannot be read as JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new RowError('', 'is not a JSON object');
}
