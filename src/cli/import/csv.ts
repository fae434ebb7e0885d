import { scanCsv } from '../files/csv.ts';
import { textRecords } from '../files/text-records.ts';
import { CommandError, exitCodes } from '../terminal/command.ts';
import { type ImportRow, type ImportRows, importRow, RowError } from './row.ts';

const plain = (text: string): unknown => text;

/** The columns that a file may have, and how a cell of each is read. Cells that are empty say nothing. */
const columns: Readonly<Record<string, (text: string) => unknown>> = {
  secret: plain,
  sha256: plain,
  name: plain,
  scheme: plain,
  environment: plain,
  owner: plain,
  permissions: list,
  roles: list,
  ip_allowlist: list,
  principals: list,
  expires_at: plain,
  plan: plain,
  rate_limit: rateLimit,
  rate_limits: rateLimits,
  labels,
  external_id: plain,
  disabled: flag,
  prefix: plain,
  last4: plain,
};

export const csvColumns = Object.keys(columns);

/**
 * The keys of a CSV file whose first line names its columns. Throws a {@link CommandError} where it does not: what
 * stands there is not quoted, since it may be a key.
 */
export async function* csvRows(chunks: AsyncIterable<Uint8Array | string>): ImportRows {
  let header: readonly string[] | null = null;
  for await (const records of textRecords(chunks, scanCsv)) {
    const rows: ImportRow[] = [];
    for (const { line, read } of records) {
      const place = `line ${line}`;
      if (read.value !== null && isBlank(read.value)) continue;
      if (header === null) header = headerOf(read.value ?? []);
      else if (read.fault !== null) {
        rows.push({ place, key: null, fault: { field: '', description: read.fault } });
      } else rows.push(rowOf(place, header, read.value));
    }
    yield rows;
  }
}

function isBlank(cells: readonly string[]): boolean {
  return cells.length === 1 && cells[0]?.trim() === '';
}

function headerOf(cells: readonly string[]): readonly string[] {
  const names = cells.map((cell) => cell.trim().toLowerCase());
  const unknown = names.findIndex((name) => !Object.hasOwn(columns, name));
  if (unknown >= 0) throw wrongHeader(`column ${unknown + 1} of the first line is none that is known`);
  const twice = names.findIndex((name, at) => names.indexOf(name) !== at);
  if (twice >= 0) throw wrongHeader(`column ${twice + 1} of the first line is there twice`);
  if (names.includes('secret') || names.includes('sha256')) return names;
  throw wrongHeader('the first line names neither a column secret nor a column sha256');
}

function wrongHeader(what: string): CommandError {
  return new CommandError(exitCodes.usage, [
    what,
    `The first line of a CSV file names its columns, separated by commas; there are: ${csvColumns.join(', ')}`,
  ]);
}

function rowOf(place: string, header: readonly string[], cells: readonly string[]): ImportRow {
  return importRow(place, () => {
    if (cells.length !== header.length) {
      const description = `has ${cells.length} cells where the first line has ${header.length}`;
      throw new RowError('', description);
    }
    const key: Record<string, unknown> = {};
    for (const [at, name] of header.entries()) {
      const text = cells[at] ?? '';
      if (text !== '') key[name] = columns[name]?.(text);
    }
    return key;
  });
}

/** Separated by spaces or commas, which none of them holds. */
function list(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

function rateLimit(text: string): unknown {
  const match = /^\s*([0-9]{1,16})\s*\/\s*(\S+)\s*$/.exec(text);
  if (match === null) throw new RowError('rate_limit', 'write it as LIMIT/WINDOW, such as 100/60s');
  return { limit: Number(match[1]), window: match[2] };
}

/** A JSON list, as the API takes it. */
function rateLimits(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RowError('rate_limits', 'is not JSON that can be read');
  }
}

/** `a=b;c=d`, or a JSON object for values that hold a semicolon. */
function labels(text: string): unknown {
  if (text.trimStart().startsWith('{')) return jsonLabels(text);
  const pairs = text
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new RowError('labels', 'write them as name=value;name=value, or as a JSON object');
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
  return Object.fromEntries(pairs);
}

function jsonLabels(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RowError('labels', 'cannot be read as JSON');
  }
}

function flag(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (['true', 'yes', '1'].includes(word)) return true;
  if (['false', 'no', '0'].includes(word)) return false;
  throw new RowError('disabled', 'is neither true nor false');
}
